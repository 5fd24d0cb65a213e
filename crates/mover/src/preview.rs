//! A few rows before and after, as texts; nothing is written.

use transship_sql::copy::Inner;

use crate::batch::Cells;
use crate::cell;
use crate::class;
use crate::error::MoveError;
use crate::job::{End, Limits, Progress};
use crate::memory::Memory;
use crate::read::{Column, Out, Reader, Reading};
use crate::tally::Tally;
use crate::transform::{Scratch, Transform};
use crate::unload;

/// The most rows.
pub const MOST: usize = 100;

/// What is shown of a table.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The cluster that is read.
    pub source: End,
    /// Gives at most [`MOST`] rows.
    pub select: String,
    /// Places in its columns where JSON does not say enough.
    pub inner: Vec<(usize, Inner)>,
    /// What becomes of the columns.
    pub transform: Transform,
    /// Whether rows hold values that nothing may show: of what the server says only the kind is told then.
    pub sensitive: bool,
}

/// A row before and after; `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewRow {
    /// The columns that were read.
    pub before: Vec<Option<String>>,
    /// The columns that would be written, or why they cannot be made.
    pub after: Result<Vec<Option<String>>, String>,
}

/// Reads the rows, and makes of them what a copy would write.
pub async fn preview(of: &Preview) -> Result<Vec<PreviewRow>, MoveError> {
    let found = rows(of).await;
    if of.sensitive { found.map_err(class::hide) } else { found }
}

async fn rows(of: &Preview) -> Result<Vec<PreviewRow>, MoveError> {
    let failed = |error| MoveError::Source { error, progress: Progress::default() };
    let changed = |problem| MoveError::Columns { problem };
    let told = |_: Progress| {};
    let tally = Tally::new(0, &told);
    let (end, select, inner) = (&of.source, of.select.as_str(), of.inner.as_slice());
    let reading = Reading { end, select, parameters: 0, inner, limits: Limits::default(), making: None };
    let mut reader = Reader::open(&reading, &tally).await.map_err(failed)?;
    let read = reader.columns.clone();
    let (gives, ready) = (of.transform.gives(&read).map_err(changed)?, of.transform.over(&read).map_err(changed)?);
    // As many batches as rows fit into the queue: nobody has to take them meanwhile.
    let (sender, mut receiver) = tokio::sync::mpsc::channel(MOST + 1);
    let memory = Memory::new(usize::MAX);
    let out = Out { queue: &sender, memory: &memory, tally: &tally };
    reader.read(&reading, (0, &[]), &out).await.map_err(failed)?;
    reader.close().await;
    drop(sender);
    let before: Vec<&str> = of.transform.reads.iter().map(|(_, data_type)| data_type.as_str()).collect();
    let after: Vec<&str> = of.transform.columns.iter().map(|making| of.transform.type_of(making)).collect();
    let (mut rows, mut scratch) = (Vec::new(), Scratch::default());
    while let Some(batch) = receiver.recv().await {
        for at in 0..batch.rows() {
            let row = batch.cells(at).raw(read.len()).unwrap_or_default();
            let mut made = Vec::new();
            let made = ready.row(row, &mut scratch, &mut made).map(|()| texts(&made, &gives, &after));
            rows.push(PreviewRow { before: texts(row, &read, &before), after: made.map_err(|why| why.to_string()) });
        }
    }
    Ok(rows)
}

fn texts(row: &[u8], columns: &[Column], types: &[&str]) -> Vec<Option<String>> {
    let columns = columns.iter().zip(types);
    let text = |(cell, (column, data_type)): (Option<&[u8]>, (&Column, &&str))| {
        cell.map(|cell| {
            unload::shown(cell, column.oid)
                .filter(|_| !data_type.starts_with("timestamp"))
                .unwrap_or_else(|| cell::text(Some(cell), column.oid, data_type))
        })
    };
    Cells::of(row).zip(columns).map(text).collect()
}
