//! Writes the rows that are new by a cursor into a table that is there, slice by slice: a slice begins when every row of the
//! one before has its answer, and then the ledger has how far the table has come. So a newer row is never overtaken by an
//! older one, and a run that is cut is gone on with.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use transship_cluster::{Bind, ClusterError, Rows, Value, ValueError};
use transship_model::ledger::CursorRow;
use transship_model::plan::{CopyNote, CopyRows, Cursor, CursorRead, Since, Slices};
use transship_sql::cursor;

use super::chunks::{MOST, ROWS, SAMPLE, is_one, keys};
use super::context::{Context, LIMIT};
use super::copy_rows::all_is_read;
use super::divide::divide;
use super::error::StepError;
use super::marks::Marks;
use super::perform::Done;
use super::source_columns::SourceColumns;
use crate::catalog;
use crate::ledger::Filled;
use crate::servers::{AtATime, Moved, Part};

/// What is told of a table that is not read to its end, since another run waits for the lock of its flow.
pub const YIELDED: &str = "another run waits";

/// A table while slices are written to it.
struct Slicing<'a> {
    cx: &'a Context<'a>,
    rows: &'a CopyRows,
    cursor: &'a Cursor,
    note: &'a CopyNote,
    read: &'a CursorRead,
    /// What the ledger has of the source's shards until all is read.
    before: Marks,
    /// The identities of the indices that rows are written to, as far as they were there at first.
    indices: BTreeSet<String>,
    /// How far the table has come.
    come: Option<String>,
    written: AtomicU64,
    kept: AtomicU64,
}

/// Writes them.
pub(super) async fn fill(
    cx: &Context<'_>,
    (rows, cursor, slices): (&CopyRows, &Cursor, &Slices),
    (marks, columns): (Marks, SourceColumns<'_>),
) -> Result<Done, StepError> {
    let Some(note) = &rows.done else { return Err(cx.wrong("its table is not noted")) };
    wait_for_others(cx, slices).await?;
    let (slicing, found) = Slicing::begin(cx, (rows, cursor, slices, note), &marks).await?;
    slicing.run(slices, found, (marks, columns)).await
}

/// What is new, and what the ledger has of the source's shards, where the source is the table that was read before, and the
/// target, which has the indices `there`, that which was written to.
async fn known<'a>(
    cx: &Context<'_>,
    (rows, slices): (&CopyRows, &'a Slices),
    (marks, there): (&Marks, &BTreeSet<String>),
) -> Option<(&'a Since, Marks)> {
    let since = slices.since.as_ref()?;
    let before = cx.ledger.before(cx.step, &rows.into).await?;
    let now = marks.iter().map(|(key, (index, _))| (key.clone(), &**index));
    let is_written_to = before.indices == *there || !before.indices.is_disjoint(there);
    (is_written_to && !before.is_of_another(now)).then_some((since, before.marks))
}

/// The highest value that a cursor has before a copy is made aside; `None` where none is declared.
pub(super) async fn highest_of_all(cx: &Context<'_>, rows: &CopyRows) -> Result<Option<CursorRow>, StepError> {
    let Some(cursor) = rows.cursor.as_ref().filter(|_| rows.done.is_none()) else { return Ok(None) };
    let (highest, _) = highest(cx, rows, &cursor.all).await?;
    let value = highest.map(|value| cursor::kept(&cursor.data_type, &value));
    Ok(Some(CursorRow { column: cursor.column.clone(), value }))
}

async fn highest(cx: &Context<'_>, rows: &CopyRows, read: &CursorRead) -> Result<(Option<String>, u64), StepError> {
    let found = cx.query_with(&rows.source, (&read.highest, &[]), rows.timeout.as_duration()).await?;
    let value = |rows: &Rows| match rows.value(0, "highest")? {
        Value::Null => Ok(None),
        Value::Int(number) => Ok(Some(number.to_string())),
        Value::Text(text) => Ok(Some(text.clone())),
        other => Err(ValueError {
            column: "highest".to_owned(),
            expected: "a text or a whole number",
            found: format!("{other:?}"),
        }),
    };
    let both = value(&found).and_then(|highest| Ok((highest, found.int(0, "n")?)));
    let (highest, count) = both.map_err(|error| ClusterError::answer(&rows.source, &read.highest, &error))?;
    // A table is refreshed shard by shard: what was written before the highest value may not be visible yet where it is.
    cx.query(&rows.source, &rows.refresh_source).await?;
    Ok((highest, u64::try_from(count).unwrap_or(0)))
}

/// Waits until no statement is at work that an earlier run has sent: it could write an older row over a newer one.
async fn wait_for_others(cx: &Context<'_>, slices: &Slices) -> Result<(), StepError> {
    let look = async || cx.look(&cx.step.cluster, &slices.writing, catalog::read_names).await;
    let mut left = look().await?;
    let mut pace = cx.pace(LIMIT);
    while !left.is_empty() {
        let jobs = || left.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let state = || {
            format!(
                "statements of an earlier run still write to the table, by sys.jobs: {}; KILL 'ID' ends one",
                jobs()
            )
        };
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state());
        }
        pace.pause(state).await?;
        let now = look().await?;
        left.retain(|job| now.contains(job));
    }
    Ok(())
}

