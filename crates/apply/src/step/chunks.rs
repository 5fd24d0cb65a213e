//! Fills a copy aside chunk by chunk, each counted before the ledger has it: a run that is cut leaves whole chunks that the
//! next one goes on from, and at most one that is not, which is deleted and copied again.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::future::{Either, select as select_of};
use transship_cluster::{Bind, Rows, Value, ValueError};
use transship_model::ledger::{ChunkRow, CopyingRow, CursorRow};
use transship_model::plan::{ChunkColumn, Chunks, CopyRows, Estimate};
use transship_mover::PartNews;

use super::context::Context;
use super::copy_rows::all_is_read;
use super::divide::{Division, Key, divide};
use super::error::StepError;
use super::fill::{Fill, is_short};
use super::marks::Marks;
use super::telling::Telling;
use crate::catalog;
use crate::ledger::Filled;
use crate::servers::{AtATime, Part};

/// What chunks are to be like unless the plan says how many rows they have.
const BYTES: u64 = 128 * 1024 * 1024;

/// Where the size of a row is not known.
pub(super) const ROWS: u64 = 500_000;

/// The least and the most rows of a chunk that is made by its size.
const FEW: u64 = 100_000;
const MANY: u64 = 1_000_000;

/// The most chunks: the ledger has them all in one row.
pub(super) const MOST: u64 = 200;

/// How many values a sample has, about.
pub(super) const SAMPLE: u64 = 10_000;

/// A copy aside while its chunks are filled.
struct Filling<'a> {
    cx: &'a Context<'a>,
    rows: &'a CopyRows,
    chunks: &'a Chunks,
    by: &'a ChunkColumn,
    copying: CopyingRow,
}

/// What has been filled, and what is to be told of it.
pub(super) struct Chunked {
    pub(super) filled: Filled,
    pub(super) note: String,
}

/// Fills it, gone on with where the ledger has it; `None` where the table is one chunk.
pub(super) async fn fill(
    cx: &Context<'_>,
    (rows, chunks): (&CopyRows, &Chunks),
    came: (&Marks, Option<&CursorRow>),
) -> Result<Option<Chunked>, StepError> {
    let noted = cx.ledger.copying(cx.step, &chunks.table).await;
    let is_continued = noted.is_some();
    let copying = match noted {
        Some(noted) if noted.copy != rows.into || noted.made != chunks.made => {
            return Err(cx.wrong("the ledger has chunks of another copy"));
        }
        Some(noted) => noted,
        None => match begin(cx, (rows, chunks), came).await? {
            Some(copying) => copying,
            None => return Ok(None),
        },
    };
    let by = chunks.by.iter().find(|column| column.name == copying.by);
    let by = by.ok_or_else(|| cx.wrong("the ledger has chunks by another column"))?;
    let mut filling = Filling { cx, rows, chunks, by, copying };
    let before = filling.copying.done();
    if is_continued {
        filling.take_up().await?;
    }
    filling.run().await?;
    Ok(Some(filling.told(before)))
}

/// Forgets a copy that is not what its chunks say: the next run makes it anew.
pub(super) async fn forget(cx: &Context<'_>, chunks: &Chunks) -> Result<(), StepError> {
    cx.ledger.note_copying(cx.step, &chunks.table, None).await
}

