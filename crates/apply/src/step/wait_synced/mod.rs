//! Waits until the target follows every table and has what the source had when the wait began.

mod aim;
mod progress;

use std::time::Duration;

use transship_model::TableName;
use transship_model::plan::WaitSynced;
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use crate::catalog;
use crate::pace::Pace;
use aim::Aim;
use progress::{Answer, Progress, count, count_of};

/// How long tables may count as being copied after everything of them has arrived. They do for good when a partition
/// was dropped on the source while it was copied (seen on 6.4.0).
const ENDLESS: Duration = Duration::from_mins(2);

/// Waits.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitSynced) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let mut aim = read_aim(cx, wait, &mut pace).await?;
    reach(cx, wait, &mut aim, &mut pace).await?;
    cx.query(&cx.step.cluster, &wait.refresh).await?;
    let tables = count(wait.tables.len(), "table");
    Ok(Done { already: false, note: Some(format!("{tables} in sync, {}", count_of(aim.operations(), "operation"))) })
}

/// Reads the mark, again while a primary shard of the source is not started: then nobody knows what it has.
async fn read_aim(cx: &Context<'_>, wait: &WaitSynced, pace: &mut Pace<'_>) -> Result<Aim, StepError> {
    loop {
        let found = match look_for_aim(cx, wait).await {
            Ok(found) => found,
            Err(error) if error.is_uncertain() => None,
            Err(error) => return Err(error),
        };
        if let Some(aim) = found {
            return Ok(aim);
        }
        let state = || format!("a primary shard on cluster `{}` is not started", wait.source);
        pace.check_stall(state)?;
        pace.pause(state).await?;
    }
}

/// The mark; `None` while a primary shard of the source is not started, or is not listed at all.
async fn look_for_aim(cx: &Context<'_>, wait: &WaitSynced) -> Result<Option<Aim>, StepError> {
    let checkpoints = cx.look(&wait.source, &wait.mark, catalog::read_checkpoints).await?;
    let whole = cx.look(&wait.source, &lookup::unpartitioned_tables(&wait.tables), catalog::read_tables).await?;
    let red = cx.look(&wait.source, &lookup::red_tables(&wait.tables), catalog::read_tables).await?;
    let is_listed = |table: &TableName| checkpoints.keys().any(|(name, ..)| name == table);
    Ok(if red.is_empty() && whole.iter().all(is_listed) { Aim::of(&checkpoints) } else { None })
}

/// Polls until the mark is reached. A poll without an answer is one in which nothing changed.
async fn reach(cx: &Context<'_>, wait: &WaitSynced, aim: &mut Aim, pace: &mut Pace<'_>) -> Result<(), StepError> {
    let mut before: Option<Answer> = None;
    let mut progress = Progress::unknown(wait);
    let mut arrived = None;
    loop {
        match poll(cx, wait, aim).await {
            Ok(answer) => {
                progress = Progress::judge(wait, aim, &answer)?;
                if progress.is_done() {
                    return Ok(());
                }
                if before.as_ref() != Some(&answer) {
                    pace.changed();
                }
                before = Some(answer);
                arrived = if progress.has_arrived() { arrived.or_else(|| Some(pace.now())) } else { None };
                if arrived.is_some_and(|since| pace.now().saturating_sub(since) >= ENDLESS) {
                    return Err(StepError::EndlessCopy { after: ENDLESS, state: progress.text() });
                }
            }
            Err(error) if error.is_uncertain() => {}
            Err(error) => return Err(error),
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, progress.text());
        }
        pace.check_stall(|| progress.text())?;
        pace.pause(|| progress.text()).await?;
    }
}

async fn poll(cx: &Context<'_>, wait: &WaitSynced, aim: &mut Aim) -> Result<Answer, StepError> {
    if let Some(now) = look_for_aim(cx, wait).await? {
        aim.narrow(&now);
    }
    let mut subscriptions = cx.look(&cx.step.cluster, &wait.states, catalog::read_subscriptions).await?;
    let reached = cx.look(&cx.step.cluster, &wait.reached, catalog::read_checkpoints).await?;
    Ok((subscriptions.remove(&wait.subscription).unwrap_or_default(), reached))
}
