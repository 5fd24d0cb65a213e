//! Waits until the source no longer keeps operations for a dropped subscription.

use std::collections::BTreeSet;

use transship_cluster::Rows;
use transship_model::TableName;
use transship_model::plan::WaitLeasesGone;

use super::context::Context;
use super::error::{StepError, names};
use super::perform::Done;
use crate::catalog;

/// Waits. Leases that stay are a failure only where a new subscription would collide with them: with those that are used. A
/// target that was restarted takes none of them along when its subscription is dropped (6.4.0).
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitLeasesGone) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let wanted: BTreeSet<TableName> = wait.tables.iter().cloned().collect();
    let mut leased = wanted.clone();
    loop {
        let read = |rows: &Rows| catalog::read_leased(rows, &wait.subscriber, wait.unused_after.as_duration());
        match cx.look(&cx.step.cluster, &wait.leases, read).await {
            Ok(found) => {
                let is_used = found.iter().any(|(table, is_used)| *is_used && wanted.contains(table));
                leased = found.into_keys().filter(|table| wanted.contains(table)).collect();
                if leased.is_empty() {
                    return Ok(Done::default());
                }
                if !is_used {
                    return Ok(left(wait, &leased));
                }
            }
            Err(error) if error.is_uncertain() => {}
            Err(error) => return Err(error),
        }
        let state = || state(wait, &leased);
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state());
        }
        match pace.pause(state).await {
            Err(StepError::TimedOut { .. }) if !wait.required => return Ok(left(wait, &leased)),
            pause => pause?,
        }
    }
}

fn state(wait: &WaitLeasesGone, leased: &BTreeSet<TableName>) -> String {
    format!("leases of `{}` are left on {}", wait.subscriber, names(leased))
}

fn left(wait: &WaitLeasesGone, leased: &BTreeSet<TableName>) -> Done {
    let state = state(wait, leased);
    let note = format!("{state}; they end by themselves after `soft_deletes.retention_lease.period`");
    Done { already: false, note: Some(note) }
}
