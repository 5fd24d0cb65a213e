//! Statements by which a cluster reads tables of another one by itself, through a foreign data wrapper.
//!
//! CrateDB sends a condition to the source only where all of it is made of comparisons, AND, OR and NOT over columns and
//! literals; of everything else it reads the whole table and looks at the rows itself. And it keeps on the heap whatever the
//! source answers. `docs/foreign-table.md` has what was measured.

use transship_model::TableName;
use transship_model::access::Endpoint;
use transship_model::plan::{ForeignColumn, ForeignObject, PullStatements};
use transship_model::spec::TlsMode;

use crate::copy::{self, Source};
use crate::ident::{ident, literal, table};

/// From 1582-10-25 to the end of the year 9999. The driver's calendar adds up to ten days to what lies before 1582-10-15; with
/// ten days more, no value that it shifted lies within.
const CALENDAR: (i64, i64) = (-12_218_428_800_000, 253_402_300_799_999);

/// Where the target finds the source. Encrypted by what the cluster's `tls` says; nodes of the target check no certificate.
pub fn url(endpoint: &Endpoint) -> String {
    let mode = match endpoint.tls {
        TlsMode::VerifyFull | TlsMode::Require => "require",
        TlsMode::Disable => "disable",
    };
    format!("jdbc:postgresql://{}/?sslmode={mode}", endpoint.tunnel)
}

/// Makes it. A password is `$1`.
pub fn create(object: &ForeignObject) -> String {
    match object {
        ForeignObject::Server { server, url } => {
            format!("CREATE SERVER {} FOREIGN DATA WRAPPER jdbc OPTIONS (url {})", ident(server), literal(url))
        }
        ForeignObject::UserMapping { server, user, password } => {
            let password = if *password { ", password $1" } else { "" };
            format!(
                "CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS (\"user\" {}{password})",
                ident(server),
                literal(user)
            )
        }
        ForeignObject::Table { table: name, server, from, columns } => {
            let column = |column: &ForeignColumn| format!("{} {}", ident(&column.name), column.data_type);
            let columns: Vec<String> = columns.iter().map(column).collect();
            format!(
                "CREATE FOREIGN TABLE {} ({}) SERVER {} OPTIONS (schema_name {}, table_name {})",
                table(name),
                columns.join(", "),
                ident(server),
                literal(&from.schema),
                literal(&from.table)
            )
        }
    }
}

/// Drops it.
pub fn drop(object: &ForeignObject) -> String {
    match object {
        ForeignObject::Server { server, .. } => format!("DROP SERVER {}", ident(server)),
        ForeignObject::UserMapping { server, .. } => {
            format!("DROP USER MAPPING FOR CURRENT_USER SERVER {}", ident(server))
        }
        ForeignObject::Table { table: name, .. } => format!("DROP FOREIGN TABLE {}", table(name)),
    }
}

/// Why values of a type do not arrive through a foreign table as they are, by the name that the catalog has for it; `None`
/// where they do.
pub fn beyond_driver(data_type: &str) -> Option<&'static str> {
    let element = data_type.trim_end_matches("_array");
    let levels = data_type.len().saturating_sub(element.len()) / "_array".len();
    match (element, levels) {
        ("bit", 0) => Some("the target does not take a BIT in the form in which it is read"),
        ("geo_point", 0) => Some("digits are lost, and NULL arrives as (0, 0)"),
        ("timestamp without time zone", 0) => {
            Some("it is shifted by the time zone in which the target's nodes run, which cannot be known from here")
        }
        ("text" | "character varying" | "character", 1) => Some("quotes and backslashes in its elements are lost"),
        ("timestamp with time zone" | "timestamp without time zone" | "byte" | "geo_point", 1) => {
            Some("the target does not take its elements in the form in which they are read")
        }
        ("numeric", 2..) => Some("it travels as JSON, which loses digits of a NUMERIC"),
        _ => None,
    }
}

/// Why values of a type do not arrive as they are within an object, which travels as JSON.
pub fn beyond_json(data_type: &str) -> Option<&'static str> {
    match data_type.trim_end_matches("_array") {
        "bit" => Some("the target does not take a BIT within an object in the form in which it is read"),
        "numeric" => Some("objects travel as JSON, which loses digits of a NUMERIC"),
        _ => None,
    }
}