/// Divides the rows, and writes the chunks down before the first of them.
async fn begin(
    cx: &Context<'_>,
    (rows, chunks): (&CopyRows, &Chunks),
    (marks, cursor): (&Marks, Option<&CursorRow>),
) -> Result<Option<CopyingRow>, StepError> {
    // Each row has a sequence number of its own, and so had each that is gone: there are never more rows.
    let most: u64 = marks.values().map(|(_, highest)| u64::try_from(highest + 1).unwrap_or(0)).sum();
    let size = size(chunks, cx.step.estimate.as_ref());
    if is_one(most, size) {
        return Ok(None);
    }
    let every = (most / SAMPLE).max(1);
    let columns = sample(cx, (rows, chunks), every).await?;
    let found = columns.first().map_or(0, |column| column.len() as u64 * every).min(most);
    if is_one(found, size) {
        return Ok(None);
    }
    let parts = usize::try_from(found.div_ceil(size).min(MOST)).expect("there are not that many chunks");
    let Some((by, division)) = even(&chunks.by, columns, parts) else { return Ok(None) };
    let starts = std::iter::once(None).chain(division.bounds.into_iter().map(Some));
    let copying = CopyingRow {
        copy: rows.into.clone(),
        from: rows.from.clone(),
        asked: chunks.asked.clone(),
        made: chunks.made.clone(),
        indices: cx.indices(&cx.step.cluster, &rows.into).await?,
        began: cx.ledger.started(),
        marks: marks.clone(),
        cursor: cursor.cloned(),
        by: by.name.clone(),
        chunks: starts.map(|from| ChunkRow { from, rows: None }).collect(),
    };
    cx.ledger.note_copying(cx.step, &chunks.table, Some(copying.clone())).await?;
    Ok(Some(copying))
}

/// How many rows a chunk is to have.
fn size(chunks: &Chunks, estimate: Option<&Estimate>) -> u64 {
    let of_row = || {
        let (rows, bytes) = (estimate?.rows?, estimate?.bytes?);
        u128::from(BYTES).checked_mul(rows.into())?.checked_div(bytes.into())
    };
    let by_bytes = || of_row().map(|rows| u64::try_from(rows).unwrap_or(MANY).clamp(FEW, MANY));
    chunks.rows.filter(|rows| *rows > 0).or_else(by_bytes).unwrap_or(ROWS)
}

/// Whether so many rows are not worth to be divided.
pub(super) const fn is_one(rows: u64, size: u64) -> bool {
    rows <= size.saturating_add(size / 2)
}

/// The values of every column of a sample.
async fn sample(
    cx: &Context<'_>,
    (rows, chunks): (&CopyRows, &Chunks),
    every: u64,
) -> Result<Vec<Vec<Option<Key>>>, StepError> {
    let every = [Bind::Int(i64::try_from(every).unwrap_or(i64::MAX))];
    let limit = rows.timeout.as_duration();
    let found = cx.query_with(&rows.source, (&chunks.sample, &every), limit).await?;
    columns(&found, chunks.by.len())
        .map_err(|error| transship_cluster::ClusterError::answer(&rows.source, &chunks.sample, &error).into())
}

/// The values of the first columns of a sample.
pub(super) fn columns(found: &Rows, all: usize) -> Result<Vec<Vec<Option<Key>>>, ValueError> {
    (0..all).map(|at| keys(found, at)).collect()
}

pub(super) fn keys(found: &Rows, at: usize) -> Result<Vec<Option<Key>>, ValueError> {
    let key = |row: &Vec<Value>| match row.get(at) {
        Some(Value::Text(text)) => Ok(Some(Key::Text(text.clone()))),
        Some(Value::Int(number)) => Ok(Some(Key::Int(*number))),
        Some(Value::Null) => Ok(None),
        other => Err(ValueError {
            column: (at + 1).to_string(),
            expected: "a key",
            found: if other.is_some() { "another value" } else { "missing" }.to_owned(),
        }),
    };
    found.rows.iter().map(key).collect()
}

/// The column that divides the rows most evenly; one that makes partitions may do so half as well, since its chunks are
/// read and deleted by partition.
fn even(by: &[ChunkColumn], columns: Vec<Vec<Option<Key>>>, parts: usize) -> Option<(&ChunkColumn, Division)> {
    let divisions = by.iter().zip(columns).map(|(column, keys)| (column, divide(keys, parts)));
    let weight =
        |(column, division): &(&ChunkColumn, Division)| division.largest * if column.partitions { 1 } else { 2 };
    divisions.filter(|(_, division)| !division.bounds.is_empty()).min_by_key(weight)
}

