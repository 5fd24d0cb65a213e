//! Tables of random shapes, as statements.

use crate::random::Random;

/// The rows of others have numbers from here on.
pub(super) const THEIRS: usize = 1_000_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Bigint,
    /// A text of a key: unique, and those of others come after all of ours.
    Code,
    Text,
    Double,
    Boolean,
    Time,
    Numeric,
    Object,
    Integers,
    Texts,
    /// Of few values: it can make partitions.
    Month,
    /// Computed from the key, which is a number.
    Twice,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What stands behind the type.
    more: &'static str,
}

/// A table of a source. Its first column tells its rows apart.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// `schema.table`.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) is_keyed: bool,
    /// Whether the column `month` makes partitions.
    pub(super) is_partitioned: bool,
    shards: usize,
    pub(super) rows: usize,
}

const NAMES: [&str; 8] = ["people", "Orders", "order", "two+words", "größen", "a-b", "x__y", "a~b=c"];
const KEYS: [&str; 4] = ["id", "Key", "select", "näme nr"];
const OTHERS: [&str; 8] = ["name", "Value", "from", "v w", "o_1", "wert", "x", "Y"];

const KINDS: [Kind; 9] = [
    Kind::Text,
    Kind::Text,
    Kind::Double,
    Kind::Boolean,
    Kind::Time,
    Kind::Numeric,
    Kind::Object,
    Kind::Integers,
    Kind::Texts,
];

pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    /// A table of `schema`; `number` tells it from the others of its flow.
    pub(super) fn random(random: &mut Random, schema: &str, number: usize) -> Self {
        let names = if random.chance(50) { &NAMES[..1] } else { &NAMES };
        let keys = if random.chance(60) { &KEYS[..1] } else { &KEYS };
        let (name, key_name) = (random.pick(names), random.pick(keys));
        let key = [Kind::Integer, Kind::Bigint, Kind::Code][random.below(3)];
        let mut columns = vec![Column { name: key_name, kind: key, more: "" }];
        let mut names = OTHERS;
        random.shuffle(&mut names);
        for name in names.into_iter().take(1 + random.below(4)) {
            let kind = KINDS[random.below(KINDS.len())];
            let more =
                if kind == Kind::Text { random.pick(&["", "", "DEFAULT 'none'", "NOT NULL", "INDEX OFF"]) } else { "" };
            columns.push(Column { name, kind, more });
        }
        if key != Kind::Code && random.chance(20) {
            columns.push(Column { name: "twice", kind: Kind::Twice, more: "" });
        }
        let is_partitioned = random.chance(35);
        if is_partitioned || random.chance(20) {
            columns.push(Column { name: "month", kind: Kind::Month, more: "" });
        }
        let rows = match random.below(20) {
            0 => 0,
            1 => 1 + random.below(2),
            19 => 300 + random.below(900),
            _ => 8 + random.below(50),
        };
        let (is_keyed, shards) = (random.chance(65), 1 + random.below(3));
        Self { name: format!("{schema}.{name}{number}"), columns, is_keyed, is_partitioned, shards, rows }
    }

    pub(super) fn key(&self) -> &Column {
        &self.columns[0]
    }

    /// `CREATE TABLE` of the same under a name.
    pub(super) fn create(&self, name: &str) -> String {
        let month = if self.is_partitioned { ", \"month\"" } else { "" };
        let mut parts: Vec<String> = self.columns.iter().map(|column| self.column(column)).collect();
        if self.is_keyed {
            parts.push(format!("PRIMARY KEY ({}{month})", ident(self.key().name)));
        }
        let partitions = if self.is_partitioned { " PARTITIONED BY (\"month\")" } else { "" };
        format!(
            "CREATE TABLE {} ({}){partitions} CLUSTERED INTO {} SHARDS WITH (number_of_replicas = 0)",
            crate::inventory::quoted(name),
            parts.join(", "),
            self.shards
        )
    }

    fn column(&self, column: &Column) -> String {
        let data_type = match column.kind {
            Kind::Integer | Kind::Month => "INTEGER".to_owned(),
            Kind::Bigint => "BIGINT".to_owned(),
            Kind::Code | Kind::Text => "TEXT".to_owned(),
            Kind::Double => "DOUBLE PRECISION".to_owned(),
            Kind::Boolean => "BOOLEAN".to_owned(),
            Kind::Time => "TIMESTAMP WITH TIME ZONE".to_owned(),
            Kind::Numeric => "NUMERIC(18, 4)".to_owned(),
            Kind::Object => "OBJECT(DYNAMIC) AS (a INTEGER, \"b c\" TEXT)".to_owned(),
            Kind::Integers => "ARRAY(INTEGER)".to_owned(),
            Kind::Texts => "ARRAY(TEXT)".to_owned(),
            Kind::Twice => format!("BIGINT GENERATED ALWAYS AS {} * 2", ident(self.key().name)),
        };
        format!("{} {data_type} {}", ident(column.name), column.more)
    }

    /// Inserts the rows of these numbers, in some statements; `tag` makes their values other ones.
    pub(super) fn insert(&self, name: &str, numbers: impl IntoIterator<Item = usize>, tag: &str) -> String {
        let stored: Vec<&Column> = self.columns.iter().filter(|column| column.kind != Kind::Twice).collect();
        let names: Vec<String> = stored.iter().map(|column| ident(column.name)).collect();
        let row = |number: usize| {
            let values: Vec<String> = stored.iter().map(|column| value(column, number, tag)).collect();
            format!("({})", values.join(", "))
        };
        let rows: Vec<String> = numbers.into_iter().map(row).collect();
        let (table, names) = (crate::inventory::quoted(name), names.join(", "));
        let insert = |rows: &[String]| format!("INSERT INTO {table} ({names}) VALUES {};\n", rows.join(", "));
        rows.chunks(200).map(insert).collect::<String>() + &format!("REFRESH TABLE {table}")
    }

    /// The condition for the rows whose numbers are below this one.
    pub(super) fn below(&self, number: usize) -> String {
        let key = ident(self.key().name);
        match self.key().kind {
            Kind::Code => format!("{key} < '{}'", code(number)),
            _ => format!("{key} < {number}"),
        }
    }

    /// Makes all rows with odd numbers other ones.
    pub(super) fn update(&self) -> Option<String> {
        let text = self.columns.iter().find(|column| column.kind == Kind::Text)?;
        let (table, name, key) = (crate::inventory::quoted(&self.name), ident(text.name), ident(self.key().name));
        let some = match self.key().kind {
            Kind::Code => format!("{key} LIKE '%1'"),
            _ => format!("{key} % 2 = 1"),
        };
        Some(format!("UPDATE {table} SET {name} = 'changed' WHERE {some}; REFRESH TABLE {table}"))
    }
}

/// Texts in the order of their numbers.
fn code(number: usize) -> String {
    format!("{number:09}")
}

/// The value of a column in the row of a number.
fn value(column: &Column, number: usize, tag: &str) -> String {
    let is_null = number % 7 == 3 && column.more != "NOT NULL";
    match column.kind {
        Kind::Integer | Kind::Bigint => number.to_string(),
        Kind::Code => format!("'{}'", code(number)),
        Kind::Month => (number % 4).to_string(),
        Kind::Twice => unreachable!("it is computed"),
        _ if is_null => "NULL".to_owned(),
        Kind::Text if number % 11 == 5 => "''".to_owned(),
        Kind::Text => {
            let odd = ["", "it''s ", "a,b;\"c\" ", "zeile\n", "\\ \t", "größe 表 ", "", ""][number % 8];
            format!("'{odd}{tag}{number}'")
        }
        Kind::Double => format!("{number}.{}", number % 10),
        Kind::Boolean => number.is_multiple_of(2).to_string(),
        Kind::Time => (1_700_000_000_000 + number * 86_400_007).to_string(),
        Kind::Numeric => format!("{number}.0625"),
        Kind::Object => format!("{{a = {number}, \"b c\" = '{tag}'}}"),
        Kind::Integers => format!("[{number}, NULL, {}]", number % 3),
        Kind::Texts => format!("['{tag}', '', 'x{number}']"),
    }
}
