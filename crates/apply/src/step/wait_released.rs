//! Waits until the target no longer follows tables that were taken out of the publication.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::plan::WaitReleased;

use super::contents::HalfCopies;
use super::context::Context;
use super::error::{StepError, names};
use super::perform::Done;

/// Waits. Tables that are not let go of are a failure only where their subscription stays.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitReleased) -> Result<Done, StepError> {
    let mut halves = HalfCopies::of(cx, |table| wait.tables.contains(table)).await;
    let mut pace = cx.pace(wait.timeout.as_duration());
    let mut followed: BTreeSet<TableName> = wait.tables.iter().cloned().collect();
    loop {
        match still_followed(cx, wait, &mut halves).await {
            Ok(left) => {
                if left != followed {
                    followed = left;
                    pace.changed();
                }
                if followed.is_empty() {
                    return Ok(Done::default());
                }
            }
            Err(error) if error.is_uncertain() => {}
            Err(error) => return Err(error),
        }
        let state = || format!("the subscription still has {}", names(&followed));
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state());
        }
        let stalled = pace.check_stall(state);
        match async {
            stalled?;
            pace.pause(state).await
        }
        .await
        {
            Err(StepError::TimedOut { state, .. } | StepError::Stalled { state, .. }) if !wait.required => {
                let note =
                    format!("{state} after {} s, and is dropped with them", wait.timeout.as_duration().as_secs());
                return Ok(Done { already: false, note: Some(note) });
            }
            pause => pause?,
        }
    }
}

/// The tables that the subscription still has. What half copies have is noted as long as they are followed.
async fn still_followed(
    cx: &Context<'_>,
    wait: &WaitReleased,
    halves: &mut HalfCopies,
) -> Result<BTreeSet<TableName>, StepError> {
    let found = halves.look(cx, &wait.states, &wait.subscription).await?;
    halves.note(cx).await?;
    Ok(wait.tables.iter().filter(|table| found.tables.contains_key(*table)).cloned().collect())
}
