//! What a step has to work with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_cluster::session::STATEMENT_TIMEOUT;
use transship_cluster::{Bind, ClusterError, Rows, ValueError};
use transship_model::access::Access;
use transship_model::observed::Subscription;
use transship_model::plan::{ObjectRef, Plan, Record, Step};
use transship_model::redact::Redactor;
use transship_model::store::StoreAccess;
use transship_model::{Name, TableName};
use transship_sql::{lookup, replication, view};
use transship_store::Store;

use super::error::StepError;
use crate::cancel::Cancel;
use crate::catalog;
use crate::clock::Clock;
use crate::command::CommandHost;
use crate::emit::Emitter;
use crate::ledger::Ledger;
use crate::lock::Locks;
use crate::pace::Pace;
use crate::retry::Retry;
use crate::servers::{Purpose, Servers};

/// How long a statement may take, unless a step says otherwise.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// What a step has to work with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) step: &'a Step,
    pub(crate) plan: &'a Plan,
    pub(crate) servers: &'a dyn Servers,
    pub(crate) access: &'a BTreeMap<Name, Access>,
    pub(crate) stores: &'a BTreeMap<Name, StoreAccess>,
    /// How programs are started.
    pub(crate) host: Option<&'a CommandHost>,
    pub(crate) redactor: &'a Redactor,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) cancel: &'a Cancel,
    pub(crate) emitter: &'a Emitter<'a>,
    pub(crate) ledger: &'a Ledger<'a>,
    pub(crate) locks: &'a Locks<'a>,
}