impl Filling<'_> {
    /// Makes a copy that a cut run left what the ledger has of it: chunks that are not whole are deleted.
    async fn take_up(&self) -> Result<(), StepError> {
        let (expected, cluster) = (self.copying.rows(), &self.cx.step.cluster);
        if self.count_all().await? == expected {
            return Ok(());
        }
        for (at, _) in self.copying.chunks.iter().enumerate().filter(|(_, chunk)| chunk.rows.is_none()) {
            let limit = self.rows.timeout.as_duration();
            self.cx.execute_on(cluster, &self.by.clear, &self.binds(at), limit).await?;
        }
        let found = self.count_all().await?;
        if found == expected {
            return Ok(());
        }
        forget(self.cx, self.chunks).await?;
        Err(StepError::CountDiffers { table: self.rows.into.clone(), found, written: expected })
    }

    async fn run(&mut self) -> Result<(), StepError> {
        loop {
            let open: Vec<usize> = self.open().collect();
            if open.is_empty() {
                return Ok(());
            }
            let (outcome, left) = self.pass(&open).await;
            match outcome {
                Err(error) if !is_short(&error) => return Err(error),
                _ => {}
            }
            for at in left {
                let rows = self.anew(at).await?;
                self.note(at, rows).await?;
            }
        }
    }

    /// The chunks that are not whole.
    fn open(&self) -> impl Iterator<Item = usize> {
        self.copying.chunks.iter().enumerate().filter(|(_, chunk)| chunk.rows.is_none()).map(|(at, _)| at)
    }

    /// Copies chunks of which nothing is there, several at a time, and notes each once all of it is there. Gives those of
    /// which only some rows are there, and nothing writes any more.
    async fn pass(&mut self, open: &[usize]) -> (Result<(), StepError>, BTreeSet<usize>) {
        let (cx, rows, select) = (self.cx, self.rows, self.by.select.as_str());
        let bounds: Vec<_> = open.iter().map(|at| self.bounds(*at)).collect();
        let (watch, mut news) = Telling::new(cx, &self.copying);
        let copying = async {
            let watch = watch;
            let rows = (rows, Part::Chunks { select, bounds: &bounds }, AtATime::AsPlanned);
            cx.servers.copy_rows(&cx.step.cluster, rows, &watch, cx.cancel).await
        };
        let mut left = BTreeSet::new();
        let noting = async {
            while let Some(news) = news.recv().await {
                match news {
                    PartNews::Begun { part } => drop(left.insert(open[part])),
                    PartNews::Whole { part, rows } if self.is_there(open[part], rows).await? => {
                        self.note(open[part], rows).await?;
                        left.remove(&open[part]);
                    }
                    PartNews::Whole { .. } => {}
                }
            }
            Ok(())
        };
        let outcome = match select_of(pin!(copying), pin!(noting)).await {
            Either::Left((copied, noting)) => noting.await.and(copied.map(drop).map_err(StepError::from)),
            Either::Right((Ok(()), copying)) => copying.await.map(drop).map_err(StepError::from),
            Either::Right((Err(error), _)) => Err(error),
        };
        (outcome, left)
    }

    /// Whether as many rows of a chunk are there as were written.
    async fn is_there(&self, at: usize, written: u64) -> Result<bool, StepError> {
        let (cx, cluster) = (self.cx, &self.cx.step.cluster);
        cx.query(cluster, &self.rows.refresh).await?;
        let found = cx.look_with(cluster, (&self.by.count, &self.binds(at)), catalog::read_count).await?;
        Ok(found == written)
    }

    /// Notes a chunk that is whole.
    async fn note(&mut self, at: usize, rows: u64) -> Result<(), StepError> {
        all_is_read(self.cx, self.rows).await?;
        self.copying.chunks[at].rows = Some(rows);
        self.copying.indices = self.cx.indices(&self.cx.step.cluster, &self.rows.into).await?;
        self.cx.ledger.note_copying(self.cx.step, &self.chunks.table, Some(self.copying.clone())).await
    }

    /// Copies a chunk once more, row by row.
    async fn anew(&self, at: usize) -> Result<u64, StepError> {
        let (cx, rows, binds) = (self.cx, self.rows, self.binds(at));
        let bounds = [self.bounds(at)];
        let part = Part::Chunks { select: &self.by.select, bounds: &bounds };
        let (watch, _) = Telling::new(cx, &self.copying);
        let (count, clear) = (Some(self.by.count.as_str()), Some(self.by.clear.as_str()));
        Fill { cx, rows, part, count, clear, binds: &binds, watch: &watch }.anew().await
    }

    async fn count_all(&self) -> Result<u64, StepError> {
        let (cx, cluster) = (self.cx, &self.cx.step.cluster);
        cx.query(cluster, &self.rows.refresh).await?;
        let Some(count) = &self.rows.count else { return Err(cx.wrong("its rows are not counted")) };
        cx.look(cluster, count, catalog::read_count).await
    }

    fn bounds(&self, at: usize) -> [Option<String>; 2] {
        self.copying.bounds(at).map(|bound| bound.map(str::to_owned))
    }

    fn binds(&self, at: usize) -> [Bind; 2] {
        self.bounds(at).map(Bind::OptText)
    }

    fn told(self, before: usize) -> Chunked {
        let (rows, all) = (self.copying.rows(), self.copying.chunks.len());
        let note = match before {
            0 => format!("{rows} rows in {all} chunks"),
            _ => format!("{rows} rows in {all} chunks, of which an earlier run copied {before}"),
        };
        let CopyingRow { indices, marks, began, cursor, .. } = self.copying;
        Chunked { filled: Filled { rows, indices, marks, began: Some(began), cursor }, note }
    }
}

