//! What steps do beyond statements, with every statement that they will send.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CheckFiles, CheckStore, Chunks, CreateSnapshot, Cursor, ExportRows, FillPartition, ForeignObject, ImportRows,
    MergeRows, PruneRows, PullRows, RemoveFiles, RestorePartition, RestoreTable, RunCommand, Transform, WaitFlows,
    WriteFiles, WriteManifest,
};
use crate::name::{Name, TableName};
use crate::time::TimeSpan;

/// What a step does beyond its `sql`, with every statement that it will send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Nothing but what the plan's record says.
    Record,
    /// What the statement does to the tables of a publication.
    ChangeTables(ChangeTables),
    /// The table that the statement drops.
    DropTable(DroppedTable),
    /// Polls until every table is followed and has reached the source's mark, then refreshes.
    WaitSynced(WaitSynced),
    /// Polls until the subscription no longer has the tables.
    WaitReleased(WaitReleased),
    /// Polls until the source has no lease of the subscriber on the tables.
    WaitLeasesGone(WaitLeasesGone),
    /// Polls until other jobs have done flows of their parts.
    WaitFlows(WaitFlows),
    /// Reads rows from the source and writes them, every one accounted for.
    CopyRows(CopyRows),
    /// Runs a program that fills copies aside, whose rows are counted.
    RunCommand(RunCommand),
    /// Writes the rows of a copy aside into a table that is there, every one accounted for, and drops the copy.
    MergeRows(MergeRows),
    /// Deletes rows whose key the source no longer has, each as it was seen.
    PruneRows(PruneRows),
    /// Writes rows to files in a store, every one accounted for.
    ExportRows(ExportRows),
    /// Reads rows from the source and writes them to files in a store, every one accounted for.
    WriteFiles(WriteFiles),
    /// Reads rows from files in a store, every one accounted for.
    ImportRows(ImportRows),
    /// Removes files of earlier exports from a store, as far as this machine reaches it.
    RemoveFiles(RemoveFiles),
    /// Reads the files of an export back, and writes its manifest.
    WriteManifest(WriteManifest),
    /// Compares the files of an export with its manifest.
    CheckFiles(CheckFiles),
    /// Compares the rows of a copy with those of the table before the statement puts the copy in its place.
    PutInPlace(PutInPlace),
    /// Shows that two clusters see the same place in a store.
    CheckStore(CheckStore),
    /// Makes a snapshot and watches it.
    CreateSnapshot(CreateSnapshot),
    /// Restores a table and watches it.
    RestoreTable(RestoreTable),
    /// Restores a partition into its table and watches it.
    RestorePartition(RestorePartition),
    /// Writes the rows of a partition of a copy aside into the table, every one accounted for.
    FillPartition(FillPartition),
    /// Compares what a subscription has filled with the source, and writes the checkpoints into the ledger.
    NoteSynced(NoteSynced),
    /// Counts a table that a subscription has let go of, after the statement gave it the name of a copy aside.
    TakeCopy(TakeCopy),
    /// What the statement makes or drops, of what the target needs to read its source.
    Foreign(ForeignObject),
    /// Has the target read rows from the source, every one accounted for.
    PullRows(PullRows),
}

/// The copy of [`StepKind::CopyRows`](super::StepKind::CopyRows), onto the step's cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyRows {
    /// The cluster that is read.
    #[schemars(with = "String")]
    pub source: Name,
    /// The table that is read.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The table that is written.
    #[schemars(with = "String")]
    pub into: TableName,
    /// The statement that tells the partitions of the source that give no rows, sent to it before and after; there may be
    /// none. `None` where a copy is read that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The statement that reads the source's sequence numbers, sent to it first.
    pub mark: String,
    /// The statement that makes everything written to the source visible, sent to it before reading.
    pub refresh_source: String,
    /// The statement that tells the columns of the source, sent to it first and again at the end: what came meanwhile was not
    /// read. `None` where columns are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// The statement that reads, sent to the source.
    pub select: String,
    /// The statement that writes one row, sent to the target for every row; with `many`, one statement of the same form has
    /// as many rows of values as the target takes at once.
    pub insert: String,
    /// What that does with a row whose primary key is there already.
    pub write: RowWrite,
    /// How rows are written many at a time; `None` where each has an answer of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub many: Option<Box<ManyRows>>,
    /// The columns that name a row.
    pub key: Vec<KeyColumn>,
    /// Whether the table that is written has a primary key of its own: only then a row may be sent again whose answer is
    /// not known.
    pub keyed: bool,
    /// Whether rows hold values that nothing may show: of a row that is refused only the kind of reason is told then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// Places in columns of `select` whose values JSON does not carry by itself.
    pub inner: Vec<InnerPlace>,
    /// What becomes of the columns on the way; `None` where every cell is written as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Box<Transform>>,
    /// The statement that makes the rows visible, sent to the target afterwards.
    pub refresh: String,
    /// The statement that counts the rows of a copy that is made aside: as many as were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// How the rows of a copy that is made aside are divided, so that a run that was cut is gone on with; `None` where they
    /// cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Chunks>,
    /// The column by which the next run finds what is new; `None` where none is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Box<Cursor>>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// What the ledger notes when the table is done with this step; `None` where it has yet to be put in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<CopyNote>,
}

/// What writing does with a row whose primary key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowWrite {
    /// The row is refused.
    Insert,
    /// The row takes its place.
    Upsert,
    /// What is there stays: for tables of which every column belongs to the primary key, and where rows are only added.
    Keep,
}

