//! Writes the ledger: the flows' rows around their steps, and the rows of runs and steps.
//!
//! The row of a flow is written before the first statement of its first step, so that no object is ever there
//! without a row that names it. A cluster's ledger is opened when it is first needed: its format is checked and the
//! row of the run is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::sync::{Mutex, OnceCell};
use transship_cluster::Bind;
use transship_model::ledger::{FlowState, RunState};
use transship_model::plan::{Action, Afterwards, Plan, Record, Step, StepKind};
use transship_model::redact::Redactor;
use transship_model::{FlowId, Name, TableName};
use transship_sql::ledger as sql;

mod copies;
mod notes;
mod rows;

use crate::clock::Clock;
use crate::lock::{Locks, Lost};
use crate::servers::Servers;
use crate::step::StepError;

use copies::Copies;
pub(crate) use copies::{Exported, Filled, PartitionFilled, Taken};
use rows::Written;

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
    /// Held while its row is written.
    writing: Mutex<()>,
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
            writing: Mutex::default(),
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
            Some(Action::DropTable(dropped)) => {
                flow.copies.lock().await.forget(&dropped.table);
                return flow.dropped.lock().await.insert(dropped.table.clone());
            }
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
            Some(Action::PullRows(rows)) => rows.done.as_ref().map(|note| (note, &rows.into)),
            Some(Action::PutInPlace(put)) => Some((&put.done, &put.copy)),
            Some(Action::TakeCopy(take)) => take.done.as_ref().map(|note| (note, &take.copy)),
            _ => None,
        };
        let Some((note, copy)) = note else { return false };
        flow.copies.lock().await.finish(note, copy, self.started)
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
        self.query(&record.cluster, &sql::refresh(), &[]).await?;
        if self.query(&record.cluster, &sql::read_epochs(), &binds).await?.rows.is_empty() {
            return Ok(());
        }
        Err(self.locks.lose(Lost::Overtaken { flow: record.flow.clone(), run: None }).into())
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
}
