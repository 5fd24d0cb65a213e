//! Whether a step that failed did so for want of space: CrateDB says nothing of it to COPY FROM, which then imports no row
//! and lists no file, nor to CREATE TABLE and RESTORE, whose shards are never started.

use transship_model::Name;
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use crate::catalog;

/// `error` with what the checks of the nodes say of their disks, where it may be due to them.
pub(super) async fn blamed(cx: &Context<'_>, error: StepError) -> StepError {
    let is_likely = match &error {
        StepError::NotImported { .. }
        | StepError::RestoreFailed { .. }
        | StepError::TimedOut { .. }
        | StepError::Stalled { .. } => true,
        StepError::Cluster(error) => error.is_transient(),
        _ => false,
    };
    match is_likely.then_some(full(cx, &cx.step.cluster).await).flatten() {
        Some(problem) => StepError::Disk { cluster: cx.step.cluster.clone(), problem, error: Box::new(error) },
        None => error,
    }
}

/// What is wrong with the disks of a cluster. What cannot be looked up is not blamed.
async fn full(cx: &Context<'_>, cluster: &Name) -> Option<&'static str> {
    let failed = cx.look(cluster, &lookup::disk_checks(), catalog::read_integers).await.ok()?;
    if failed.contains(&7) {
        Some("is past the flood stage: tables on it take no rows")
    } else if failed.is_empty() {
        None
    } else {
        Some("is past a watermark: new shards are not put on it")
    }
}
