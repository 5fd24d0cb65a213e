//! Makes the rows that are written of those that are read, and names those that cannot be made.

use crate::cell;
use crate::error::RefusedRow;
use crate::job::{Job, KeyColumn};
use crate::read::Column;
use crate::transform::{Ready, Refused, Scratch};

/// What becomes of the rows of a copy.
pub(crate) struct Making<'a> {
    ready: Ready<'a>,
    job: &'a Job,
    /// The columns that it gives.
    gives: &'a [Column],
}

/// The same while it is done.
pub(crate) struct Maker<'a> {
    making: &'a Making<'a>,
    scratch: Scratch,
    made: Vec<u8>,
}

impl<'a> Making<'a> {
    pub(crate) const fn new(ready: Ready<'a>, job: &'a Job, gives: &'a [Column]) -> Self {
        Self { ready, job, gives }
    }

    pub(crate) fn begin(&self) -> Maker<'_> {
        Maker { making: self, scratch: Scratch::default(), made: Vec::new() }
    }
}

impl Maker<'_> {
    /// The row that is written, of one that was read.
    pub(crate) fn make(&mut self, row: &[u8]) -> Result<&[u8], Refused> {
        self.made.clear();
        self.making.ready.row(row, &mut self.scratch, &mut self.made)?;
        Ok(&self.made)
    }

    /// What is told of a row that cannot be made: its number, what of its key may be shown, and the reason.
    pub(crate) fn refused(&mut self, number: u64, row: &[u8], why: &Refused) -> RefusedRow {
        let shown: Vec<&KeyColumn> = self.making.job.key.iter().filter(|column| !column.sensitive).collect();
        let named = shown.into_iter().filter_map(|column| {
            let cell = self.making.ready.cell(column.at, row, &mut self.scratch)?;
            let text = cell::text(cell.as_deref(), self.making.gives.get(column.at)?.oid, &column.data_type);
            Some((column.name.clone(), self.making.job.source.redactor.redact(&text)))
        });
        RefusedRow { number, key: named.collect(), reason: why.to_string() }
    }
}
