//! What a run has done to the copies of one flow, as the flow's row tells it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use transship_model::ledger::{CopyRow, CopyingRow, CursorRow, Detach, FlowRow};
use transship_model::plan::{CopyNote, PutInPlace};
use transship_model::{Contents, TableName};

/// What has been read into a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) rows: u64,
    /// The identities of the table's indices afterwards.
    pub(crate) indices: BTreeSet<String>,
    /// The source's primary shards before reading, as [`CopyRow`] has them.
    pub(crate) marks: BTreeMap<String, (String, i64)>,
    /// When the run began that read first, where it was another one.
    pub(crate) began: Option<Timestamp>,
    /// How far the copy has come by its cursor.
    pub(crate) cursor: Option<CursorRow>,
}

/// What the source had when a snapshot of a table was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Its rows, where it stood still meanwhile.
    pub(crate) rows: Option<u64>,
    /// Its primary shards before, as [`CopyRow`] has them; those of the chosen partitions alone where some are.
    pub(crate) marks: BTreeMap<String, (String, i64)>,
    /// Those of these shards that the source had no more afterwards: partitions may be dropped at any time.
    pub(crate) gone: BTreeSet<String>,
    /// The rows that each chosen partition had just before, by its ident.
    pub(crate) partitions: BTreeMap<String, u64>,
}

/// What has been restored of a partition into its table.
#[derive(Clone, Debug)]
pub(crate) struct PartitionFilled {
    pub(crate) ident: String,
    pub(crate) rows: u64,
    /// The identity of its index.
    pub(crate) index: String,
    /// The identities of all indices that the table has now.
    pub(crate) indices: BTreeSet<String>,
    /// The source's primary shards of the partition before, as [`CopyRow`] has them.
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
    /// As [`FlowRow::restoring`].
    restoring: BTreeMap<TableName, BTreeMap<String, Option<String>>>,
    /// As [`FlowRow::copying`].
    copying: BTreeMap<TableName, CopyingRow>,
    /// What the ledger had of copies that ended well.
    before: BTreeMap<TableName, CopyRow>,
    /// As [`FlowRow::arriving`], or as [`Detach::arriving`] where the flow has that.
    arriving: BTreeMap<TableName, Contents>,
    /// Copies that have ended well.
    done: BTreeMap<TableName, CopyRow>,
}

impl Copies {
    /// Those of a flow as the run found it.
    pub(super) fn of(row: &FlowRow) -> Self {
        Self {
            placing: row.placing.clone(),
            adding: row.adding.clone(),
            restoring: row.restoring.clone(),
            copying: row.copying.clone(),
            before: row.copies.clone(),
            arriving: row.detach.as_ref().map_or_else(|| row.arriving.clone(), |detach| detach.arriving.clone()),
            ..Self::default()
        }
    }

    pub(super) fn fill(&mut self, copy: &TableName, filled: Filled) {
        self.filled.insert(copy.clone(), filled);
    }

    /// What this run has read into `copy`.
    pub(super) fn filled(&self, copy: &TableName) -> Option<Filled> {
        self.filled.get(copy).cloned()
    }

    /// What is known of a copy that is to be put in place.
    pub(super) fn whole(&self, put: &PutInPlace) -> Option<Filled> {
        let noted = || self.placing.get(&put.table).filter(|note| note.holds.as_ref() == Some(&put.copy));
        self.filled.get(&put.copy).cloned().or_else(|| noted().map(filled))
    }

    /// A subscription is filling tables, which have this by now.
    pub(super) fn arrive(&mut self, arriving: BTreeMap<TableName, Contents>) {
        for (table, contents) in arriving {
            self.arriving.entry(table).or_default().learn(contents);
        }
    }

    /// A half copy is gone, or none any more.
    pub(super) fn forget(&mut self, table: &TableName) {
        if let Some(had) = self.arriving.get_mut(table) {
            *had = Contents::default();
        }
    }

