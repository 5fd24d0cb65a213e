//! What a run has done to the copies of one flow, as the flow's row tells it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use transship_model::TableName;
use transship_model::ledger::{CopyRow, Detach, FlowRow};
use transship_model::plan::{CopyNote, PutInPlace};

/// What has been read into a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) rows: u64,
    /// The identities of the table's indices afterwards.
    pub(crate) indices: BTreeSet<String>,
    /// The source's primary shards before reading, as [`CopyRow`] has them.
    pub(crate) marks: BTreeMap<String, (String, i64)>,
}

/// What the source had when a snapshot of a table was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Its rows, where it stood still meanwhile.
    pub(crate) rows: Option<u64>,
    /// Its primary shards before, as [`CopyRow`] has them.
    pub(crate) marks: BTreeMap<String, (String, i64)>,
}

/// What has been exported of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exported {
    pub(crate) rows: u64,
    /// The names of the files, of which some may not be there: none is written for shards that a condition rules out.
    pub(crate) files: BTreeSet<String>,
    /// The names of files of JSON beside those of CSV, for rows that have no exact form in that.
    pub(crate) rest: BTreeSet<String>,
    /// Whether rows were chosen by a condition.
    pub(crate) is_chosen: bool,
    /// The source's primary shards before reading, as [`CopyRow`] has them.
    pub(crate) marks: BTreeMap<String, (String, i64)>,
}

/// The copies of one flow.
#[derive(Default)]
pub(super) struct Copies {
    /// What this run has read, by the table that it was written to.
    filled: BTreeMap<TableName, Filled>,
    /// As [`FlowRow::placing`].
    placing: BTreeMap<TableName, CopyRow>,
    /// As [`FlowRow::adding`].
    adding: BTreeSet<TableName>,
    /// As [`Detach::arriving`].
    arriving: BTreeMap<TableName, BTreeSet<String>>,
    /// Copies that have ended well.
    done: BTreeMap<TableName, CopyRow>,
}

impl Copies {
    /// Those of a flow as the run found it.
    pub(super) fn of(row: &FlowRow) -> Self {
        Self { placing: row.placing.clone(), adding: row.adding.clone(), ..Self::default() }
    }

    pub(super) fn fill(&mut self, copy: &TableName, filled: Filled) {
        self.filled.insert(copy.clone(), filled);
    }

    /// What is known of a copy that is to be put in place.
    pub(super) fn whole(&self, put: &PutInPlace) -> Option<Filled> {
        let noted = || self.placing.get(&put.table).filter(|note| note.holds.as_ref() == Some(&put.copy));
        self.filled.get(&put.copy).cloned().or_else(|| noted().map(filled))
    }

    /// A subscription is filling tables with these indices.
    pub(super) fn arrive(&mut self, arriving: BTreeMap<TableName, BTreeSet<String>>) {
        self.arriving.extend(arriving);
    }

    /// A subscription has filled the table in full.
    pub(super) fn sync(&mut self, note: &CopyNote, filled: Filled, began: Timestamp) {
        self.placing.insert(note.table.clone(), row(note, filled, began));
    }

    /// What is known of a table that is in sync.
    pub(super) fn synced(&self, table: &TableName) -> Option<Filled> {
        self.placing.get(table).map(filled)
    }

    /// A copy is about to be put in place.
    pub(super) fn place(&mut self, put: &PutInPlace, began: Timestamp) {
        if let Some(filled) = self.filled.get(&put.copy) {
            self.placing.insert(put.table.clone(), row(&put.done, filled.clone(), began));
        }
    }

    /// Rows are about to be added to a table.
    pub(super) fn add_to(&mut self, table: &TableName) {
        self.adding.insert(table.clone());
    }

    /// The table is done; whether there is anything to tell of it.
    pub(super) fn finish(&mut self, note: &CopyNote, copy: &TableName, began: Timestamp) -> bool {
        let placing = self.placing.remove(&note.table);
        self.adding.remove(&note.table);
        let filled = self.filled.get(copy).cloned();
        let Some(done) = filled.map(|filled| row(note, filled, began)).or(placing) else { return false };
        self.done.insert(note.table.clone(), done);
        true
    }

    /// The flow's row with what is known by now.
    pub(super) fn noted(&self, row: &FlowRow) -> FlowRow {
        let mut copies = row.copies.clone();
        copies.extend(self.done.clone());
        let detach = row.detach.clone().map(|Detach { mut arriving }| {
            arriving.extend(self.arriving.clone());
            Detach { arriving }
        });
        FlowRow { copies, placing: self.placing.clone(), adding: self.adding.clone(), detach, ..row.clone() }
    }
}

fn filled(note: &CopyRow) -> Filled {
    Filled { rows: note.rows, indices: note.indices.clone(), marks: note.marks.clone() }
}

fn row(note: &CopyNote, filled: Filled, began: Timestamp) -> CopyRow {
    let CopyNote { from, asked, holds, .. } = note.clone();
    CopyRow { from, asked, holds, indices: filled.indices, began, rows: filled.rows, marks: filled.marks }
}
