//! Has the target read rows from its source, in chunks that fit its heap. CrateDB tells of no row that it leaves out, so the
//! rows of each chunk are counted at the source before, and in a copy aside after.

use transship_cluster::{Bind, ClusterError, Rows, Value};
use transship_model::TableName;
use transship_model::plan::{PullRanges, PullRows, PullStatements, RowWrite};
use transship_sql::foreign;

use super::chunks;
use super::context::Context;
use super::divide::{Division, divide};
use super::error::StepError;
use super::marks;
use super::perform::Done;
use super::source_columns::SourceColumns;
use super::whole_source::WholeSource;
use crate::catalog;
use crate::ledger::Filled;

/// What a chunk has on the disk of the source: the target keeps several times that on the heap of one node.
const BYTES: u64 = 16 * 1024 * 1024;

/// What may be read at once, on the disk of the source: a row alone is read whatever it has.
const HEAP: u64 = 4 * BYTES;

/// The most rows of a chunk that is made by its size, and those where it is not known.
const MANY: u64 = 100_000;
const ROWS: u64 = 50_000;

/// The most chunks, and how many values of a sample each is divided by.
const MOST: u64 = 5_000;
const SAMPLED: u64 = 20;

/// How often a chunk is copied whose rows change under it.
const TRIES: usize = 5;

/// A chunk: its statements, and their bounds.
struct Chunk<'a> {
    statements: &'a PullStatements,
    bounds: Vec<Bind>,
}

/// Pulls. Of a statement that is refused only the kind of reason is told where nothing may show values.
pub(super) async fn pull(cx: &Context<'_>, rows: &PullRows) -> Result<Done, StepError> {
    pulled(cx, rows).await.map_err(|error| match error {
        StepError::Cluster(error) if rows.sensitive => StepError::Cluster(transship_mover::without_values(error)),
        error => error,
    })
}

async fn pulled(cx: &Context<'_>, rows: &PullRows) -> Result<Done, StepError> {
    let source = WholeSource::begin(cx, (&rows.source, &rows.from), &rows.unreadable).await?;
    let marks = read_marks(cx, rows).await?;
    let columns = SourceColumns::of_pull(cx, rows).await?;
    cx.query(&rows.source, &rows.refresh_source).await?;
    check_times(cx, rows).await?;
    let chunks = divided(cx, rows, most(&marks)).await?;
    if rows.done.is_some() && rows.write == RowWrite::Insert {
        cx.ledger.add_to(cx.step, &rows.into).await?;
    }
    let mut written = 0;
    for (at, chunk) in chunks.iter().enumerate() {
        written += one(cx, rows, chunk).await?;
        cx.emitter.progress(&cx.step.id, format!("{written} rows written, {} of {} chunks", at + 1, chunks.len()));
        if cx.cancel.is_requested() {
            return Err(StepError::Cancelled);
        }
    }
    check_all(cx, rows, (&marks, written)).await?;
    source.check(cx).await?;
    columns.check(cx).await?;
    let indices = cx.indices(&cx.step.cluster, &rows.into).await?;
    cx.ledger.fill(cx.step, &rows.into, Filled { rows: written, indices, marks, began: None, cursor: None }).await;
    let note = match chunks.len() {
        1 => format!("{written} rows"),
        all => format!("{written} rows in {all} chunks"),
    };
    Ok(Done { already: false, note: Some(note) })
}

async fn read_marks(cx: &Context<'_>, rows: &PullRows) -> Result<marks::Marks, StepError> {
    let read = marks::read(cx, &rows.source, &rows.mark, std::slice::from_ref(&rows.from)).await?;
    Ok(read.get(&rows.from).cloned().unwrap_or_default())
}

/// About the most rows that a table has: each has a sequence number of its own, and so had each that is gone. Where shards
/// were put together, it has more.
fn most(marks: &marks::Marks) -> u64 {
    marks.values().map(|(_, highest)| u64::try_from(highest + 1).unwrap_or(0)).sum()
}

/// No value of the source lies outside of the calendar that the driver shares with CrateDB.
async fn check_times(cx: &Context<'_>, rows: &PullRows) -> Result<(), StepError> {
    let Some(unfit) = &rows.unfit else { return Ok(()) };
    fits(rows, count(cx, &rows.source, (unfit, &[])).await?)
}

