//! What the steps of a flow do that ends or begins in a store, beyond exports and imports: both are done by the machine
//! that runs transship.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CopyNote;
use crate::manifest::{Manifest, ManifestFile};
use crate::name::{Name, TableName};
use crate::time::TimeSpan;

/// The manifest of [`StepKind::WriteManifest`](super::StepKind::WriteManifest): every file is read back first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteManifest {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// Where the export lies in it: `WORKSPACE[@ENVIRONMENT]/FLOW/NUMBER`. The manifest is written there, and the
    /// pointer to it beside it.
    pub path: String,
    /// What it will say, but for what the run finds: rows, files, the run and the time are none here.
    pub manifest: Manifest,
    /// How long reading the files may take.
    pub timeout: TimeSpan,
    /// What the ledger notes of each table.
    pub done: Vec<CopyNote>,
}

/// The comparison of [`StepKind::CheckFiles`](super::StepKind::CheckFiles): the manifest and every file that it names have
/// to be what they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckFiles {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// The directory of the manifest below the store; empty for the store itself.
    pub directory: String,
    /// SHA-256 of the manifest, in hexadecimal.
    pub sha256: String,
    /// The tables that are to be imported.
    pub tables: Vec<CheckedTable>,
    /// How long reading the files may take.
    pub timeout: TimeSpan,
}

/// A table of [`CheckFiles`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckedTable {
    /// Its name in the manifest.
    #[schemars(with = "String")]
    pub table: TableName,
    /// SHA-256 of what the manifest says of it, by which the ledger knows another export.
    pub mark: String,
    /// The rows in all files.
    pub rows: u64,
    /// The files.
    pub files: Vec<ManifestFile>,
}