impl<'a> Slicing<'a> {
    /// Where to begin, with the highest value and the number of rows from there on.
    async fn begin(
        cx: &'a Context<'a>,
        (rows, cursor, slices, note): (&'a CopyRows, &'a Cursor, &'a Slices, &'a CopyNote),
        marks: &Marks,
    ) -> Result<(Self, (Option<String>, u64)), StepError> {
        let all = Slicing {
            cx,
            rows,
            cursor,
            note,
            read: &cursor.all,
            before: marks.iter().map(|(key, (index, _))| (key.clone(), (index.clone(), -1))).collect(),
            indices: cx.indices(&cx.step.cluster, &rows.into).await?,
            come: None,
            written: AtomicU64::default(),
            kept: AtomicU64::default(),
        };
        if let Some((since, before)) = known(cx, (rows, slices), (marks, &all.indices)).await {
            let found = highest(cx, rows, &since.read).await?;
            if found.0.is_some() {
                return Ok((Slicing { read: &since.read, before, come: Some(since.value.clone()), ..all }, found));
            }
        }
        // What the ledger has of a table that is about to be read anew holds no more.
        all.note().await?;
        let found = highest(cx, rows, &cursor.all).await?;
        Ok((all, found))
    }
}

impl Slicing<'_> {
    async fn run(
        mut self,
        slices: &Slices,
        (highest, count): (Option<String>, u64),
        (marks, columns): (Marks, SourceColumns<'_>),
    ) -> Result<Done, StepError> {
        let highest = highest.map(|value| cursor::kept(&self.cursor.data_type, &value));
        let bounds = match &highest {
            Some(highest) => self.bounds(slices, highest, count).await?,
            None => Vec::new(),
        };
        let parts = bounds.len() + 1;
        let ends = bounds.into_iter().map(Some).chain([None]);
        let mut begins = None;
        for (at, ends) in ends.enumerate() {
            self.slice([begins.take(), ends.clone()], (at, parts)).await?;
            all_is_read(self.cx, self.rows).await?;
            if let Some(reached) = &ends {
                self.reach(reached);
                if self.cx.locks.are_to_be_yielded().await {
                    return self.yielded((at + 1, parts)).await;
                }
                self.note().await?;
            }
            begins = ends;
        }
        columns.check(self.cx).await?;
        if let Some(highest) = &highest {
            self.reach(highest);
        }
        self.cx.query(&self.cx.step.cluster, &self.rows.refresh).await?;
        let filled = Filled { marks, ..self.filled().await? };
        self.cx.ledger.fill(self.cx.step, &self.rows.into, filled).await;
        Ok(Done { already: false, note: Some(self.told(parts)) })
    }

    /// Ends before all is read: what is left stays due.
    async fn yielded(self, (whole, parts): (usize, usize)) -> Result<Done, StepError> {
        self.cx.query(&self.cx.step.cluster, &self.rows.refresh).await?;
        let filled = self.filled().await?;
        self.cx.ledger.fill(self.cx.step, &self.rows.into, filled).await;
        let told = self.told(parts);
        Ok(Done { already: false, note: Some(format!("{told}, {whole} of which are whole: {YIELDED}")) })
    }

    /// The values that all slices but the first begin with, none of them above the highest.
    async fn bounds(&self, slices: &Slices, highest: &str, count: u64) -> Result<Vec<String>, StepError> {
        let size = slices.rows.filter(|rows| *rows > 0).unwrap_or(ROWS);
        if is_one(count, size) {
            return Ok(Vec::new());
        }
        let every = (count / SAMPLE).max(1);
        let binds = [Bind::Int(i64::try_from(every).unwrap_or(i64::MAX))];
        let (cluster, limit) = (&self.rows.source, self.rows.timeout.as_duration());
        let found = self.cx.query_with(cluster, (&self.read.sample, &binds), limit).await?;
        let wrong = |error: ValueError| ClusterError::answer(cluster, &self.read.sample, &error);
        let parts = usize::try_from(count.div_ceil(size).min(MOST)).expect("there are not that many slices");
        let mut bounds = divide(keys(&found, 0).map_err(wrong)?, parts).bounds;
        bounds.retain(|bound| {
            cursor::order(&self.cursor.data_type, bound, highest).is_some_and(std::cmp::Ordering::is_le)
        });
        Ok(bounds)
    }

    /// Writes a slice; every row has its answer then.
    async fn slice(&self, bounds: [Option<String>; 2], (at, parts): (usize, usize)) -> Result<(), StepError> {
        let (cx, before) = (self.cx, self.written.load(Ordering::Relaxed));
        let kept = AtomicU64::default();
        let progress = |moved: Moved| {
            kept.store(moved.kept, Ordering::Relaxed);
            let refused = if moved.refused == 0 { String::new() } else { format!(", {} refused", moved.refused) };
            let slice = if parts == 1 { String::new() } else { format!("; slice {} of {parts}", at + 1) };
            cx.emitter.progress(&cx.step.id, format!("{} rows written{refused}{slice}", before + moved.written));
        };
        let bounds = [bounds];
        let part = Part::Chunks { select: &self.read.select, bounds: &bounds };
        let rows = (self.rows, part, AtATime::AsPlanned);
        let written = cx.servers.copy_rows(&cx.step.cluster, rows, &progress, cx.cancel).await?;
        self.written.fetch_add(written, Ordering::Relaxed);
        self.kept.fetch_add(kept.into_inner(), Ordering::Relaxed);
        Ok(())
    }

    /// The table has come so far; never back.
    fn reach(&mut self, value: &str) {
        let is_further =
            |come: &String| cursor::order(&self.cursor.data_type, come, value).is_some_and(std::cmp::Ordering::is_lt);
        if self.come.as_ref().is_none_or(is_further) {
            self.come = Some(value.to_owned());
        }
    }

    /// Writes down how far it has come.
    async fn note(&self) -> Result<(), StepError> {
        let filled = self.filled().await?;
        self.cx.ledger.come(self.cx.step, self.note, filled).await
    }

    async fn filled(&self) -> Result<Filled, StepError> {
        let indices = self.cx.indices(&self.cx.step.cluster, &self.rows.into).await?;
        if !self.indices.is_empty() && self.indices.is_disjoint(&indices) {
            return Err(self.cx.changed(&self.rows.into, "was made again while rows were written to it"));
        }
        // A row whose partition goes away meanwhile is answered like one that was there.
        if self.kept.load(Ordering::Relaxed) > 0 && !self.indices.is_subset(&indices) {
            return Err(self.cx.changed(&self.rows.into, "lost partitions while rows were written to it"));
        }
        Ok(Filled {
            rows: self.written.load(Ordering::Relaxed),
            indices,
            marks: self.before.clone(),
            began: None,
            cursor: Some(CursorRow { column: self.cursor.column.clone(), value: self.come.clone() }),
        })
    }

    fn told(&self, parts: usize) -> String {
        let (written, kept) = (self.written.load(Ordering::Relaxed), self.kept.load(Ordering::Relaxed));
        let slices = if parts == 1 { String::new() } else { format!(" in {parts} slices") };
        let kept = if kept == 0 { String::new() } else { format!(", {kept} of which were there") };
        format!("{written} rows{slices}{kept}")
    }
}