/// Counts the rows of a table whose values in one of these `TIMESTAMP WITH TIME ZONE` columns the driver's calendar
/// would shift, or cannot hold; of those for which the checked `filter` holds.
pub fn unfit<'a>(from: &TableName, columns: impl IntoIterator<Item = &'a str>, filter: Option<&str>) -> String {
    let (first, last) = CALENDAR;
    let outside = |name: &str| {
        let name = ident(name);
        format!(
            "{name} < ({first})::bigint::timestamp with time zone OR {name} > {last}::bigint::timestamp with time zone"
        )
    };
    let outside: Vec<String> = columns.into_iter().map(outside).collect();
    let filter = filter.map(|filter| format!(" AND ({filter})")).unwrap_or_default();
    format!("SELECT count(*) AS count FROM {} WHERE ({}){filter}", table(from), outside.join(" OR "))
}

/// Some rows by their place in the order of one column. Bounds are texts, as [`crate::chunk`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Those before `$1`.
    First,
    /// Those from `$1` on and before `$2`.
    Between,
    /// Those from `$1` on.
    Last,
}

impl Range {
    /// The condition, in a form that is sent to the source.
    pub fn of(self, column: &str, data_type: &str) -> String {
        self.with(column, data_type, ["$1", "$2"])
    }

    fn with(self, column: &str, data_type: &str, [from, to]: [&str; 2]) -> String {
        let (column, cast) = (ident(column), crate::chunk::cast(data_type));
        match self {
            Self::First => format!("{column} < {from}::text{cast}"),
            Self::Between => format!("{column} >= {from}::text{cast} AND {column} < {to}::text{cast}"),
            Self::Last => format!("{column} >= {from}::text{cast}"),
        }
    }
}

/// A copy through a foreign table.
pub struct Pull<'a> {
    /// The table of the source.
    pub from: &'a TableName,
    /// The foreign table.
    pub through: &'a TableName,
    /// The table that is written.
    pub into: &'a TableName,
    /// Its columns that are written.
    pub columns: &'a [&'a str],
    /// What is written there, in the same order.
    pub made: Vec<Source<'a>>,
    /// The primary key, where what is there is overwritten.
    pub upsert: Option<&'a [&'a str]>,
    /// The checked condition for the rows.
    pub filter: Option<&'a str>,
    /// Whether it is a copy aside.
    pub aside: bool,
}

impl Pull<'_> {
    /// The statements for all rows, or those of a range: of a column of the source, one of the target, and their type.
    pub fn statements(&self, range: Option<(Range, (&str, &str), &str)>) -> PullStatements {
        let of_source = range.map(|(range, (name, _), data_type)| range.of(name, data_type));
        let of_copy = range.map(|(range, (_, to), data_type)| range.of(to, data_type));
        let read = conditions(self.filter, of_source.as_deref());
        let written = conditions(None, of_copy.as_deref());
        let into = table(self.into);
        PullStatements {
            expected: format!("SELECT count(*) AS count FROM {}{read}", table(self.from)),
            insert: self.insert(&read),
            count: self.aside.then(|| format!("SELECT count(*) AS count FROM {into}{written}")),
            clear: self.aside.then(|| format!("DELETE FROM {into}{written}")),
        }
    }

    /// Asks the target how it would read a range of a column of the source. EXPLAIN takes no parameters over the wire of
    /// PostgreSQL, so the bounds are some.
    pub fn explain(&self, column: &str, data_type: &str) -> String {
        let range = Range::Between.with(column, data_type, ["'0'", "'1'"]);
        format!("EXPLAIN {}", self.insert(&conditions(self.filter, Some(&range))))
    }

    fn insert(&self, read: &str) -> String {
        let made: Vec<String> = self.made.iter().copied().map(expression).collect();
        let columns: Vec<String> = self.columns.iter().map(|column| ident(column)).collect();
        let conflict = self.upsert.map(|key| copy::on_conflict(self.columns, key)).unwrap_or_default();
        format!(
            "INSERT INTO {} ({}) (SELECT {} FROM {}{read}){conflict}",
            table(self.into),
            columns.join(", "),
            made.join(", "),
            table(self.through)
        )
    }
}

fn expression(source: Source<'_>) -> String {
    match source {
        Source::Column { name, .. } => ident(name),
        Source::Expression(sql) => format!("({sql})"),
    }
}

fn conditions(filter: Option<&str>, range: Option<&str>) -> String {
    match (filter, range) {
        (None, None) => String::new(),
        (Some(filter), None) => format!(" WHERE ({filter})"),
        (None, Some(range)) => format!(" WHERE {range}"),
        (Some(filter), Some(range)) => format!(" WHERE ({filter}) AND {range}"),
    }
}

/// Whether an answer to [`Pull::explain`] says that the condition is sent to the source.
pub fn is_sent(plan: &str) -> bool {
    plan.contains("ForeignCollect[") && !plan.contains("Filter[")
}

