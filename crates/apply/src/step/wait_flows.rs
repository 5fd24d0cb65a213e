//! Waits until other jobs have done flows of their parts, as the ledger tells. Reads by primary key see what was written a
//! moment ago.

use transship_cluster::{Bind, ErrorKind, Rows, ValueError};
use transship_model::plan::{AwaitedFlow, WaitFlows};

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use crate::catalog;

/// How an awaited flow stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Its work is done.
    Done,
    /// No run has begun it since the plan was made.
    NotBegun,
    /// A run is at it.
    Begun(String),
    /// The run that was at it has ended, and not well.
    Failed(String),
}

/// A flow that is waited for.
struct Awaited<'a> {
    flow: &'a AwaitedFlow,
    /// The run that had failed at it before this one was planned: its job may yet be run again.
    failed: Option<String>,
    standing: Standing,
}

/// Waits.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitFlows) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let mut left = begin(cx, wait).await?;
    loop {
        left.iter().try_for_each(check)?;
        left.retain(|awaited| awaited.standing != Standing::Done);
        if left.is_empty() {
            return Ok(Done::default());
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, shown(&left));
        }
        pace.pause(|| shown(&left)).await?;
        for awaited in &mut left {
            match look(cx, wait, awaited.flow).await {
                Ok(standing) => awaited.standing = standing,
                Err(error) if error.is_uncertain() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn begin<'a>(cx: &Context<'_>, wait: &'a WaitFlows) -> Result<Vec<Awaited<'a>>, StepError> {
    let mut all = Vec::new();
    for flow in &wait.flows {
        let standing = look(cx, wait, flow).await?;
        let failed = match &standing {
            Standing::Failed(run) if flow.seen.as_ref() == Some(run) => Some(run.clone()),
            _ => None,
        };
        all.push(Awaited { flow, failed, standing });
    }
    Ok(all)
}

/// A run that failed meanwhile has not done the flow.
fn check(awaited: &Awaited<'_>) -> Result<(), StepError> {
    match &awaited.standing {
        Standing::Failed(run) if awaited.failed.as_ref() != Some(run) => {
            let AwaitedFlow { flow, part, .. } = awaited.flow;
            Err(StepError::AwaitedFailed { flow: flow.clone(), part: *part, run: run.clone() })
        }
        _ => Ok(()),
    }
}

fn shown(left: &[Awaited<'_>]) -> String {
    let one = |awaited: &Awaited<'_>| {
        let AwaitedFlow { flow, part, .. } = awaited.flow;
        match &awaited.standing {
            Standing::Begun(run) => format!("{flow} (part {part}), which run {run} is at"),
            Standing::Failed(run) => format!("{flow} (part {part}), at which run {run} failed before"),
            Standing::NotBegun | Standing::Done => format!("{flow} (part {part}), which no run has begun"),
        }
    };
    format!("waiting for {}", left.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// How a flow stands. A run notes that it has done a flow, and then that it has ended: where it has ended since the flow's
/// row was read, that row is read once more before the run counts as failed.
async fn look(cx: &Context<'_>, wait: &WaitFlows, awaited: &AwaitedFlow) -> Result<Standing, StepError> {
    match look_once(cx, wait, awaited).await? {
        Standing::Failed(_) => look_once(cx, wait, awaited).await,
        standing => Ok(standing),
    }
}

/// How a flow stands, by its row and the row of the run that wrote it.
async fn look_once(cx: &Context<'_>, wait: &WaitFlows, awaited: &AwaitedFlow) -> Result<Standing, StepError> {
    let row = read(cx, &wait.look, awaited, awaited.flow.to_string()).await?;
    let Some((state, run)) = row else { return Ok(Standing::NotBegun) };
    if state == "done" {
        let is_of_before = awaited.was_done && awaited.seen.as_ref() == Some(&run);
        return Ok(if is_of_before { Standing::NotBegun } else { Standing::Done });
    }
    let ended = read(cx, &wait.run, awaited, run.clone()).await?.map(|(_, state)| state);
    match ended.as_deref() {
        Some("failed" | "cancelled" | "done") => Ok(Standing::Failed(run)),
        _ => Ok(Standing::Begun(run)),
    }
}

/// The first two columns of the row that has `key`; nothing where there is no row, or no ledger yet.
async fn read(
    cx: &Context<'_>,
    statement: &str,
    awaited: &AwaitedFlow,
    key: String,
) -> Result<Option<(String, String)>, StepError> {
    let environment = cx.plan.env.as_ref().map(ToString::to_string).unwrap_or_default();
    let binds = [cx.plan.workspace.to_string(), environment, key].map(Bind::Text);
    let texts = |rows: &Rows| -> Result<Option<(String, String)>, ValueError> {
        rows.rows.first().map(|row| Ok((catalog::text(row, 0)?, catalog::text(row, 1)?))).transpose()
    };
    match cx.look_with(&awaited.cluster, (statement, &binds), texts).await {
        Err(StepError::Cluster(error)) if matches!(error.kind, ErrorKind::NotFound { .. }) => Ok(None),
        answer => answer,
    }
}
