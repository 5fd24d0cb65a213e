//! The reader: one statement, its rows gathered into batches.
//!
//! The rows come as one answer without a limit: CrateDB stops reading its shards while the socket takes no more, so that
//! a queue that is full holds back the server too, and neither side keeps more than its buffers.

use bytes::{BufMut as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use postgres_protocol::{IsNull, Oid};
use tokio::sync::mpsc::Sender;
use transship_cluster::{ClusterError, Wire};
use transship_sql::copy::Inner;

use crate::batch::{Batch, Cells};
use crate::job::{End, Limits};
use crate::json::{self, Rewrite};
use crate::reason::without_values;
use crate::tally::Tally;

/// The type that parameters are declared to be of: a text.
const TEXT: Oid = 1043;

/// What is read.
pub(crate) struct Reading<'a> {
    pub(crate) end: &'a End,
    pub(crate) select: &'a str,
    /// The values of its parameters, as texts.
    pub(crate) values: &'a [Option<String>],
    /// Places in the columns, by their number from 0, where JSON does not say enough.
    pub(crate) inner: &'a [(usize, Inner)],
    pub(crate) limits: Limits,
}

/// A column that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) oid: Oid,
}

/// A connection with the statement prepared.
pub(crate) struct Reader {
    wire: Wire,
    pub(crate) columns: Vec<Column>,
}

impl Reader {
    /// Connects, and asks what the statement gives.
    pub(crate) async fn open(job: &Reading<'_>, tally: &Tally<'_>) -> Result<Self, ClusterError> {
        let end = job.end;
        let mut wire = Wire::open(&end.name, &end.access, end.redactor.clone()).await?;
        wire.set_patience(job.limits.patience);
        tally.opened(wire.canceller());
        let columns = describe(&mut wire, job).await.map_err(|error| error.during(job.select))?;
        Ok(Self { wire, columns })
    }

    /// Reads to the end, or until nobody takes batches any more.
    pub(crate) async fn run(
        mut self,
        job: &Reading<'_>,
        queue: Sender<Batch>,
        tally: &Tally<'_>,
    ) -> Result<(), ClusterError> {
        self.execute(job.values).await.map_err(|error| error.during(job.select))?;
        let rewrites = json::rewrites(job.inner, self.columns.len());
        let mut batch = Batch::new(1);
        loop {
            match self.wire.receive().await.map_err(|error| error.during(job.select))? {
                Message::DataRow(row) if job.inner.is_empty() => batch.push(row.buffer()),
                Message::DataRow(row) => {
                    if self.push_rewritten(&mut batch, row.buffer(), &rewrites).is_none() {
                        return Err(self.wire.answer("a row with JSON that is not understood").during(job.select));
                    }
                }
                Message::CommandComplete(body) => {
                    let read = batch.first - 1 + batch.rows() as u64;
                    if body.tag().ok() != Some(&format!("SELECT {read}")) {
                        return Err(self.wire.answer(format!("{read} rows came for {:?}", body.tag())));
                    }
                    break;
                }
                Message::BindComplete => {}
                Message::ErrorResponse(body) => {
                    // Which row it is about is not known, only where messages enclose a value.
                    let error = self.wire.server_error(&body).during(job.select);
                    return Err(error.saying(|message| without_values(message, std::iter::empty())));
                }
                _ => return Err(self.wire.answer("an answer to a SELECT that is not understood")),
            }
            if batch.rows() >= job.limits.rows || batch.bytes() >= job.limits.bytes {
                let next = Batch::new(batch.number(batch.rows()));
                if hand_over(std::mem::replace(&mut batch, next), &queue, tally).await.is_none() {
                    return Ok(());
                }
            }
        }
        hand_over(batch, &queue, tally).await;
        self.wire.close().await;
        Ok(())
    }

    /// Adds a row, its JSON so written that the target reads it exactly.
    fn push_rewritten(&self, batch: &mut Batch, row: &[u8], rewrites: &[Option<Rewrite>]) -> Option<()> {
        let mut rewritten = Vec::with_capacity(row.len() + 64);
        for ((cell, column), rewrite) in Cells::of(row).zip(&self.columns).zip(rewrites) {
            match (cell, rewrite) {
                (None, _) => rewritten.put_i32(-1),
                (Some(cell), None) => put_cell(cell, &mut rewritten)?,
                (Some(cell), Some(rewrite)) => put_cell(&rewrite.cell(cell, column.oid)?, &mut rewritten)?,
            }
        }
        batch.push(&rewritten);
        Some(())
    }

    async fn execute(&mut self, values: &[Option<String>]) -> Result<(), ClusterError> {
        let out = self.wire.outgoing();
        let put =
            frontend::bind("", "", [], values.iter().map(Option::as_deref), |it, out| Ok(put_text(it, out)), [1], out);
        put.ok().and_then(|()| frontend::execute("", 0, out).ok()).expect("bounds are far shorter than 2 GB");
        frontend::sync(out);
        self.wire.flush().await
    }
}

/// Puts a parameter in the form of a text.
fn put_text(value: Option<&str>, out: &mut BytesMut) -> IsNull {
    let Some(text) = value else { return IsNull::Yes };
    out.put_slice(text.as_bytes());
    IsNull::No
}

fn put_cell(cell: &[u8], row: &mut Vec<u8>) -> Option<()> {
    row.put_i32(i32::try_from(cell.len()).ok()?);
    row.extend_from_slice(cell);
    Some(())
}

/// Gives a batch to a writer; `None` when there is none left.
async fn hand_over(batch: Batch, queue: &Sender<Batch>, tally: &Tally<'_>) -> Option<()> {
    let (rows, bytes) = (batch.rows() as u64, batch.bytes() as u64);
    if rows == 0 {
        return Some(());
    }
    tally.read(rows, bytes);
    queue.send(batch).await.ok()
}

async fn describe(wire: &mut Wire, job: &Reading<'_>) -> Result<Vec<Column>, ClusterError> {
    let out = wire.outgoing();
    let texts = job.values.iter().map(|_| TEXT);
    let put = frontend::parse("", job.select, texts, out).and_then(|()| frontend::describe(b'S', "", out));
    put.map_err(|error| wire.answer(error.to_string()))?;
    frontend::sync(wire.outgoing());
    wire.flush().await?;
    let (mut columns, mut problem) = (Vec::new(), None);
    loop {
        match wire.receive().await? {
            Message::RowDescription(body) => {
                let mut fields = body.fields();
                while let Some(field) = fields.next().map_err(|error| wire.answer(error.to_string()))? {
                    columns.push(Column { name: field.name().to_owned(), oid: field.type_oid() });
                }
            }
            Message::ErrorResponse(body) => problem = Some(wire.server_error(&body)),
            Message::ReadyForQuery(_) => return problem.map_or(Ok(columns), Err),
            _ => {}
        }
    }
}
