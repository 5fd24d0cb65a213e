//! From what the server says of a bulk to rows that are written, refused for a reason, or to be sent again.
//!
//! A row that its shard refuses (a key that is taken, a constraint that is broken) is counted below zero while the others
//! of its bulk are written; the reason comes only to a row that is sent alone. A value that cannot be cast makes the whole
//! bulk fail before anything is written: such a bulk is halved until the row stands alone, and so is one of which every
//! row is refused. After any other error of a bulk some shards may have written their rows.

use std::time::Duration;

use transship_cluster::{ClusterError, ErrorKind};

use crate::batch::Batch;
use crate::cell;
use crate::class;
use crate::error::{MoveError, RefusedRow};
use crate::job::Write;
use crate::read::Column;
use crate::reason;
use crate::write::Writer;

/// How often rows are sent that the target cannot take at the moment.
const ATTEMPTS: u32 = 8;

/// The first wait before they are sent again; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(200);

/// What is told of a row that is refused without a word.
const NO_REASON: &str = "refused without a reason";

/// Rows that are still to be settled.
struct Portion {
    /// Their places in the batch.
    rows: Vec<usize>,
    /// How often they were sent to a target that could not take them.
    attempts: u32,
    /// Whether they may have been written by an attempt that failed.
    uncertain: bool,
}

