//! How a copy notes how far it has come by a cursor, and how rows are read from there on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::TimeSpan;

/// A column of the source that grows with every change, by which the next run finds what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Its name on the source.
    pub column: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// How all rows are read.
    pub all: CursorRead,
    /// How rows go into a table that is there; `None` where a copy is made aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Slices>,
}

/// How rows are read slice by slice: ranges of the cursor in ascending order, one after the other. Where slices begin is
/// for apply to say, by a sample; few rows are one slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slices {
    /// What is new, where the ledger knows how far an earlier run has come. All rows are read without it, and where the
    /// source turns out to have nothing from there on or to be another table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// About how many rows a slice has; `None` for half a million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The statement that tells which statements that write to the table are at work, sent to the target before the first
    /// slice until there are none: one of a run that was cut must not write an older row over a newer one.
    pub writing: String,
}

/// What is read from where an earlier run has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// What the ledger has: rows up to this value were written.
    pub value: String,
    /// The value from which on rows are read: that, less the overlap.
    pub from: String,
    /// How far rows may be late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<TimeSpan>,
    /// How they are read.
    pub read: CursorRead,
}

/// The statements that read rows by a cursor, all sent to the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorRead {
    /// The statement that tells the highest value, which no time beyond the server's clock is, and about how many rows there
    /// are; sent before they are read.
    pub highest: String,
    /// The statement that reads the cursor's values in one of `$1` rows, where there are many.
    pub sample: String,
    /// The statement that reads the rows of a slice. `$1` and `$2` are its bounds.
    pub select: String,
}
