//! How the rows of a copy aside are divided, so that a run that was cut is gone on with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// How the rows of a copy that is made aside are divided into chunks: ranges of one column. Which column and which ranges
/// is for apply to say, by a sample of its values; a small table is one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chunks {
    /// The table of the flow that the copy is for: what the ledger notes its chunks by.
    #[schemars(with = "String")]
    pub table: TableName,
    /// SHA-256 in hexadecimal of what was asked for the table.
    pub asked: String,
    /// SHA-256 in hexadecimal of the copy's definition and of the statements that fill it.
    pub made: String,
    /// About how many rows a chunk has; `None` for as many as are about 128 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The statement that reads the columns' values in one of `$1` rows, sent to the source unless it is known to be small.
    pub sample: String,
    /// The columns by which rows can be divided, those that make partitions first.
    pub by: Vec<ChunkColumn>,
}

/// A column by whose ranges rows can be divided. The bounds of a range are `$1` and `$2` in its statements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChunkColumn {
    /// Its name on the source.
    pub name: String,
    /// Its name on the target.
    pub to: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// Whether it makes partitions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partitions: bool,
    /// The statement that reads the rows of a chunk, sent to the source.
    pub select: String,
    /// The statement that deletes what a run that was cut wrote of a chunk, sent to the target.
    pub clear: String,
    /// The statement that counts the rows of a chunk, sent to the target: as many as were written.
    pub count: String,
}
