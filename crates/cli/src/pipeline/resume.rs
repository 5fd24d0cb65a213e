//! Where a run stopped: its flows that are not done, and what the command line said then.

use std::collections::BTreeMap;

use transship_cluster::{ClusterError, ErrorKind, RunsOf, Server as _, Session};
use transship_model::{Finding, FlowId};
use transship_plan::PlanOptions;

use super::Workspace;
use super::everywhere::ask_everywhere;
use super::observe::finding;
use super::saved::joined;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::term::Term;

/// A run that has left something to be done.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// Its flows that no run has ended since.
    pub flows: Vec<FlowId>,
    /// What the command line said then. Only flows that are not done are to be done from scratch.
    pub options: PlanOptions,
}

/// The runs that have left something to be done, by their ids; they sort by when they began.
pub async fn unfinished_runs(workspace: &Workspace, term: &Term) -> Result<BTreeMap<String, Unfinished>, CommandError> {
    let mut runs = BTreeMap::<String, Unfinished>::new();
    let mut findings = Vec::new();
    for (_, answer) in ask_everywhere(workspace, term, ask).await? {
        match answer {
            Ok(found) => found.into_iter().for_each(|(run, left)| add(runs.entry(run).or_default(), left)),
            Err(error) => findings.push(finding(&error)),
        }
    }
    if !findings.is_empty() {
        return Err(CommandError::workspace(findings, workspace.sources()));
    }
    for left in runs.values_mut() {
        left.flows.sort();
        left.options.resync.retain(|flow| left.flows.contains(flow));
    }
    Ok(runs)
}

async fn ask(session: &Session, scope: RunsOf<'_>) -> Result<BTreeMap<String, Unfinished>, ClusterError> {
    let mut runs = BTreeMap::<String, Unfinished>::new();
    for (flow, run) in scope.unfinished(session).await? {
        runs.entry(run).or_default().flows.push(flow);
    }
    for (run, left) in &mut runs {
        if let Some(text) = scope.options(session, run).await? {
            left.options = serde_json::from_str(&text).map_err(|error| {
                let message = format!("the ledger's options of run {run} are not understood: {error}");
                ClusterError::new(session.name(), ErrorKind::Answer, message)
            })?;
        }
    }
    Ok(runs)
}

fn add(all: &mut Unfinished, more: Unfinished) {
    all.flows.extend(more.flows);
    all.options = joined(&all.options, &more.options);
}

/// The one to be resumed: that of the id, or the last one; `None` where none has left anything.
pub fn chosen(
    mut runs: BTreeMap<String, Unfinished>,
    id: Option<&str>,
) -> Result<Option<(String, Unfinished)>, CommandError> {
    let Some(id) = id else { return Ok(runs.pop_last()) };
    match runs.remove_entry(id) {
        Some(run) => Ok(Some(run)),
        None => Err(nothing_left(id, runs.keys().next_back())),
    }
}

fn nothing_left(id: &str, last: Option<&String>) -> CommandError {
    let message = format!("run {id} has left nothing to be done");
    let help = last.map_or_else(
        || "`transship runs` lists the runs; `transship apply` does whatever there is to do".to_owned(),
        |last| format!("the last one that has is {last}: `transship apply --resume`"),
    );
    CommandError::new(Exit::Error, Finding::error("cli::nothing-to-resume", message).help(help))
}
