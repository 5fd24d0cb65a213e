//! The check before a copy is put in place: it has what was written to it, and is not far smaller than what it replaces.

use transship_model::plan::PutInPlace;
use transship_sql::table;

use super::context::Context;
use super::error::StepError;
use crate::catalog;

/// Checks it.
pub(super) async fn check(cx: &Context<'_>, put: &PutInPlace) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    let Some(whole) = cx.ledger.whole(cx.step, put).await else {
        return Err(cx.wrong("its copy was not filled by this run"));
    };
    if cx.indices(cluster, &put.copy).await? != whole.indices {
        return Err(cx.changed(&put.copy, "was made again since, or by somebody else"));
    }
    let new = cx.look(cluster, &put.count_copy, catalog::read_count).await?;
    if new != whole.rows {
        return Err(StepError::CountDiffers { table: put.copy.clone(), found: new, written: whole.rows });
    }
    let Some(count) = &put.count_table else { return Ok(()) };
    // Rows that no reader sees yet would be lost with the others. A view reads a copy that was refreshed when it was made.
    if put.done.holds.is_none() || put.aside.is_some() {
        cx.query(cluster, &table::refresh([&put.table])).await?;
    }
    let old = cx.look(cluster, count, catalog::read_count).await?;
    let shrinks = old > 0 && (new == 0 || new < old.div_ceil(2));
    if shrinks && !put.allow_shrink {
        return Err(StepError::Shrinks { table: put.table.clone(), new, old });
    }
    Ok(())
}