fn fits(rows: &PullRows, unfit: u64) -> Result<(), StepError> {
    if unfit == 0 {
        return Ok(());
    }
    Err(StepError::TimesUnfit { table: rows.from.clone(), columns: rows.limited.clone(), rows: unfit })
}

async fn count(
    cx: &Context<'_>,
    cluster: &transship_model::Name,
    statement: (&str, &[Bind]),
) -> Result<u64, StepError> {
    cx.look_with(cluster, statement, catalog::read_count).await
}

/// How many rows the source has, and how many bytes one takes on its disk, about.
#[derive(Clone, Copy)]
struct Sizes {
    rows: u64,
    of_row: u64,
}

impl Sizes {
    async fn read(cx: &Context<'_>, rows: &PullRows) -> Result<Self, StepError> {
        let both = |found: &Rows| Ok((found.int(0, "n")?, found.int(0, "bytes")?));
        let (n, bytes) = cx.look(&rows.source, &rows.sizes, both).await?;
        let (n, bytes) = (u64::try_from(n).unwrap_or(0), u64::try_from(bytes).unwrap_or(0));
        Ok(Self { rows: n, of_row: bytes.div_ceil(n.max(1)) })
    }

    /// How many rows a chunk is to have.
    fn of_chunk(self, ranges: &PullRanges) -> u64 {
        let by_bytes = || BYTES.checked_div(self.of_row).map(|rows| rows.clamp(1, MANY));
        ranges.rows.filter(|rows| *rows > 0).or_else(by_bytes).unwrap_or(ROWS)
    }

    /// Fails where so many rows do not fit the heap of a node. Who has said how many rows a chunk has knows the nodes; a
    /// sample finds chunks that are somewhat larger.
    fn check(self, rows: &PullRows, at_once: u64) -> Result<(), StepError> {
        let said = rows.ranges.as_ref().and_then(|ranges| ranges.rows);
        let is_said = said.is_some_and(|said| at_once <= said.saturating_mul(4));
        let bytes = at_once.saturating_mul(self.of_row);
        if is_said || at_once <= 1 || bytes <= HEAP {
            return Ok(());
        }
        Err(StepError::ExceedsHeap { table: rows.from.clone(), mib: bytes / (1024 * 1024) })
    }
}

/// Divides the rows; one chunk where they are few, or cannot be divided.
async fn divided<'a>(cx: &Context<'_>, rows: &'a PullRows, most: u64) -> Result<Vec<Chunk<'a>>, StepError> {
    let sizes = Sizes::read(cx, rows).await?;
    let whole = |at_once| {
        sizes.check(rows, at_once)?;
        Ok(vec![Chunk { statements: &rows.whole, bounds: Vec::new() }])
    };
    let Some(ranges) = &rows.ranges else { return whole(sizes.rows) };
    let (size, most) = (sizes.of_chunk(ranges), most.max(sizes.rows));
    if most <= size {
        return whole(sizes.rows);
    }
    let every = (most / (most.div_ceil(size).min(MOST) * SAMPLED)).max(1);
    let binds = [Bind::Int(i64::try_from(every).unwrap_or(i64::MAX))];
    let limit = rows.timeout.as_duration();
    let sample = cx.query_with(&rows.source, (&ranges.sample, &binds), limit).await?;
    let columns = chunks::columns(&sample, ranges.by.len());
    let columns = columns.map_err(|error| ClusterError::answer(&rows.source, &ranges.sample, &error))?;
    let found = columns.first().map_or(0, |column| column.len() as u64 * every).min(most);
    let parts = usize::try_from(found.div_ceil(size).min(MOST)).expect("there are not that many chunks");
    let divisions = ranges.by.iter().zip(columns).map(|(column, keys)| (column, divide(keys, parts)));
    let best = divisions.filter(|(_, it)| !it.bounds.is_empty()).min_by_key(|(_, it)| it.largest);
    let Some((by, Division { bounds, largest })) = best else { return whole(found) };
    sizes.check(rows, (largest as u64).saturating_mul(every))?;
    let text = |bound: &String| Bind::Text(bound.clone());
    let first = Chunk { statements: &by.first, bounds: bounds.iter().take(1).map(text).collect() };
    let between =
        bounds.windows(2).map(|pair| Chunk { statements: &by.between, bounds: pair.iter().map(text).collect() });
    let last = Chunk { statements: &by.last, bounds: bounds.last().map(text).into_iter().collect() };
    let chunks: Vec<Chunk<'a>> = std::iter::once(first).chain(between).chain([last]).collect();
    is_sent(cx, rows, &by.explain).await?;
    Ok(chunks)
}

