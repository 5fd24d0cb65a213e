//! Taking, keeping and releasing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use transship_cluster::{ClusterError, Gate};
use transship_model::plan::{Plan, PlannedCluster};
use transship_model::{FlowId, Name};

use super::guard::{Guard, Lost, Moment};
use super::held::HeldLease;
use super::table::{Epoch, Table, Who};
use super::terms::{AGAIN, HEARTBEAT, POLL};
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::error::ApplyError;
use crate::run_id::new_run_id;
use crate::servers::{Scope, Servers};

/// How long a release may take: what is not released expires by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// The locks that are wanted.
#[derive(Clone, Copy)]
pub struct LockRequest<'a> {
    /// Connections that nothing else uses: a lease must not wait for another statement.
    pub servers: &'a dyn Servers,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whose flows.
    pub scope: Scope<'a>,
    /// The flows, each with the cluster whose ledger has its row.
    pub flows: &'a BTreeSet<(Name, FlowId)>,
    /// The clusters as they were planned with.
    pub clusters: &'a BTreeMap<Name, PlannedCluster>,
    /// Who asks, as people know them: user and machine.
    pub holder: &'a str,
    /// How long to wait for who holds them.
    pub timeout: Duration,
    /// The run of which this is one round of many; such a round lets those go first who wait.
    pub round_of: Option<&'a str>,
    /// Whether to stop waiting.
    pub cancel: &'a Cancel,
    /// Is told whom there is to wait for.
    pub waiting: &'a (dyn Fn(&HeldLease) + Send + Sync),
}

/// The locks that a run holds.
pub struct Locks<'a> {
    table: Table<'a>,
    clock: &'a dyn Clock,
    held: Vec<(Name, Vec<Epoch>)>,
    guard: Arc<Guard>,
    /// Whether those go first who wait.
    yields: bool,
}

/// What came of asking for all.
enum Asked {
    /// All are held, since these moments.
    Held(Vec<(Name, Vec<Epoch>)>, Vec<Moment>),
    /// Somebody else holds one; none is held.
    Taken(HeldLease),
}

impl<'a> Locks<'a> {
    /// The locks that a run of `plan` needs.
    pub fn wanted_by(plan: &Plan) -> BTreeSet<(Name, FlowId)> {
        plan.all_records().map(|record| (record.cluster.clone(), record.flow.clone())).collect()
    }

    /// Takes all locks or none.
    pub async fn take(request: LockRequest<'a>) -> Result<Self, ApplyError> {
        let LockRequest { servers, clock, scope, holder, .. } = request;
        let (run, random) = (request.round_of.map_or_else(|| new_run_id(clock), str::to_owned), random());
        let who = Who { owner: format!("{run}-{random:016x}"), holder: holder.to_owned(), run };
        let table = Table::new(servers, clock, scope, who);
        let flows = by_cluster(request.flows);
        check_identity(&table, request.clusters, flows.keys().copied()).await?;
        let yields = request.round_of.is_some();
        for (cluster, flows) in flows.iter().filter(|_| yields) {
            if let Some(lease) = table.waiting(cluster, flows).await? {
                return Err(ApplyError::Locked { lease: Box::new(lease), waited: Duration::ZERO });
            }
        }
        let mut waited = None;
        let taken = wait(&request, &table, (&flows, random), &mut waited).await;
        if let Some((cluster, flow)) = &waited {
            table.wait((cluster, flow), false).await.ok();
        }
        let (held, since) = taken?;
        Ok(Self { table, clock, held, guard: Arc::new(Guard::new(since)), yields })
    }

