//! Many rows by one statement: `INSERT … VALUES (…), (…), …`, prepared once for each number of rows.
//!
//! A target reads the parameters of one such statement with about half the work of as many executions, and takes every type
//! as it does there. It says only how many rows it wrote. `docs/mover.md` has the figures.

use std::ops::Range;

use postgres_protocol::Oid;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use transship_cluster::{ClusterError, Wire};
use transship_sql::copy::{most_rows, with_rows};

use crate::batch::{Batch, begin_bind, end_bind};

/// How much is put together before it is sent.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Fewer rows are not worth a statement of their own.
const FEWEST: usize = 16;

/// The statements of one connection for many rows.
#[derive(Debug)]
pub(crate) struct Statements {
    insert: String,
    types: Vec<Oid>,
    /// How many rows each has, the most first; each has half as many as the one before.
    sizes: Vec<usize>,
    prepared: Vec<bool>,
}

/// What the server says of the rows of one statement.
pub(crate) struct Said {
    /// How many it wrote.
    pub(crate) written: u64,
    /// What it said instead.
    pub(crate) error: Option<ClusterError>,
}

impl Statements {
    /// Those for `insert`, which takes values of `types`, with at most `most` rows.
    pub(crate) fn new(insert: &str, types: &[Oid], most: usize) -> Self {
        let largest = most_rows(insert, types.len()).min(most);
        let sizes: Vec<usize> =
            std::iter::successors(Some(largest), |size| Some(size / 2)).take_while(|size| *size >= FEWEST).collect();
        Self { insert: insert.to_owned(), types: types.to_vec(), prepared: vec![false; sizes.len()], sizes }
    }

    /// The most rows of a statement.
    pub(crate) fn most(&self) -> Option<usize> {
        self.sizes.first().copied()
    }

    /// Parts of `rows` rows that one statement with at most `most` rows can have each, and how many rows are left.
    pub(crate) fn divide(&self, rows: usize, most: usize) -> (Vec<Range<usize>>, Range<usize>) {
        let (mut parts, mut at) = (Vec::new(), 0);
        for size in self.sizes.iter().filter(|size| **size <= most) {
            while rows - at >= *size {
                parts.push(at..at + size);
                at += size;
            }
        }
        (parts, at..rows)
    }

    /// Sends rows of `batch`, as many as one of the statements has, and reads what the server says of them. The error is
    /// that of the connection.
    pub(crate) async fn exchange(
        &mut self,
        wire: &mut Wire,
        batch: &Batch,
        rows: Range<usize>,
    ) -> Result<Said, ClusterError> {
        let name = name_of(self.at(rows.len()));
        let whole = batch.cells(rows.start).count() == self.types.len();
        let count = rows.len();
        let parts = if whole { vec![rows] } else { rows.map(|at| at..at + 1).collect() };
        let mut slices = Vec::with_capacity(parts.len());
        for part in parts {
            let slice = if whole { Some(batch.slice(part)) } else { batch.cells(part.start).raw(self.types.len()) };
            slices.push(slice.ok_or_else(|| wire.answer("a row that has fewer cells than columns"))?);
        }
        let parameters = u16::try_from(count * self.types.len()).expect("they are counted in 15 bits");
        send(wire, (&name, parameters), &slices).await?;
        answer(wire).await
    }

    /// Prepares the statement for so many rows, unless it is.
    pub(crate) async fn prepare(&mut self, wire: &mut Wire, rows: usize) -> Result<(), ClusterError> {
        let at = self.at(rows);
        if self.prepared[at] {
            return Ok(());
        }
        let sql = with_rows(&self.insert, self.types.len(), rows)
            .ok_or_else(|| wire.answer("a statement that does not have the form of an INSERT of values"))?;
        let types = self.types.iter().copied().cycle().take(rows * self.types.len());
        frontend::parse(&name_of(at), &sql, types, wire.outgoing()).map_err(|error| wire.answer(error.to_string()))?;
        frontend::sync(wire.outgoing());
        wire.flush().await?;
        wire.finish().await.map_err(|error| error.during(&self.insert))?;
        self.prepared[at] = true;
        Ok(())
    }

    fn at(&self, rows: usize) -> usize {
        self.sizes.iter().position(|size| *size == rows).expect("rows are divided by the sizes")
    }
}

fn name_of(at: usize) -> String {
    format!("m{at}")
}

async fn send(wire: &mut Wire, (name, parameters): (&str, u16), slices: &[&[u8]]) -> Result<(), ClusterError> {
    begin_bind(name, parameters, slices.iter().map(|slice| slice.len()).sum(), wire.outgoing());
    for piece in slices.iter().flat_map(|slice| slice.chunks(CHUNK)) {
        wire.outgoing().extend_from_slice(piece);
        if wire.outgoing().len() >= CHUNK {
            wire.flush().await?;
        }
    }
    end_bind(wire.outgoing());
    frontend::execute("", 0, wire.outgoing()).expect("the portal has no zero byte in its name");
    frontend::sync(wire.outgoing());
    wire.flush().await
}

async fn answer(wire: &mut Wire) -> Result<Said, ClusterError> {
    let mut said = Said { written: 0, error: None };
    loop {
        match wire.receive().await? {
            Message::CommandComplete(body) => {
                let count = body.tag().ok().and_then(|tag| tag.rsplit(' ').next()?.parse().ok());
                said.written = count.ok_or_else(|| wire.answer(format!("{:?}", body.tag())))?;
            }
            Message::ErrorResponse(body) => said.error = Some(wire.server_error(&body)),
            Message::ReadyForQuery(_) => return Ok(said),
            Message::BindComplete => {}
            _ => return Err(wire.answer("an answer to an INSERT that is not understood")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_divided_by_the_statements_that_there_are() {
        let of = |most| Statements::new("INSERT INTO t (a) VALUES ($1)", &[23], most);
        let divide = |rows, most| of(100).divide(rows, most);
        assert_eq!(of(100).sizes, [100, 50, 25]);
        assert_eq!(divide(150, 100), (vec![0..100, 100..150], 150..150));
        assert_eq!(divide(188, 100), (vec![0..100, 100..150, 150..175], 175..188));
        assert_eq!(divide(60, 30), (vec![0..25, 25..50], 50..60));
        assert_eq!(divide(15, 100), (vec![], 0..15));
        assert_eq!(of(10).divide(15, 10), (vec![], 0..15));
    }
}
