//! Reads rows from files in a store, every one accounted for. Never repeated by itself, as any copy of rows.

use transship_cluster::{Bind, Rows};
use transship_model::plan::ImportRows;

use super::context::Context;
use super::error::StepError;
use super::files;
use super::perform::Done;
use super::summary::Summary;
use super::watch::{self, Look, Seen};
use crate::catalog;
use crate::ledger::{Exported, Filled};

/// Imports.
pub(super) async fn import(cx: &Context<'_>, rows: &ImportRows) -> Result<Done, StepError> {
    let Some(exported) = cx.ledger.exported(cx.step, (&rows.path, &rows.from)).await else {
        return Err(cx.wrong("its files were neither exported by this run, nor compared with a manifest"));
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
    cx.ledger
        .fill(cx.step, &rows.into, Filled { rows: imported, indices, marks: exported.marks, began: None, cursor: None })
        .await;
    Ok(Done { already: false, note: Some(format!("{imported} rows")) })
}

/// Reads all files, and tells how many rows they had: all that were exported. CrateDB says OK to anything; what it says
/// of the files has to add up.
async fn read(cx: &Context<'_>, rows: &ImportRows, exported: &Exported) -> Result<u64, StepError> {
    let mut summary = Summary::default();
    let main = (Some(&cx.step.sql[0]), files::all(cx, exported)?);
    for (sql, uris) in [main, (rows.rest.as_ref(), files::rest(cx, exported)?)] {
        if uris.is_empty() {
            // No row, or a partitioned table without partitions. CrateDB does not take an empty list.
            continue;
        }
        let Some(sql) = sql else { return Err(cx.wrong("it has no statement for files of JSON beside those of CSV")) };
        let answer = copy_from(cx, rows, (sql, &[Bind::SecretList(uris)]), exported.rows).await?;
        summary.add_all(cx, &answer, rows.sensitive)?;
        if !summary.is_clean() {
            break;
        }
    }
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

/// Sends a COPY FROM, and watches the table that it fills.
async fn copy_from(
    cx: &Context<'_>,
    rows: &ImportRows,
    (sql, binds): (&str, &[Bind]),
    expected: u64,
) -> Result<Rows, StepError> {
    // What the table had is not known where it cannot be seen.
    let before = watch::operations(cx, &rows.into).await.unwrap_or(0);
    let look = || -> Look<'_> {
        Box::pin(async move {
            let now = watch::operations(cx, &rows.into).await?;
            // Others may write into a table that is there.
            let arrived = now.saturating_sub(before).min(expected);
            // A statement that is given up may go on: a copy aside is dropped then, rows in a table that is there would stay.
            let number = rows.into.is_aside().then_some(now);
            Ok(Seen { number, text: format!("{arrived} of {expected} rows") })
        })
    };
    watch::watched(cx, cx.execute_for_rows(sql, binds, rows.timeout.as_duration()), look).await
}
