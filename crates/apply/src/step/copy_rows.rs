//! Copies rows from the source, every one accounted for. What a cut run leaves in a copy aside is gone on with by chunks, or
//! dropped by the next plan, and what it leaves in a table that was there is for its flow to say.

use transship_model::plan::{CopyRows, RowWrite};

use super::context::Context;
use super::error::StepError;
use super::fill::Fill;
use super::perform::Done;
use super::source_columns::SourceColumns;
use super::whole_source::WholeSource;
use super::{chunks, marks, slices, whole_source};
use crate::catalog;
use crate::ledger::Filled;
use crate::servers::{Moved, Part};

/// Copies.
pub(super) async fn copy(cx: &Context<'_>, rows: &CopyRows) -> Result<Done, StepError> {
    let whole_source = match &rows.unreadable {
        Some(statement) => Some(WholeSource::begin(cx, (&rows.source, &rows.from), statement).await?),
        None => None,
    };
    let done = copied(cx, rows).await?;
    if let Some(source) = whole_source {
        source.check(cx).await?;
    }
    Ok(done)
}

async fn copied(cx: &Context<'_>, rows: &CopyRows) -> Result<Done, StepError> {
    // What the marks count, the refresh makes visible: what is written later is found as a change.
    let marks = marks::read(cx, &rows.source, &rows.mark, std::slice::from_ref(&rows.from)).await?;
    let marks = marks.get(&rows.from).cloned().unwrap_or_default();
    let columns = SourceColumns::of_copy(cx, rows).await?;
    cx.query(&rows.source, &rows.refresh_source).await?;
    if let Some((cursor, slices)) = rows.cursor.as_ref().and_then(|cursor| Some((&**cursor, cursor.slices.as_ref()?))) {
        return slices::fill(cx, (rows, cursor, slices), (marks, columns)).await;
    }
    let come = slices::highest_of_all(cx, rows).await?;
    if rows.done.is_some() && rows.write == RowWrite::Insert {
        cx.ledger.add_to(cx.step, &rows.into).await?;
    }
    let chunked = match &rows.chunks {
        Some(chunks) => chunks::fill(cx, (rows, chunks), (&marks, come.as_ref())).await?,
        None => None,
    };
    let (mut filled, note) = if let Some(chunked) = chunked {
        check(cx, (rows, chunked.filled.rows)).await?;
        (chunked.filled, chunked.note)
    } else {
        let written = whole(cx, rows).await?;
        (Filled { rows: written, marks, cursor: come, ..Filled::default() }, format!("{written} rows"))
    };
    columns.check(cx).await?;
    filled.indices = cx.indices(&cx.step.cluster, &rows.into).await?;
    cx.ledger.fill(cx.step, &rows.into, filled).await;
    Ok(Done { already: false, note: Some(note) })
}

/// No partition of the source is left out.
pub(super) async fn all_is_read(cx: &Context<'_>, rows: &CopyRows) -> Result<(), StepError> {
    match &rows.unreadable {
        Some(statement) => whole_source::shows_all(cx, (&rows.source, &rows.from), statement).await,
        None => Ok(()),
    }
}

/// Copies all rows at once.
async fn whole(cx: &Context<'_>, rows: &CopyRows) -> Result<u64, StepError> {
    let clear = rows.many.as_ref().and_then(|many| many.clear.as_deref());
    let progress = |moved: Moved| cx.emitter.progress(&cx.step.id, text(moved));
    let (count, part) = (rows.count.as_deref(), Part::All);
    Fill { cx, rows, part, count, clear, binds: &[], watch: &progress }.run().await
}

/// A copy aside has as many rows as its chunks.
async fn check(cx: &Context<'_>, (rows, written): (&CopyRows, u64)) -> Result<(), StepError> {
    let (Some(count), Some(chunks)) = (&rows.count, &rows.chunks) else { return Ok(()) };
    let found = cx.look(&cx.step.cluster, count, catalog::read_count).await?;
    if found == written {
        return Ok(());
    }
    chunks::forget(cx, chunks).await?;
    Err(StepError::CountDiffers { table: rows.into.clone(), found, written })
}

fn text(moved: Moved) -> String {
    match moved.refused {
        0 => format!("{} rows written", moved.written),
        refused => format!("{} rows written, {refused} refused", moved.written),
    }
}
