//! Which tables a flow carries, and how each is changed on the way.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::column::{Cell, Columns};
use crate::name::Glob;
use crate::time::TimeSpan;

/// A table as `schema.table` (with `*` and `?` a pattern), or one table with settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TableEntry {
    /// Every table that matches, under its own name.
    Pattern(Glob),
    /// One table with settings.
    Table(Box<Table>),
}

impl TableEntry {
    /// The pattern or name of the source table.
    pub fn from(&self) -> &Glob {
        match self {
            Self::Pattern(glob) => glob,
            Self::Table(table) => &table.from,
        }
    }

    /// The settings of the table; none of a pattern.
    pub fn settings(&self) -> Option<&Table> {
        match self {
            Self::Pattern(_) => None,
            Self::Table(table) => Some(table),
        }
    }
}

/// One table with settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The source table, `schema.table`; a pattern only where no other key needs a single table.
    pub from: Glob,
    /// The target table, `schema.table`; the source's name unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which rows: an SQL condition over the source table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", rename = "where")]
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Which columns: a list of names, or a map from target column to how it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// The column that grows with every change: only what is new is copied, upserted by primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How far behind the cursor each run looks again, for rows that arrive late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<TimeSpan>,
    /// Whether rows that are gone at the source are deleted at the target.
    #[serde(default, skip_serializing_if = "super::cluster::is_default")]
    pub prune: bool,
    /// Which partitions, each by the values of its partition columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<BTreeMap<String, Cell>>,
    /// Columns whose values no output ever shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
}
