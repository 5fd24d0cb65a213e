//! How a target column is made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::reference::Secret;

/// A single value: text, number, boolean or null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cell {
    /// null.
    Null(()),
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
}

/// Which columns: a list of names, or a map from target column to how it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// These columns as they are.
    Names(#[schemars(length(min = 1))] Vec<String>),
    /// Target columns, each with an SQL expression or a rule.
    Rules(#[schemars(extend("minProperties" = 1))] BTreeMap<String, ColumnRule>),
}

/// An SQL expression, or an expression with transformations that follow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnRule {
    /// An SQL expression over the source table, evaluated by the source.
    Sql(String),
    /// An expression with declared, typed transformations.
    Rule(Box<Rule>),
}

/// How a column is made. `sql`, `const` or `expr` gives the value (the column of the same name unless said otherwise);
/// the others change it, in the order in which they stand here: `default` comes before `lookup`, so that it is looked up
/// itself, and a key that is not found stays NULL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// An SQL expression over the source table, evaluated by the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// One value for every row.
    #[serde(rename = "const", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub constant: Option<Cell>,
    /// An expression of transship's own language over the row, for what SQL cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// The value in place of NULL.
    #[serde(rename = "default", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Cell>,
    /// Dates cut down to a unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<TruncateTo>,
    /// Numbers rounded to so many decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -18, max = 18))]
    pub round: Option<i8>,
    /// The value looked up by this one in a table of the target or in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// A keyed hash in place of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// A hash in place of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// A fixed text in place of the value; `true` for `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<Redact>,
    /// Only the ends of the value, the rest replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    /// The CrateDB type of the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cast: Option<String>,
}

/// A value that is there, also where it is null: a column that is to be NULL is not one to be copied.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cell>, D::Error> {
    Cell::deserialize(deserializer).map(Some)
}

/// A keyed hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// HMAC-SHA-256 under this key.
    pub hmac: Secret,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Hash {
    /// SHA-256, in hexadecimal.
    Sha256,
}

/// What stands in place of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Redact {
    /// `true`: `***`.
    Stars(bool),
    /// This text.
    Text(String),
}

/// How much of a value stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// Characters that stay at the start.
    #[serde(default)]
    pub first: u32,
    /// Characters that stay at the end.
    #[serde(default)]
    pub last: u32,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum TruncateTo {
    /// To the second.
    Second,
    /// To the minute.
    Minute,
    /// To the hour.
    Hour,
    /// To the day.
    Day,
    /// To the Monday of the week.
    Week,
    /// To the first of the month.
    Month,
    /// To the first day of the quarter.
    Quarter,
    /// To the first of January.
    Year,
}

/// Where a value is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Lookup {
    /// In a table of the target.
    Table(LookupTable),
    /// In a CSV file beside the spec.
    File(LookupFile),
}

/// A look-up in a table of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupTable {
    /// The table, `schema.table`.
    pub table: String,
    /// The column that the value is compared with.
    pub key: String,
    /// The column whose value is taken.
    pub value: String,
}

/// A look-up in a CSV file beside the spec.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupFile {
    /// The file, relative to the workspace, with a header.
    pub file: String,
    /// The column that the value is compared with.
    pub key: String,
    /// The column whose value is taken.
    pub value: String,
}
