//! What a target needs to read tables of its source by itself, and how it copies them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CopyNote, RowWrite};
use crate::name::{Name, TableName};
use crate::time::TimeSpan;

/// What a target needs to read a table of its source: what steps make and drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ForeignObject {
    /// The server: the source, as the target reaches it.
    Server {
        /// Its name.
        server: String,
        /// Its `url`, without a secret.
        url: String,
    },
    /// As whom the connected user reads there.
    UserMapping {
        /// The server's name.
        server: String,
        /// The user of the source.
        user: String,
        /// Whether a password is bound.
        password: bool,
    },
    /// A table of the source.
    Table {
        /// Its name on the target.
        #[schemars(with = "String")]
        table: TableName,
        /// The server's name.
        server: String,
        /// The table of the source.
        #[schemars(with = "String")]
        from: TableName,
        /// Its columns: those that are read.
        columns: Vec<ForeignColumn>,
    },
}

/// A column of a foreign table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignColumn {
    /// Its name, here and on the source.
    pub name: String,
    /// Its type, as CREATE TABLE has it.
    pub data_type: String,
}

/// The copy of [`StepKind::PullRows`](super::StepKind::PullRows): the step's cluster reads the source by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullRows {
    /// The cluster that is read.
    #[schemars(with = "String")]
    pub source: Name,
    /// The table that is read.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The foreign table through which it is read.
    #[schemars(with = "String")]
    pub through: TableName,
    /// The table that is written.
    #[schemars(with = "String")]
    pub into: TableName,
    /// The statement that tells the partitions of the source that give no rows, sent to it before and after; there may be
    /// none.
    pub unreadable: String,
    /// The statement that reads the source's sequence numbers, sent to it before and after.
    pub mark: String,
    /// The statement that makes everything written to the source visible, sent to it before reading.
    pub refresh_source: String,
    /// The statement that counts values that would arrive as others, sent to the source before and after; `None` where
    /// no column can have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
    /// The columns of which `unfit` tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limited: Vec<String>,
    /// The same of a copy aside, sent to the target at the end: whatever the source had for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<String>,
    /// The statements for all rows at once: for a table that is one chunk.
    pub whole: PullStatements,
    /// The statement that tells the columns of the source, sent to it first and again at the end: what came meanwhile was not
    /// read. `None` where columns are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// The statement that tells how many rows the source has and how large they are, sent to it before reading: what is read
    /// at once has to fit the heap of a node of the target.
    pub sizes: String,
    /// What writing does with a row whose primary key is there already.
    pub write: RowWrite,
    /// How the rows are divided into chunks that fit the target's heap; `None` where they cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<PullRanges>,
    /// Whether rows hold values that nothing may show: of a statement that is refused only the kind of reason is told then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// The statement that makes the rows visible, sent to the target.
    pub refresh: String,
    /// How long each statement may take.
    pub timeout: TimeSpan,
    /// What the ledger notes when the table is done with this step; `None` where it has yet to be put in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<CopyNote>,
}

/// The statements that copy some rows, and show that they arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullStatements {
    /// Counts them, sent to the source before they are copied.
    pub expected: String,
    /// Copies them, sent to the target.
    pub insert: String,
    /// Counts what arrived in a copy aside, sent to the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// Deletes what arrived in a copy aside, before they are copied once more, sent to the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<String>,
}

/// How rows are divided: ranges of one column. Which column and which ranges is for apply to say, by a sample of its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullRanges {
    /// About how many rows a chunk has; `None` for as many as fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The statement that reads the columns' values in one of `$1` rows, sent to the source.
    pub sample: String,
    /// The columns by which rows can be divided: none of them can be NULL.
    pub by: Vec<PullColumn>,
}

/// A column by whose ranges rows can be divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullColumn {
    /// Its name on the source.
    pub name: String,
    /// Its name on the target.
    pub to: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// The statement that asks the target whether it sends such a condition to the source; sent to it before the first chunk.
    pub explain: String,
    /// The rows before `$1`.
    pub first: PullStatements,
    /// The rows from `$1` on and before `$2`.
    pub between: PullStatements,
    /// The rows from `$1` on.
    pub last: PullStatements,
}
