//! What is asked of the tables of leases. All of it may be sent twice.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_cluster::{Bind, ClusterError, ErrorKind, Rows, ValueError};
use transship_model::{FlowId, Name};
use transship_sql::{lease as sql, ledger};

use super::held::HeldLease;
use super::terms::{AT_ONCE, LEASE, WAITS};
use crate::clock::Clock;
use crate::servers::{Purpose, Scope, Servers};

/// How often what may pass is tried.
const ATTEMPTS: usize = 3;

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Who asks for leases.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// Unique.
    pub(super) owner: String,
    /// As people know them.
    pub(super) holder: String,
    /// The run; empty where nobody is to hold anything.
    pub(super) run: String,
}

/// A flow, and the epoch that its lease is held with or to be taken with.
pub(super) type Epoch = (FlowId, i64);

/// The tables of leases, and whose rows are meant.
pub(super) struct Table<'a> {
    servers: &'a dyn Servers,
    clock: &'a dyn Clock,
    scope: [String; 2],
    pub(super) who: Who,
}

impl<'a> Table<'a> {
    pub(super) fn new(servers: &'a dyn Servers, clock: &'a dyn Clock, scope: Scope<'_>, who: Who) -> Self {
        let environment = scope.environment.map(ToString::to_string).unwrap_or_default();
        Self { servers, clock, scope: [scope.workspace.to_string(), environment], who }
    }

    /// `sys.cluster.id`.
    pub(super) async fn identity(&self, cluster: &Name) -> Result<String, ClusterError> {
        let statement = transship_sql::observe::CLUSTER;
        let rows = self.query(cluster, statement, &[]).await?;
        let id = rows.text(0, "id").map_err(|error| ClusterError::answer(cluster, statement, &error))?;
        Ok(id.to_owned())
    }

