//! One row on its way: what is untouched is copied in runs of neighbouring cells, and nothing is allocated for it.

use bytes::BufMut as _;
use transship_expr::Value as Named;

use super::refusal::Refusal;
use super::value::{Reading, Value};
use super::{Making, Origin, Transform};
use crate::batch::Cells;

/// A transformation, settled for the types that are read.
#[derive(Debug)]
pub struct Ready<'a> {
    pub(super) transform: &'a Transform,
    pub(super) readings: Vec<Reading>,
}

/// Where the cells of a row lie, used again for the next one.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The start of each cell with its length, and the end of the last.
    starts: Vec<usize>,
}

/// A row that cannot be made: the column, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) column: String,
    pub(crate) refusal: Refusal,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "column {} cannot be made: {}", self.column, self.refusal)
    }
}

/// A row that was read.
#[derive(Clone, Copy)]
struct Row<'a> {
    bytes: &'a [u8],
    starts: &'a [usize],
}

impl<'a> Row<'a> {
    /// The cell with its length.
    fn raw(self, from: usize, to: usize) -> &'a [u8] {
        &self.bytes[self.starts[from]..self.starts[to]]
    }

    fn cell(self, at: usize) -> Option<&'a [u8]> {
        let raw = self.raw(at, at + 1);
        (raw[0] & 0x80 == 0).then_some(&raw[4..])
    }
}

impl Ready<'_> {
    /// Adds to `out` the row that comes of `row`, cells with a length before each. What was added of a row that is refused
    /// is taken back.
    pub fn row(&self, row: &[u8], scratch: &mut Scratch, out: &mut Vec<u8>) -> Result<(), Refused> {
        let row = self.read(row, scratch).ok_or_else(|| self.unreadable())?;
        let before = out.len();
        let columns = &self.transform.columns;
        let mut at = 0;
        while at < columns.len() {
            let run = run(&columns[at..]);
            if let (Origin::Read(from), 1..) = (&columns[at].from, run) {
                out.extend_from_slice(row.raw(*from, from + run));
                at += run;
            } else {
                if let Err(refusal) = self.make(&columns[at], row, out) {
                    out.truncate(before);
                    return Err(Refused { column: columns[at].name.clone(), refusal });
                }
                at += 1;
            }
        }
        Ok(())
    }

    /// The cell of one column alone; `None` where it cannot be made.
    #[expect(clippy::option_option, reason = "a cell that is NULL is another thing than none")]
    pub(crate) fn cell(&self, at: usize, row: &[u8], scratch: &mut Scratch) -> Option<Option<Vec<u8>>> {
        let row = self.read(row, scratch)?;
        let mut out = Vec::new();
        self.make(self.transform.columns.get(at)?, row, &mut out).ok()?;
        Some((out[0] & 0x80 == 0).then(|| out.split_off(4)))
    }

    fn unreadable(&self) -> Refused {
        let column = self.transform.columns.first().map(|column| column.name.clone()).unwrap_or_default();
        Refused { column, refusal: Refusal::Unreadable }
    }

    /// Finds the cells; `None` where there are others than planned with.
    fn read<'r>(&self, bytes: &'r [u8], scratch: &'r mut Scratch) -> Option<Row<'r>> {
        scratch.starts.clear();
        let mut cells = Cells::of(bytes);
        for _ in 0..self.readings.len() {
            scratch.starts.push(bytes.len() - cells.left());
            cells.next()?;
        }
        scratch.starts.push(bytes.len() - cells.left());
        Some(Row { bytes, starts: &scratch.starts })
    }

    fn make(&self, column: &Making, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Some(data_type) = &column.data_type else {
            let Origin::Read(at) = column.from else { return Err(Refusal::OtherType) };
            out.extend_from_slice(row.raw(at, at + 1));
            return Ok(());
        };
        let mut value = match &column.from {
            Origin::Read(at) => row.cell(*at).map(|cell| self.readings[*at].value(cell)).transpose()?,
            Origin::Const(constant) => constant.0.clone(),
            Origin::Expr { .. } => self.evaluate(&column.from, row)?,
        };
        for verb in &column.verbs {
            value = verb.apply(value)?;
        }
        let Some(value) = value else {
            out.put_i32(-1);
            return Ok(());
        };
        let start = out.len();
        out.put_i32(0);
        value.put(data_type.kind, out)?;
        let length = i32::try_from(out.len() - start - 4).map_err(|_| Refusal::TooLong)?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn evaluate(&self, of: &Origin, row: Row<'_>) -> Result<Option<Value<'static>>, Refusal> {
        let Origin::Expr { expression, uses, data_type } = of else { return Err(Refusal::OtherType) };
        let mut values = Vec::with_capacity(uses.len());
        for (name, at) in uses {
            let value = row.cell(*at).map(|cell| self.readings[*at].value(cell)).transpose()?;
            values.push((name.as_str(), named(value)?));
        }
        let found = expression.evaluate(values).map_err(Refusal::Expression)?;
        let value = match found {
            Named::Null | Named::List(_) => return Ok(None),
            Named::Bool(value) => Value::Bool(value),
            Named::Int(value) => Value::Whole(value),
            Named::Double(value) => Value::Double(value),
            Named::Text(value) => Value::Text(value.into()),
        };
        super::verb::cast(value, data_type).map(Some)
    }
}

/// How many of the columns come from neighbours and stay as they are.
fn run(columns: &[Making]) -> usize {
    let first = match columns {
        [Making { from: Origin::Read(at), data_type: None, .. }, ..] => *at,
        _ => return 0,
    };
    let follows = |(nth, column): &(usize, &Making)| {
        column.data_type.is_none() && matches!(column.from, Origin::Read(at) if at == first + nth)
    };
    columns.iter().enumerate().take_while(follows).count()
}

/// A value as expressions have it: a `NUMERIC` is a text there, so that it keeps its digits, a point in time its milliseconds.
fn named(value: Option<Value<'_>>) -> Result<Named, Refusal> {
    Ok(match value {
        None => Named::Null,
        Some(Value::Bool(value)) => Named::Bool(value),
        Some(Value::Whole(value) | Value::Time(value)) => Named::Int(value),
        Some(Value::Real(value)) => Named::Double(value.into()),
        Some(Value::Double(value)) => Named::Double(value),
        Some(Value::Numeric(value)) => Named::Text(value.to_string()),
        Some(Value::Text(text)) => Named::Text(text.into_owned()),
        Some(Value::Other) => return Err(Refusal::OtherType),
    })
}
