//! Rows to lines of files, for what CrateDB does not write exactly, or not at all.
//!
//! [`cell`] reads what the wire brings, [`json`] and [`csv`] write it as COPY FROM reads it back. `docs/bulk.md` tells
//! how that is. A row that has no exact form in CSV becomes a line of JSON beside it.

mod cell;
mod csv;
mod json;

use std::pin::pin;

use futures_util::future::join;
use postgres_protocol::Oid;
use tokio::sync::mpsc::{self, Receiver, Sender};
use transship_sql::copy::{Inner, element};

use crate::batch::Batch;
use crate::class;
use crate::error::MoveError;
use crate::job::{Done, End, Limits, Watch};
use crate::memory::Memory;
use crate::read::{Out, Reader, Reading};
use crate::tally::Tally;
use cell::{Cell, Kind, Scalar};

/// The rows of a select, to be written as lines of files.
#[derive(Clone, Debug)]
pub struct Unload {
    /// Where `select` runs.
    pub source: End,
    /// Gives the rows. Its first columns are `columns` in their order; others are passed over.
    pub select: String,
    /// The columns that are written.
    pub columns: Vec<FileColumn>,
    /// Places in columns of `select`, by their number from 0, where JSON does not say enough.
    pub inner: Vec<(usize, Inner)>,
    /// What a line is.
    pub format: LineFormat,
    /// Whether rows hold values that nothing may show: of what a server says only the kind is told then.
    pub sensitive: bool,
    /// How much at once.
    pub limits: Limits,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    /// Its name.
    pub name: String,
    /// Its type as the catalog names it.
    pub data_type: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// An object.
    Json,
    /// Values with commas between them; nothing between two commas is NULL.
    Csv,
}

/// Lines of some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines of the format that was asked for.
    pub text: String,
    /// How many rows they are.
    pub rows: u64,
    /// Lines of JSON for rows that have no exact form in CSV: an empty text beside NULL, a line break.
    pub rest: String,
    /// How many rows they are.
    pub rest_rows: u64,
}

/// The first line of a file of CSV: the names of its columns.
pub fn csv_header<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    csv::header(names.into_iter(), &mut line);
    line
}

/// Reads every row that the select gives, and hands over its lines in the order of reading.
///
/// It waits while `out` is full. Where nobody takes lines any more it stops, and says that rows were not accounted for.
/// `watch` and `cancel` are as in [`crate::copy`].
pub async fn unload(
    job: &Unload,
    out: Sender<Lines>,
    watch: &dyn Watch,
    cancel: impl Future<Output = ()> + Send,
) -> Result<Done, MoveError> {
    let tally = Tally::new(job.limits.shown, watch);
    let outcome = tokio::select! {
        biased;
        () = pin!(cancel) => Err(MoveError::Cancelled { progress: tally.progress() }),
        outcome = run(job, out, &tally) => outcome,
    };
    if outcome.is_err() {
        tally.stop().await;
    }
    if job.sensitive { outcome.map_err(class::hide) } else { outcome }
}

/// A cell as JSON has it, a text without its quotes; `None` for a type that is not known.
pub(crate) fn shown(cell: &[u8], oid: Oid) -> Option<String> {
    Some(match Kind::of(oid)?.read(Some(cell))? {
        Cell::One(Scalar::Plain(text)) => text,
        Cell::One(Scalar::Text(text) | Scalar::Json(text)) => text.into_owned(),
        other => {
            let mut text = String::new();
            json::value(&other, &mut text);
            text
        }
    })
}

async fn run(job: &Unload, out: Sender<Lines>, tally: &Tally<'_>) -> Result<Done, MoveError> {
    let (select, inner, limits) = (&job.select, &job.inner, job.limits);
    let reading = Reading { end: &job.source, select, parameters: 0, inner, limits, making: None };
    let source = |error| MoveError::Source { error, progress: tally.progress() };
    let mut reader = Reader::open(&reading, tally).await.map_err(source)?;
    let writer = Writer::new(job.format, &job.columns, reader.columns.iter().map(|column| column.oid))?;
    let (sender, receiver) = mpsc::channel(1);
    let memory = Memory::new(limits.memory);
    let read = async {
        let batches = Out { queue: &sender, memory: &memory, tally };
        let read = reader.read(&reading, (0, &[]), &batches).await;
        drop(sender);
        reader.close().await;
        read
    };
    let (read, written) = join(read, hand_over(&writer, receiver, &out, tally)).await;
    written?;
    read.map_err(source)?;
    let progress = tally.progress();
    if progress.read != progress.written {
        return Err(MoveError::Unaccounted { progress });
    }
    Ok(Done { rows: progress.read, bytes: progress.bytes })
}

/// Gives lines away until no more rows come, or nobody takes them.
async fn hand_over(
    writer: &Writer<'_>,
    mut queue: Receiver<Batch>,
    out: &Sender<Lines>,
    tally: &Tally<'_>,
) -> Result<(), MoveError> {
    while let Some(batch) = queue.recv().await {
        let lines = writer.lines(&batch)?;
        let rows = lines.rows + lines.rest_rows;
        if out.send(lines).await.is_err() {
            break;
        }
        tally.written(batch.part, rows);
    }
    Ok(())
}

/// Writes rows as lines.
struct Writer<'a> {
    format: LineFormat,
    columns: Vec<Column<'a>>,
}

