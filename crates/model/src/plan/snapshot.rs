//! What steps do with snapshots, and with chosen partitions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CopyNote, CopyRows};
use crate::name::TableName;
use crate::time::TimeSpan;

/// The snapshot of [`StepKind::CreateSnapshot`](super::StepKind::CreateSnapshot), on the step's cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// The statement that makes everything written visible, sent before the counts.
    pub refresh: String,
    /// The statement that reads the sequence numbers, sent before and after.
    pub mark: String,
    /// The statements that count the rows of the tables, in their order; of the chosen partitions alone where some are.
    pub counts: Vec<String>,
    /// The chosen partitions; of any other table the snapshot has the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<SnapshotPartition>,
    /// The statement that looks at the snapshot, sent until it is done.
    pub look: String,
    /// How long it may take.
    pub timeout: TimeSpan,
}

/// A chosen partition of a table in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotPartition {
    /// The table.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The partition.
    pub partition: PlannedPartition,
    /// The statement that counts its rows.
    pub count: String,
}

/// One partition of a table, by its values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedPartition {
    /// Every column that makes partitions, in their order, with its value.
    pub values: Vec<PartitionValue>,
}

/// A column that makes partitions, and its value in one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionValue {
    /// The column.
    pub column: String,
    /// The value as the text that names of partitions hold; `None` for NULL.
    pub value: Option<String>,
}

/// The restore of [`StepKind::RestorePartition`](super::StepKind::RestorePartition) and
/// [`StepKind::ReplacePartition`](super::StepKind::ReplacePartition), on the step's cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestorePartition {
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: String,
    /// The table in the snapshot.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The table that gets the partition.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The partition.
    pub partition: PlannedPartition,
    /// The identity of the index that the first statement deletes with all of its rows; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether the partition may have less than half of the rows of the one that it replaces, or none.
    pub allow_shrink: bool,
    /// The statement that looks at restores that run, sent until there is none.
    pub running: String,
    /// The statement that looks for shards that are missing, sent until none of the partition is.
    pub missing: String,
    /// The statement that reads the sequence numbers of the table.
    pub reached: String,
    /// The statement that makes the rows visible.
    pub refresh: String,
    /// The statement that counts the rows of the partition, sent before and after.
    pub count: String,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// What the ledger notes of the table when the partition is there.
    pub done: CopyNote,
    /// Whether the ledger keeps what it has of other partitions of the table: they stay as they are.
    pub keeps: bool,
    /// Whether all chosen partitions have been copied anew once this one is.
    pub renews: bool,
}

/// What [`StepKind::FillPartition`](super::StepKind::FillPartition) writes, and
/// [`StepKind::ReplacePartition`](super::StepKind::ReplacePartition) where no snapshot is restored, on the step's cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FillPartition {
    /// How the rows get from the copy into the table, both on the step's cluster.
    pub rows: Box<CopyRows>,
    /// The partition.
    pub partition: PlannedPartition,
    /// The identity of the index that the statement deletes with all of its rows; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether the partition may have less than half of the rows of the one that it replaces, or none.
    pub allow_shrink: bool,
    /// The statement that counts the rows of the partition in the copy.
    pub expected: String,
    /// What shows that the copy has no row of any other partition, before the first of them is touched; `None` for the
    /// others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartsOfCopy>,
    /// The statement that counts them in the table, sent before and after.
    pub count: String,
    /// The statement that drops the copy, where this is the last partition that it is needed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<String>,
    /// What the ledger notes of the table when the partition is there.
    pub done: CopyNote,
    /// Whether the ledger keeps what it has of other partitions of the table: they stay as they are.
    pub keeps: bool,
    /// Whether all chosen partitions have been copied anew once this one is.
    pub renews: bool,
}

/// Two statements that count the same rows of a copy aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartsOfCopy {
    /// All of them.
    pub all: String,
    /// Those of the chosen partitions.
    pub chosen: String,
}

/// The restore of [`StepKind::RestoreTable`](super::StepKind::RestoreTable), on the step's cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreTable {
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: String,
    /// The table in the snapshot.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The name that it gets.
    #[schemars(with = "String")]
    pub copy: TableName,
    /// The chosen partitions; none for the whole table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PlannedPartition>,
    /// The statement that looks at restores that run, sent until there is none.
    pub running: String,
    /// The statement that looks for shards that are missing, sent until none is.
    pub missing: String,
    /// The statement that reads the sequence numbers of the copy.
    pub reached: String,
    /// The statement that makes the rows visible.
    pub refresh: String,
    /// The statement that counts them.
    pub count: String,
    /// How long it may take.
    pub timeout: TimeSpan,
}
