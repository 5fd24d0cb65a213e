//! Reads rows from files in a store, every one accounted for. Never repeated by itself, as any copy of rows.

use transship_cluster::Bind;
use transship_model::plan::ImportRows;

use super::context::Context;
use super::error::StepError;
use super::files;
use super::perform::Done;
use super::summary::Summary;
use crate::catalog;
use crate::ledger::{Exported, Filled};

/// Imports.
pub(super) async fn import(cx: &Context<'_>, rows: &ImportRows) -> Result<Done, StepError> {
    let Some(exported) = cx.ledger.exported(cx.step, &rows.path).await else {
        return Err(cx.wrong("its files were not exported by this run"));
    };
    if rows.done.is_some() && !rows.overwrites {
        cx.ledger.add_to(cx.step, &rows.into).await?;
    }
    let imported = read(cx, rows, &exported).await?;
    cx.query(&cx.step.cluster, &rows.refresh).await?;
    if let Some(count) = &rows.count {
        let found = cx.look(&cx.step.cluster, count, catalog::read_count).await?;
        if found != imported {
            return Err(StepError::CountDiffers { table: rows.into.clone(), found, written: imported });
        }
    }
    let indices = cx.indices(&cx.step.cluster, &rows.into).await?;
    cx.ledger.fill(cx.step, &rows.into, Filled { rows: imported, indices, marks: exported.marks }).await;
    Ok(Done { already: false, note: Some(format!("{imported} rows")) })
}

/// Reads all files, and tells how many rows they had: all that were exported. CrateDB says OK to anything; what it says
/// of the files has to add up.
async fn read(cx: &Context<'_>, rows: &ImportRows, exported: &Exported) -> Result<u64, StepError> {
    if exported.files.is_empty() {
        // A partitioned table without partitions. CrateDB does not take an empty list.
        return Ok(0);
    }
    let uris = Bind::SecretList(files::all(cx, exported)?);
    let answer = cx.execute_for_rows(&cx.step.sql[0], &[uris], rows.timeout.as_duration()).await?;
    let summary = Summary::read(cx, &answer, rows.sensitive)?;
    if summary.imported == exported.rows && summary.is_clean() {
        return Ok(summary.imported);
    }
    Err(StepError::NotImported {
        table: rows.into.clone(),
        exported: exported.rows,
        imported: summary.imported,
        problems: summary.problems,
    })
}
