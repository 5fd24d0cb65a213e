//! The tables that are moved.

use std::fmt;
use std::str::FromStr;

use transship_model::TableName;
use transship_sql::copy::{Source, insert, select};

/// The schema of all tables, and the name of everything else that is made.
pub(crate) const NAME: &str = "transship_bench";

/// The columns of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Ten columns of as many types.
    Flat,
    /// Objects and arrays.
    Nested,
}

/// A column.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Its type as CREATE TABLE has it.
    definition: &'static str,
    /// Its type as the catalog has it.
    pub(crate) data_type: &'static str,
    /// Its value in row `i`.
    value: &'static str,
    /// What says that its values have arrived: an aggregate that does not depend on the order of rows.
    check: &'static str,
}

const fn column(
    name: &'static str,
    definition: &'static str,
    data_type: &'static str,
    value: &'static str,
    check: &'static str,
) -> Column {
    Column { name, definition, data_type, value, check }
}

const FLAT: [Column; 10] = [
    column("id", "BIGINT", "bigint", "i", "sum(id)"),
    column("customer", "INTEGER", "integer", "i % 100000", "sum(customer)"),
    column("kind", "SMALLINT", "smallint", "(i % 300)::smallint", "sum(kind)"),
    column("status", "TEXT", "text", STATUS, "count(status)"),
    column("note", "TEXT", "text", "'order number ' || i || ' of customer ' || (i % 100000)", "sum(length(note))"),
    column("amount", "NUMERIC(12, 2)", "numeric", "((i % 1000000) / 100.0)::numeric(12, 2)", "sum(amount)"),
    column("score", "DOUBLE PRECISION", "double precision", "sin(i)", "max(score)"),
    column("ratio", "REAL", "real", "(i % 1000 / 7.0)::real", "max(ratio)"),
    column("created", "TIMESTAMP WITH TIME ZONE", TIME, CREATED, "max(created::bigint)"),
    column("active", "BOOLEAN", "boolean", "i % 2 = 0", "count(*) FILTER (WHERE active)"),
];

const NESTED: [Column; 7] = [
    column("id", "BIGINT", "bigint", "i", "sum(id)"),
    column("status", "TEXT", "text", STATUS, "count(status)"),
    column(
        "details",
        "OBJECT(DYNAMIC) AS (name TEXT, number INTEGER, tags ARRAY(TEXT))",
        "object",
        "{name = 'customer ' || (i % 1000), number = (i % 100000)::integer, tags = ['x' || (i % 10), 'y']}",
        "sum(details['number'])",
    ),
    column("tags", "ARRAY(TEXT)", "text_array", "['tag' || (i % 50), 'b', 'it''s \"q\"']", "sum(length(tags[3]))"),
    column("scores", "ARRAY(DOUBLE PRECISION)", "double precision_array", "[sin(i), i / 3.0]", "max(scores[2])"),
    column(
        "items",
        "ARRAY(OBJECT(DYNAMIC) AS (sku TEXT, quantity INTEGER))",
        "object_array",
        "[{sku = 'sku' || (i % 500), quantity = (i % 9)::integer}, {sku = 'other', quantity = 1}]",
        "sum(items[1]['quantity'])",
    ),
    column("created", "TIMESTAMP WITH TIME ZONE", TIME, CREATED, "max(created::bigint)"),
];

const STATUS: &str = "CASE i % 3 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' ELSE 'sent' END";
const TIME: &str = "timestamp with time zone";
const CREATED: &str = "(1767225600000 + i * 1000)::timestamp with time zone";

impl Shape {
    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Flat => &FLAT,
            Self::Nested => &NESTED,
        }
    }

    fn list(self, text: impl Fn(&Column) -> String) -> String {
        self.columns().iter().map(text).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn create(self, name: &str) -> String {
        let columns = self.list(|column| {
            let key = if column.name == "id" { " PRIMARY KEY" } else { "" };
            format!("{} {}{key}", column.name, column.definition)
        });
        let shards = "CLUSTERED INTO 4 SHARDS WITH (number_of_replicas = 0)";
        format!("CREATE TABLE {NAME}.{name} ({columns}) {shards}")
    }

    /// The table `source` of the other cluster, by a server that is there.
    pub(crate) fn create_foreign(self, name: &str) -> String {
        let columns = self.list(|column| format!("{} {}", column.name, column.definition));
        let options = format!("schema_name '{NAME}', table_name 'source'");
        format!("CREATE FOREIGN TABLE {NAME}.{name} ({columns}) SERVER {NAME} OPTIONS ({options})")
    }

    pub(crate) fn fill(self, name: &str, rows: u64) -> String {
        let values = self.list(|column| column.value.to_owned());
        format!("INSERT INTO {NAME}.{name} (SELECT {values} FROM generate_series(1, {rows}) AS g(i))")
    }

    /// What the engine reads.
    pub(crate) fn select(self) -> String {
        let columns =
            self.columns().iter().map(|column| Source::Column { name: column.name, data_type: column.data_type });
        select(&TableName::new(NAME, "source"), columns, None)
    }

    /// What the engine writes.
    pub(crate) fn insert(self) -> String {
        let columns: Vec<_> = self.columns().iter().map(|column| column.name).collect();
        insert(&TableName::new(NAME, "moved"), &columns)
    }

    /// One row of texts, a column for each column of the table.
    pub(crate) fn check(self, name: &str) -> String {
        let values = self.list(|column| format!("({})::text AS {}", column.check, column.name));
        format!("SELECT count(*) AS rows, {values} FROM {NAME}.{name}")
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Flat, Self::Nested]
            .into_iter()
            .find(|shape| shape.to_string() == word)
            .ok_or_else(|| format!("{word} is no shape: flat or nested"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flat => "flat",
            Self::Nested => "nested",
        })
    }
}