/// A column that is written.
pub(crate) struct Column<'a> {
    name: &'a str,
    kind: Kind,
    /// The type of its innermost elements.
    base: &'a str,
    /// How many levels of arrays are around them.
    levels: usize,
}

impl<'a> Writer<'a> {
    fn new(
        format: LineFormat,
        columns: &'a [FileColumn],
        oids: impl ExactSizeIterator<Item = Oid>,
    ) -> Result<Self, MoveError> {
        if oids.len() < columns.len() {
            let problem = format!("{} columns came for {}", oids.len(), columns.len());
            return Err(MoveError::Columns { problem });
        }
        let column = |(column, oid): (&'a FileColumn, Oid)| {
            let FileColumn { name, data_type } = column;
            let kind = Kind::of(oid).ok_or_else(|| MoveError::Columns {
                problem: format!("column {name} of type {data_type} comes in a form that is not known (oid {oid})"),
            })?;
            let (base, levels) = element(data_type);
            Ok(Column { name, kind, base, levels })
        };
        let columns: Result<_, MoveError> = columns.iter().zip(oids).map(column).collect();
        Ok(Self { format, columns: columns? })
    }

    fn lines(&self, batch: &Batch) -> Result<Lines, MoveError> {
        let mut lines = Lines::default();
        for row in 0..batch.rows() {
            let cells = self.cells(batch, row)?;
            let start = lines.text.len();
            let is_written = match self.format {
                LineFormat::Json => json::line(&self.columns, &cells, &mut lines.text),
                LineFormat::Csv => csv::line(&self.columns, &cells, &mut lines.text),
            };
            if is_written {
                lines.rows += 1;
            } else {
                lines.text.truncate(start);
                json::line(&self.columns, &cells, &mut lines.rest);
                lines.rest_rows += 1;
            }
        }
        Ok(lines)
    }

    fn cells<'r>(&self, batch: &'r Batch, row: usize) -> Result<Vec<Cell<'r>>, MoveError> {
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut raw = batch.cells(row);
        for column in &self.columns {
            let cell = raw.next().and_then(|raw| column.kind.read(raw));
            cells.push(cell.ok_or_else(|| MoveError::Columns {
                problem: format!("row {} has a value of {} that cannot be read", batch.number(row), column.name),
            })?);
        }
        Ok(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cell::Scalar;

    pub(super) fn column<'a>(name: &'a str, data_type: &'a str) -> Column<'a> {
        let (base, levels) = element(data_type);
        Column { name, kind: Kind::of(1043).expect("a text"), base, levels }
    }

    pub(super) fn plain(text: &str) -> Cell<'_> {
        Cell::One(Scalar::Plain(text.to_owned()))
    }

    pub(super) fn text(text: &str) -> Cell<'_> {
        Cell::One(Scalar::Text(text.into()))
    }

    pub(super) fn json(text: &str) -> Cell<'_> {
        Cell::One(Scalar::Json(text.into()))
    }

    pub(super) fn many<'a>(cells: &[Option<Cell<'a>>]) -> Cell<'a> {
        let scalar = |cell: &Option<Cell<'a>>| match cell {
            Some(Cell::One(scalar)) => Some(scalar.clone()),
            _ => None,
        };
        Cell::Many(cells.iter().map(scalar).collect())
    }

    #[test]
    fn rows_without_an_exact_form_become_json() {
        let columns = ["id", "t"].map(|name| FileColumn { name: name.to_owned(), data_type: "text".to_owned() });
        let mut batch = Batch::new(1);
        for value in [&b"x"[..], b"", b"\n"] {
            let length = u8::try_from(value.len()).expect("short");
            batch.push(&[&[0, 0, 0, 1, b'1', 0, 0, 0, length], value].concat());
        }
        let lines = |format| {
            let writer = Writer::new(format, &columns, [1043, 1043].into_iter()).expect("two columns");
            writer.lines(&batch).expect("texts")
        };
        let csv = lines(LineFormat::Csv);
        assert_eq!((csv.rows, csv.rest_rows, csv.text.as_str()), (1, 2, "\"1\",\"x\"\n"));
        assert_eq!(csv.rest, "{\"id\":\"1\",\"t\":\"\"}\n{\"id\":\"1\",\"t\":\"\\n\"}\n");
        let json = lines(LineFormat::Json);
        assert_eq!((json.rows, json.rest_rows, json.text.lines().count()), (3, 0, 3));
        assert_eq!(csv_header(["id", "t"]), "\"id\",\"t\"\n");
    }

    #[test]
    fn what_does_not_come_as_expected_is_an_error() {
        let columns = [FileColumn { name: "b".to_owned(), data_type: "bytea".to_owned() }];
        assert!(Writer::new(LineFormat::Csv, &columns, [17].into_iter()).is_err(), "a type that is not known");
        assert!(Writer::new(LineFormat::Csv, &columns, [].into_iter()).is_err(), "too few columns");
        let writer = Writer::new(LineFormat::Csv, &columns, [23].into_iter()).expect("an integer");
        let mut batch = Batch::new(1);
        batch.push(&[0, 0, 0, 1, 7]);
        let error = writer.lines(&batch).expect_err("too short").to_string();
        assert!(error.contains("row 1 has a value of b"), "{error}");
    }
}
