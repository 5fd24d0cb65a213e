//! What the steps of an export and an import do, with every statement that they will send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CopyNote, InnerPlace};
use crate::name::{Name, TableName};
use crate::spec::{Compression, Format};
use crate::time::TimeSpan;

/// The export of [`StepKind::ExportRows`](super::StepKind::ExportRows), from the step's cluster; its statement is COPY TO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRows {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// Where the files lie in it, by this run and this table alone: `WORKSPACE[/ENV]/FLOW/NUMBER/SCHEMA.TABLE`.
    pub path: String,
    /// The table.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The statements that make a directory and forget the repository by which it was made; for directories alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<MakeDirectory>,
    /// The statement that tells the partitions that give no rows, sent before and after; there may be
    /// none.
    pub unreadable: String,
    /// The statement that reads the source's sequence numbers, sent first and, where counts differ, again.
    pub mark: String,
    /// The statement that makes everything written visible, sent before the rows are counted.
    pub refresh: String,
    /// The statement that counts the rows that are to be exported.
    pub count: String,
    /// How long it may take.
    pub timeout: TimeSpan,
}

/// How a directory is made that every node sees: by a repository in it, of which nothing is left in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeDirectory {
    /// The name of the repository.
    pub repository: String,
    /// The directory of all exports of the flow, below which it lies: a repository of that name elsewhere is another's.
    pub below: String,
    /// The statement that makes it, and the directory with it.
    pub create: String,
    /// The statement that drops it; the directory stays.
    pub drop: String,
}

/// The export of [`StepKind::WriteFiles`](super::StepKind::WriteFiles), from the step's cluster by the machine that runs
/// transship; its statement gives the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteFiles {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// Where the files lie in it, by this run and this table alone: `WORKSPACE[/ENV]/FLOW/NUMBER/SCHEMA.TABLE`.
    pub path: String,
    /// The URI of that place, without secrets.
    pub place: String,
    /// The table.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The columns that are written, in the order in which the statement gives them.
    pub columns: Vec<FileColumn>,
    /// Places in columns whose values JSON does not carry by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<InnerPlace>,
    /// What the files hold. Rows that have no exact form in CSV go to files of JSON beside them.
    pub format: Format,
    /// How they are packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Whether rows hold values that nothing may show: of what a server says only the kind is told then.
    pub sensitive: bool,
    /// The statement that tells the partitions that give no rows, sent before and after; there may be
    /// none.
    pub unreadable: String,
    /// The statement that reads the source's sequence numbers, sent first.
    pub mark: String,
    /// The statement that makes everything written visible, sent before the rows are read.
    pub refresh: String,
}

/// A column of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileColumn {
    /// Its name in the files and on the target.
    pub name: String,
    /// The type of its values, as the source's catalog names it.
    pub data_type: String,
}

/// The import of [`StepKind::ImportRows`](super::StepKind::ImportRows), into the step's cluster; its statement is COPY FROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRows {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// Where the files lie in it.
    pub path: String,
    /// The cluster that the rows come from; `None` where they come from a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub source: Option<Name>,
    /// The table that they come from.
    #[schemars(with = "String")]
    pub from: TableName,
    /// The table that they go to.
    #[schemars(with = "String")]
    pub into: TableName,
    /// The statement that reads the rows that have no exact form in CSV, from files of JSON; sent where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Whether a row takes the place of the one with its primary key.
    pub overwrites: bool,
    /// Whether rows hold values that nothing may show: of a row that is refused only the kind of reason is told then.
    pub sensitive: bool,
    /// The statement that makes the rows visible.
    pub refresh: String,
    /// The statement that counts the rows of a copy that is made aside: as many as were imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// What the ledger notes when the table is done with this step; `None` where it has yet to be put in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<CopyNote>,
}

/// The files that [`StepKind::RemoveFiles`](super::StepKind::RemoveFiles) removes from a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveFiles {
    /// The numbers of the exports, each with its place.
    pub exports: std::collections::BTreeMap<u32, crate::ledger::ExportRow>,
}
