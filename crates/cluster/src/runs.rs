//! What the ledger of a cluster knows of the runs of a workspace.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use transship_model::ledger::{RunRow, StepRow, StepState};
use transship_model::{FlowId, Name};
use transship_sql::ledger as sql;

use crate::error::{ClusterError, ErrorKind};
use crate::session::Server;
use crate::value::{Bind, Rows, ValueError};

/// So many runs are listed.
pub const LISTED: u32 = 50;

/// How many steps of a run stand how.
pub type Counts = BTreeMap<StepState, u64>;

/// Whose runs are asked for.
#[derive(Clone, Copy, Debug)]
pub struct RunsOf<'a> {
    /// The workspace.
    pub workspace: &'a Name,
    /// The environment.
    pub environment: Option<&'a Name>,
}

impl RunsOf<'_> {
    /// The newest runs, the newest first; none where there is no ledger.
    pub async fn newest(&self, server: &dyn Server) -> Result<Vec<(RunRow, Counts)>, ClusterError> {
        let runs = ask(server, &sql::newest_runs(LISTED), &self.binds(), run_rows).await?;
        let names = runs.iter().map(|row| row.run.clone()).collect();
        let mut binds = self.binds();
        binds.push(Bind::TextList(names));
        let counted = ask(server, &sql::count_steps(), &binds, counts).await?;
        let mut by_run = BTreeMap::<String, Counts>::new();
        for (run, state, steps) in counted {
            by_run.entry(run).or_default().insert(state, steps);
        }
        let with_counts = |row: RunRow| {
            let counts = by_run.remove(&row.run).unwrap_or_default();
            (row, counts)
        };
        Ok(runs.into_iter().map(with_counts).collect())
    }

    /// One run and its steps, in the order in which they began; `None` where the ledger has no such run.
    pub async fn one(&self, server: &dyn Server, run: &str) -> Result<Option<(RunRow, Vec<StepRow>)>, ClusterError> {
        let mut binds = self.binds();
        binds.push(Bind::Text(run.to_owned()));
        let Some(row) = ask(server, &sql::read_run(), &binds, run_rows).await?.pop() else { return Ok(None) };
        let steps = ask(server, &sql::steps_of_run(), &binds, step_rows).await?;
        Ok(Some((row, steps)))
    }

    /// The flows that a run has begun and none has ended, each with the run that wrote its row last.
    pub async fn unfinished(&self, server: &dyn Server) -> Result<Vec<(FlowId, String)>, ClusterError> {
        match server.execute(&sql::refresh(), &[]).await {
            Err(error) if !matches!(error.kind, ErrorKind::NotFound { .. }) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        ask(server, &sql::unfinished_flows(), &self.binds(), |rows| {
            (0..rows.len()).map(|row| Ok((flow(rows, row)?, rows.text(row, "run")?.to_owned()))).collect()
        })
        .await
    }

    /// The options of a run, as JSON; `None` where it had none, or the ledger does not know it.
    pub async fn options(&self, server: &dyn Server, run: &str) -> Result<Option<String>, ClusterError> {
        let mut binds = self.binds();
        binds.push(Bind::Text(sql::options_key(run)));
        let read = |rows: &Rows| (0..rows.len()).map(|row| Ok(rows.text(row, "value")?.to_owned())).collect();
        Ok(ask(server, &sql::read_meta(), &binds, read).await?.pop())
    }

    fn binds(&self) -> Vec<Bind> {
        let environment = self.environment.map(ToString::to_string).unwrap_or_default();
        vec![Bind::Text(self.workspace.to_string()), Bind::Text(environment)]
    }
}

/// What a statement gives; nothing where there is no ledger.
async fn ask<T>(
    server: &dyn Server,
    statement: &str,
    binds: &[Bind],
    read: impl FnOnce(&Rows) -> Result<Vec<T>, ValueError>,
) -> Result<Vec<T>, ClusterError> {
    match server.query(statement, binds).await {
        Ok(rows) => read(&rows).map_err(|error| ClusterError::answer(server.name(), statement, &error)),
        Err(error) if matches!(error.kind, ErrorKind::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn run_rows(rows: &Rows) -> Result<Vec<RunRow>, ValueError> {
    let row = |row| {
        Ok(RunRow {
            run: rows.text(row, "run")?.to_owned(),
            state: word(rows, row, "state")?,
            started: rows.time(row, "started")?,
            finished: rows.opt_time(row, "finished")?,
            tool_version: rows.text(row, "tool_version")?.to_owned(),
            digest: rows.text(row, "digest")?.to_owned(),
        })
    };
    (0..rows.len()).map(row).collect()
}

fn step_rows(rows: &Rows) -> Result<Vec<StepRow>, ValueError> {
    let row = |row| {
        let text = |column| Ok(rows.opt_text(row, column)?.map(str::to_owned));
        Ok(StepRow {
            step: rows.text(row, "step")?.to_owned(),
            cluster: rows.text(row, "cluster")?.to_owned(),
            kind: rows.text(row, "kind")?.to_owned(),
            state: word(rows, row, "state")?,
            started: rows.opt_time(row, "started")?,
            finished: rows.opt_time(row, "finished")?,
            code: text("code")?,
            message: text("message")?,
        })
    };
    (0..rows.len()).map(row).collect()
}

fn counts(rows: &Rows) -> Result<Vec<(String, StepState, u64)>, ValueError> {
    let row = |row| {
        let steps = u64::try_from(rows.int(row, "steps")?).unwrap_or(0);
        Ok((rows.text(row, "run")?.to_owned(), word(rows, row, "state")?, steps))
    };
    (0..rows.len()).map(row).collect()
}

fn flow(rows: &Rows, row: usize) -> Result<FlowId, ValueError> {
    let text = rows.text(row, "flow")?;
    text.parse().map_err(|_| ValueError {
        column: "flow".to_owned(),
        expected: "the name of a flow",
        found: format!("`{text}`"),
    })
}

/// A word of the ledger.
fn word<T: DeserializeOwned>(rows: &Rows, row: usize, column: &str) -> Result<T, ValueError> {
    let text = rows.text(row, column)?;
    serde_json::from_value(text.into()).map_err(|_| ValueError {
        column: column.to_owned(),
        expected: "a state that this transship knows",
        found: format!("`{text}`"),
    })
}
