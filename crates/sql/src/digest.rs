//! Digests of values that both clusters compute alike, so that rows can be compared without moving them.
//!
//! CrateDB has no function that makes a number of a text's hash; it reads hexadecimal floats, though:
//! `'0xdeadbeefp0'::double precision::bigint` is 3735928559. Eight digits keep sums exact up to 2^31 rows.

use transship_model::TableName;

use crate::ident::table;

/// The first digits of a digest name its bucket: there are 65,536 of them.
const DIGITS: u32 = 4;

/// A text of an expression as a value of a type, as `information_schema.columns.data_type` names it: equal values have equal
/// texts, others have others, whatever the version of CrateDB. `None` for types of which that is not known: floats are
/// written as Java does, which has changed.
pub fn text(expression: &str, data_type: &str) -> Option<String> {
    match data_type {
        "text" => Some(format!("CAST({expression} AS text)")),
        "timestamp with time zone" | "timestamp without time zone" => {
            Some(format!("CAST(CAST(CAST({expression} AS {data_type}) AS bigint) AS text)"))
        }
        "byte" | "smallint" | "integer" | "bigint" => Some(format!("CAST(CAST({expression} AS {data_type}) AS text)")),
        "boolean" => Some(format!("CASE WHEN {expression} THEN 't' WHEN NOT {expression} THEN 'f' END")),
        _ => None,
    }
}

/// What makes the value of a type of its [`text`].
pub fn value(text: &str, data_type: &str) -> String {
    match data_type {
        "text" => text.to_owned(),
        "timestamp with time zone" | "timestamp without time zone" => format!("{text}::bigint::{data_type}"),
        _ => format!("{text}::{data_type}"),
    }
}

/// Whether equal values of two types have equal texts once they are cast to the second.
pub fn is_alike(from: &str, to: &str) -> bool {
    let is_whole = |name: &str| matches!(name, "byte" | "smallint" | "integer" | "bigint");
    let is_time = |name: &str| matches!(name, "timestamp with time zone" | "timestamp without time zone");
    from == to || (is_whole(from) && is_whole(to)) || (is_time(from) && is_time(to))
}

/// The MD5, as 32 hexadecimal digits, of some texts: where one of several is NULL, that of no others. Each is hashed by
/// itself, so that no text can pass for the end of one and the beginning of the next.
pub fn of(texts: &[String]) -> String {
    match texts {
        [one] => format!("md5({one})"),
        several => {
            let each: Vec<String> = several.iter().map(|text| format!("md5({text})")).collect();
            format!("md5(concat({}))", each.join(", "))
        }
    }
}

/// Columns `bucket, n, low, high` of the rows for which the checked `filter` holds: how many there are of each bucket, and
/// two sums over further digits of their digests. A row without a digest is of the bucket NULL.
pub fn buckets(of: &TableName, digest: &str, filter: Option<&str>) -> String {
    let bucket = bucket("digest");
    let sum = |from: u32| format!("sum(('0x' || substr(digest, {from}, 8) || 'p0')::double precision::bigint)");
    let filter = filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
    format!(
        "SELECT {bucket} AS bucket, count(*) AS n, {} AS low, {} AS high FROM (SELECT {digest} AS digest FROM {}{filter}) \
         AS rows_of GROUP BY {bucket}",
        sum(DIGITS + 1),
        sum(DIGITS + 9),
        table(of)
    )
}

/// The bucket of a digest.
pub fn bucket(digest: &str) -> String {
    format!("substr({digest}, 1, {DIGITS})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_apart() {
        assert_eq!(of(&["a".to_owned()]), "md5(a)");
        assert_eq!(of(&["a".to_owned(), "b".to_owned()]), "md5(concat(md5(a), md5(b)))");
    }

    #[test]
    fn rows_are_counted_and_summed_by_bucket() {
        assert_eq!(
            buckets(&TableName::new("s", "t"), "md5(k)", Some("a OR b")),
            "SELECT substr(digest, 1, 4) AS bucket, count(*) AS n, \
             sum(('0x' || substr(digest, 5, 8) || 'p0')::double precision::bigint) AS low, \
             sum(('0x' || substr(digest, 13, 8) || 'p0')::double precision::bigint) AS high \
             FROM (SELECT md5(k) AS digest FROM \"s\".\"t\" WHERE (a OR b)) AS rows_of GROUP BY substr(digest, 1, 4)"
        );
    }

    #[test]
    fn what_has_no_one_text_is_told_apart() {
        assert!(["object", "numeric", "real", "ip", "undefined"].iter().all(|name| text("k", name).is_none()));
        assert!(is_alike("smallint", "bigint") && !is_alike("double precision", "text"));
    }
}