/// The target sends the condition of a chunk to the source: it would keep the whole table on its heap otherwise.
async fn is_sent(cx: &Context<'_>, rows: &PullRows, explain: &str) -> Result<(), StepError> {
    let answer = cx.query(&cx.step.cluster, explain).await?;
    if told(&answer).is_some_and(|plan| foreign::is_sent(&plan)) {
        return Ok(());
    }
    Err(StepError::NotSent { table: rows.from.clone() })
}

fn told(answer: &Rows) -> Option<String> {
    match answer.rows.first()?.first()? {
        Value::Text(plan) => Some(plan.clone()),
        _ => None,
    }
}

/// Copies a chunk, and gives the number of its rows. Rows that are written at the source between its count and the reading
/// make a difference; a copy aside is tried again then, and so is what overwrites itself.
async fn one(cx: &Context<'_>, rows: &PullRows, chunk: &Chunk<'_>) -> Result<u64, StepError> {
    let repeats = chunk.statements.clear.is_some() || rows.write != RowWrite::Insert;
    let mut tries = 0;
    loop {
        tries += 1;
        let expected = count(cx, &rows.source, (&chunk.statements.expected, &chunk.bounds)).await?;
        let pulled = insert(cx, rows, chunk).await?;
        if pulled == expected {
            return arrived(cx, rows, chunk, pulled).await;
        }
        if !repeats || tries == TRIES {
            return Err(StepError::PullDiffers { table: rows.from.clone(), expected, pulled });
        }
        if let Some(clear) = &chunk.statements.clear {
            cx.query(&cx.step.cluster, &rows.refresh).await?;
            cx.execute_on(&cx.step.cluster, clear, &chunk.bounds, rows.timeout.as_duration()).await?;
            cx.query(&cx.step.cluster, &rows.refresh).await?;
        }
        cx.query(&rows.source, &rows.refresh_source).await?;
    }
}

async fn insert(cx: &Context<'_>, rows: &PullRows, chunk: &Chunk<'_>) -> Result<u64, StepError> {
    let limit = rows.timeout.as_duration();
    cx.execute_on(&cx.step.cluster, &chunk.statements.insert, &chunk.bounds, limit).await
}

/// As many rows of the chunk are in a copy aside as were written.
async fn arrived(cx: &Context<'_>, rows: &PullRows, chunk: &Chunk<'_>, written: u64) -> Result<u64, StepError> {
    let Some(statement) = &chunk.statements.count else { return Ok(written) };
    cx.query(&cx.step.cluster, &rows.refresh).await?;
    let found = count(cx, &cx.step.cluster, (statement, &chunk.bounds)).await?;
    if found == written { Ok(written) } else { Err(differs(&rows.into, found, written)) }
}

fn differs(table: &TableName, found: u64, written: u64) -> StepError {
    StepError::CountDiffers { table: table.clone(), found, written }
}

/// All chunks together are the whole: of the copy, and of a source that stood still.
async fn check_all(
    cx: &Context<'_>,
    rows: &PullRows,
    (before, written): (&marks::Marks, u64),
) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    cx.query(cluster, &rows.refresh).await?;
    if let Some(statement) = &rows.whole.count {
        let found = count(cx, cluster, (statement, &[])).await?;
        if found != written {
            return Err(differs(&rows.into, found, written));
        }
    }
    if let Some(statement) = &rows.arrived {
        fits(rows, count(cx, cluster, (statement, &[])).await?)?;
    }
    cx.query(&rows.source, &rows.refresh_source).await?;
    check_times(cx, rows).await?;
    let expected = count(cx, &rows.source, (&rows.whole.expected, &[])).await?;
    if expected != written && read_marks(cx, rows).await? == *before {
        return Err(StepError::PullDiffers { table: rows.from.clone(), expected, pulled: written });
    }
    Ok(())
}
