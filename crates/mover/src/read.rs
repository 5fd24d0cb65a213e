//! A reader: one statement, sent once for each part, its rows gathered into batches.
//!
//! The rows of a part come as one answer without a limit: CrateDB stops reading its shards while the socket takes no more,
//! so that a queue that is full holds back the server too, and neither side keeps more than its buffers.

use std::borrow::Cow;

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
use crate::making::Making;
use crate::memory::Memory;
use crate::reason::without_values;
use crate::tally::Tally;

/// The type that parameters are declared to be of: a text.
const TEXT: Oid = 1043;

/// What is read.
pub(crate) struct Reading<'a> {
    pub(crate) end: &'a End,
    pub(crate) select: &'a str,
    /// How many parameters it has.
    pub(crate) parameters: usize,
    /// Places in the columns, by their number from 0, where JSON does not say enough.
    pub(crate) inner: &'a [(usize, Inner)],
    pub(crate) limits: Limits,
    /// What becomes of the rows on the way.
    pub(crate) making: Option<Making<'a>>,
}

/// Where batches go.
pub(crate) struct Out<'a> {
    pub(crate) queue: &'a Sender<Batch>,
    /// What their bytes take from.
    pub(crate) memory: &'a Memory,
    pub(crate) tally: &'a Tally<'a>,
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

    /// Reads a part by its values to the end, or until nobody takes batches any more: `false` then.
    pub(crate) async fn read(
        &mut self,
        job: &Reading<'_>,
        (part, values): (usize, &[Option<String>]),
        out: &Out<'_>,
    ) -> Result<bool, ClusterError> {
        out.tally.begin(part);
        self.execute(values).await.map_err(|error| error.during(job.select))?;
        let rewrites = json::rewrites(job.inner, self.columns.len());
        let mut maker = job.making.as_ref().map(Making::begin);
        let (mut batch, mut before) = (Batch::new(part), 0);
        loop {
            match self.wire.receive().await.map_err(|error| error.during(job.select))? {
                Message::DataRow(row) if row.ranges().size_hint().0 != self.columns.len() => {
                    return Err(self.wire.answer("a row that has fewer or more cells than columns").during(job.select));
                }
                Message::DataRow(row) => {
                    let Some(row) = self.rewritten(row.buffer(), &rewrites) else {
                        return Err(self.wire.answer("a row with JSON that is not understood").during(job.select));
                    };
                    match maker.as_mut().map(|maker| maker.make(&row)) {
                        None => batch.push(&row),
                        Some(Ok(made)) => batch.push(made),
                        Some(Err(why)) => {
                            // Rows of one batch are numbered without a gap.
                            let full = std::mem::replace(&mut batch, Batch::new(part));
                            before += full.rows() as u64 + 1;
                            if !out.hand_over(full).await {
                                return Ok(false);
                            }
                            let number = out.tally.read(part, 1, row.len() as u64);
                            let refused = maker.as_mut().map(|maker| maker.refused(number, &row, &why));
                            if refused.is_some_and(|row| out.tally.refused(row) >= job.limits.refused) {
                                return Ok(false);
                            }
                        }
                    }
                }
                Message::CommandComplete(body) => {
                    let read = before + batch.rows() as u64;
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
                before += batch.rows() as u64;
                if !out.hand_over(std::mem::replace(&mut batch, Batch::new(part))).await {
                    return Ok(false);
                }
            }
        }
        self.wire.finish().await.map_err(|error| error.during(job.select))?;
        let taken = out.hand_over(batch).await;
        out.tally.read_all(part);
        Ok(taken)
    }

    /// Ends the session.
    pub(crate) async fn close(self) {
        self.wire.close().await;
    }

    /// A row, its JSON so written that the target reads it exactly.
    fn rewritten<'r>(&self, row: &'r [u8], rewrites: &[Option<Rewrite>]) -> Option<Cow<'r, [u8]>> {
        if rewrites.iter().all(Option::is_none) {
            return Some(Cow::Borrowed(row));
        }
        let mut rewritten = Vec::with_capacity(row.len() + 64);
        for ((cell, column), rewrite) in Cells::of(row).zip(&self.columns).zip(rewrites) {
            match (cell, rewrite) {
                (None, _) => rewritten.put_i32(-1),
                (Some(cell), None) => put_cell(cell, &mut rewritten)?,
                (Some(cell), Some(rewrite)) => put_cell(&rewrite.cell(cell, column.oid)?, &mut rewritten)?,
            }
        }
        Some(Cow::Owned(rewritten))
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

impl Out<'_> {
    /// Gives a batch to a writer, once there is room for it; `false` when there is no writer left.
    async fn hand_over(&self, mut batch: Batch) -> bool {
        let (rows, bytes) = (batch.rows() as u64, batch.bytes() as u64);
        if rows == 0 {
            return true;
        }
        batch.first = self.tally.read(batch.part, rows, bytes);
        batch.share = self.memory.share(batch.bytes()).await;
        self.queue.send(batch).await.is_ok()
    }
}

async fn describe(wire: &mut Wire, job: &Reading<'_>) -> Result<Vec<Column>, ClusterError> {
    let out = wire.outgoing();
    let texts = std::iter::repeat_n(TEXT, job.parameters);
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
