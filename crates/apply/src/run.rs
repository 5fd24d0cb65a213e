//! Runs a plan: everything that is checked before the first statement, then the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use futures_util::future::{BoxFuture, try_join_all};
use tokio::sync::mpsc;
use transship_model::Name;
use transship_model::access::Access;
use transship_model::event::{Event, Happened};
use transship_model::ledger::RunState;
use transship_model::observed::{OBSERVATION_FORMAT, Observation};
use transship_model::plan::{ObjectKind, ObjectRef, PLAN_FORMAT, Plan, Step};
use transship_model::redact::Redactor;
use transship_model::store::{ObservedStore, StoreAccess};
use transship_store::{Store, look_for_export};

use crate::cancel::{Cancel, Canceller, cancellation};
use crate::clock::Clock;
use crate::command::CommandHost;
use crate::emit::Emitter;
use crate::error::ApplyError;
use crate::ledger::{Ledger, RunFacts, StepState};
use crate::lock::Locks;
use crate::runlog::RunLog;
use crate::scheduler::{Runner, Scheduler, Succeeded, Tally};
use crate::servers::{Scope, Servers};
use crate::step::{Context, StepError, perform};

/// How long a step may take to stop once its locks are lost.
const GRACE: Duration = Duration::from_secs(10);

/// A run of a plan.
pub struct Run<'a> {
    /// The plan, as it was read from its text.
    pub plan: &'a Plan,
    /// How the clusters are reached.
    pub access: &'a BTreeMap<Name, Access>,
    /// How the stores are reached.
    pub stores: &'a BTreeMap<Name, StoreAccess>,
    /// Connections to them.
    pub servers: &'a dyn Servers,
    /// How programs are started; without it, none is.
    pub host: Option<&'a CommandHost>,
    /// Knows every secret.
    pub redactor: &'a Redactor,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The version of transship that runs.
    pub tool_version: &'a str,
    /// The directory of the workspace, under which the log of the run is kept; without it, there is none.
    pub workspace: Option<&'a Path>,
    /// The locks of its flows. Once they are lost, nothing is changed any more.
    pub locks: &'a Locks<'a>,
    /// Whether the run is to stop.
    pub cancel: Cancel,
    /// Who listens.
    pub events: mpsc::Sender<Event>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a run may have failed"]
pub struct RunOutcome {
    /// The run's id.
    pub run: String,
    /// Steps that succeeded.
    pub done: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps that were not started.
    pub skipped: usize,
    /// Whether the run was stopped before its end.
    pub cancelled: bool,
    /// What went wrong without harm to the run.
    pub warnings: Vec<String>,
}

impl RunOutcome {
    /// Whether every step succeeded.
    pub const fn is_success(&self) -> bool {
        self.failed == 0 && self.skipped == 0
    }
}

/// Reads a plan from its text. A plan of another format is refused before anything else is looked at.
pub fn read_plan(text: &str) -> Result<Plan, ApplyError> {
    let not_a_plan = |error: serde_json::Error| ApplyError::NotAPlan { reason: error.to_string() };
    let value: serde_json::Value = serde_json::from_str(text).map_err(not_a_plan)?;
    let found = value.get("format_version").and_then(serde_json::Value::as_u64);
    match found {
        Some(found) if found != u64::from(PLAN_FORMAT) => Err(ApplyError::Format { found, known: PLAN_FORMAT }),
        _ => serde_json::from_value(value).map_err(not_a_plan),
    }
}