/// Rows that are written many at a time. Where the target says that it wrote fewer, they are sent again one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyRows {
    /// The statement that writes a row of a copy aside again, be it there or not; `None` where the statement that writes is
    /// such a one, or where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<WriteAgain>,
    /// The statement that empties a copy aside whose rows are not all there, before it is filled once more, row by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<String>,
}

/// How a row is written that may be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteAgain {
    /// The statement.
    pub insert: String,
    /// What it does with a row that is there.
    pub write: RowWrite,
}

/// A column that names a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyColumn {
    /// Its place among the columns of the select, or of what a transformation makes of them, from 0.
    pub at: u32,
    /// Its name on the target.
    pub name: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// Whether its values may not be shown: a row is named by the other columns then, or by its place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// A place in a column whose values JSON does not carry by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InnerPlace {
    /// The column's place among those of the select, from 0.
    pub at: u32,
    /// The name of the column, or sub-column (`o['a']`), of the source.
    pub name: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
}

/// The check of a step that puts a copy in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutInPlace {
    /// The copy.
    #[schemars(with = "String")]
    pub copy: TableName,
    /// The name that it gets.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The name that a table keeps whose own a view takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub aside: Option<TableName>,
    /// The statement that counts the rows of the copy.
    pub count_copy: String,
    /// The statement that counts the rows of what it replaces; `None` where nothing is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_table: Option<String>,
    /// Whether it may have less than half of the rows of what it replaces, or none.
    pub allow_shrink: bool,
    /// What the ledger notes when it is in place.
    pub done: CopyNote,
}

/// The comparison of [`StepKind::NoteSynced`](super::StepKind::NoteSynced), on the subscribing cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteSynced {
    /// The publishing cluster.
    #[schemars(with = "String")]
    pub source: Name,
    /// The subscription on the step's cluster.
    pub subscription: String,
    /// The statement that reads the states of the tables, sent to the target.
    pub states: String,
    /// The statement that reads the sequence numbers, sent to the source before and after counting and to the target.
    pub mark: String,
    /// The statement that makes all rows visible, sent to both.
    pub refresh: String,
    /// The tables.
    pub tables: Vec<SyncedTable>,
}

/// A table of [`NoteSynced`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncedTable {
    /// The statement that counts its rows, sent to both clusters.
    pub count: String,
    /// What the ledger notes of it.
    pub note: CopyNote,
}

/// What [`StepKind::TakeCopy`](super::StepKind::TakeCopy) takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeCopy {
    /// The table as the subscription left it.
    #[schemars(with = "String")]
    pub arrived: TableName,
    /// The name that it gets.
    #[schemars(with = "String")]
    pub copy: TableName,
    /// The table of the flow that it is a copy for: what the ledger has in sync.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The statement that reads its sequence numbers under the new name.
    pub reached: String,
    /// The statement that makes its rows visible under the new name.
    pub refresh: String,
    /// The statement that counts its rows under the new name.
    pub count: String,
    /// What the ledger notes when it is in place by that; `None` where it has yet to be put in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<CopyNote>,
}

/// What the ledger notes of a table that was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyNote {
    /// The table on the target.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The table on the source.
    #[schemars(with = "String")]
    pub from: TableName,
    /// SHA-256 in hexadecimal of what was asked for the table.
    pub asked: String,
    /// The table that holds the rows, where the name is a view over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub holds: Option<TableName>,
    /// The idents of the chosen partitions; none for the whole table.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partitions: BTreeSet<String>,
    /// The columns of the table that are written; none where whole tables travel.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
}

/// The table of [`StepKind::DropTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DroppedTable {
    /// Its name on the step's cluster.
    #[schemars(with = "String")]
    pub table: TableName,
    /// Its definition as SHOW CREATE TABLE told it: for reviewers, and for who wants it back. `None` where it was not read.
    pub definition: Option<String>,
}

/// The tables of a publication around [`StepKind::PublishTables`] or [`StepKind::UnpublishTables`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTables {
    /// The publication on the step's cluster.
    pub publication: String,
    /// Its tables before the step.
    #[schemars(with = "BTreeSet<String>")]
    pub before: BTreeSet<TableName>,
    /// Its tables after the step.
    #[schemars(with = "BTreeSet<String>")]
    pub after: BTreeSet<TableName>,
}

/// The wait of [`StepKind::WaitSynced`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitSynced {
    /// The publishing cluster.
    #[schemars(with = "String")]
    pub source: Name,
    /// The subscription on the step's cluster.
    pub subscription: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// The statement that reads the mark, sent once to the source.
    pub mark: String,
    /// The statement that reads the states of the tables, sent to the target until done.
    pub states: String,
    /// The statement that reads what the target has reached, sent to the target until done.
    pub reached: String,
    /// The statement that makes the rows visible, sent to the target at the end.
    pub refresh: String,
}

/// The wait of [`StepKind::WaitReleased`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitReleased {
    /// The subscription on the step's cluster.
    pub subscription: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// Whether tables that are not let go of are a failure; if not, the subscription is dropped with them.
    pub required: bool,
    /// The statement that reads the states, sent until none of the tables is left.
    pub states: String,
}

/// The wait of [`StepKind::WaitLeasesGone`], on the publishing cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitLeasesGone {
    /// The subscribing cluster's `sys.cluster.name`.
    pub subscriber: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// Whether leases that stay are a failure, because a new subscription would collide with them; if not, they are
    /// reported, and end by themselves.
    pub required: bool,
    /// Leases from the first operation on that nobody has renewed for so long are in nobody's way.
    pub unused_after: TimeSpan,
    /// The statement that reads the leases.
    pub leases: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
