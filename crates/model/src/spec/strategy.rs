//! How a flow's tables get from one cluster to the other.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// `auto`, or one strategy with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyChoice {
    /// transship chooses by what `needs` says and what the clusters allow.
    Auto,
    /// Continuous copy of tables as they are; the target is read-only.
    LogicalReplication(LogicalReplication),
    /// One-time copy of tables or partitions in CrateDB's own binary format, through a store.
    Snapshot(Snapshot),
    /// One-time copy through files that other tools can read, in a store.
    ExportImport(ExportImport),
    /// Copy with transformation, one-time or continuous.
    Custom(Custom),
}

/// A strategy without its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// To be chosen.
    Auto,
    /// Logical replication.
    LogicalReplication,
    /// Snapshot and restore.
    Snapshot,
    /// COPY TO and COPY FROM.
    ExportImport,
    /// transship's own mover, a foreign table, or a command.
    Custom,
}

impl Strategy {
    /// Every strategy, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Auto, Self::LogicalReplication, Self::Snapshot, Self::ExportImport, Self::Custom];

    /// The word that specs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::LogicalReplication => "logical-replication",
            Self::Snapshot => "snapshot",
            Self::ExportImport => "export-import",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl StrategyChoice {
    /// The strategy without its settings.
    pub const fn strategy(&self) -> Strategy {
        match self {
            Self::Auto => Strategy::Auto,
            Self::LogicalReplication(_) => Strategy::LogicalReplication,
            Self::Snapshot(_) => Strategy::Snapshot,
            Self::ExportImport(_) => Strategy::ExportImport,
            Self::Custom(_) => Strategy::Custom,
        }
    }
}

/// Settings of `logical-replication`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogicalReplication {
    /// How the target reaches the source; `tunnel` unless said otherwise.
    pub mode: ReplicationMode,
    /// `detach` makes it a one-time copy: once in sync, subscription and publication are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// How the subscribing cluster reaches the publishing one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ReplicationMode {
    /// Through one address of the PostgreSQL wire (`pg_tunnel`), authenticated.
    #[default]
    Tunnel,
    /// To every node by the transport protocol (`sniff`), protected by the network alone.
    Sniff,
}

/// What follows a finished replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Then {
    /// Subscription and publication are dropped; an ordinary table stays.
    Detach,
}

/// Settings of `snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The store that holds the repository.
    pub store: Name,
    /// How many snapshots of this flow stay; 1 unless said otherwise.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u32,
}

/// Settings of `export-import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportImport {
    /// The store that holds the files; not needed where `from` or `to` names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Name>,
    /// The format of the files; `json` unless said otherwise.
    #[serde(default)]
    pub format: Format,
    /// How the files are compressed; not at all unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// How many exports of this flow stay; 1 unless said otherwise.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u32,
}

/// The format of exported files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// How exported files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Compression {
    /// gzip.
    Gzip,
}

/// Settings of `custom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// What moves the rows.
    pub engine: Engine,
    /// The program and its arguments, with `engine: command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// About how many rows are copied at a time, with `engine: stream`: a run that is cut goes on with those that it was
    /// at. As many as are about 128 MiB unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub chunk_rows: Option<u32>,
}

/// What moves the rows of a custom flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Engine {
    /// transship itself, over the PostgreSQL wire.
    Stream,
    /// The target cluster, through a foreign table.
    ForeignTable,
    /// An external program.
    Command,
}

const fn one() -> u32 {
    1
}
