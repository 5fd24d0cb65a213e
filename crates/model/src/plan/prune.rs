//! What deletes rows of a target that its source no longer has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{Name, TableName};
use crate::time::TimeSpan;

/// The work of [`StepKind::PruneRows`](super::StepKind::PruneRows), on the step's cluster.
///
/// Both clusters make digests of their keys. Where those of a bucket differ, its digests are read, those of the target
/// first. A row whose digest the source has not, and has not when it is asked once more, is deleted by its key, unless it
/// was written meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneRows {
    /// The cluster that is read.
    #[schemars(with = "String")]
    pub source: Name,
    /// The table that is read.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The table whose rows are deleted.
    #[schemars(with = "String")]
    pub into: TableName,
    /// The columns of its primary key, in the order in which the statement that deletes has them.
    pub key: Vec<PrunedKey>,
    /// The statement that tells the partitions of the source that give no rows, sent to it first and before rows go; there may be
    /// none.
    pub unreadable: String,
    /// What is asked of the source.
    pub at_source: KeyReads,
    /// What is asked of the target.
    pub at_target: KeyReads,
    /// The statement that deletes one row as it was seen, sent to the target.
    pub delete: String,
    /// Whether more than half of the rows may go.
    pub allow_shrink: bool,
    /// How long one statement may take.
    pub timeout: TimeSpan,
}

/// A column of the primary key of rows that are deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrunedKey {
    /// Its name on the target.
    pub name: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// What the source has for it: an expression over the columns of its table.
    pub from: String,
}

/// The statements that read the keys of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyReads {
    /// Makes everything written visible.
    pub refresh: String,
    /// Gives the number of rows and the sums of their digests, by bucket.
    pub buckets: String,
    /// Gives the digests of the rows in some buckets; those of the target with the versions of the rows.
    pub in_buckets: String,
    /// Gives the rows that have some digests; those of the target with their versions and keys.
    pub among: String,
    /// The condition of the rows that are compared, and no others; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}