impl Run<'_> {
    /// Runs the plan. An error means that nothing was changed; what happened otherwise is in the outcome.
    pub async fn apply(self) -> Result<RunOutcome, ApplyError> {
        self.check_plan()?;
        let observation = self.observe().await;
        // Without locks nothing was asked.
        self.locks.check().map_err(ApplyError::LockLost)?;
        let observation = observation?;
        self.check_identity(&observation)?;
        self.check_basis(&observation)?;
        Ok(self.execute().await)
    }

    fn check_plan(&self) -> Result<(), ApplyError> {
        let plan = self.plan;
        if plan.format_version != PLAN_FORMAT {
            return Err(ApplyError::Format { found: plan.format_version.into(), known: PLAN_FORMAT });
        }
        if let Some((stated, computed)) = transship_plan::edited(plan) {
            return Err(ApplyError::Digest { stated: stated.to_owned(), computed });
        }
        let violations = transship_plan::audit(plan);
        if !violations.is_empty() {
            return Err(ApplyError::Violations(violations.iter().map(ToString::to_string).collect()));
        }
        if plan.is_blocked() {
            return Err(ApplyError::Blocked(plan.all_blocked().cloned().collect()));
        }
        match plan.clusters.keys().find(|cluster| !self.access.contains_key(*cluster)) {
            Some(cluster) => Err(ApplyError::UnknownCluster { cluster: cluster.clone() }),
            None => Ok(()),
        }
    }

    /// Looks at every cluster of the plan again.
    async fn observe(&self) -> Result<Observation, ApplyError> {
        let scope = Scope { workspace: &self.plan.workspace, environment: self.plan.env.as_ref() };
        let nothing = BTreeSet::new();
        let nothing = &nothing;
        let look = |cluster: Name| async move {
            let observed = self.servers.observe(&cluster, scope, nothing).await?;
            Ok::<_, ApplyError>((cluster, observed))
        };
        let clusters = try_join_all(self.plan.clusters.keys().cloned().map(look)).await?;
        let clusters = clusters.into_iter().collect();
        let stores = self.look_at_stores().await?;
        Ok(Observation { format_version: OBSERVATION_FORMAT, taken: self.clock.now(), clusters, stores })
    }

    /// Looks again for every export that the plan relies on.
    async fn look_at_stores(&self) -> Result<BTreeMap<Name, ObservedStore>, ApplyError> {
        let mut stores = BTreeMap::<Name, ObservedStore>::new();
        let objects: BTreeSet<&ObjectRef> = self.plan.all_basis().map(|basis| &basis.object).collect();
        for ObjectRef { cluster: name, name: place, .. } in
            objects.into_iter().filter(|object| object.kind == ObjectKind::Export)
        {
            let access = self.stores.get(name).ok_or_else(|| ApplyError::UnknownStore { store: name.clone() })?;
            let store = Store::open(name, access, self.redactor)?;
            let seen = look_for_export(&store, place).await?;
            stores.entry(name.clone()).or_default().exports.insert(place.clone(), seen);
        }
        Ok(stores)
    }

    fn check_identity(&self, observation: &Observation) -> Result<(), ApplyError> {
        for (cluster, planned) in &self.plan.clusters {
            let found = &observation.clusters[cluster].id;
            if *found != planned.id {
                let (planned, found) = (planned.id.clone(), found.clone());
                return Err(ApplyError::Identity { cluster: cluster.clone(), planned, found });
            }
        }
        Ok(())
    }

    fn check_basis(&self, observation: &Observation) -> Result<(), ApplyError> {
        let moved = self
            .plan
            .all_basis()
            .filter(|basis| transship_plan::fingerprint(observation, &basis.object) != basis.fingerprint);
        let changed: BTreeSet<_> = moved.map(|basis| basis.object.clone()).collect();
        let changed: Vec<_> = changed.into_iter().collect();
        if changed.is_empty() { Ok(()) } else { Err(ApplyError::Stale { changed }) }
    }

    /// Runs the steps, whatever the basis says: each of them looks for itself before it acts.
    pub(crate) async fn execute(self) -> RunOutcome {
        let run = self.locks.run().to_owned();
        let emitter = Emitter::new(self.clock, self.redactor, self.events.clone());
        if let Some(directory) = self.workspace {
            emitter.log_to(RunLog::create(directory, &run, self.plan, self.tool_version));
        }
        let facts =
            RunFacts { plan: self.plan, locks: self.locks, tool_version: self.tool_version, started: self.clock.now() };
        let ledger = Ledger::new(self.servers, self.clock, self.redactor, facts);
        let steps: Vec<&Step> = self.plan.all_steps().collect();
        emitter.tell(Happened::RunStarted { run: run.clone(), steps: steps.len() }).await;
        let (stopper, cancel) = cancellation();
        let runner = Steps { run: &self, cancel: &cancel, emitter: &emitter, ledger: &ledger };
        let tally = tokio::select! {
            biased;
            () = self.stop(&stopper) => unreachable!("who tells the others to stop never ends"),
            tally = Scheduler::new(steps).run(&runner, &emitter, &cancel) => tally,
        };
        let lost = self.locks.check().err().filter(|_| tally.failed + tally.skipped > 0);
        let cancelled = lost.is_none() && self.cancel.is_requested() && tally.failed + tally.skipped > 0;
        match lost {
            Some(lost) => emitter.warn(StepError::LockLost(lost).to_string()),
            None => self.close(&ledger, &emitter, state(tally, cancelled)).await,
        }
        let Tally { done, failed, skipped } = tally;
        emitter.tell(Happened::RunFinished { done, failed, skipped }).await;
        RunOutcome { run, done, failed, skipped, cancelled, warnings: emitter.take_warnings() }
    }
}

