//! Writes the rows of a copy aside into the table that is there. The ledger has it that all are there before the copy goes.

use transship_model::plan::{MergeRows, RowWrite};

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Done;
use crate::catalog;
use crate::ledger::Filled;
use crate::servers::{AtATime, Moved, Part};

/// Merges.
pub(super) async fn merge(cx: &Context<'_>, action: &MergeRows) -> Result<Done, StepError> {
    let (rows, cluster) = (&action.rows, &cx.step.cluster);
    let Some(filled) = cx.ledger.filled(cx.step, &rows.from).await else {
        return Err(cx.wrong("its copy was not filled by this run"));
    };
    if cx.indices(cluster, &rows.from).await? != filled.indices {
        return Err(cx.changed(&rows.from, "was made again since, or by somebody else"));
    }
    cx.query(cluster, &rows.refresh_source).await?;
    let found = cx.look(cluster, &action.expected, catalog::read_count).await?;
    if found != filled.rows {
        return Err(StepError::CountDiffers { table: rows.from.clone(), found, written: filled.rows });
    }
    if rows.write == RowWrite::Insert {
        cx.ledger.add_to(cx.step, &rows.into).await?;
    }
    let progress = |moved: Moved| cx.emitter.progress(&cx.step.id, format!("{} rows written", moved.written));
    let written = cx.servers.copy_rows(cluster, (rows, Part::All, AtATime::AsPlanned), &progress, cx.cancel).await?;
    cx.query(cluster, &rows.refresh).await?;
    if written != filled.rows {
        return Err(StepError::CountDiffers { table: rows.into.clone(), found: written, written: filled.rows });
    }
    let indices = cx.indices(cluster, &rows.into).await?;
    cx.ledger.merged(cx.step, &action.done, Filled { indices, ..filled }).await?;
    cx.execute(&action.clear, &[], LIMIT).await?;
    Ok(Done { already: false, note: Some(format!("{written} rows")) })
}
