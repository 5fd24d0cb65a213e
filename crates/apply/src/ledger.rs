//! Writes the ledger: the flows' rows around their steps, and the rows of runs and steps.
//!
//! The row of a flow is written before the first statement of its first step, so that no object is ever there
//! without a row that names it. A cluster's ledger is opened when it is first needed: its format is checked and the
//! row of the run is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::sync::{Mutex, OnceCell};
use transship_cluster::{Bind, ClusterError, Rows, ValueError};
use transship_model::ledger::{CopyingRow, FlowRow, FlowState, LEDGER_FORMAT, RunState};
use transship_model::plan::{Action, Afterwards, CopyNote, Plan, PlanOptions, PutInPlace, Record, Step, StepKind};
use transship_model::redact::Redactor;
use transship_model::{Contents, FlowId, Name, TableName};
use transship_sql::ledger as sql;

mod copies;

use crate::catalog;
use crate::clock::Clock;
use crate::lock::{Locks, Lost};
use crate::retry::Retry;
use crate::servers::{Purpose, Servers};
use crate::step::StepError;

use copies::Copies;
pub(crate) use copies::{Exported, Filled, PartitionFilled, Taken};

/// The ledgers of the clusters that a plan's records name.
pub(crate) struct Ledger<'a> {
    servers: &'a dyn Servers,
    clock: &'a dyn Clock,
    redactor: &'a Redactor,
    plan: &'a Plan,
    tool_version: &'a str,
    locks: &'a Locks<'a>,
    started: Timestamp,
    clusters: BTreeMap<&'a Name, OnceCell<()>>,
    flows: BTreeMap<&'a FlowId, Flow<'a>>,
    /// What the source had when this run made a snapshot, by repository, snapshot and table.
    taken: Mutex<BTreeMap<(String, String, TableName), Taken>>,
}

struct Flow<'a> {
    record: &'a Record,
    opened: OnceCell<()>,
    /// Tables that the run has dropped: who stops it here must not take what somebody else makes there for the flow's.
    dropped: Mutex<BTreeSet<TableName>>,
    /// What became of its copies.
    copies: Mutex<Copies>,
    /// What this run has exported, or found to be whole, by the place of the files and the table.
    exported: Mutex<BTreeMap<(String, TableName), Exported>>,
    /// Exports whose files this run has removed.
    removed: Mutex<BTreeSet<u32>>,
    /// Snapshots that it was about to make, and that somebody else has made before.
    not_made: Mutex<BTreeSet<String>>,
    /// Steps that have not succeeded yet.
    left: AtomicUsize,
}

/// What a run is to its ledger.
#[derive(Clone, Copy)]
pub(crate) struct RunFacts<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) locks: &'a Locks<'a>,
    pub(crate) tool_version: &'a str,
    pub(crate) started: Timestamp,
}