    /// The tables that a subscription fills or has filled in part, with what they have.
    pub(super) fn arriving(&self) -> &BTreeMap<TableName, Contents> {
        &self.arriving
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

    /// What the ledger had of a table before this run.
    pub(super) fn before(&self, table: &TableName) -> Option<CopyRow> {
        self.before.get(table).cloned()
    }

    /// How far a table has come by its cursor.
    pub(super) fn come(&mut self, note: &CopyNote, filled: Filled, began: Timestamp) {
        self.done.insert(note.table.clone(), row(note, filled, began));
    }

    /// Rows are about to be added to a table.
    pub(super) fn add_to(&mut self, table: &TableName) {
        self.adding.insert(table.clone());
    }

    /// What is known of a copy aside that is being filled by chunks.
    pub(super) fn copying(&self, table: &TableName) -> Option<CopyingRow> {
        self.copying.get(table).cloned()
    }

    /// How far a copy aside has come that is being filled by chunks; `None` where it is not to be gone on with.
    pub(super) fn note_copying(&mut self, table: &TableName, copying: Option<CopyingRow>) {
        match copying {
            Some(copying) => self.copying.insert(table.clone(), copying),
            None => self.copying.remove(table),
        };
    }

    /// A partition is about to be restored into its table, or has begun to be, with an index of that identity.
    pub(super) fn begin_partition(&mut self, table: &TableName, ident: &str, index: Option<String>) {
        self.restoring.entry(table.clone()).or_default().insert(ident.to_owned(), index);
    }

    /// A partition of the table is whole. What the ledger has of its other partitions stays where the note says so, and as
    /// this run left it. When the copy began changes only with the last of all that were chosen.
    pub(super) fn end_partition(
        &mut self,
        (note, keeps, renews): (&CopyNote, bool, bool),
        filled: PartitionFilled,
        began: Timestamp,
    ) {
        let kept = || self.before.get(&note.table).filter(|_| keeps).cloned();
        let known = self.done.get(&note.table).cloned().or_else(kept);
        let new = || CopyRow { partitions: BTreeSet::new(), ..row(note, Filled::default(), began) };
        let mut copy = known.unwrap_or_else(new);
        copy.partitions.insert(filled.ident.clone());
        let prefix = format!("{}/", filled.ident);
        copy.marks.retain(|key, _| !key.starts_with(&prefix));
        copy.marks.extend(filled.marks);
        copy.indices.retain(|index| filled.indices.contains(index));
        copy.indices.extend(Some(filled.index).filter(|index| !index.is_empty()));
        if renews {
            copy.began = began;
        }
        copy.rows += filled.rows;
        copy.asked.clone_from(&note.asked);
        self.done.insert(note.table.clone(), copy);
        if let Some(begun) = self.restoring.get_mut(&note.table) {
            begun.remove(&filled.ident);
        }
        self.restoring.retain(|_, begun| !begun.is_empty());
    }

    /// The table is done; whether there is anything to tell of it.
    pub(super) fn finish(&mut self, note: &CopyNote, copy: &TableName, began: Timestamp) -> bool {
        let placing = self.placing.remove(&note.table);
        self.forget(&note.from);
        self.adding.remove(&note.table);
        self.restoring.remove(&note.table);
        self.copying.remove(&note.table);
        let filled = self.filled.get(copy).cloned();
        let Some(done) = filled.map(|filled| row(note, filled, began)).or(placing) else { return false };
        self.done.insert(note.table.clone(), done);
        true
    }

    /// The flow's row with what is known by now.
    pub(super) fn noted(&self, row: &FlowRow) -> FlowRow {
        let mut copies = row.copies.clone();
        copies.extend(self.done.clone());
        let (arriving, detach) = match row.detach {
            Some(_) => (row.arriving.clone(), Some(Detach { arriving: self.arriving.clone() })),
            None => (self.arriving.clone(), None),
        };
        let (placing, adding) = (self.placing.clone(), self.adding.clone());
        let (restoring, copying) = (self.restoring.clone(), self.copying.clone());
        FlowRow { copies, placing, adding, restoring, copying, arriving, detach, ..row.clone() }
    }
}

fn filled(note: &CopyRow) -> Filled {
    let (indices, marks) = (note.indices.clone(), note.marks.clone());
    Filled { rows: note.rows, indices, marks, began: Some(note.began), cursor: note.cursor.clone() }
}

fn row(note: &CopyNote, filled: Filled, began: Timestamp) -> CopyRow {
    let CopyNote { from, asked, holds, partitions, columns, .. } = note.clone();
    let began = filled.began.unwrap_or(began);
    let Filled { rows, indices, marks, cursor, .. } = filled;
    CopyRow { from, asked, holds, partitions, columns, indices, began, rows, marks, cursor }
}
