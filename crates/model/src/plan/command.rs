//! What the steps of a flow do whose rows an external program moves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CopyNote, CopyRows};
use crate::name::{Name, TableName};
use crate::spec::Existing;
use crate::time::TimeSpan;

/// The program of [`StepKind::RunCommand`](super::StepKind::RunCommand). It fills tables that the same plan makes aside on
/// the step's cluster, and tells how many rows it wrote to each: as many as are found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunCommand {
    /// The program and its arguments. Nothing of it is read by a shell.
    pub run: Vec<String>,
    /// The cluster that it is to read.
    #[schemars(with = "String")]
    pub source: Name,
    /// What happens with tables that are there: what it writes to is empty all the same.
    pub existing: Existing,
    /// The tables, in the order of their names.
    pub tables: Vec<CommandTable>,
    /// Whether rows hold values that nothing may show: what the program prints is not shown then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// How long it may take.
    pub timeout: TimeSpan,
}

/// A table of [`RunCommand`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandTable {
    /// The table that is to be read.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The table of the flow.
    #[schemars(with = "String")]
    pub to: TableName,
    /// The copy aside that is to be filled.
    #[schemars(with = "String")]
    pub into: TableName,
    /// The columns that are to be written.
    pub columns: Vec<CommandColumn>,
    /// The SQL condition on the rows that are to be read.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// A statement that reads exactly what is asked for, for programs that take one. transship does not send it.
    pub query: String,
    /// The statement that tells the partitions of the source that give no rows, sent to it before and after; there may be
    /// none.
    pub unreadable: String,
    /// The statement that reads the source's sequence numbers, sent to it first.
    pub mark: String,
    /// The statement that makes everything written to the source visible, sent to it before the program starts.
    pub refresh_source: String,
    /// The statement that makes the rows visible, sent to the target afterwards.
    pub refresh: String,
    /// The statement that counts the rows of the copy: as many as the program says.
    pub count: String,
    /// The statement that empties the copy before the program is run once more, which it may ask for.
    pub clear: String,
}

/// A column that a program is to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandColumn {
    /// Its name on the target.
    pub name: String,
    /// Its type on the target.
    pub data_type: String,
    /// What the source has for it, in SQL.
    pub sql: String,
}

/// The work of [`StepKind::MergeRows`](super::StepKind::MergeRows): rows of a copy aside go into the table that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRows {
    /// How: from the copy into the table, within the step's cluster.
    pub rows: Box<CopyRows>,
    /// The statement that counts the copy before: it has what was written to it.
    pub expected: String,
    /// The statement that drops the copy, sent once the ledger has it that all rows are in the table.
    pub clear: String,
    /// What the ledger notes then.
    pub done: CopyNote,
}
