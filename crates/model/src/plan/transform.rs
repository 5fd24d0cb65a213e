//! What becomes of the columns of a row between reading and writing it, as typed data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TableName;
use crate::spec::{Cell, Hash, Partial, Secret, TruncateTo};

/// How rows that were read become rows that are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// The columns of the select, in its order.
    pub reads: Vec<ReadColumn>,
    /// The columns of a written row: the parameters of the insert in their order, then those that only name a row.
    pub columns: Vec<MadeColumn>,
}

/// A column that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadColumn {
    /// The column of the source, or the SQL expression that the source evaluates.
    pub from: String,
    /// Its type, as `information_schema.columns.data_type` has it.
    pub data_type: String,
    /// Whether its values may not be shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MadeColumn {
    /// Its name on the target.
    pub name: String,
    /// Where its value comes from.
    pub from: Made,
    /// What is done with the value, in this order; nothing leaves it as the bytes that came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
    /// The type of what comes of it.
    pub data_type: String,
    /// Whether its values may not be shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// Where the value of a column comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Made {
    /// From this column of the select, counted from 0.
    Read(u32),
    /// It is the same in every row.
    Const {
        /// The value.
        value: Cell,
        /// Its type.
        data_type: String,
    },
    /// An expression gives it.
    Expr {
        /// The expression.
        text: String,
        /// The columns of the select that it names, counted from 0.
        uses: Vec<u32>,
        /// The type that it is made to be of.
        data_type: String,
    },
}

/// What is done with a value. NULL stays NULL but for the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verb {
    /// The value in place of NULL.
    Default(Cell),
    /// A point in time, cut down to a unit of UTC.
    Truncate(TruncateTo),
    /// A number, rounded to so many decimals, half away from zero.
    Round(i8),
    /// The value beside this one in a table or a file; NULL where it has none.
    Lookup(PlannedLookup),
    /// HMAC-SHA-256 under this key, in hexadecimal.
    Mask(Secret),
    /// A hash, in hexadecimal.
    Hash(Hash),
    /// This text in its place.
    Redact(String),
    /// Its ends alone.
    Partial(Partial),
    /// The value as one of this type.
    Cast(String),
}

/// Where a value is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlannedLookup {
    /// In a table of the target.
    Table {
        /// The table.
        #[schemars(with = "String")]
        table: TableName,
        /// The statement that makes its rows visible, sent to the target before.
        refresh: String,
        /// The statement that reads its keys and values, sent to the target.
        select: String,
        /// The type of the values, as `information_schema.columns.data_type` has it.
        data_type: String,
    },
    /// In a CSV file of the workspace.
    File {
        /// The file.
        file: String,
        /// Its column with the keys.
        key: String,
        /// Its column with the values, which are texts.
        value: String,
        /// SHA-256 of the file, in hexadecimal.
        sha256: String,
    },
}

impl Transform {
    /// The tables in which values are looked up.
    pub fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.columns.iter().flat_map(|column| &column.verbs).filter_map(|verb| match verb {
            Verb::Lookup(PlannedLookup::Table { table, .. }) => Some(table),
            _ => None,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
