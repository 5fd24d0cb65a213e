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
    format!("{}{}", insert(into, columns), on_conflict(columns, key))
}

/// What follows a statement that writes rows in place of those that have the same primary key `key`.
pub(crate) fn on_conflict(columns: &[&str], key: &[&str]) -> String {
    let others: Vec<_> = columns.iter().filter(|column| !key.contains(column)).map(|column| ident(column)).collect();
    let conflict = format!(" ON CONFLICT ({}) DO", idents(key));
    if others.is_empty() {
        return format!("{conflict} NOTHING");
    }
    let assignments: Vec<_> = others.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!("{conflict} UPDATE SET {}", assignments.join(", "))
}

/// Writes one row; where one has the same primary key `key`, that one stays.
pub fn keep(into: &TableName, columns: &[&str], key: &[&str]) -> String {
    format!("{} ON CONFLICT ({}) DO NOTHING", insert(into, columns), idents(key))
}

/// A statement of [`insert`], [`upsert`] or [`keep`] that writes `rows` rows with `parameters` values each, `$1` to `$n` from the
/// first value of the first row to the last of the last.
pub fn with_rows(statement: &str, parameters: usize, rows: usize) -> Option<String> {
    let one: Vec<_> = (1..=parameters).map(|number| format!("${number}")).collect();
    let one = format!("VALUES ({})", one.join(", "));
    let at = outside_of_names(statement, &one)?;
    let row = |row: usize| {
        let values: Vec<_> = (1..=parameters).map(|number| format!("${}", row * parameters + number)).collect();
        format!("({})", values.join(","))
    };
    let all: Vec<_> = (0..rows).map(row).collect();
    Some(format!("{}VALUES {}{}", &statement[..at], all.join(","), &statement[at + one.len()..]))
}

/// How many rows a statement of [`with_rows`] may have: CrateDB counts parameters in 15 bits, and takes no longer text
/// than `statement_max_length`. None where one row has more values than that.
pub fn most_rows(statement: &str, parameters: usize) -> usize {
    const PARAMETERS: usize = 32_767;
    const CHARACTERS: usize = 262_144;
    let mut rows = PARAMETERS / parameters.max(1);
    while rows > 1 && with_rows(statement, parameters, rows).is_none_or(|text| text.chars().count() > CHARACTERS) {
        rows -= rows.div_ceil(16);
    }
    rows
}

/// Where `text` stands in a statement, names in quotes left aside.
fn outside_of_names(statement: &str, text: &str) -> Option<usize> {
    let mut start = 0;
    for (at, piece) in statement.split('"').enumerate() {
        match piece.find(text).filter(|_| at % 2 == 0) {
            Some(found) => return Some(start + found),
            None => start += piece.len() + 1,
        }
    }
    None
}

/// The columns that a statement of [`insert`] or [`upsert`] writes, read back from its text.
pub fn columns_of(sql: &str, into: &TableName) -> Option<Vec<String>> {
    let rest = sql.strip_prefix(&format!("INSERT INTO {} ", table(into)))?;
    let list = crate::definition::names_in_parentheses(rest)?;
    (!list.is_empty()).then_some(list)
}

/// The most entries that are looked up in.
pub const LOOKUP_MOST: usize = 200_000;

/// Reads the keys and values of a lookup, and one more than may be.
pub fn lookup(from: &TableName, key: Source<'_>, value: Source<'_>) -> String {
    let key = expression(key);
    let value = expression(value);
    format!("SELECT {key}, {value} FROM {} WHERE {key} IS NOT NULL LIMIT {}", table(from), LOOKUP_MOST + 1)
}

/// Reads a few rows of a [`select`], the first by `order`, which are columns of its table.
pub fn some(select: &str, order: &[&str], most: usize) -> String {
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", idents(order)) };
    format!("{select}{order} LIMIT {most}")
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
    fn a_statement_writes_many_rows() {
        let table = TableName::new("s", "t");
        assert_eq!(
            with_rows(&insert(&table, &["a", "VALUES ($1, $2)"]), 2, 3).as_deref(),
            Some("INSERT INTO \"s\".\"t\" (\"a\", \"VALUES ($1, $2)\") VALUES ($1,$2),($3,$4),($5,$6)")
        );
        let many = with_rows(&upsert(&table, &["a", "b"], &["a"]), 2, 2).expect("a statement that is known");
        assert!(many.ends_with(" VALUES ($1,$2),($3,$4) ON CONFLICT (\"a\") DO UPDATE SET \"b\" = excluded.\"b\""));
        assert_eq!(with_rows("INSERT INTO t SELECT 1", 1, 2), None);
    }

    #[test]
    fn a_statement_is_not_too_large_for_the_server() {
        let of = |columns: usize| {
            let names: Vec<_> = (0..columns).map(|at| format!("column number {at}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let statement = insert(&TableName::new("s", "t"), &names);
            let rows = most_rows(&statement, columns);
            let text = with_rows(&statement, columns, rows).expect("a statement that is known");
            assert!(text.len() <= 262_144 && rows * columns <= 32_767, "{columns}: {rows} rows, {} bytes", text.len());
            rows
        };
        assert_eq!(of(1), 28_799);
        assert_eq!(of(10), 3_276);
        assert_eq!(of(1_000), 32);
        assert_eq!(most_rows("INSERT INTO t SELECT 1", 40_000), 0);
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