#[cfg(test)]
mod tests {
    use transship_model::TableName;

    use super::*;

    fn column(name: &str, partitions: bool) -> ChunkColumn {
        let [select, clear, count] = [String::new(), String::new(), String::new()];
        let (name, data_type) = (name.to_owned(), "bigint".to_owned());
        ChunkColumn { to: name.clone(), name, data_type, partitions, select, clear, count }
    }

    #[test]
    fn chunks_have_about_as_many_bytes() {
        let mut chunks = Chunks {
            table: TableName::new("s", "t"),
            asked: String::new(),
            made: String::new(),
            rows: None,
            sample: String::new(),
            by: Vec::new(),
        };
        let of = |rows, bytes| Estimate { rows: Some(rows), bytes: Some(bytes), seconds: None };
        assert_eq!(size(&chunks, None), ROWS);
        assert_eq!(size(&chunks, Some(&of(0, 0))), ROWS);
        assert_eq!(size(&chunks, Some(&of(1_000_000, 512 * 1024 * 1024))), 250_000);
        assert_eq!(size(&chunks, Some(&of(1_000_000, 10))), MANY);
        assert_eq!(size(&chunks, Some(&of(10, 1_000_000_000))), FEW);
        chunks.rows = Some(7);
        assert_eq!(size(&chunks, Some(&of(10, 1_000_000_000))), 7);
        assert!(is_one(10, 7) && !is_one(11, 7) && is_one(u64::MAX, u64::MAX));
    }

    #[test]
    fn the_column_that_divides_best_is_taken() {
        let by = [column("month", true), column("tenant", false), column("id", false)];
        let ints = |of: &dyn Fn(i64) -> i64| (0..1000).map(|at| Some(Key::Int(of(at)))).collect::<Vec<_>>();
        let name = |columns: Vec<Vec<Option<Key>>>| even(&by, columns, 10).map(|(column, _)| column.name.clone());
        let (id, tenant, constant) = (ints(&|at| at), ints(&|at| at / 400), ints(&|_| 1));
        assert_eq!(name(vec![ints(&|at| at / 150), tenant.clone(), id.clone()]).as_deref(), Some("month"));
        assert_eq!(name(vec![constant.clone(), tenant.clone(), id]).as_deref(), Some("id"));
        assert_eq!(name(vec![constant.clone(), tenant, constant.clone()]).as_deref(), Some("tenant"));
        assert_eq!(name(vec![constant.clone(), constant.clone(), constant]), None);
    }
}
