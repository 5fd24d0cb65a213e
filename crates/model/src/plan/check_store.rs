//! How it is shown that two clusters see the same place in a store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Param;
use crate::name::Name;

/// What stands for the name of the run in the statements of [`CheckStore`].
pub const RUN: &str = "RUN";

/// The check of [`StepKind::CheckStore`](super::StepKind::CheckStore): one cluster writes a marker below the store, the
/// step's cluster looks for it, and it is removed again. `RUN` in a statement is the name of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckStore {
    /// The store's name in the spec.
    #[schemars(with = "String")]
    pub store: Name,
    /// The cluster that writes.
    #[schemars(with = "String")]
    pub writer: Name,
    /// The repository of markers, on both clusters.
    pub repository: String,
    /// The name of the marker, a snapshot.
    pub marker: String,
    /// The statement that makes the repository on the writer.
    pub create_writer: String,
    /// The values that both statements bind which make repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Param>,
    /// The statement that makes the table that markers are of, which has no shard.
    pub create_table: String,
    /// The statement that makes the marker.
    pub create_marker: String,
    /// The statement that makes the repository on the step's cluster.
    pub create_reader: String,
    /// The statement that looks for markers, sent to both.
    pub look: String,
    /// The statement that removes the marker.
    pub drop_marker: String,
    /// The statement that drops the repository, sent to both.
    pub drop_repository: String,
    /// Whether a directory in which a cluster allows no repository is an error. Files are read there all the same; that
    /// both see the same is then shown by the copy.
    pub required: bool,
}
