//! Rows as they came, back to back in one buffer.

use std::ops::Range;

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::sync::OwnedSemaphorePermit;

/// Rows of one size and shape: each is its cells in the form of the wire, a length before each, -1 for NULL.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The number of the first row in the order of reading, from 1.
    pub(crate) first: u64,
    /// The part of the rows that they belong to.
    pub(crate) part: usize,
    /// Its share of the memory of the copy, given back with it.
    pub(crate) share: Option<OwnedSemaphorePermit>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    pub(crate) const fn new(part: usize) -> Self {
        Self { first: 1, part, share: None, bytes: Vec::new(), ends: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The number of row `at` in the order of reading.
    pub(crate) fn number(&self, at: usize) -> u64 {
        self.first + at as u64
    }

    /// The bytes of some rows that follow each other.
    pub(crate) fn slice(&self, rows: Range<usize>) -> &[u8] {
        let end = |rows: usize| if rows == 0 { 0 } else { self.ends[rows - 1] };
        &self.bytes[end(rows.start)..end(rows.end)]
    }

    /// The cells of row `at`.
    pub(crate) fn cells(&self, at: usize) -> Cells<'_> {
        Cells(self.slice(at..at + 1))
    }
}

/// The cells of a row, NULL as `None`.
pub(crate) struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    /// The cells of a row as the wire has them.
    pub(crate) const fn of(row: &'a [u8]) -> Self {
        Self(row)
    }

    /// How many bytes are left.
    pub(crate) const fn left(&self) -> usize {
        self.0.len()
    }

    /// The first `count` cells with their lengths, as the wire has them; `None` where there are fewer.
    pub(crate) fn raw(&self, count: usize) -> Option<&'a [u8]> {
        let mut at = 0;
        for _ in 0..count {
            at = self.cell_at(at)?.1;
        }
        Some(&self.0[..at])
    }

    fn cell_at(&self, at: usize) -> Option<(Option<Range<usize>>, usize)> {
        let length = self.0.get(at..at + 4)?.get_i32();
        let start = at + 4;
        match usize::try_from(length) {
            Err(_) => Some((None, start)),
            Ok(length) if start + length <= self.0.len() => Some((Some(start..start + length), start + length)),
            Ok(_) => None,
        }
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (cell, end) = self.cell_at(0)?;
        let bytes = self.0;
        self.0 = &bytes[end..];
        Some(cell.map(|range| &bytes[range]))
    }
}

/// Puts a Bind of `count` binary cells to the unnamed portal of `statement`. The cells are those of a row as it came,
/// which is why postgres-protocol's own function is of no use here: it wants them one by one.
pub(crate) fn bind(statement: &str, count: u16, cells: &[u8], out: &mut BytesMut) {
    begin_bind(statement, count, cells.len(), out);
    out.put_slice(cells);
    end_bind(out);
}

/// Puts what comes before the cells of a Bind, which are `bytes` long.
pub(crate) fn begin_bind(statement: &str, count: u16, bytes: usize, out: &mut BytesMut) {
    let length = 4 + 1 + statement.len() + 1 + 4 + 2 + bytes + 2;
    out.put_u8(b'B');
    out.put_i32(i32::try_from(length).expect("a row is smaller than 2 GB, or it could not have been read"));
    out.put_u8(0);
    out.put_slice(statement.as_bytes());
    out.put_u8(0);
    out.put_i16(1);
    out.put_i16(1);
    out.put_u16(count);
}

/// Puts what comes after the cells of a Bind: every answer in text form.
pub(crate) fn end_bind(out: &mut BytesMut) {
    out.put_i16(0);
}

#[cfg(test)]
mod tests {
    use postgres_protocol::IsNull;
    use postgres_protocol::message::frontend;

    use super::*;

    const ROW: &[u8] = &[0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, b'c'];

    #[test]
    fn rows_give_their_cells_back() {
        let mut batch = Batch::new(0);
        batch.first = 11;
        batch.push(&[0, 0, 0, 0]);
        batch.push(ROW);
        assert_eq!((batch.rows(), batch.number(1), batch.bytes()), (2, 12, ROW.len() + 4));
        let cells: Vec<_> = batch.cells(1).collect();
        assert_eq!(cells, [Some(&b"ab"[..]), None, Some(b""), Some(b"c")]);
        assert_eq!(batch.cells(1).raw(2), Some(&ROW[..10]));
        assert_eq!(batch.cells(1).raw(5), None);
    }

    #[test]
    fn a_bind_is_what_postgres_protocol_writes() {
        let mut batch = Batch::new(0);
        batch.push(ROW);
        let mut own = BytesMut::new();
        bind("w", 4, batch.cells(0).raw(4).unwrap(), &mut own);
        let mut theirs = BytesMut::new();
        let written = frontend::bind(
            "",
            "w",
            [1],
            batch.cells(0),
            |cell, out| {
                out.put_slice(cell.unwrap_or_default());
                Ok(if cell.is_some() { IsNull::No } else { IsNull::Yes })
            },
            [],
            &mut theirs,
        );
        assert!(written.is_ok());
        assert_eq!(own, theirs);
    }
}