/// Whether a condition is of the kind that CrateDB sends to the source: comparisons of columns with literals, AND, OR, NOT.
pub fn is_sendable(filter: &str) -> bool {
    let Some(tokens) = tokens(filter) else { return false };
    let mut reader = Reader { tokens: &tokens };
    reader.either() && reader.tokens.is_empty()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A name, a number or a text.
    Operand,
    Word(&'static str),
    Compares,
    Open,
    Close,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '<' | '>' | '=' => {
                let is_longer = first != '=' && rest[1..].starts_with('=') || rest.starts_with("<>");
                (Token::Compares, if is_longer { 2 } else { 1 })
            }
            '\'' | '"' => (Token::Operand, quoted(rest, first)?),
            '0'..='9' | '-' => (Token::Operand, number(rest)?),
            _ if first.is_alphabetic() || first == '_' => word(rest),
            _ => return None,
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Some(found)
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

fn number(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let length = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    (length > 0 && digits.starts_with(|c: char| c.is_ascii_digit())).then_some(text.len() - digits.len() + length)
}

fn word(text: &str) -> (Token, usize) {
    let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let of = |word: &str| ["AND", "OR", "NOT"].into_iter().find(|known| known.eq_ignore_ascii_case(word));
    (of(&text[..length]).map_or(Token::Operand, Token::Word), length)
}

struct Reader<'a> {
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn next_is(&mut self, token: &Token) -> bool {
        let is = self.tokens.first() == Some(token);
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn either(&mut self) -> bool {
        self.both() && (!self.next_is(&Token::Word("OR")) || self.either())
    }

    fn both(&mut self) -> bool {
        self.one() && (!self.next_is(&Token::Word("AND")) || self.both())
    }

    fn one(&mut self) -> bool {
        if self.next_is(&Token::Word("NOT")) {
            return self.one();
        }
        if self.next_is(&Token::Open) {
            return self.either() && self.next_is(&Token::Close);
        }
        self.next_is(&Token::Operand) && (!self.next_is(&Token::Compares) || self.next_is(&Token::Operand))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_that_are_sent_are_known() {
        for sent in [
            "id >= 5 AND id < 10",
            "active",
            "NOT (a = 'x''(' OR \"B b\" <= -1.5) AND c",
            "month >= '2026-01-01'",
            "a=1 or b=2 and not c",
            "status <> 'x'",
        ] {
            assert!(is_sendable(sent), "{sent}");
        }
        for kept in [
            "k LIKE 'a%'",
            "m IS NULL",
            "a IN (1, 2)",
            "upper(k) = 'A'",
            "o['a'] = 1",
            "a + 1 = 2",
            "a =",
            "(a",
            "'x",
            "",
        ] {
            assert!(!is_sendable(kept), "{kept}");
        }
    }

    #[test]
    fn statements_quote_what_they_name() {
        let name = |schema: &str, table: &str| TableName::new(schema, table);
        let columns = vec![ForeignColumn { name: "a\"b".into(), data_type: "NUMERIC(5, 2)".into() }];
        let object = ForeignObject::Table { table: name("s", "f"), server: "x".into(), from: name("o'", "T"), columns };
        assert_eq!(
            create(&object),
            r#"CREATE FOREIGN TABLE "s"."f" ("a""b" NUMERIC(5, 2)) SERVER "x" OPTIONS (schema_name 'o''', table_name 'T')"#
        );
        assert_eq!(drop(&object), r#"DROP FOREIGN TABLE "s"."f""#);
        let mapping = ForeignObject::UserMapping { server: "x".into(), user: "o'u".into(), password: true };
        assert_eq!(
            create(&mapping),
            r#"CREATE USER MAPPING FOR CURRENT_USER SERVER "x" OPTIONS ("user" 'o''u', password $1)"#
        );
        let (from, through, into) = (name("s", "t"), name("s", "f"), name("s", "c"));
        let made = vec![Source::Column { name: "id", data_type: "bigint" }, Source::Expression("upper(v)")];
        let pull = Pull {
            from: &from,
            through: &through,
            into: &into,
            columns: &["id", "v"],
            made,
            upsert: None,
            filter: Some("a OR b"),
            aside: true,
        };
        let some = pull.statements(Some((Range::Between, ("id", "ID"), "bigint")));
        assert_eq!(
            some.insert,
            r#"INSERT INTO "s"."c" ("id", "v") (SELECT "id", (upper(v)) FROM "s"."f" WHERE (a OR b) AND "id" >= $1::text::bigint AND "id" < $2::text::bigint)"#
        );
        assert_eq!(
            some.clear.as_deref(),
            Some(r#"DELETE FROM "s"."c" WHERE "ID" >= $1::text::bigint AND "ID" < $2::text::bigint"#)
        );
    }
}
