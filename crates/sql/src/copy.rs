//! Statements that read rows on one cluster and write them on another.
//!
//! What a column needs to arrive exactly depends on its type alone, as `information_schema.columns.data_type` names it,
//! so that the statements stand before anything runs. `docs/mover.md` has the types and the reasons.

use transship_model::TableName;

use crate::ident::{ident, literal, table};

/// Where the value of a target column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A column of the source table as it is.
    Column {
        /// Its name.
        name: &'a str,
        /// Its type as the catalog names it, for example `geo_point_array`.
        data_type: &'a str,
    },
    /// An SQL expression that has been checked.
    Expression(&'a str),
}

/// The types whose values arrive exactly, without the `_array` that the catalog appends for each level of an array.
pub const TYPES: [&str; 19] = [
    "bigint",
    "bit",
    "boolean",
    "byte",
    "character",
    "double precision",
    "float_vector",
    "geo_point",
    "geo_shape",
    "integer",
    "ip",
    "numeric",
    "object",
    "real",
    "smallint",
    "text",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// Whether values of a type are known to arrive exactly.
pub fn is_known(data_type: &str) -> bool {
    TYPES.contains(&element(data_type).0)
}

/// Reads rows: one column for each of `columns`, in their order, of the rows for which the checked `filter` holds.
pub fn select<'a>(from: &TableName, columns: impl IntoIterator<Item = Source<'a>>, filter: Option<&str>) -> String {
    let columns: Vec<_> = columns.into_iter().map(expression).collect();
    format!("SELECT {} FROM {}{}", columns.join(", "), table(from), condition(filter))
}

/// Writes one row with a parameter for each of `columns`.
pub fn insert(into: &TableName, columns: &[&str]) -> String {
    let parameters: Vec<_> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", table(into), idents(columns), parameters.join(", "))
}

/// Writes one row, in place of the one that has the same primary key `key`. Where all of `columns` are of the key, what
/// is there stays.
pub fn upsert(into: &TableName, columns: &[&str], key: &[&str]) -> String {
    let others: Vec<_> = columns.iter().filter(|column| !key.contains(column)).map(|column| ident(column)).collect();
    let insert = format!("{} ON CONFLICT ({}) DO", insert(into, columns), idents(key));
    if others.is_empty() {
        return format!("{insert} NOTHING");
    }
    let assignments: Vec<_> = others.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!("{insert} UPDATE SET {}", assignments.join(", "))
}

/// `n`: the number of rows for which the checked `filter` holds.
pub fn count(of: &TableName, filter: Option<&str>) -> String {
    format!("SELECT count(*) AS n FROM {}{}", table(of), condition(filter))
}

fn expression(source: Source<'_>) -> String {
    match source {
        Source::Expression(sql) => format!("({sql})"),
        Source::Column { name, data_type } => match element(data_type) {
            // The column store keeps points with fewer digits than they were written with.
            ("geo_point", _) => format!("_doc[{}]", literal(name)),
            // The wire counts microseconds in 64 bits and wraps around beyond the year 294247; CrateDB counts
            // milliseconds. Arrays of arrays travel as JSON, where they are such numbers anyway.
            ("timestamp with time zone" | "timestamp without time zone", 0) => format!("{}::bigint", ident(name)),
            ("timestamp with time zone" | "timestamp without time zone", 1) => {
                format!("{}::array(bigint)", ident(name))
            }
            _ => ident(name),
        },
    }
}

/// The type of the innermost elements, and how many levels of arrays are around them.
fn element(data_type: &str) -> (&str, usize) {
    match data_type.strip_suffix("_array") {
        Some(inner) => {
            let (base, levels) = element(inner);
            (base, levels + 1)
        }
        None => (data_type, 0),
    }
}

fn condition(filter: Option<&str>) -> String {
    filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default()
}

fn idents(names: &[&str]) -> String {
    names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_read_as_it_needs() {
        let column = |name, data_type| Source::Column { name, data_type };
        let columns = [
            column("id", "integer"),
            column("it's", "geo_point"),
            column("ps", "geo_point_array"),
            column("ts", "timestamp with time zone"),
            column("tss", "timestamp without time zone_array"),
            column("tsss", "timestamp without time zone_array_array"),
            Source::Expression("a || 'x'"),
        ];
        assert_eq!(
            select(&TableName::new("s", "t"), columns, Some("a > 1 OR b")),
            "SELECT \"id\", _doc['it''s'], _doc['ps'], \"ts\"::bigint, \"tss\"::array(bigint), \"tsss\", (a || 'x') \
             FROM \"s\".\"t\" WHERE (a > 1 OR b)"
        );
        assert_eq!(count(&TableName::new("s", "t"), None), "SELECT count(*) AS n FROM \"s\".\"t\"");
    }

    #[test]
    fn rows_are_inserted_or_replaced() {
        let table = TableName::new("s", "t");
        assert_eq!(insert(&table, &["a", "B"]), "INSERT INTO \"s\".\"t\" (\"a\", \"B\") VALUES ($1, $2)");
        assert_eq!(
            upsert(&table, &["a", "b", "c"], &["a", "m"]),
            "INSERT INTO \"s\".\"t\" (\"a\", \"b\", \"c\") VALUES ($1, $2, $3) ON CONFLICT (\"a\", \"m\") DO UPDATE SET \
             \"b\" = excluded.\"b\", \"c\" = excluded.\"c\""
        );
        assert!(upsert(&table, &["a"], &["a"]).ends_with(" ON CONFLICT (\"a\") DO NOTHING"));
    }

    #[test]
    fn unknown_types_are_told_apart() {
        assert!(["uuid", "bit_array", "double precision_array_array"].into_iter().all(is_known));
        assert!(!is_known("interval") && !is_known("undefined_array"));
    }
}
