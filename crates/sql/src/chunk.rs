//! Rows of a table by ranges of one of its columns, so that each row belongs to one range.
//!
//! The bounds are the parameters `$1` and `$2` of a statement, as texts: the first value that is in and the first one that
//! is not. NULL for the first means from the beginning, which is where the rows without a value are; NULL for the second
//! means to the end.

use transship_model::TableName;

use crate::ident::{ident, table};

/// Whether ranges of a type, as `information_schema.columns.data_type` names it, can be asked for.
pub fn is_orderable(data_type: &str) -> bool {
    matches!(
        data_type,
        "byte"
            | "smallint"
            | "integer"
            | "bigint"
            | "text"
            | "timestamp with time zone"
            | "timestamp without time zone"
    )
}

/// The rows that lie in a range of `column`.
pub fn within(column: &str, data_type: &str) -> String {
    let (column, cast) = (ident(column), cast(data_type));
    format!(
        "(($1::text IS NULL AND {column} IS NULL) OR \
         (($1::text IS NULL OR {column} >= $1::text{cast}) AND ($2::text IS NULL OR {column} < $2::text{cast})))"
    )
}

/// What makes a bound of the column's type of a text.
pub(crate) fn cast(data_type: &str) -> String {
    match data_type {
        "text" => String::new(),
        // Bounds of times are milliseconds.
        "timestamp with time zone" | "timestamp without time zone" => format!("::bigint::{data_type}"),
        _ => format!("::{data_type}"),
    }
}

/// Reads those rows that `select` reads and that lie in a range; `select` is one of [`crate::copy::select`].
pub fn select(select: &str, is_filtered: bool, within: &str) -> String {
    let and = if is_filtered { "AND" } else { "WHERE" };
    format!("{select} {and} {within}")
}

/// Deletes the rows that lie in a range.
pub fn clear(from: &TableName, within: &str) -> String {
    format!("DELETE FROM {} WHERE {within}", table(from))
}

/// One column, `count`: the rows that lie in a range, as far as readers see them.
pub fn count(of: &TableName, within: &str) -> String {
    format!("SELECT count(*) AS count FROM {} WHERE {within}", table(of))
}

/// The values of some columns, names with types, in one of `$1` documents for which the checked `filter` holds; times as
/// milliseconds.
pub fn sample<'a>(
    of: &TableName,
    columns: impl IntoIterator<Item = (&'a str, &'a str)>,
    filter: Option<&str>,
) -> String {
    let value = |(name, data_type): (&str, &str)| match data_type {
        "text" => ident(name),
        _ => format!("{}::bigint", ident(name)),
    };
    let values: Vec<String> = columns.into_iter().map(value).collect();
    let filter = filter.map(|filter| format!(" AND ({filter})")).unwrap_or_default();
    format!("SELECT {} FROM {} WHERE _docid % $1 = 0{filter}", values.join(", "), table(of))
}
