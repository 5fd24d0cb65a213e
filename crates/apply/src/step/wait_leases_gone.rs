//! Waits until the source no longer keeps operations for a dropped subscription.

use std::collections::BTreeSet;

use transship_cluster::Rows;
use transship_model::TableName;
use transship_model::plan::WaitLeasesGone;

use super::context::Context;
use super::error::{StepError, names};
use super::perform::Done;
use crate::catalog;

/// Waits. Leases that stay are a failure only where a new subscription would collide with them.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitLeasesGone) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let wanted: BTreeSet<TableName> = wait.tables.iter().cloned().collect();
    let mut leased = wanted.clone();
    loop {
        let read = |rows: &Rows| catalog::read_leased(rows, &wait.subscriber);
        match cx.look(&cx.step.cluster, &wait.leases, read).await {
            Ok(found) => {
                leased = found.intersection(&wanted).cloned().collect();
                if leased.is_empty() {
                    return Ok(Done::default());
                }
            }
            Err(error) if error.is_uncertain() => {}
            Err(error) => return Err(error),
        }
        let state = || format!("leases of `{}` are left on {}", wait.subscriber, names(&leased));
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state());
        }
        match pace.pause(state).await {
            Err(StepError::TimedOut { state, .. }) if !wait.required => {
                let note = format!("{state}; they end by themselves after `soft_deletes.retention_lease.period`");
                return Ok(Done { already: false, note: Some(note) });
            }
            pause => pause?,
        }
    }
}
