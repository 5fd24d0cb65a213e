//! Rows of a table from a value of a column on that grows with every change.
//!
//! Values are texts: whole numbers, times as milliseconds, texts as they are.

use std::cmp::Ordering;

use transship_model::TableName;

use crate::chunk;
use crate::ident::{ident, literal, table};

/// Whether a column of a type, as `information_schema.columns.data_type` names it, can be a cursor.
pub fn is_cursor(data_type: &str) -> bool {
    is_time(data_type) || matches!(data_type, "smallint" | "integer" | "bigint" | "text")
}

/// Whether it holds times.
pub fn is_time(data_type: &str) -> bool {
    matches!(data_type, "timestamp with time zone" | "timestamp without time zone")
}

/// Which of two values of a type comes first; `None` where one is none of the type, or CrateDB has two orders for them.
pub fn order(data_type: &str, left: &str, right: &str) -> Option<Ordering> {
    if data_type == "text" {
        let first = left.chars().zip(right.chars()).find(|(left, right)| left != right);
        let is_one_order = first.is_none_or(|(left, right)| has_one_order(left) || has_one_order(right));
        return is_one_order.then(|| left.cmp(right));
    }
    Some(left.parse::<i64>().ok()?.cmp(&right.parse::<i64>().ok()?))
}

/// The value of a type that is as far before `value` as `overlap`, in milliseconds, says; only times have such.
pub fn less(data_type: &str, value: &str, overlap: u64) -> Option<String> {
    if !is_time(data_type) {
        return Some(value.to_owned());
    }
    let before = value.parse::<i64>().ok()?.saturating_sub_unsigned(overlap);
    Some(before.to_string())
}

/// A value that is no higher than `value`, and short enough to be kept, in whichever order CrateDB has the texts.
pub fn kept(data_type: &str, value: &str) -> String {
    const LONGEST: usize = 120;
    if data_type != "text" {
        return value.to_owned();
    }
    value.chars().take(LONGEST).take_while(|character| has_one_order(*character)).collect()
}

/// Whether it comes before and after the same characters by the bytes of UTF-8, as an index has it, and by the units of
/// UTF-16, as everything else in CrateDB has.
fn has_one_order(character: char) -> bool {
    character != '\0' && u32::from(character) < 0xD800
}

/// A cursor of a table, and which rows are meant.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The table.
    pub of: &'a TableName,
    /// The cursor.
    pub column: &'a str,
    /// Its type.
    pub data_type: &'a str,
    /// The checked condition that the spec sets.
    pub filter: Option<&'a str>,
    /// The value that they begin with; `None` for all rows, those without a value among them.
    pub from: Option<&'a str>,
    /// Whether a row may have no value: such rows are meant whatever `from` says.
    pub nullable: bool,
}

impl Rows<'_> {
    /// Columns `highest` and `n`: the highest value, which no time that is yet to come is, and the number of rows that have
    /// a value up to it. A time without a zone may be that of any zone.
    pub fn highest(&self) -> String {
        let column = ident(self.column);
        let now = "CURRENT_TIMESTAMP + INTERVAL '86400 seconds'";
        let until = match self.data_type {
            "timestamp with time zone" => Some(format!("{column} <= CURRENT_TIMESTAMP")),
            "timestamp without time zone" => Some(format!("{column} <= ({now})::timestamp without time zone")),
            _ => None,
        };
        let from = self.from.map(|from| self.reaches(from));
        let conditions: Vec<String> =
            self.filter.map(|filter| format!("({filter})")).into_iter().chain(from).chain(until).collect();
        let highest =
            if self.data_type == "text" { format!("max({column})") } else { format!("max({column})::bigint") };
        let conditions =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        format!("SELECT {highest} AS highest, count(*) AS n FROM {}{conditions}", table(self.of))
    }

    /// The values in one of `$1` rows.
    pub fn sample(&self) -> String {
        // Of what is new, those without a value are all of the first slice, however many.
        let condition = match (self.filter, self.from) {
            (filter, None) => filter.map(str::to_owned),
            (Some(filter), Some(from)) => Some(format!("({filter}) AND {}", self.reaches(from))),
            (None, Some(from)) => Some(self.reaches(from)),
        };
        chunk::sample(self.of, [(self.column, self.data_type)], condition.as_deref())
    }

    /// Reads those of the rows that `select` reads that lie in a range, whose bounds are `$1` and `$2`; `select` is one of
    /// [`crate::copy::select`] with the same filter.
    pub fn select(&self, select: &str) -> String {
        let within = chunk::within(self.column, self.data_type);
        let Some(from) = self.condition_of_new() else { return chunk::select(select, self.filter.is_some(), &within) };
        chunk::select(&chunk::select(select, self.filter.is_some(), &from), true, &within)
    }

    /// The condition of the rows that are new.
    fn condition_of_new(&self) -> Option<String> {
        let reaches = self.reaches(self.from?);
        Some(if self.nullable { format!("({reaches} OR {} IS NULL)", ident(self.column)) } else { reaches })
    }

    fn reaches(&self, from: &str) -> String {
        format!("{} >= {}{}", ident(self.column), literal(from), chunk::cast(self.data_type))
    }
}

