//! A writer: batches as one bulk each, and what the server says of every row.

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::Oid;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use transship_cluster::{ClusterError, Wire};

use crate::batch::{Batch, bind};
use crate::error::MoveError;
use crate::job::{Job, Write};
use crate::many::{CHUNK, Statements};
use crate::read::Column;
use crate::tally::Tally;

/// The name of the statement that writes a row, and of that which writes it again.
const INSERT: &str = "w";
const AGAIN: &str = "a";

/// Types of which only the target's column tells what is meant: `json` stands for objects and geo shapes, but also for
/// arrays of arrays, `_json` for arrays of objects or shapes; `bit` and `_bit` have no length.
const AMBIGUOUS: [Oid; 4] = [114, 199, 1560, 1561];

/// A connection with the statement prepared.
pub(crate) struct Writer<'a> {
    pub(crate) job: &'a Job,
    pub(crate) columns: &'a [Column],
    pub(crate) tally: &'a Tally<'a>,
    pub(crate) wire: Wire,
    /// The statements for many rows at once, where that is asked for.
    pub(crate) many: Option<Statements>,
    types: Vec<Oid>,
    /// Whether the statement that writes rows again is prepared.
    is_again_prepared: bool,
    /// Whether the target could not take rows at first, since that was asked last.
    pub(crate) was_busy: bool,
}

/// By which statement rows are sent one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The job's own.
    Insert,
    /// That for rows which may be there by an earlier attempt.
    Again,
}

/// What the server says of the rows of one bulk.
pub(crate) struct Answer {
    /// One count for each row, unless there is an error.
    pub(crate) counts: Vec<i64>,
    /// An error for all of them.
    pub(crate) error: Option<ClusterError>,
}

impl<'a> Writer<'a> {
    /// Connects and prepares the statement for cells of the types that are read.
    pub(crate) async fn open(
        job: &'a Job,
        columns: &'a [Column],
        tally: &'a Tally<'a>,
    ) -> Result<Writer<'a>, MoveError> {
        let end = &job.target;
        let opened = Wire::open(&end.name, &end.access, end.redactor.clone()).await;
        let mut wire = opened.map_err(|error| tally.target(error))?;
        wire.set_patience(job.limits.patience);
        wire.set_gate(job.gate.clone());
        tally.opened(wire.canceller());
        let failed = |error: ClusterError| tally.target(error.during(&job.insert));
        // First without types, to see how many parameters there are and of which types the server takes them to be.
        let taken = prepare(&mut wire, "", &job.insert, &[]).await.map_err(failed)?;
        let types = types(job, columns, &taken)?;
        prepare(&mut wire, INSERT, &job.insert, &types).await.map_err(failed)?;
        let many = job.many.as_ref().map(|_| Statements::new(&job.insert, &types, job.limits.rows));
        Ok(Writer { job, columns, tally, wire, many, types, is_again_prepared: false, was_busy: false })
    }

    /// How many rows a batch is to have.
    pub(crate) fn rows(&self) -> usize {
        self.many.as_ref().and_then(Statements::most).unwrap_or(self.job.limits.rows)
    }

    /// The text of a statement, and what it does with a row that is there.
    pub(crate) fn statement(&self, by: By) -> (&'a str, Write) {
        let again = self.job.many.as_ref().and_then(|many| many.again.as_ref()).filter(|_| by == By::Again);
        again.map_or((&self.job.insert, self.job.write), |(sql, write)| (sql, *write))
    }

    /// Sends rows of `batch` as one bulk and reads what the server says of each. The error is that of the connection.
    pub(crate) async fn exchange(&mut self, batch: &Batch, rows: &[usize], by: By) -> Result<Answer, ClusterError> {
        let name = self.name(by).await?;
        let parameters = u16::try_from(self.types.len()).expect("the server counts parameters in 16 bits");
        for at in rows {
            let Some(cells) = batch.cells(*at).raw(self.types.len()) else {
                return Err(self.wire.answer("a row that has fewer cells than columns"));
            };
            bind(name, parameters, cells, self.wire.outgoing());
            frontend::execute("", 0, self.wire.outgoing()).expect("the portal has no zero byte in its name");
            if self.wire.outgoing().len() >= CHUNK {
                self.wire.flush().await?;
            }
        }
        frontend::sync(self.wire.outgoing());
        self.wire.flush().await?;
        self.answer(rows.len()).await
    }

    /// The name of a statement, prepared when it is first wanted.
    async fn name(&mut self, by: By) -> Result<&'static str, ClusterError> {
        if by == By::Insert {
            return Ok(INSERT);
        }
        if !self.is_again_prepared {
            let sql = self.statement(by).0;
            prepare(&mut self.wire, AGAIN, sql, &self.types).await?;
            self.is_again_prepared = true;
        }
        Ok(AGAIN)
    }

    /// Ends the session.
    pub(crate) async fn close(self) {
        self.wire.close().await;
    }

    async fn answer(&mut self, rows: usize) -> Result<Answer, ClusterError> {
        let mut answer = Answer { counts: Vec::with_capacity(rows), error: None };
        loop {
            match self.wire.receive().await? {
                Message::CommandComplete(body) => {
                    let count = body.tag().ok().and_then(|tag| tag.rsplit(' ').next()?.parse().ok());
                    answer.counts.push(count.ok_or_else(|| self.wire.answer(format!("{:?}", body.tag())))?);
                }
                Message::ErrorResponse(body) => answer.error = Some(self.wire.server_error(&body)),
                Message::ReadyForQuery(_) => break,
                Message::BindComplete => {}
                _ => return Err(self.wire.answer("an answer to an INSERT that is not understood")),
            }
        }
        if answer.error.is_none() && answer.counts.len() != rows {
            return Err(self.wire.answer(format!("{} answers to {rows} rows", answer.counts.len())));
        }
        Ok(answer)
    }
}

