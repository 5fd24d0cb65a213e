//! Many executions of one statement before one Sync: CrateDB runs them as one bulk.

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::Wire;
use crate::error::ClusterError;

/// The type of every parameter.
const TEXT: u32 = 1043;

/// The name of the statement; a new one takes the place of the one before.
const NAME: &str = "m";

impl Wire {
    /// Executes a statement once for each of `rows`, the texts of its parameters, and tells what the server says of each: the
    /// number of rows that it affected, or a negative one, which says nothing but that it went otherwise.
    pub async fn execute_many(&mut self, sql: &str, rows: &[Vec<String>]) -> Result<Vec<i64>, ClusterError> {
        let types = rows.first().map_or(0, Vec::len);
        let put = frontend::parse(NAME, sql, std::iter::repeat_n(TEXT, types), self.outgoing());
        put.map_err(|error| self.answer(error.to_string()))?;
        for row in rows {
            let write = |text: &String, out: &mut BytesMut| {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            };
            let put = frontend::bind("", NAME, [], row, write, [], self.outgoing());
            put.map_err(|_| self.answer("a value that cannot be sent"))?;
            let put = frontend::execute("", 0, self.outgoing());
            put.map_err(|error| self.answer(error.to_string()))?;
        }
        frontend::sync(self.outgoing());
        self.flush().await?;
        let counts = self.counts().await?;
        if counts.len() == rows.len() {
            return Ok(counts);
        }
        Err(self.answer(format!("{} answers to {} executions", counts.len(), rows.len())))
    }

    async fn counts(&mut self) -> Result<Vec<i64>, ClusterError> {
        let (mut counts, mut problem) = (Vec::new(), None);
        loop {
            match self.receive().await? {
                Message::CommandComplete(body) => {
                    let count = body.tag().ok().and_then(|tag| tag.rsplit(' ').next()?.parse().ok());
                    counts.push(count.ok_or_else(|| self.answer(format!("{:?}", body.tag())))?);
                }
                Message::ErrorResponse(body) => problem = problem.or(Some(self.server_error(&body))),
                Message::ReadyForQuery(_) => return problem.map_or(Ok(counts), Err),
                _ => {}
            }
        }
    }
}