impl Writer<'_> {
    /// Writes a batch, down to the last row that can be written.
    pub(crate) async fn write(&mut self, batch: &Batch) -> Result<(), MoveError> {
        let mut open = vec![Portion { rows: (0..batch.rows()).collect(), attempts: 0, uncertain: false }];
        while let Some(portion) = open.pop() {
            let more = self.settle(batch, portion).await?;
            // The last is taken next: rows keep their order, so that of two with one key the first is written.
            open.extend(more.into_iter().rev());
        }
        Ok(())
    }

    async fn settle(&mut self, batch: &Batch, portion: Portion) -> Result<Vec<Portion>, MoveError> {
        let answer = match self.exchange(batch, &portion.rows).await {
            Ok(answer) => answer,
            Err(error) if error.kind == ErrorKind::Withheld => {
                return Err(MoveError::Cancelled { progress: self.tally.progress() });
            }
            Err(error) => return Err(self.tally.unknown(portion.rows.len(), error.during(&self.job.insert))),
        };
        if let Some(error) = answer.error {
            return self.refused_as_one(batch, portion, error).await;
        }
        let taken = |count: i64| count == 1 || (count == 0 && self.job.write == Write::Keep);
        let (written, refused): (Vec<_>, Vec<_>) =
            portion.rows.iter().copied().zip(answer.counts).partition(|(_, count)| taken(*count));
        if !written.is_empty() {
            self.tally.written(written.len() as u64);
        }
        // Refused rows are counted below zero. Nought is what CrateDB says of a shard that went away meanwhile.
        let lost = refused.iter().filter(|(_, count)| *count >= 0).count();
        let uncertain = portion.uncertain || lost > 0;
        if lost > 0 && self.may_double() {
            return Err(self.tally.unknown(lost, self.no_reason("it counted no row and gave no reason")));
        }
        let rows: Vec<usize> = refused.into_iter().map(|(at, _)| at).collect();
        match (rows.len(), written.is_empty()) {
            (0, _) => Ok(Vec::new()),
            (1, true) => self.refuse(batch, rows[0], None).map(|()| Vec::new()),
            (_, true) => Ok(halves(&rows, portion.attempts, uncertain)),
            (_, false) => Ok(rows.into_iter().map(|at| Portion { rows: vec![at], attempts: 0, uncertain }).collect()),
        }
    }

    /// The server answers with an error: to a row that was sent alone, or to a bulk of which some shards may have
    /// written their rows.
    async fn refused_as_one(
        &mut self,
        batch: &Batch,
        portion: Portion,
        error: ClusterError,
    ) -> Result<Vec<Portion>, MoveError> {
        let Portion { rows, attempts, uncertain } = portion;
        if is_fatal(&error.kind) {
            return Err(self.tally.target(error.during(&self.job.insert)));
        }
        let alone = rows.len() == 1;
        let nothing_written = reason::is_of_evaluation(&error.message);
        let ambiguous = match error.kind {
            ErrorKind::DuplicateKey => uncertain,
            ErrorKind::Transient => self.may_double(),
            ErrorKind::Killed | ErrorKind::Timeout => true,
            _ => !alone && !nothing_written && self.may_double(),
        };
        if ambiguous {
            return Err(self.tally.unknown(rows.len(), error.during(&self.job.insert)));
        }
        if error.kind == ErrorKind::Transient {
            if attempts + 1 >= ATTEMPTS {
                let error = error.during(&self.job.insert);
                let again = self.job.write != Write::Insert;
                return Err(if again { self.tally.target(error) } else { self.tally.unknown(rows.len(), error) });
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(attempts)).await;
            return Ok(vec![Portion { rows, attempts: attempts + 1, uncertain: self.job.write == Write::Insert }]);
        }
        if alone {
            return self.refuse(batch, rows[0], Some(&error.message)).map(|()| Vec::new());
        }
        let uncertain = uncertain || (!nothing_written && self.job.write == Write::Insert);
        Ok(halves(&rows, attempts, uncertain))
    }

    /// Whether a row that is sent twice may be there twice.
    fn may_double(&self) -> bool {
        self.job.write == Write::Insert && !self.job.keyed
    }

    fn refuse(&self, batch: &Batch, at: usize, reason: Option<&str>) -> Result<(), MoveError> {
        let cells: Vec<_> = batch.cells(at).zip(self.columns).collect();
        let named = self.job.key.iter().filter(|column| !column.sensitive).map(|column| {
            let text = cells.get(column.at).map(|(cell, read)| cell::text(*cell, read.oid, &column.data_type));
            (column.name.clone(), text.unwrap_or_default())
        });
        let row = RefusedRow {
            number: batch.number(at),
            key: named.map(|(name, text)| (name, self.job.source.redactor.redact(&text))).collect(),
            reason: reason.map_or_else(|| NO_REASON.to_owned(), |reason| self.told(reason, &cells)),
        };
        if self.tally.refused(row) >= self.job.limits.refused {
            return Err(self.tally.refusal(true));
        }
        Ok(())
    }

    /// A reason without the values of the row; those of its key stand beside it anyway.
    fn told(&self, reason: &str, cells: &[(Option<&[u8]>, &Column)]) -> String {
        if self.job.sensitive {
            return class::of(reason);
        }
        let key = &self.job.key;
        let others = cells.iter().enumerate().filter(|(at, _)| !key.iter().any(|column| column.at == *at));
        let hidden = others.filter_map(|(_, (cell, read))| cell.map(|cell| cell::text(Some(cell), read.oid, "")));
        reason::without_values(reason, hidden)
    }

    fn no_reason(&self, message: &str) -> ClusterError {
        ClusterError::new(&self.job.target.name, ErrorKind::Answer, message).during(&self.job.insert)
    }
}

fn halves(rows: &[usize], attempts: u32, uncertain: bool) -> Vec<Portion> {
    let (left, right) = rows.split_at(rows.len().div_ceil(2));
    let parts = [left, right].into_iter().filter(|part| !part.is_empty());
    parts.map(|part| Portion { rows: part.to_vec(), attempts, uncertain }).collect()
}

/// Errors that every row would meet.
const fn is_fatal(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::MissingPrivilege { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::Subscribed { .. }
            | ErrorKind::Published { .. }
            | ErrorKind::NotAllowed { .. }
            | ErrorKind::Authentication
            | ErrorKind::Syntax
    )
}

#[cfg(test)]
mod tests;