    /// Asks for leases, and tells who holds each of them now. The table is made where there is none.
    pub(super) async fn take(&self, cluster: &Name, flows: &[Epoch]) -> Result<Vec<HeldLease>, ClusterError> {
        match self.take_all(cluster, flows).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound { .. }) => {
                self.create(cluster).await?;
                self.take_all(cluster, flows).await
            }
            taken => taken,
        }
    }

    async fn take_all(&self, cluster: &Name, flows: &[Epoch]) -> Result<Vec<HeldLease>, ClusterError> {
        let mut found = Vec::new();
        for flows in flows.chunks(AT_ONCE) {
            let statement = sql::take(flows.len(), LEASE.as_secs());
            let rows = self.query(cluster, &statement, &self.binds(flows)).await?;
            found.extend(read(cluster, &statement, flows, &rows)?);
        }
        Ok(found)
    }

    async fn create(&self, cluster: &Name) -> Result<(), ClusterError> {
        match self.query(cluster, &sql::create_table(), &[]).await {
            Err(error) if !matches!(error.kind, ErrorKind::AlreadyExists { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Renews leases, and tells who holds each of them now. Tried once.
    pub(super) async fn renew(&self, cluster: &Name, flows: &[Epoch]) -> Result<Vec<HeldLease>, ClusterError> {
        self.each(cluster, flows, |count| sql::renew(count, LEASE.as_secs())).await
    }

    /// Lets go of leases. Tried once.
    pub(super) async fn release(&self, cluster: &Name, flows: &[Epoch]) -> Result<(), ClusterError> {
        self.each(cluster, flows, sql::release).await.map(|_| ())
    }

    async fn each(
        &self,
        cluster: &Name,
        flows: &[Epoch],
        statement: impl Fn(usize) -> String,
    ) -> Result<Vec<HeldLease>, ClusterError> {
        let mut found = Vec::new();
        for flows in flows.chunks(AT_ONCE) {
            let statement = statement(flows.len());
            let rows = self.query_once(cluster, &statement, &self.binds(flows)).await?;
            found.extend(read(cluster, &statement, flows, &rows)?);
        }
        Ok(found)
    }

    /// Says that a lease is waited for, or no longer. Tried once.
    pub(super) async fn wait(&self, (cluster, flow): (&Name, &FlowId), waits: bool) -> Result<(), ClusterError> {
        let Who { owner, holder, run } = self.who.clone();
        let mut binds = self.scope();
        binds.extend([owner, holder, run, sql::awaited(&flow.to_string())].map(Bind::Text));
        binds.push(Bind::Int(0));
        let span = if waits { WAITS.as_secs() } else { 0 };
        self.query_once(cluster, &sql::wait(1, span), &binds).await.map(|_| ())
    }

    /// Somebody else who waits for one of the leases; none where there is no table. Tried once.
    pub(super) async fn waiting(&self, cluster: &Name, flows: &[&FlowId]) -> Result<Option<HeldLease>, ClusterError> {
        let (statement, mut binds) = (sql::waiting(), self.scope());
        binds.push(Bind::TextList(flows.iter().map(|flow| sql::awaited(&flow.to_string())).collect()));
        binds.push(Bind::Text(self.who.owner.clone()));
        match self.query_once(cluster, &sql::refresh(), &[]).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound { .. }) => return Ok(None),
            refreshed => drop(refreshed?),
        }
        let rows = self.query_once(cluster, &statement, &binds).await?;
        let found = HeldLease::read(cluster, &rows);
        Ok(found.map_err(|error| ClusterError::answer(cluster, &statement, &error))?.into_iter().next())
    }

    /// Takes a lease away from who holds it; tells who has it then.
    pub(super) async fn revoke(&self, lease: &HeldLease) -> Result<HeldLease, ClusterError> {
        let flow = [(lease.flow.clone(), lease.epoch + 1)];
        let mut binds = self.binds(&flow);
        binds.push(Bind::Text(lease.owner.clone()));
        let statement = sql::revoke();
        let rows = self.query(&lease.cluster, &statement, &binds).await?;
        Ok(read(&lease.cluster, &statement, &flow, &rows)?.remove(0))
    }

    /// The leases that anybody holds; none where there is no table.
    pub(super) async fn held(&self, cluster: &Name) -> Result<Vec<HeldLease>, ClusterError> {
        let refreshed = self.query(cluster, &sql::refresh(), &[]).await;
        if refreshed.as_ref().is_err_and(|error| matches!(error.kind, ErrorKind::NotFound { .. })) {
            return Ok(Vec::new());
        }
        refreshed?;
        let statement = sql::held();
        let rows = self.query(cluster, &statement, &self.scope()).await?;
        HeldLease::read(cluster, &rows).map_err(|error| ClusterError::answer(cluster, &statement, &error))
    }

    /// The epochs that rows of flows were written with; none where there is no ledger.
    pub(super) async fn written(
        &self,
        cluster: &Name,
        flows: &[&FlowId],
    ) -> Result<BTreeMap<FlowId, i64>, ClusterError> {
        let (statement, mut binds) = (ledger::read_epochs(), self.scope());
        binds.push(Bind::TextList(flows.iter().map(ToString::to_string).collect()));
        match self.query(cluster, &ledger::refresh(), &[]).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound { .. }) => return Ok(BTreeMap::new()),
            refreshed => drop(refreshed?),
        }
        let rows = self.query(cluster, &statement, &binds).await?;
        let mut found = BTreeMap::new();
        for row in 0..rows.len() {
            let wrong = |error: &ValueError| ClusterError::answer(cluster, &statement, error);
            let flow = rows.text(row, "flow").map_err(|error| wrong(&error))?;
            let epoch = rows.int(row, "epoch").map_err(|error| wrong(&error))?;
            found.extend(flow.parse().ok().map(|flow: FlowId| (flow, epoch)));
        }
        Ok(found)
    }

    /// Keeps whoever held the lease before from writing the row of a flow.
    pub(super) async fn raise(&self, cluster: &Name, (flow, epoch): &Epoch) -> Result<(), ClusterError> {
        let mut binds = self.scope();
        binds.extend([Bind::Text(flow.to_string()), Bind::Int(*epoch)]);
        // No row is as good: there is none to keep anybody from.
        self.query(cluster, &ledger::raise_epoch(), &binds).await.map(|_| ())
    }

    fn scope(&self) -> Vec<Bind> {
        self.scope.iter().cloned().map(Bind::Text).collect()
    }

    fn binds(&self, flows: &[Epoch]) -> Vec<Bind> {
        let Who { owner, holder, run } = self.who.clone();
        let mut binds = self.scope();
        binds.extend([owner, holder, run].map(Bind::Text));
        binds.extend(flows.iter().flat_map(|(flow, epoch)| [Bind::Text(flow.to_string()), Bind::Int(*epoch)]));
        binds
    }

    async fn query(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<Rows, ClusterError> {
        for _ in 1..ATTEMPTS {
            match self.query_once(cluster, statement, binds).await {
                Err(error) if error.is_transient() => self.clock.sleep(BETWEEN_ATTEMPTS).await,
                answer => return answer,
            }
        }
        self.query_once(cluster, statement, binds).await
    }

    async fn query_once(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<Rows, ClusterError> {
        let server = self.servers.connect(cluster, Purpose::Control).await?;
        let answer = server.query_within(LIMIT, statement, binds).await;
        if answer.as_ref().is_err_and(ClusterError::may_have_happened) {
            self.servers.discard(cluster, Purpose::Control).await;
        }
        answer
    }
}

/// One lease for each flow, in their order. CrateDB leaves out rows that it could not write, and says nothing.
fn read(cluster: &Name, statement: &str, flows: &[Epoch], rows: &Rows) -> Result<Vec<HeldLease>, ClusterError> {
    let wrong = |error: &ValueError| ClusterError::answer(cluster, statement, error);
    let found = HeldLease::read(cluster, rows).map_err(|error| wrong(&error))?;
    let mut by_flow: BTreeMap<FlowId, HeldLease> = found.into_iter().map(|lease| (lease.flow.clone(), lease)).collect();
    let take = |(flow, _): &Epoch| {
        let expected = "a lease of every flow";
        let missing = || ValueError { column: "flow".to_owned(), expected, found: format!("none of {flow}") };
        by_flow.remove(flow).ok_or_else(|| wrong(&missing()))
    };
    flows.iter().map(take).collect()
}
