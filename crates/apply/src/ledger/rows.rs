//! The rows of the ledger: written, fenced by epoch, sent again where no answer came.

use jiff::Timestamp;
use transship_cluster::{Bind, ClusterError, Rows, ValueError};
use transship_model::Name;
use transship_model::ledger::{FlowRow, FlowState, LEDGER_FORMAT, RunState};
use transship_model::plan::{PlanOptions, Step};
use transship_sql::ledger as sql;

use super::{Flow, Ledger, StepState};
use crate::catalog;
use crate::lock::Lost;
use crate::retry::Retry;
use crate::servers::Purpose;
use crate::step::StepError;

impl<'a> Ledger<'a> {
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
    pub(super) async fn write_options(&self, cluster: &Name) -> Result<(), StepError> {
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
    pub(super) async fn check_format(&self, cluster: &Name) -> Result<(), StepError> {
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

    pub(super) async fn read_format(&self, cluster: &Name, binds: &[Bind]) -> Result<String, StepError> {
        let statement = sql::read_meta();
        let rows = self.query(cluster, &statement, binds).await?;
        let value = rows.rows.first().and_then(|row| catalog::text(row, 0).ok());
        value.ok_or_else(|| write_error(cluster, "the row of its format is not there after it was written"))
    }

    pub(super) async fn write_flow(&self, flow: &Flow<'a>, state: FlowState) -> Result<(), StepError> {
        self.write_row(flow, state).await.map(|_| ())
    }

    /// Writes the row of a flow, unless a newer run has written it.
    pub(super) async fn write_row(&self, flow: &Flow<'a>, state: FlowState) -> Result<Written, StepError> {
        // Steps of one flow run side by side: a row that says less must not come after one that says more.
        let _one_at_a_time = flow.writing.lock().await;
        let record = flow.record;
        let mut noted = flow.copies.lock().await.noted(&record.row);
        let removed = flow.removed.lock().await.clone();
        noted.exports.retain(|number, _| !removed.contains(number));
        let not_made = flow.not_made.lock().await.clone();
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

    pub(super) async fn write_run(
        &self,
        cluster: &Name,
        state: RunState,
        finished: Option<Timestamp>,
    ) -> Result<(), StepError> {
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

    pub(super) async fn write_step(
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

    pub(super) fn scope(&self) -> Vec<Bind> {
        let environment = self.plan.env.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![Bind::Text(self.plan.workspace.to_string()), Bind::Text(environment)]
    }

    /// Writes one row and checks that it was one.
    pub(super) async fn upsert(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<(), StepError> {
        match self.execute(cluster, statement, binds).await? {
            1 => Ok(()),
            rows => Err(write_error(cluster, &format!("{rows} rows were written instead of 1"))),
        }
    }

    /// Sends a statement and tells how many rows it affected.
    pub(super) async fn execute(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<u64, StepError> {
        let send = || async { self.servers.connect(cluster, Purpose::Watch).await?.execute(statement, binds).await };
        self.until_answered(cluster, send).await
    }

    /// Sends a statement that answers with rows.
    pub(super) async fn query(&self, cluster: &Name, statement: &str, binds: &[Bind]) -> Result<Rows, StepError> {
        let send = || async { self.servers.connect(cluster, Purpose::Watch).await?.query(statement, binds).await };
        self.until_answered(cluster, send).await
    }

    /// Sends a statement again when no answer came: all of the ledger may be sent twice.
    pub(super) async fn until_answered<T, F: Future<Output = Result<T, ClusterError>>>(
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
pub(super) struct Written {
    epoch: i64,
    pub(super) seq_no: i64,
    pub(super) primary_term: i64,
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
