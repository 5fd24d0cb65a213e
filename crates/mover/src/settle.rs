//! From what the server says of a bulk to rows that are written, refused for a reason, or to be sent again.
//!
//! A row that its shard refuses (a key that is taken, a constraint that is broken) is counted below zero while the others
//! of its bulk are written; the reason comes only to a row that is sent alone. A value that cannot be cast makes the whole
//! bulk fail before anything is written: such a bulk is halved until the row stands alone, and so is one of which every
//! row is refused. After any other error of a bulk some shards may have written their rows.

use std::ops::Range;
use std::time::Duration;

use transship_cluster::{ClusterError, ErrorKind};

use crate::batch::Batch;
use crate::cell;
use crate::class;
use crate::error::{MoveError, RefusedRow};
use crate::job::Write;
use crate::many::Said;
use crate::read::Column;
use crate::reason;
use crate::write::{By, Writer};

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
    /// By which statement they are sent.
    by: By,
}

impl Writer<'_> {
    /// Writes a batch, down to the last row that can be written, with at most `most` rows in a statement.
    pub(crate) async fn write(&mut self, batch: &Batch, most: usize) -> Result<(), MoveError> {
        let none = || (Vec::new(), 0..batch.rows());
        let (parts, rest) = self.many.as_ref().map_or_else(none, |many| many.divide(batch.rows(), most));
        for part in parts {
            self.write_many(batch, part).await?;
        }
        let most = most.clamp(1, batch.rows().max(1));
        for start in rest.clone().step_by(most) {
            self.settle_all(batch, start..rest.end.min(start + most), By::Insert).await?;
        }
        Ok(())
    }

    /// Writes rows by one statement, or, where not all of them were written, one by one.
    async fn write_many(&mut self, batch: &Batch, rows: Range<usize>) -> Result<(), MoveError> {
        let Some(many) = self.many.as_mut() else { return self.settle_all(batch, rows, By::Insert).await };
        match many.prepare(&mut self.wire, rows.len()).await {
            Ok(()) => {}
            Err(error) if is_of_connection(&error.kind) => return Err(self.lost(rows.len(), error)),
            // A server that takes no statement of that length takes rows one by one, as one that is busy does for once.
            Err(error) => {
                self.was_busy |= error.kind == ErrorKind::Transient;
                self.many = self.many.take().filter(|_| error.kind == ErrorKind::Transient);
                return self.settle_all(batch, rows, By::Insert).await;
            }
        }
        let Said { written, error } = match many.exchange(&mut self.wire, batch, rows.clone()).await {
            Ok(said) => said,
            Err(error) => return Err(self.lost(rows.len(), error)),
        };
        if error.is_none() && written == rows.len() as u64 {
            self.tally.written(batch.part, written);
            return Ok(());
        }
        if let Some(error) = error.as_ref().filter(|error| is_fatal(&error.kind)) {
            return Err(self.tally.target(error.clone().during(&self.job.insert)));
        }
        let nothing_written = error.as_ref().is_some_and(|error| reason::is_of_evaluation(&error.message));
        let by = if nothing_written { By::Insert } else { By::Again };
        if by == By::Again && self.statement(by).1 == Write::Insert {
            return Err(self.tally.short(rows.len(), written, error));
        }
        if error.is_some_and(|error| error.kind == ErrorKind::Transient) {
            self.was_busy = true;
            tokio::time::sleep(PAUSE).await;
        }
        self.settle_all(batch, rows, by).await
    }

    /// The error for rows whose answer did not come, or that were not sent again since the statement cannot be prepared.
    fn lost(&self, rows: usize, error: ClusterError) -> MoveError {
        match error.kind {
            ErrorKind::Withheld => MoveError::Cancelled { progress: self.tally.progress() },
            ref kind if is_of_connection(kind) => self.tally.unknown(rows, error.during(&self.job.insert)),
            _ => self.tally.short(rows, 0, Some(error)),
        }
    }

    /// Writes rows one by one, down to the last that can be written.
    async fn settle_all(&mut self, batch: &Batch, rows: Range<usize>, by: By) -> Result<(), MoveError> {
        let mut open = vec![Portion { rows: rows.collect(), attempts: 0, uncertain: false, by }];
        open.retain(|portion| !portion.rows.is_empty());
        while let Some(portion) = open.pop() {
            let more = self.settle(batch, portion).await?;
            // The last is taken next: rows keep their order, so that of two with one key the first is written.
            open.extend(more.into_iter().rev());
        }
        Ok(())
    }

    async fn settle(&mut self, batch: &Batch, portion: Portion) -> Result<Vec<Portion>, MoveError> {
        let answer = match self.exchange(batch, &portion.rows, portion.by).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.lost(portion.rows.len(), error)),
        };
        if let Some(error) = answer.error {
            return self.refused_as_one(batch, portion, error).await;
        }
        let by = portion.by;
        let keeps = self.statement(by).1 == Write::Keep;
        let taken = |count: i64| count == 1 || (count == 0 && keeps);
        let (written, refused): (Vec<_>, Vec<_>) =
            portion.rows.iter().copied().zip(answer.counts).partition(|(_, count)| taken(*count));
        let kept = written.iter().filter(|(_, count)| *count == 0).count();
        if kept > 0 {
            self.tally.kept(batch.part, kept as u64);
        }
        if written.len() > kept {
            self.tally.written(batch.part, (written.len() - kept) as u64);
        }
        // Refused rows are counted below zero. Nought is what CrateDB says of a shard that went away meanwhile.
        let lost = refused.iter().filter(|(_, count)| *count >= 0).count();
        let uncertain = portion.uncertain || lost > 0;
        if lost > 0 && self.may_double(by) {
            return Err(self.tally.unknown(lost, self.no_reason("it counted no row and gave no reason")));
        }
        let rows: Vec<usize> = refused.into_iter().map(|(at, _)| at).collect();
        match (rows.len(), written.is_empty()) {
            (0, _) => Ok(Vec::new()),
            (1, true) => self.refuse(batch, rows[0], None).map(|()| Vec::new()),
            (_, true) => Ok(halves(&rows, &Portion { uncertain, ..portion })),
            (_, false) => {
                Ok(rows.into_iter().map(|at| Portion { rows: vec![at], attempts: 0, uncertain, by }).collect())
            }
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
        let Portion { rows, attempts, uncertain, by } = portion;
        let is_insert = self.statement(by).1 == Write::Insert;
        // Tables fill up one by one, partitions too: some of the rows may be there.
        let is_in_part = error.kind == ErrorKind::DiskFull && rows.len() > 1 && self.may_double(by);
        if is_fatal(&error.kind) && !is_in_part {
            return Err(self.tally.target(error.during(&self.job.insert)));
        }
        let alone = rows.len() == 1;
        let nothing_written = reason::is_of_evaluation(&error.message);
        let ambiguous = match error.kind {
            ErrorKind::DuplicateKey => uncertain,
            ErrorKind::Transient => self.may_double(by),
            ErrorKind::Killed | ErrorKind::Timeout | ErrorKind::DiskFull => true,
            _ => !alone && !nothing_written && self.may_double(by),
        };
        if ambiguous {
            return Err(self.tally.unknown(rows.len(), error.during(&self.job.insert)));
        }
        if error.kind == ErrorKind::Transient {
            if attempts + 1 >= ATTEMPTS {
                let error = error.during(&self.job.insert);
                return Err(if is_insert { self.tally.unknown(rows.len(), error) } else { self.tally.target(error) });
            }
            self.was_busy = true;
            tokio::time::sleep(PAUSE * 2_u32.pow(attempts)).await;
            return Ok(vec![Portion { rows, attempts: attempts + 1, uncertain: is_insert, by }]);
        }
        if alone {
            return self.refuse(batch, rows[0], Some(&error.message)).map(|()| Vec::new());
        }
        let uncertain = uncertain || (!nothing_written && is_insert);
        Ok(halves(&rows, &Portion { rows: Vec::new(), attempts, uncertain, by }))
    }

    /// Whether a row that is sent twice may be there twice.
    fn may_double(&self, by: By) -> bool {
        self.statement(by).1 == Write::Insert && !self.job.keyed
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

fn halves(rows: &[usize], of: &Portion) -> Vec<Portion> {
    let (left, right) = rows.split_at(rows.len().div_ceil(2));
    let parts = [left, right].into_iter().filter(|part| !part.is_empty());
    parts.map(|part| Portion { rows: part.to_vec(), ..*of }).collect()
}

/// Errors after which nothing more can be sent.
const fn is_of_connection(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionLost | ErrorKind::Timeout | ErrorKind::Withheld | ErrorKind::Answer)
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
            | ErrorKind::DiskFull
    )
}

#[cfg(test)]
mod tests;
