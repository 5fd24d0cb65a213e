//! Copies rows from the source, every one accounted for. Never repeated by itself: what a cut run leaves behind in a copy
//! is dropped by the next plan, and what it leaves in a table that was there is for its flow to say.

use transship_model::plan::{CopyRows, RowWrite};

use super::context::Context;
use super::error::StepError;
use super::marks;
use super::perform::Done;
use crate::catalog;
use crate::ledger::Filled;
use crate::servers::Moved;

/// Copies.
pub(super) async fn copy(cx: &Context<'_>, rows: &CopyRows) -> Result<Done, StepError> {
    // What the marks count, the refresh makes visible: what is written later is found as a change.
    let marks = marks::read(cx, &rows.source, &rows.mark, std::slice::from_ref(&rows.from)).await?;
    let marks = marks.get(&rows.from).cloned().unwrap_or_default();
    cx.query(&rows.source, &rows.refresh_source).await?;
    if rows.done.is_some() && rows.write == RowWrite::Insert {
        cx.ledger.add_to(cx.step, &rows.into).await?;
    }
    let progress = |moved: Moved| cx.emitter.progress(&cx.step.id, text(moved));
    let written = cx.servers.copy_rows(&cx.step.cluster, rows, &progress, cx.cancel).await?;
    cx.query(&cx.step.cluster, &rows.refresh).await?;
    if let Some(count) = &rows.count {
        let found = cx.look(&cx.step.cluster, count, catalog::read_count).await?;
        if found != written {
            return Err(StepError::CountDiffers { table: rows.into.clone(), found, written });
        }
    }
    let indices = cx.indices(&cx.step.cluster, &rows.into).await?;
    cx.ledger.fill(cx.step, &rows.into, Filled { rows: written, indices, marks }).await;
    Ok(Done { already: false, note: Some(format!("{written} rows")) })
}

fn text(moved: Moved) -> String {
    match moved.refused {
        0 => format!("{} rows written", moved.written),
        refused => format!("{} rows written, {refused} refused", moved.written),
    }
}
