//! The runs of a workspace: what the ledgers of its clusters know of them, and the logs that were kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use transship_apply::{KeptLog, kept_run_logs, read_run_log};
use transship_cluster::{ClusterError, Counts, RunsOf, Session};
use transship_model::event::Happened;
use transship_model::ledger::{RunRow, RunState, StepRow, StepState};
use transship_model::{Finding, Name};

use super::Workspace;
use super::everywhere::ask_everywhere;
use super::observe::finding;
use crate::error::CommandError;
use crate::term::Term;

/// A run, from wherever something is known of it.
#[derive(Clone, Debug)]
pub struct KnownRun {
    /// What is known of it as a whole.
    pub row: RunRow,
    /// How many of its steps stand how.
    pub counts: Counts,
    /// The clusters whose ledgers have it.
    pub clusters: BTreeSet<Name>,
    /// Its steps, in the order in which they began; only where one run was asked for.
    pub steps: Vec<StepRow>,
    /// Its log.
    pub log: Option<KeptLog>,
}

/// What is known of runs, and which clusters could not be asked.
#[derive(Debug, Default)]
pub struct KnownRuns {
    /// The runs, the newest first.
    pub runs: Vec<KnownRun>,
    /// What went wrong.
    pub findings: Vec<Finding>,
}

/// The newest runs, or the one of that id with its steps.
pub async fn known_runs(workspace: &Workspace, run: Option<&str>, term: &Term) -> Result<KnownRuns, CommandError> {
    let mut known = KnownRuns::default();
    let mut runs = BTreeMap::<String, KnownRun>::new();
    let answers = ask_everywhere(workspace, term, async |session, scope| ask(session, scope, run).await).await?;
    for (cluster, answer) in answers {
        match answer {
            Ok(found) => found.into_iter().for_each(|found| add(&mut runs, &cluster, found)),
            Err(error) => known.findings.push(finding(&error)),
        }
    }
    add_logs(workspace, run, &mut runs, &mut known.findings);
    known.runs = runs.into_values().collect();
    known.runs.sort_by(|a, b| (b.row.started, &b.row.run).cmp(&(a.row.started, &a.row.run)));
    Ok(known)
}

/// A run in the ledger of one cluster.
type Found = (RunRow, Counts, Vec<StepRow>);

async fn ask(session: &Session, scope: RunsOf<'_>, run: Option<&str>) -> Result<Vec<Found>, ClusterError> {
    let Some(run) = run else {
        let newest = scope.newest(session).await?;
        return Ok(newest.into_iter().map(|(row, counts)| (row, counts, Vec::new())).collect());
    };
    let found = scope.one(session, run).await?;
    Ok(found.map(|(row, steps)| (row, count(steps.iter().map(|step| step.state)), steps)).into_iter().collect())
}

fn count(states: impl Iterator<Item = StepState>) -> Counts {
    let mut counts = Counts::new();
    for state in states {
        *counts.entry(state).or_default() += 1;
    }
    counts
}

fn add(runs: &mut BTreeMap<String, KnownRun>, cluster: &Name, (row, counts, steps): Found) {
    let known = runs.entry(row.run.clone()).or_insert_with(|| KnownRun {
        row: row.clone(),
        counts: Counts::new(),
        clusters: BTreeSet::new(),
        steps: Vec::new(),
        log: None,
    });
    known.clusters.insert(cluster.clone());
    known.row.state = worse(known.row.state, row.state);
    known.row.finished = known.row.finished.max(row.finished);
    for (state, steps) in counts {
        *known.counts.entry(state).or_default() += steps;
    }
    known.steps.extend(steps);
    known.steps.sort_by(|a, b| (a.started, &a.step).cmp(&(b.started, &b.step)));
}

/// What a run is whose ledgers do not agree: the one that could not be told of its end still has it running.
const fn worse(a: RunState, b: RunState) -> RunState {
    match (a, b) {
        (RunState::Running, _) | (_, RunState::Running) => RunState::Running,
        (RunState::Failed, _) | (_, RunState::Failed) => RunState::Failed,
        (RunState::Cancelled, _) | (_, RunState::Cancelled) => RunState::Cancelled,
        (RunState::Done, RunState::Done) => RunState::Done,
    }
}

/// Adds the logs, and runs of which nothing else is known.
fn add_logs(
    workspace: &Workspace,
    run: Option<&str>,
    runs: &mut BTreeMap<String, KnownRun>,
    findings: &mut Vec<Finding>,
) {
    let spec = &workspace.loaded.spec;
    for id in kept_run_logs(workspace.directory()).into_iter().filter(|id| run.is_none_or(|run| run == id)) {
        let log = match read_run_log(workspace.directory(), &id) {
            Ok(Some(log)) => log,
            Ok(None) => continue,
            Err(problem) => {
                findings.push(Finding::warning("cli::run-log", problem));
                continue;
            }
        };
        if log.header.workspace == spec.workspace && log.header.env == spec.environment {
            let known = runs.entry(id).or_insert_with(|| of_log(&log));
            known.log = Some(log);
        }
    }
}

fn of_log(log: &KeptLog) -> KnownRun {
    let started = log.events.first().map_or_else(jiff::Timestamp::default, |event| event.at);
    let end = log.events.iter().rev().find_map(|event| match event.what {
        Happened::RunFinished { failed, skipped, .. } => Some((event.at, failed, skipped)),
        _ => None,
    });
    let state = match end {
        None => RunState::Running,
        Some((_, 0, 0)) => RunState::Done,
        Some((_, 0, _)) => RunState::Cancelled,
        Some(_) => RunState::Failed,
    };
    let states = log.events.iter().filter_map(|event| match event.what {
        Happened::StepDone { .. } => Some(StepState::Done),
        Happened::StepFailed { .. } => Some(StepState::Failed),
        Happened::StepSkipped { .. } => Some(StepState::Skipped),
        _ => None,
    });
    let row = RunRow {
        run: log.header.run.clone(),
        state,
        started,
        finished: end.map(|(at, ..)| at),
        tool_version: log.header.tool_version.clone(),
        digest: log.header.digest.clone(),
    };
    KnownRun { row, counts: count(states), clusters: BTreeSet::new(), steps: Vec::new(), log: None }
}