/// The types to declare: those of the cells, or 0 where the server's own reading is the right one.
fn types(job: &Job, columns: &[Column], taken: &[Oid]) -> Result<Vec<Oid>, MoveError> {
    let wrong = |problem: String| Err(MoveError::Columns { problem });
    if columns.len() < taken.len() {
        return wrong(format!("{} are read, {} written", columns.len(), taken.len()));
    }
    let written = taken.len();
    if let Some(extra) = (written..columns.len()).find(|at| !job.key.iter().any(|key| key.at == *at)) {
        return wrong(format!("{} is read and not written", columns[extra].name));
    }
    if let Some(key) = job.key.iter().find(|key| key.at >= columns.len()) {
        return wrong(format!("the primary key's column {} is not read", key.name));
    }
    let mut types = Vec::with_capacity(written);
    for (column, taken) in columns.iter().zip(taken) {
        match (AMBIGUOUS.contains(&column.oid), *taken == column.oid) {
            (false, _) => types.push(column.oid),
            (true, true) => types.push(0),
            (true, false) => {
                return wrong(format!(
                    "{} holds objects or arrays (type {}), its target takes type {taken}",
                    column.name, column.oid
                ));
            }
        }
    }
    Ok(types)
}

/// Prepares a statement and gives the types that the server takes its parameters to be of.
async fn prepare(wire: &mut Wire, name: &str, sql: &str, types: &[Oid]) -> Result<Vec<Oid>, ClusterError> {
    let out = wire.outgoing();
    let put = frontend::parse(name, sql, types.iter().copied(), out).and_then(|()| frontend::describe(b'S', name, out));
    put.map_err(|error| wire.answer(error.to_string()))?;
    frontend::sync(wire.outgoing());
    wire.flush().await?;
    let (mut taken, mut problem) = (Vec::new(), None);
    loop {
        match wire.receive().await? {
            Message::ParameterDescription(body) => {
                taken = body.parameters().collect().map_err(|error| wire.answer(error.to_string()))?;
            }
            Message::ErrorResponse(body) => problem = Some(wire.server_error(&body)),
            Message::ReadyForQuery(_) => return problem.map_or(Ok(taken), Err),
            _ => {}
        }
    }
}