/// How a step stands.
pub(crate) enum StepState<'a> {
    Started,
    Done { note: Option<&'a str> },
    Failed { error: &'a StepError },
    Skipped { because: String },
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(
        servers: &'a dyn Servers,
        clock: &'a dyn Clock,
        redactor: &'a Redactor,
        facts: RunFacts<'a>,
    ) -> Self {
        let RunFacts { plan, locks, tool_version, started } = facts;
        let left = |flow: &FlowId| plan.all_steps().filter(|step| step.flow.as_ref() == Some(flow)).count();
        let flow = |record: &'a Record| Flow {
            record,
            opened: OnceCell::new(),
            dropped: Mutex::default(),
            copies: Mutex::new(Copies::of(&record.row)),
            exported: Mutex::default(),
            removed: Mutex::default(),
            not_made: Mutex::default(),
            left: AtomicUsize::new(left(&record.flow)),
        };
        Self {
            servers,
            clock,
            redactor,
            plan,
            tool_version,
            locks,
            started,
            clusters: plan.all_records().map(|record| (&record.cluster, OnceCell::new())).collect(),
            flows: plan.all_records().map(|record| (&record.flow, flow(record))).collect(),
            taken: Mutex::default(),
        }
    }

    /// The name of the run.
    pub(crate) fn run(&self) -> &'a str {
        self.locks.run()
    }

    /// When the run began.
    pub(crate) const fn started(&self) -> Timestamp {
        self.started
    }

    /// The record of a step's flow.
    pub(crate) fn record_of(&self, step: &Step) -> Option<&'a Record> {
        self.flow_of(step).map(|flow| flow.record)
    }

    /// Before a step: the flow's row, if it is the flow's first, and the step's.
    pub(crate) async fn begin(&self, step: &Step, began: Timestamp) -> Result<(), StepError> {
        if let Some(flow) = self.flow_of(step) {
            self.open(&flow.record.cluster).await?;
            flow.opened.get_or_try_init(|| self.write_flow(flow, flow.record.row.state)).await?;
        }
        match self.cluster_of(step) {
            Some(cluster) => self.write_step(cluster, step, Some(began), StepState::Started).await,
            None => Ok(()),
        }
    }

    /// After a step that succeeded: the flow's row, if it was the flow's last, and the step's.
    /// Returns the flow if it is done.
    pub(crate) async fn succeed(
        &self,
        step: &Step,
        began: Timestamp,
        note: Option<&str>,
    ) -> Result<Option<FlowId>, StepError> {
        let mut finished = None;
        if let Some(flow) = self.flow_of(step)
            && self.note_table(flow, step).await
        {
            self.write_flow(flow, flow.record.row.state).await?;
        }
        if let Some(flow) = self.flow_of(step)
            && flow.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.finish_flow(flow).await?;
            finished = Some(flow.record.flow.clone());
        }
        if let Some(cluster) = self.cluster_of(step) {
            self.write_step(cluster, step, Some(began), StepState::Done { note }).await?;
        }
        Ok(finished)
    }

    /// Notes what the step did to a table; whether the flow's row says something else now.
    async fn note_table(&self, flow: &Flow<'a>, step: &Step) -> bool {
        let note = match &step.action {
            Some(Action::DropTable(dropped)) => return flow.dropped.lock().await.insert(dropped.table.clone()),
            Some(Action::RemoveFiles(_)) => return !flow.removed.lock().await.is_empty(),
            Some(Action::WriteManifest(manifest)) => {
                let mut copies = flow.copies.lock().await;
                for note in &manifest.done {
                    copies.finish(note, &note.table, self.started);
                }
                return true;
            }
            Some(Action::CopyRows(rows)) => rows.done.as_ref().map(|note| (note, &rows.into)),
            Some(Action::ImportRows(rows)) => rows.done.as_ref().map(|note| (note, &rows.into)),
            Some(Action::PutInPlace(put)) => Some((&put.done, &put.copy)),
            Some(Action::TakeCopy(take)) => take.done.as_ref().map(|note| (note, &take.copy)),
            _ => None,
        };
        let Some((note, copy)) = note else { return false };
        flow.copies.lock().await.finish(note, copy, self.started)
    }

    /// A snapshot that the step's flow was to make, for all of its targets, is not its own.
    pub(crate) async fn not_made(&self, step: &Step, snapshot: &str) -> Result<(), StepError> {
        let name = step.flow.as_ref().map(|flow| &flow.flow);
        for (_, flow) in self.flows.iter().filter(|(id, _)| Some(&id.flow) == name) {
            flow.not_made.lock().await.insert(snapshot.to_owned());
            if flow.opened.initialized() {
                self.write_flow(flow, flow.record.row.state).await?;
            }
        }
        Ok(())
    }

    /// Notes what the source had when a snapshot of it was made.
    pub(crate) async fn take(&self, key: (String, String, TableName), taken: Taken) {
        self.taken.lock().await.insert(key, taken);
    }

    /// What the source had when this run made the snapshot.
    pub(crate) async fn taken(&self, key: &(String, String, TableName)) -> Option<Taken> {
        self.taken.lock().await.get(key).cloned()
    }

    /// What was read into `copy`.
    pub(crate) async fn fill(&self, step: &Step, copy: &TableName, filled: Filled) {
        if let Some(flow) = self.flow_of(step) {
            flow.copies.lock().await.fill(copy, filled);
        }
    }

    /// What this run has read into `copy`.
    pub(crate) async fn filled(&self, step: &Step, copy: &TableName) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.filled(copy)
    }

    /// What was exported of a table to `path`, or is there and whole.
    pub(crate) async fn export(&self, step: &Step, (path, table): (&str, &TableName), exported: Exported) {
        if let Some(flow) = self.flow_of(step) {
            flow.exported.lock().await.insert((path.to_owned(), table.clone()), exported);
        }
    }

    /// What this run has exported of a table to `path`, or found there.
    pub(crate) async fn exported(&self, step: &Step, (path, table): (&str, &TableName)) -> Option<Exported> {
        self.flow_of(step)?.exported.lock().await.get(&(path.to_owned(), table.clone())).cloned()
    }

    /// The files of these exports are gone.
    pub(crate) async fn removed(&self, step: &Step, exports: BTreeSet<u32>) {
        if let Some(flow) = self.flow_of(step) {
            flow.removed.lock().await.extend(exports);
        }
    }

    /// What is known of a copy that is to be put in place: read by this run, or by one that was cut just then.
    pub(crate) async fn whole(&self, step: &Step, put: &PutInPlace) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.whole(put)
    }

    /// Writes down that a copy is about to be put in place.
    pub(crate) async fn place(&self, step: &Step, put: &PutInPlace) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.place(put, self.started);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a partition is about to be restored into its table, or has begun to be.
    pub(crate) async fn begin_partition(
        &self,
        step: &Step,
        table: &TableName,
        ident: &str,
        index: Option<String>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.begin_partition(table, ident, index);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a partition is whole in its table.
    pub(crate) async fn end_partition(
        &self,
        step: &Step,
        note: (&CopyNote, bool, bool),
        filled: PartitionFilled,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.end_partition(note, filled, self.started);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// The tables that a subscription of the flow fills or has filled in part, with what is known of what they have.
    pub(crate) async fn arriving(&self, step: &Step) -> BTreeMap<TableName, Contents> {
        let Some(flow) = self.flow_of(step) else { return BTreeMap::new() };
        flow.copies.lock().await.arriving().clone()
    }

    /// Writes down what the tables have that a subscription is filling.
    pub(crate) async fn note_arriving(
        &self,
        step: &Step,
        arriving: BTreeMap<TableName, Contents>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.arrive(arriving);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that a subscription has filled tables in full.
    pub(crate) async fn note_synced(&self, step: &Step, synced: Vec<(&CopyNote, Filled)>) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        for (note, filled) in synced {
            flow.copies.lock().await.sync(note, filled, self.started);
        }
        self.write_flow(flow, flow.record.row.state).await
    }

    /// What the ledger has of a table that is in sync, or about to be put in place.
    pub(crate) async fn synced(&self, step: &Step, table: &TableName) -> Option<Filled> {
        self.flow_of(step)?.copies.lock().await.synced(table)
    }

    /// What the ledger has of a copy aside that is being filled by chunks, by the table that it is for.
    pub(crate) async fn copying(&self, step: &Step, table: &TableName) -> Option<CopyingRow> {
        self.flow_of(step)?.copies.lock().await.copying(table)
    }

    /// Writes down how far a copy aside has come, or that it is not to be gone on with.
    pub(crate) async fn note_copying(
        &self,
        step: &Step,
        table: &TableName,
        copying: Option<CopyingRow>,
    ) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.note_copying(table, copying);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// Writes down that rows are about to be added to a table.
    pub(crate) async fn add_to(&self, step: &Step, table: &TableName) -> Result<(), StepError> {
        let Some(flow) = self.flow_of(step) else { return Ok(()) };
        flow.copies.lock().await.add_to(table);
        self.write_flow(flow, flow.record.row.state).await
    }

    /// After a step that did not succeed.
    pub(crate) async fn note(
        &self,
        step: &Step,
        began: Option<Timestamp>,
        state: StepState<'_>,
    ) -> Result<(), StepError> {
        match self.cluster_of(step) {
            Some(cluster) => self.write_step(cluster, step, began, state).await,
            None => Ok(()),
        }
    }

    /// At the end: the rows of the run, and everything made visible. Returns what could not be written.
    pub(crate) async fn close(&self, state: RunState) -> Vec<StepError> {
        let mut problems = Vec::new();
        for (cluster, open) in &self.clusters {
            if !open.initialized() {
                continue;
            }
            let written = self.write_run(cluster, state, Some(self.clock.now())).await;
            let refreshed = self.execute(cluster, &sql::refresh(), &[]).await.map(|_| ());
            problems.extend([written, refreshed].into_iter().filter_map(Result::err));
        }
        problems
    }

    /// Checks the format of a cluster's ledger and writes the row of the run, once.
    pub(crate) async fn open(&self, cluster: &Name) -> Result<(), StepError> {
        let Some(cell) = self.clusters.get(cluster) else { return self.check_format(cluster).await };
        cell.get_or_try_init(|| async {
            self.check_format(cluster).await?;
            self.write_options(cluster).await?;
            self.write_run(cluster, RunState::Running, None).await
        })
        .await
        .copied()
    }

    /// Writes what the command line said, so that the run can be resumed with it.
    async fn write_options(&self, cluster: &Name) -> Result<(), StepError> {
        if self.plan.options == PlanOptions::default() {
            return Ok(());
        }
        let document = serde_json::to_string(&self.plan.options).expect("the types of the model have text keys only");
        let mut binds = self.scope();
        binds.extend([Bind::Text(sql::options_key(self.run())), Bind::Text(document)]);
        // No row is as good: then it was written before.
        self.execute(cluster, &sql::insert_meta(), &binds).await.map(|_| ())
    }

    /// Writes the format of a cluster's ledger where it is new, and refuses one that is newer than this transship.
    async fn check_format(&self, cluster: &Name) -> Result<(), StepError> {
        let mut binds = self.scope();
        binds.push(Bind::Text(sql::FORMAT_KEY.to_owned()));
        let mut insert = binds.clone();
        insert.push(Bind::Text(LEDGER_FORMAT.to_string()));
        self.execute(cluster, &sql::insert_meta(), &insert).await?;
        let found = self.read_format(cluster, &binds).await?;
        match found.parse::<u32>() {
            Ok(format) if format <= LEDGER_FORMAT => Ok(()),
            _ => Err(StepError::LedgerNewer { cluster: cluster.clone(), found, known: LEDGER_FORMAT }),
        }
    }

    async fn read_format(&self, cluster: &Name, binds: &[Bind]) -> Result<String, StepError> {
        let statement = sql::read_meta();
        let rows = self.query(cluster, &statement, binds).await?;
        let value = rows.rows.first().and_then(|row| catalog::text(row, 0).ok());
        value.ok_or_else(|| write_error(cluster, "the row of its format is not there after it was written"))
    }

    async fn finish_flow(&self, flow: &Flow<'a>) -> Result<(), StepError> {
        let record = flow.record;
        match record.then {
            Afterwards::Done => self.write_flow(flow, FlowState::Done).await,
            Afterwards::Forget => {
                // Nobody has written the row since, which no other condition of a DELETE would tell.
                let Written { seq_no, primary_term, .. } = self.write_row(flow, FlowState::Removing).await?;
                let mut binds = self.scope();
                binds.extend([Bind::Text(record.flow.to_string()), Bind::Int(seq_no), Bind::Int(primary_term)]);
                match self.execute(&record.cluster, &sql::delete_flow(), &binds).await? {
                    1 => Ok(()),
                    _ => self.check_gone(flow).await,
                }
            }
        }
    }

    /// That no row was deleted is as good where it is gone, by a statement whose answer was lost.
    async fn check_gone(&self, flow: &Flow<'a>) -> Result<(), StepError> {
        let (record, mut binds) = (flow.record, self.scope());
        binds.push(Bind::TextList(vec![record.flow.to_string()]));
        if self.query(&record.cluster, &sql::read_epochs(), &binds).await?.rows.is_empty() {
            return Ok(());
        }
        Err(self.locks.lose(Lost::Overtaken { flow: record.flow.clone(), run: None }).into())
    }

    async fn write_flow(&self, flow: &Flow<'a>, state: FlowState) -> Result<(), StepError> {
        self.write_row(flow, state).await.map(|_| ())
    }

    /// Writes the row of a flow, unless a newer run has written it.
    async fn write_row(&self, flow: &Flow<'a>, state: FlowState) -> Result<Written, StepError> {
        let record = flow.record;
        let mut noted = flow.copies.lock().await.noted(&record.row);
        let removed = flow.removed.lock().await;
        noted.exports.retain(|number, _| !removed.contains(number));
        let not_made = flow.not_made.lock().await;
        noted.snapshots.retain(|name| !not_made.contains(name));
        let row = match state {
            FlowState::Done => {
                let exported = flow.exported.lock().await;
                noted.done(exported.keys().map(|(path, _)| path.as_str()))
            }
            FlowState::Applying | FlowState::Removing => {
                let made = record.row.made.difference(&*flow.dropped.lock().await).cloned().collect();
                FlowRow { state, made, ..noted }
            }
        };
        let epoch = self.locks.epoch(&record.cluster, &record.flow);
        let document = serde_json::to_string(&row).expect("the types of the model have text keys only");
        let mut binds = self.scope();
        binds.extend([
            Bind::Text(record.flow.to_string()),
            Bind::Text(document),
            Bind::Text(word(state)),
            Bind::Text(self.run().to_owned()),
            Bind::Int(epoch),
        ]);
        let statement = sql::upsert_flow();
        let rows = self.query(&record.cluster, &statement, &binds).await?;
        let wrong = |error: &ValueError| write_error(&record.cluster, &error.to_string());
        let (run, written) = Written::read(&rows).map_err(|error| wrong(&error))?;
        if run == self.run() && written.epoch == epoch {
            return Ok(written);
        }
        let run = Some(run).filter(|run| run != self.run());
        Err(self.locks.lose(Lost::Overtaken { flow: record.flow.clone(), run }).into())
    }

    async fn write_run(&self, cluster: &Name, state: RunState, finished: Option<Timestamp>) -> Result<(), StepError> {
        let mut binds = self.scope();
        binds.extend([
            Bind::Text(self.run().to_owned()),
            Bind::Text(word(state)),
            Bind::Time(self.started),
            optional_time(finished),
            Bind::Text(self.tool_version.to_owned()),
            Bind::Text(self.plan.digest.clone()),
        ]);
        self.upsert(cluster, &sql::upsert_run(), &binds).await
    }

    async fn write_step(
        &self,
        cluster: &Name,
        step: &Step,
        began: Option<Timestamp>,
        state: StepState<'_>,
    ) -> Result<(), StepError> {
        let (word, code, message) = match state {
            StepState::Started => ("started", None, None),
            StepState::Done { note } => ("done", None, note.map(str::to_owned)),
            StepState::Failed { error } => ("failed", Some(error.code().to_owned()), Some(error.to_string())),
            StepState::Skipped { because } => ("skipped", None, Some(because)),
        };
        let finished = if matches!(word, "started") { None } else { Some(self.clock.now()) };
        let mut binds = self.scope();
        binds.extend([
            Bind::Text(self.run().to_owned()),
            Bind::Text(step.id.to_string()),
            Bind::Text(step.cluster.to_string()),
            Bind::Text(step.kind.to_string()),
            Bind::Text(word.to_owned()),
            optional_time(began),
            optional_time(finished),
            Bind::OptText(code),
            Bind::OptText(message.map(|text| self.redactor.redact(&text))),
        ]);
        self.upsert(cluster, &sql::upsert_step(), &binds).await
    }

    fn flow_of(&self, step: &Step) -> Option<&Flow<'a>> {
        step.flow.as_ref().and_then(|flow| self.flows.get(flow))
    }

    /// Whose ledger has the row of a step: its flow's, or for a step of the ledger itself that one, once it is open.
    fn cluster_of<'s>(&'s self, step: &'s Step) -> Option<&'s Name> {
        let cluster = match &step.flow {
            Some(_) => &self.flow_of(step)?.record.cluster,
            None if step.kind == StepKind::CreateLedger => &step.cluster,
            None => return None,
        };
        self.clusters.get(cluster).filter(|open| open.initialized()).map(|_| cluster)
    }

    fn scope(&self) -> Vec<Bind> {
        let environment = self.plan.env.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![Bind::Text(self.plan.workspace.to_string()), Bind::Text(environment)]
    }

    /// Writes one row and checks that it was one.
    async fn upsert(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<(), StepError> {
        match self.execute(cluster, statement, binds).await? {
            1 => Ok(()),
            rows => Err(write_error(cluster, &format!("{rows} rows were written instead of 1"))),
        }
    }

    /// Sends a statement and tells how many rows it affected.
    async fn execute(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<u64, StepError> {
        let send = || async { self.servers.connect(cluster, Purpose::Watch).await?.execute(statement, binds).await };
        self.until_answered(cluster, send).await
    }

    /// Sends a statement that answers with rows.
    async fn query(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<Rows, StepError> {
        let send = || async { self.servers.connect(cluster, Purpose::Watch).await?.query(statement, binds).await };
        self.until_answered(cluster, send).await
    }

    /// Sends a statement again when no answer came: all of the ledger may be sent twice.
    async fn until_answered<T, F: Future<Output = Result<T, ClusterError>>>(
        &self,
        cluster: &Name,
        send: impl Fn() -> F,
    ) -> Result<T, StepError> {
        let mut retry = Retry::new(self.clock, None);
        loop {
            self.locks.check()?;
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.is_transient() {
                self.servers.discard(cluster, Purpose::Watch).await;
            }
            if !error.is_transient() || !retry.again().await {
                let (reason, help) = (error.message.clone(), error.help());
                return Err(StepError::LedgerWrite { cluster: cluster.clone(), reason, help });
            }
        }
    }
}

/// The version of a flow's row as it stands there.
struct Written {
    epoch: i64,
    seq_no: i64,
    primary_term: i64,
}

impl Written {
    /// The run that wrote the row last, and its version.
    fn read(rows: &Rows) -> Result<(String, Self), ValueError> {
        let Some(row) = rows.rows.first().filter(|_| rows.len() == 1) else {
            let (column, found) = ("run".to_owned(), format!("{} rows", rows.len()));
            return Err(ValueError { column, expected: "one row", found });
        };
        let [epoch, seq_no, primary_term] = [0, 2, 3].map(|column| catalog::integer(row, column));
        Ok((catalog::text(row, 1)?, Self { epoch: epoch?, seq_no: seq_no?, primary_term: primary_term? }))
    }
}

fn optional_time(time: Option<Timestamp>) -> Bind {
    time.map_or(Bind::OptText(None), Bind::Time)
}

fn write_error(cluster: &Name, reason: &str) -> StepError {
    StepError::LedgerWrite { cluster: cluster.clone(), reason: reason.to_owned(), help: None }
}

/// The word that a state is written as.
fn word(state: impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("states are written as words"),
    }
}