impl<'a> Context<'a> {
    /// The ledger row of the step's flow, without which no object may be made.
    pub(crate) fn record(&self) -> Result<&'a Record, StepError> {
        self.ledger.record_of(self.step).ok_or_else(|| self.wrong("its flow has no ledger row in the plan"))
    }

    /// Fails once the run may change nothing any more. Asked before everything that changes something.
    pub(crate) fn may_change(&self) -> Result<(), StepError> {
        Ok(self.locks.check()?)
    }

    /// A client of a store of the workspace.
    pub(crate) fn store(&self, name: &Name) -> Result<Store, StepError> {
        let access = self.stores.get(name);
        let access = access.ok_or_else(|| self.wrong(format!("store {name} is not one of the workspace")))?;
        Ok(Store::open(name, access, self.redactor)?)
    }

    /// The step is not what its kind does.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> StepError {
        StepError::NotOfItsKind { kind: self.step.kind, reason: reason.into() }
    }

    /// A table of the step's cluster is not what it was.
    pub(crate) fn changed(&self, table: &TableName, how: &'static str) -> StepError {
        StepError::Changed { object: ObjectRef::table(&self.step.cluster, table), how }
    }

    /// Sends a statement to the step's cluster, with `binds`.
    pub(crate) async fn execute(&self, statement: &str, binds: &[Bind], limit: Duration) -> Result<u64, StepError> {
        self.execute_for((&self.step.cluster, Purpose::Control), statement, binds, limit).await
    }

    /// Sends a statement to `cluster`, with `binds`, beside what other steps do there.
    pub(crate) async fn execute_on(
        &self,
        cluster: &Name,
        statement: &str,
        binds: &[Bind],
        limit: Duration,
    ) -> Result<u64, StepError> {
        self.execute_for((cluster, Purpose::Beside), statement, binds, limit).await
    }

    async fn execute_for(
        &self,
        (cluster, purpose): (&Name, Purpose),
        statement: &str,
        binds: &[Bind],
        limit: Duration,
    ) -> Result<u64, StepError> {
        let server = self.servers.connect(cluster, purpose).await?;
        self.may_change()?;
        let answer = server.execute_within(limit, statement, binds).await;
        if answer.as_ref().is_err_and(ClusterError::may_have_happened) {
            // The server may still be at it, and the connection with it.
            self.servers.discard(cluster, purpose).await;
        }
        Ok(answer?)
    }

    /// Sends a statement to the step's cluster once for each of `rows`, the texts of its parameters.
    pub(crate) async fn execute_many(&self, statement: &str, rows: &[Vec<String>]) -> Result<Vec<i64>, StepError> {
        self.may_change()?;
        Ok(self.servers.execute_many(&self.step.cluster, statement, rows).await?)
    }

    /// Sends a statement that answers with rows to the step's cluster, with `binds`.
    pub(crate) async fn execute_for_rows(
        &self,
        statement: &str,
        binds: &[Bind],
        limit: Duration,
    ) -> Result<Rows, StepError> {
        let cluster = &self.step.cluster;
        let server = self.servers.connect(cluster, Purpose::Control).await?;
        self.may_change()?;
        let answer = server.query_within(limit, statement, binds).await;
        if answer.as_ref().is_err_and(ClusterError::may_have_happened) {
            self.servers.discard(cluster, Purpose::Control).await;
        }
        Ok(answer?)
    }

    /// Asks `cluster`, on the connection for looks; again when no answer came, since looking changes nothing.
    pub(crate) async fn query(&self, cluster: &Name, statement: &str) -> Result<Rows, StepError> {
        self.query_with(cluster, (statement, &[]), STATEMENT_TIMEOUT).await
    }

    /// The same with values, and with a time limit of its own.
    pub(crate) async fn query_with(
        &self,
        cluster: &Name,
        (statement, binds): (&str, &[Bind]),
        limit: Duration,
    ) -> Result<Rows, StepError> {
        let mut retry = self.retry();
        loop {
            let error = match self.ask(cluster, (statement, binds), limit).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            if error.is_transient() {
                self.servers.discard(cluster, Purpose::Watch).await;
            }
            if !error.is_transient() || !retry.again().await {
                return Err(error.into());
            }
        }
    }

    /// Asks `cluster` and reads the answer, which is an error where it has another form.
    pub(crate) async fn look<T>(
        &self,
        cluster: &Name,
        statement: &str,
        read: impl FnOnce(&Rows) -> Result<T, ValueError>,
    ) -> Result<T, StepError> {
        self.look_with(cluster, (statement, &[]), read).await
    }

    /// The same with values.
    pub(crate) async fn look_with<T>(
        &self,
        cluster: &Name,
        (statement, binds): (&str, &[Bind]),
        read: impl FnOnce(&Rows) -> Result<T, ValueError>,
    ) -> Result<T, StepError> {
        let rows = self.query_with(cluster, (statement, binds), STATEMENT_TIMEOUT).await?;
        read(&rows).map_err(|error| ClusterError::answer(cluster, statement, &error).into())
    }

    async fn ask(
        &self,
        cluster: &Name,
        (statement, binds): (&str, &[Bind]),
        limit: Duration,
    ) -> Result<Rows, ClusterError> {
        self.servers.connect(cluster, Purpose::Watch).await?.query_within(limit, statement, binds).await
    }

    /// The tables of each publication on `cluster` that the user owns.
    pub(crate) async fn publications(
        &self,
        cluster: &Name,
    ) -> Result<BTreeMap<String, BTreeSet<TableName>>, StepError> {
        self.look(cluster, &replication::published_tables(), catalog::read_publications).await
    }

    /// The subscriptions on `cluster` that the user owns.
    pub(crate) async fn subscriptions(&self, cluster: &Name) -> Result<BTreeMap<String, Subscription>, StepError> {
        self.look(cluster, &replication::subscribed_tables(), catalog::read_subscriptions).await
    }

    /// Those of `tables` that exist on `cluster` and can be seen.
    pub(crate) async fn existing(
        &self,
        cluster: &Name,
        tables: &BTreeSet<TableName>,
    ) -> Result<BTreeSet<TableName>, StepError> {
        self.look(cluster, &lookup::existing_tables(tables), catalog::read_tables).await
    }

    /// The identities of the indices of a table, one for each partition.
    pub(crate) async fn indices(&self, cluster: &Name, table: &TableName) -> Result<BTreeSet<String>, StepError> {
        let shards = self.look(cluster, &lookup::shards([table]), catalog::read_shards).await?;
        Ok(shards.into_values().flatten().collect())
    }

    /// The table that a view reads; `None` where there is no such view, or one that does more.
    pub(crate) async fn viewed(&self, cluster: &Name, name: &TableName) -> Result<Option<TableName>, StepError> {
        let definitions = self.look(cluster, &view::view_definition(name), catalog::read_names).await?;
        Ok(definitions.iter().next().and_then(|definition| view::viewed_table(definition)))
    }

    /// As whom transship is connected to the step's cluster.
    pub(crate) fn user(&self) -> String {
        let access = self.access.get(&self.step.cluster);
        access.map_or_else(|| "transship".to_owned(), |access| access.endpoint.user.clone())
    }

    /// The attempts at something that may be tried again.
    pub(crate) fn retry(&self) -> Retry<'a> {
        Retry::new(self.clock, Some(self.cancel))
    }

    /// The rhythm of a wait of at most `limit`, which ends when the run is to stop.
    pub(crate) fn pace(&self, limit: Duration) -> Pace<'a> {
        Pace::new(self.clock, Some(self.cancel), limit)
    }

    /// The rhythm of a short wait for the effect of a statement, which is always finished.
    pub(crate) fn settle(&self, limit: Duration) -> Pace<'a> {
        Pace::new(self.clock, None, limit)
    }
}
