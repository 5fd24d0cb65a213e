//! Writes the rows of one partition of a copy aside into the table, after the one that is there was deleted.
//!
//! As with a restore, the ledger has the partition before anything of it goes, and the identity of its new index as soon
//! as that shows: a run that is cut leaves a partition that the next one knows to be gone, or to be half a copy of the
//! flow's own.

use std::time::Duration;

use futures_util::future::{Either, select};
use transship_model::plan::{FillPartition, ObjectRef};

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Done;
use super::restore_partition::{ident, index_of, may_shrink, remove};
use crate::cancel::Cancel;
use crate::catalog;
use crate::ledger::PartitionFilled;
use crate::servers::{AtATime, Moved, Part};

/// How often is looked for the new index while rows are written.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Fills it.
pub(super) async fn fill(cx: &Context<'_>, action: &FillPartition) -> Result<Done, StepError> {
    let (rows, cluster, ident) = (&action.rows, &cx.step.cluster, ident(&action.partition));
    let Some(filled) = cx.ledger.filled(cx.step, &rows.from).await else {
        return Err(cx.wrong("its copy was not filled by this run"));
    };
    cx.query(cluster, &rows.refresh_source).await?;
    all_have_a_place(cx, action).await?;
    let expected = cx.look(cluster, &action.expected, catalog::read_count).await?;
    make_room(cx, action, &ident, expected).await?;
    let written = write(cx, action, &ident).await?;
    cx.query(cluster, &rows.refresh).await?;
    let found = cx.look(cluster, &action.count, catalog::read_count).await?;
    // Others may write into the table at any time: there may be more.
    if written != expected || found < expected {
        return Err(StepError::CountDiffers { table: rows.into.clone(), found, written: expected });
    }
    let index = index_of(cx, &rows.into, &ident).await?;
    if index.is_none() && expected > 0 {
        // The rows are there, but in another partition.
        let object = ObjectRef::partition(cluster, &rows.into, &ident);
        return Err(StepError::NoEffect { object, problem: "is not there after its rows were written".to_owned() });
    }
    let index = index.unwrap_or_default();
    let prefix = format!("{ident}/");
    let marks = filled.marks.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
    let indices = cx.indices(cluster, &rows.into).await?;
    let done = PartitionFilled { ident, rows: expected, index, indices, marks };
    cx.ledger.end_partition(cx.step, (&action.done, action.keeps, action.renews), done).await?;
    if let Some(clear) = &action.clear {
        cx.execute(clear, &[], LIMIT).await?;
    }
    Ok(Done { already: false, note: Some(format!("{expected} rows")) })
}

/// A row of the copy that belongs to none of the partitions would be lost.
async fn all_have_a_place(cx: &Context<'_>, action: &FillPartition) -> Result<(), StepError> {
    let Some(parts) = &action.parts else { return Ok(()) };
    let written = cx.look(&cx.step.cluster, &parts.all, catalog::read_count).await?;
    let found = cx.look(&cx.step.cluster, &parts.chosen, catalog::read_count).await?;
    if found == written {
        return Ok(());
    }
    Err(StepError::CountDiffers { table: action.rows.from.clone(), found, written })
}

/// Deletes what is there, if it is what the plan says.
async fn make_room(cx: &Context<'_>, action: &FillPartition, ident: &str, expected: u64) -> Result<(), StepError> {
    let table = &action.rows.into;
    match (&action.replaces, cx.step.sql.as_slice()) {
        (None, []) => cx.ledger.begin_partition(cx.step, table, ident, None).await,
        (Some(index), [delete]) => {
            may_shrink(cx, (&action.rows.refresh, &action.count), table, (expected, action.allow_shrink)).await?;
            if index_of(cx, table, ident).await?.as_ref() != Some(index) {
                let object = ObjectRef::partition(&cx.step.cluster, table, ident);
                return Err(StepError::Changed { object, how: "was made again since, or by somebody else" });
            }
            cx.ledger.begin_partition(cx.step, table, ident, None).await?;
            remove(cx, table, (ident, index), delete).await
        }
        _ => Err(cx.wrong("it has not the statements that it needs")),
    }
}

/// Writes the rows, and notes the new index as soon as it shows.
async fn write(cx: &Context<'_>, action: &FillPartition, ident: &str) -> Result<u64, StepError> {
    let progress = |moved: Moved| cx.emitter.progress(&cx.step.id, format!("{} rows written", moved.written));
    // What was there is gone by now: to stop here would leave readers without it.
    let never = Cancel::never();
    let writing =
        cx.servers.copy_rows(&cx.step.cluster, (&action.rows, Part::All, AtATime::AsPlanned), &progress, &never);
    let noting = Box::pin(note_index(cx, action, ident));
    match select(writing, noting).await {
        Either::Left((written, _)) => Ok(written?),
        Either::Right((noted, writing)) => {
            noted?;
            Ok(writing.await?)
        }
    }
}

async fn note_index(cx: &Context<'_>, action: &FillPartition, ident: &str) -> Result<(), StepError> {
    loop {
        if let Some(index) = index_of(cx, &action.rows.into, ident).await? {
            return cx.ledger.begin_partition(cx.step, &action.rows.into, ident, Some(index)).await;
        }
        cx.clock.sleep(BETWEEN_LOOKS).await;
    }
}