impl Run<'_> {
    /// Tells the steps to stop once the run is to, or has lost its locks. Never ends.
    async fn stop(&self, stopper: &Canceller) {
        tokio::select! {
            () = self.cancel.requested() => {}
            () = self.locks.lost() => {}
        }
        stopper.cancel();
        std::future::pending::<()>().await;
    }

    async fn close(&self, ledger: &Ledger<'_>, emitter: &Emitter<'_>, state: RunState) {
        for problem in ledger.close(state).await {
            emitter.warn(problem.to_string());
        }
    }
}

/// How a run ended.
const fn state(tally: Tally, cancelled: bool) -> RunState {
    match tally {
        _ if cancelled => RunState::Cancelled,
        Tally { failed: 0, skipped: 0, .. } => RunState::Done,
        _ => RunState::Failed,
    }
}

/// Does the steps of a run, with the ledger's rows around each.
struct Steps<'a> {
    run: &'a Run<'a>,
    cancel: &'a Cancel,
    emitter: &'a Emitter<'a>,
    ledger: &'a Ledger<'a>,
}

impl<'a> Runner<'a> for Steps<'a> {
    fn run(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Succeeded, StepError>> {
        Box::pin(async move {
            let (began, clock) = (self.run.clock.now(), self.run.clock.elapsed());
            let attempt = tokio::select! {
                biased;
                attempt = self.attempt(step, began) => attempt,
                () = self.give_up() => Err(StepError::Cancelled),
            };
            match attempt {
                Ok(succeeded) => {
                    let took = self.run.clock.elapsed().saturating_sub(clock);
                    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                    Ok(Succeeded { milliseconds, ..succeeded })
                }
                Err(error) => {
                    // Whatever it says: it was stopped, or somebody else is at work.
                    if let Err(lost) = self.run.locks.check() {
                        return Err(lost.into());
                    }
                    let noted = self.ledger.note(step, Some(began), StepState::Failed { error: &error }).await;
                    self.warn_unless(noted);
                    Err(error)
                }
            }
        })
    }

    fn skip(&'a self, step: &'a Step, because: String) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let noted = self.ledger.note(step, None, StepState::Skipped { because }).await;
            self.warn_unless(noted);
        })
    }
}

impl Steps<'_> {
    /// Ends some time after the locks were lost: servers are asked to stop what they do, and not waited for for long.
    async fn give_up(&self) {
        self.run.locks.lost().await;
        self.run.servers.stop().await;
        self.run.clock.sleep(GRACE).await;
    }

    async fn attempt(&self, step: &Step, began: jiff::Timestamp) -> Result<Succeeded, StepError> {
        self.ledger.begin(step, began).await?;
        let done = perform(&self.context(step)).await?;
        let flow_done = self.ledger.succeed(step, began, done.note.as_deref()).await?;
        Ok(Succeeded { already: done.already, note: done.note, milliseconds: 0, flow_done })
    }

    fn context<'s>(&'s self, step: &'s Step) -> Context<'s> {
        let run = self.run;
        Context {
            step,
            plan: run.plan,
            servers: run.servers,
            access: run.access,
            stores: run.stores,
            host: run.host,
            redactor: run.redactor,
            clock: run.clock,
            cancel: self.cancel,
            emitter: self.emitter,
            ledger: self.ledger,
            locks: run.locks,
        }
    }

    /// A step that failed is told anyway; that the ledger could not be told, too, is worth a warning. That nothing is
    /// written without locks is none.
    fn warn_unless(&self, noted: Result<(), StepError>) {
        if let Err(problem) = noted
            && !matches!(problem, StepError::LockLost(_))
        {
            self.emitter.warn(problem.to_string());
        }
    }
}
