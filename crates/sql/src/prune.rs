//! Rows whose key another table no longer has: how the keys of two tables are compared, and how single rows are deleted.
//!
//! A row is deleted by its whole primary key, and only while it has the version that was seen: CrateDB takes `_seq_no` and
//! `_primary_term` in a condition only beside such a key.

use transship_model::TableName;

use crate::digest;
use crate::ident::{ident, table};

/// The keys of the rows of a table for which a checked condition holds.
#[derive(Clone, Debug)]
pub struct Keys<'a> {
    /// The table.
    pub of: &'a TableName,
    /// The parts of the key, as [`digest::text`] has them, in one order for both tables.
    pub texts: Vec<String>,
    /// The condition.
    pub filter: Option<&'a str>,
}

impl Keys<'_> {
    /// Columns `bucket, n, low, high`, as [`digest::buckets`] has them.
    pub fn buckets(&self) -> String {
        digest::buckets(self.of, &self.digest(), self.filter)
    }

    /// Column `digest` of the rows whose bucket is one of `$1`.
    pub fn in_buckets(&self) -> String {
        self.among_wanted(&[], &digest::bucket("rows_of.digest"))
    }

    /// Columns `digest, _seq_no, _primary_term` of those rows.
    pub fn versions_in_buckets(&self) -> String {
        self.among_wanted(&versions(), &digest::bucket("rows_of.digest"))
    }

    /// Column `digest` of the rows whose digest is one of `$1`.
    pub fn among(&self) -> String {
        self.among_wanted(&[], "rows_of.digest")
    }

    /// Columns `digest, _seq_no, _primary_term` of those rows, and then the texts of their key.
    pub fn rows_among(&self) -> String {
        let texts = self.texts.iter().enumerate();
        let texts = texts.map(|(at, text)| (text.clone(), format!("key_{}", at + 1)));
        self.among_wanted(&versions().into_iter().chain(texts).collect::<Vec<_>>(), "rows_of.digest")
    }

    fn digest(&self) -> String {
        digest::of(&self.texts)
    }

    /// `also` are further columns, each an expression with its name. A join: `= ANY` goes through all of the array for each row.
    fn among_wanted(&self, also: &[(String, String)], by: &str) -> String {
        let inner: String =
            also.iter().map(|(expression, name)| format!(", {expression} AS {}", ident(name))).collect();
        let outer: String = also.iter().map(|(_, name)| format!(", rows_of.{}", ident(name))).collect();
        let filter = self.filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
        format!(
            "SELECT rows_of.digest{outer} FROM (SELECT {} AS digest{inner} FROM {}{filter}) AS rows_of \
             JOIN (SELECT unnest AS one FROM unnest($1::array(text))) AS wanted ON {by} = wanted.one",
            self.digest(),
            table(self.of)
        )
    }
}

/// What tells whether a row was written since it was seen.
fn versions() -> Vec<(String, String)> {
    ["_seq_no", "_primary_term"].map(|name| (ident(name), name.to_owned())).to_vec()
}

/// Deletes one row: the texts of its key, names with types, are the first parameters, its `_seq_no` and `_primary_term`, as
/// texts, the last two.
pub fn delete_row<'a>(from: &TableName, key: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut conditions: Vec<String> = Vec::new();
    for (name, data_type) in key {
        let text = format!("${}::text", conditions.len() + 1);
        conditions.push(format!("{} = {}", ident(name), digest::value(&text, data_type)));
    }
    for version in ["_seq_no", "_primary_term"] {
        conditions.push(format!("{} = ${}::text::bigint", ident(version), conditions.len() + 1));
    }
    format!("DELETE FROM {} WHERE {}", table(from), conditions.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(of: &TableName) -> Keys<'_> {
        Keys { of, texts: vec!["CAST(\"k\" AS text)".to_owned()], filter: Some("a OR b") }
    }

    #[test]
    fn keys_are_read_by_bucket_and_by_digest() {
        let of = TableName::new("s", "t");
        assert_eq!(
            keys(&of).in_buckets(),
            "SELECT rows_of.digest FROM (SELECT md5(CAST(\"k\" AS text)) AS digest FROM \"s\".\"t\" WHERE (a OR b)) AS rows_of \
             JOIN (SELECT unnest AS one FROM unnest($1::array(text))) AS wanted \
             ON substr(rows_of.digest, 1, 4) = wanted.one"
        );
        assert_eq!(
            keys(&of).rows_among(),
            "SELECT rows_of.digest, rows_of.\"_seq_no\", rows_of.\"_primary_term\", rows_of.\"key_1\" FROM \
             (SELECT md5(CAST(\"k\" AS text)) AS digest, \"_seq_no\" AS \"_seq_no\", \"_primary_term\" AS \"_primary_term\", \
             CAST(\"k\" AS text) AS \"key_1\" FROM \"s\".\"t\" WHERE (a OR b)) AS rows_of \
             JOIN (SELECT unnest AS one FROM unnest($1::array(text))) AS wanted ON rows_of.digest = wanted.one"
        );
    }

    #[test]
    fn a_row_goes_only_as_it_was_seen() {
        assert_eq!(
            delete_row(&TableName::new("s", "t"), [("k", "text"), ("at", "timestamp with time zone")]),
            "DELETE FROM \"s\".\"t\" WHERE \"k\" = $1::text AND \"at\" = $2::text::bigint::timestamp with time zone \
             AND \"_seq_no\" = $3::text::bigint AND \"_primary_term\" = $4::text::bigint"
        );
    }
}