/// `id`: the jobs that execute `insert` just now, which is one of [`crate::copy::upsert`] or [`crate::copy::keep`], for one
/// row or many.
pub fn writing(insert: &str) -> String {
    let begins = insert.split_once("\" (").map_or(insert, |(table, _)| table);
    let escaped: String = begins
        .chars()
        .flat_map(|character| {
            ["\\"]
                .into_iter()
                .filter(move |_| matches!(character, '%' | '_' | '\\'))
                .flat_map(str::chars)
                .chain([character])
        })
        .collect();
    format!("SELECT id FROM sys.jobs WHERE stmt LIKE {}", literal(&format!("{escaped}\" (%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<'a>(of: &'a TableName, data_type: &'a str, from: Option<&'a str>) -> Rows<'a> {
        Rows { of, column: "at", data_type, filter: None, from, nullable: true }
    }

    #[test]
    fn times_that_are_yet_to_come_are_never_the_highest() {
        let of = TableName::new("s", "t");
        assert_eq!(
            rows(&of, "timestamp with time zone", Some("5")).highest(),
            "SELECT max(\"at\")::bigint AS highest, count(*) AS n FROM \"s\".\"t\" WHERE \"at\" >= \
             '5'::bigint::timestamp with time zone AND \"at\" <= CURRENT_TIMESTAMP"
        );
        assert_eq!(rows(&of, "text", None).highest(), "SELECT max(\"at\") AS highest, count(*) AS n FROM \"s\".\"t\"");
    }

    #[test]
    fn rows_without_a_value_are_always_new() {
        let of = TableName::new("s", "t");
        let all = crate::copy::select(&of, [], Some("x OR y"));
        let rows = Rows { filter: Some("x OR y"), ..rows(&of, "bigint", Some("7")) };
        let new = " WHERE (x OR y) AND (\"at\" >= '7'::bigint OR \"at\" IS NULL) AND (($1::text IS NULL AND";
        assert!(rows.select(&all).contains(new), "{}", rows.select(&all));
        let never = Rows { nullable: false, ..rows };
        assert!(!never.select(&all).contains("OR \"at\" IS NULL"));
    }

    #[test]
    fn values_have_one_order_or_none() {
        assert_eq!(order("bigint", "9", "10"), Some(Ordering::Less));
        assert_eq!(order("text", "9", "10"), Some(Ordering::Greater));
        assert_eq!(order("text", "a\u{fffd}", "a\u{1f600}"), None);
        assert_eq!(order("text", "a", "a\u{1f600}"), Some(Ordering::Less));
        assert_eq!(kept("text", "a\u{fffd}b"), "a");
        assert_eq!(kept("bigint", "-7"), "-7");
        assert_eq!(less("timestamp with time zone", "60000", 59_999).as_deref(), Some("1"));
        assert_eq!(less("timestamp with time zone", &i64::MIN.to_string(), 1), Some(i64::MIN.to_string()));
        assert_eq!(less("bigint", "7", 0).as_deref(), Some("7"));
    }

    #[test]
    fn of_new_rows_only_those_with_a_value_are_sampled() {
        let of = TableName::new("s", "t");
        let begin = "SELECT \"at\"::bigint FROM \"s\".\"t\" WHERE _docid % $1 = 0 AND (";
        assert_eq!(rows(&of, "bigint", Some("5")).sample(), format!("{begin}\"at\" >= '5'::bigint)"));
        let filtered = Rows { filter: Some("a OR b"), ..rows(&of, "bigint", Some("5")) };
        assert_eq!(filtered.sample(), format!("{begin}(a OR b) AND \"at\" >= '5'::bigint)"));
        assert!(Rows { from: None, ..filtered }.sample().ends_with(" AND (a OR b)"));
    }

    #[test]
    fn a_statement_is_found_by_how_it_begins() {
        let insert = crate::copy::keep(&TableName::new("s", "a_b"), &["it's", "b"], &["b"]);
        let expected = "SELECT id FROM sys.jobs WHERE stmt LIKE 'INSERT INTO \"s\".\"a\\_b\" (%'";
        assert_eq!(writing(&insert), expected);
    }
}