    /// Does `work`, and renews the locks meanwhile.
    pub async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.beat() => match never {},
        }
    }

    /// Lets go of the locks; tells where that failed. What was lost is not touched.
    pub async fn release(self) -> Vec<ClusterError> {
        if self.guard.check(self.clock).is_err() {
            return Vec::new();
        }
        let releases = self.held.iter().map(|(cluster, flows)| self.table.release(cluster, flows));
        let all = async { join_all(releases).await.into_iter().filter_map(Result::err).collect() };
        tokio::select! {
            biased;
            problems = all => problems,
            () = self.clock.sleep(FAREWELL) => Vec::new(),
        }
    }

    /// The id of the run that they are held for.
    pub fn run(&self) -> &str {
        &self.table.who.run
    }

    /// Whether all of `flows` are among them.
    pub fn cover(&self, flows: &BTreeSet<(Name, FlowId)>) -> bool {
        flows.iter().all(|(cluster, flow)| self.held_on(cluster).any(|(held, _)| held == flow))
    }

    /// A gate that is closed as soon as they are lost, by the clock that they were taken by.
    pub fn gate(&self, clock: impl Clock + 'static) -> Gate {
        let guard = Arc::clone(&self.guard);
        Gate::new(move || guard.check(&clock).is_ok())
    }

    /// Whether to let go of them as soon as can be: somebody waits, and this run comes again.
    pub(crate) async fn are_to_be_yielded(&self) -> bool {
        for (cluster, flows) in self.held.iter().filter(|_| self.yields) {
            let flows: Vec<&FlowId> = flows.iter().map(|(flow, _)| flow).collect();
            if matches!(self.table.waiting(cluster, &flows).await, Ok(Some(_))) {
                return true;
            }
        }
        false
    }

    /// Why they are lost, if they are known to be.
    pub fn why_lost(&self) -> Option<Lost> {
        self.guard.why()
    }

    /// Fails once they are lost.
    pub(crate) fn check(&self) -> Result<(), Lost> {
        self.guard.check(self.clock)
    }

    /// The ledger says that a newer run is at work.
    pub(crate) fn lose(&self, lost: Lost) -> Lost {
        self.guard.lose(lost)
    }

    /// Ends when they are known to be lost.
    pub(crate) async fn lost(&self) {
        self.guard.lost().await;
    }

    /// The epoch that the row of a flow is written with.
    pub(crate) fn epoch(&self, cluster: &Name, flow: &FlowId) -> i64 {
        self.held_on(cluster).find(|(held, _)| held == flow).map_or(0, |(_, epoch)| *epoch)
    }

    fn held_on(&self, cluster: &Name) -> impl Iterator<Item = &Epoch> {
        self.held.iter().filter(move |(held, _)| held == cluster).flat_map(|(_, flows)| flows)
    }

    async fn beat(&self) -> Infallible {
        let mut pause = HEARTBEAT;
        loop {
            self.clock.sleep(pause.min(self.guard.left(self.clock))).await;
            if self.guard.check(self.clock).is_err() {
                std::future::pending::<()>().await;
            }
            let renewals = join_all((0..self.held.len()).map(|at| self.renew(at)));
            let renewed = tokio::select! {
                biased;
                renewed = renewals => renewed.into_iter().all(|renewed| renewed),
                () = self.clock.sleep(self.guard.left(self.clock)) => false,
            };
            pause = if renewed { HEARTBEAT } else { AGAIN };
        }
    }

    /// Renews the leases of one cluster; whether that is known to have been done.
    async fn renew(&self, at: usize) -> bool {
        let (sent, (cluster, flows)) = (Moment::of(self.clock), &self.held[at]);
        let found = match self.table.renew(cluster, flows).await {
            Ok(found) => found,
            Err(error) => {
                self.guard.fail(at, error.to_string());
                return false;
            }
        };
        let is_own =
            |(lease, (_, epoch)): &(&HeldLease, &Epoch)| lease.owner == self.table.who.owner && lease.epoch == *epoch;
        if let Some((other, _)) = found.iter().zip(flows).find(|pair| !is_own(pair)) {
            self.guard.lose(Lost::to(other));
            return false;
        }
        self.guard.renew(at, sent);
        true
    }
}

#[cfg(test)]
impl<'a> Locks<'a> {
    /// What knows whether they are lost.
    pub(crate) fn guard(&self) -> Arc<Guard> {
        Arc::clone(&self.guard)
    }

    /// No locks, which are never lost by themselves.
    pub(crate) fn none(servers: &'a dyn Servers, clock: &'a dyn Clock, scope: Scope<'_>) -> Self {
        let run = new_run_id(clock);
        let who = Who { owner: run.clone(), holder: "a test".to_owned(), run };
        let (table, guard) = (Table::new(servers, clock, scope, who), Arc::new(Guard::new(Vec::new())));
        Self { table, clock, held: Vec::new(), guard, yields: false }
    }
}

fn by_cluster(flows: &BTreeSet<(Name, FlowId)>) -> BTreeMap<&Name, Vec<&FlowId>> {
    let mut found = BTreeMap::<&Name, Vec<&FlowId>>::new();
    for (cluster, flow) in flows {
        found.entry(cluster).or_default().push(flow);
    }
    found
}

/// Nothing is written to a cluster that is not the one that was planned with.
async fn check_identity(
    table: &Table<'_>,
    planned: &BTreeMap<Name, PlannedCluster>,
    clusters: impl Iterator<Item = &Name>,
) -> Result<(), ApplyError> {
    for cluster in clusters {
        let Some(planned) = planned.get(cluster) else { continue };
        let found = table.identity(cluster).await?;
        if found != planned.id {
            return Err(ApplyError::Identity { cluster: cluster.clone(), planned: planned.id.clone(), found });
        }
    }
    Ok(())
}

