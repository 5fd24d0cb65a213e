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

/// A place inside a column whose cells travel as JSON where JSON does not say enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    /// The column.
    pub column: String,
    /// The keys that lead to the place, through arrays of any depth; none for the elements of an array of arrays.
    pub path: Vec<String>,
    /// What is there.
    pub kind: InnerType,
}

/// A type that JSON does not carry by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InnerType {
    /// A `NUMERIC`, of which JSON's numbers lose digits.
    Numeric,
    /// A `BIT`, which CrateDB writes in another form than it reads.
    Bit,
}

/// The place that a column or sub-column of the catalog (`o['a']['b']`) stands for, if what is there needs care.
pub fn inner(name: &str, data_type: &str) -> Option<Inner> {
    let (base, levels) = element(data_type);
    let kind = match base {
        "numeric" => InnerType::Numeric,
        "bit" => InnerType::Bit,
        _ => return None,
    };
    let (column, path) = match name.split_once("['").filter(|_| name.ends_with("']")) {
        Some((column, rest)) => (column, rest[..rest.len() - 2].split("']['").map(str::to_owned).collect()),
        None if levels > 1 => (name, Vec::new()),
        None => return None,
    };
    Some(Inner { column: column.to_owned(), path, kind })
}

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

/// The columns that a statement of [`insert`] or [`upsert`] writes, read back from its text.
pub fn columns_of(sql: &str, into: &TableName) -> Option<Vec<String>> {
    let rest = sql.strip_prefix(&format!("INSERT INTO {} ", table(into)))?;
    let list = crate::definition::names_in_parentheses(rest)?;
    (!list.is_empty()).then_some(list)
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

/// The type of the innermost elements of a type as the catalog names it, and how many levels of arrays are around them.
pub fn element(data_type: &str) -> (&str, usize) {
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
    fn places_inside_json_are_found() {
        let check = |name, data_type, expected: Option<(&str, &[&str], InnerType)>| {
            let expected = expected.map(|(column, path, kind)| Inner {
                column: column.to_owned(),
                path: path.iter().map(|part| (*part).to_owned()).collect(),
                kind,
            });
            assert_eq!(inner(name, data_type), expected, "{name}");
        };
        check("o['a']['x y']", "numeric", Some(("o", &["a", "x y"], InnerType::Numeric)));
        check("o['a']", "bit_array", Some(("o", &["a"], InnerType::Bit)));
        check("o['a']", "text", None);
        check("n", "numeric_array", None);
        check("n", "numeric_array_array", Some(("n", &[], InnerType::Numeric)));
    }

    #[test]
    fn unknown_types_are_told_apart() {
        assert!(["uuid", "bit_array", "double precision_array_array"].into_iter().all(is_known));
        assert!(!is_known("interval") && !is_known("undefined_array"));
    }
}