/// Asks until all are held or the time is over. `waited` becomes the lease for which it is said that somebody waits.
async fn wait(
    request: &LockRequest<'_>,
    table: &Table<'_>,
    (flows, mut random): (&BTreeMap<&Name, Vec<&FlowId>>, u64),
    waited: &mut Option<(Name, FlowId)>,
) -> Result<(Vec<(Name, Vec<Epoch>)>, Vec<Moment>), ApplyError> {
    let (clock, timeout) = (request.clock, request.timeout);
    let (began, mut told) = (clock.elapsed(), None);
    loop {
        let taken = match ask(table, clock, flows).await? {
            Asked::Held(held, since) => return Ok((held, since)),
            Asked::Taken(taken) => taken,
        };
        let left = timeout.saturating_sub(clock.elapsed().saturating_sub(began));
        if left.is_zero() || request.cancel.is_requested() {
            return Err(ApplyError::Locked { lease: Box::new(taken), waited: timeout });
        }
        // Who goes on for long lets go earlier then; who does not know of it keeps what it has.
        table.wait((&taken.cluster, &taken.flow), true).await.ok();
        *waited = Some((taken.cluster.clone(), taken.flow.clone()));
        if told.as_ref() != Some(&taken.owner) {
            (request.waiting)(&taken);
            told = Some(taken.owner.clone());
        }
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        tokio::select! {
            biased;
            () = request.cancel.requested() => {}
            () = clock.sleep(pause(random).min(left)) => {}
        }
    }
}

/// Asks for all in their order. What was taken is released where not all are.
async fn ask(
    table: &Table<'_>,
    clock: &dyn Clock,
    flows: &BTreeMap<&Name, Vec<&FlowId>>,
) -> Result<Asked, ClusterError> {
    let (mut held, mut since) = (Vec::new(), Vec::new());
    let mut outcome = Ok(None);
    for (cluster, flows) in flows {
        since.push(Moment::of(clock));
        let (own, other) = match ask_on(table, cluster, flows).await {
            Ok(found) => found,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        };
        held.push(((*cluster).clone(), own));
        if other.is_some() {
            outcome = Ok(other);
            break;
        }
    }
    if matches!(outcome, Ok(None)) {
        outcome = fence(table, &held).await.map(|()| None);
    }
    if !matches!(outcome, Ok(None)) {
        for (cluster, flows) in &held {
            // What cannot be released expires by itself; why not all were taken is what is to be told.
            table.release(cluster, flows).await.ok();
        }
    }
    Ok(outcome?.map_or(Asked::Held(held, since), Asked::Taken))
}

/// Those that are held now, and the first that somebody else holds.
async fn ask_on(
    table: &Table<'_>,
    cluster: &Name,
    flows: &[&FlowId],
) -> Result<(Vec<Epoch>, Option<HeldLease>), ClusterError> {
    let written = table.written(cluster, flows).await?;
    let wanted: Vec<Epoch> =
        flows.iter().map(|flow| ((*flow).clone(), written.get(*flow).map_or(1, |epoch| epoch + 1))).collect();
    let (own, others): (Vec<_>, Vec<_>) =
        table.take(cluster, &wanted).await?.into_iter().partition(|lease| lease.owner == table.who.owner);
    let own = own.into_iter().map(|lease| (lease.flow, lease.epoch)).collect();
    Ok((own, others.into_iter().next()))
}

/// From here on, whoever held the leases before can write no row of these flows.
async fn fence(table: &Table<'_>, held: &[(Name, Vec<Epoch>)]) -> Result<(), ClusterError> {
    for (cluster, flows) in held {
        let names: Vec<&FlowId> = flows.iter().map(|(flow, _)| flow).collect();
        let written = table.written(cluster, &names).await?;
        for epoch in flows.iter().filter(|(flow, epoch)| written.get(flow).is_some_and(|written| written < epoch)) {
            table.raise(cluster, epoch).await?;
        }
    }
    Ok(())
}

fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}

/// A pause between the shortest and the longest.
fn pause(random: u64) -> Duration {
    let (shortest, longest) = POLL;
    let thousandth = u32::try_from((random >> 33) % 1000).expect("below 1000");
    shortest + longest.saturating_sub(shortest) * thousandth / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_within_their_limits() {
        let pauses: BTreeSet<Duration> = (0..50).map(|_| pause(random())).collect();
        assert!(pauses.len() > 10, "{pauses:?}");
        assert!(pauses.iter().all(|pause| (POLL.0..=POLL.1).contains(pause)), "{pauses:?}");
    }
}
