//! Partitions of a table by their values.
//!
//! A value is the text that `sys.snapshots` and file names have: `t` and `f` for booleans, milliseconds since 1970 for
//! timestamps. `RESTORE` of a partition whose table is not there compares such texts and nothing else: with `true`
//! for `t` it restores nothing and succeeds.

use transship_model::TableName;

use crate::ident::{ident, literal, table};

/// One partition: each column that the table is partitioned by, in that order, with its value; `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition(pub Vec<(String, Option<String>)>);

impl Partition {
    /// `PARTITION ("a" = '1', "b" = NULL)`.
    pub(crate) fn clause(&self) -> String {
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), literal);
        let values = self.0.iter().map(|(column, text)| format!("{} = {}", ident(column), value(text)));
        format!("PARTITION ({})", values.collect::<Vec<_>>().join(", "))
    }

    /// Whether a value is NULL. CrateDB 6.4 fails to restore such a partition by itself, with a `NullPointerException`;
    /// it can be snapshotted, exported, and restored with its whole table.
    pub fn has_null(&self) -> bool {
        self.0.iter().any(|(_, value)| value.is_none())
    }

    /// The name of the partition in catalogs (`partition_ident`): its values, in the order of the columns.
    pub fn ident(&self) -> String {
        let mut bytes = Vec::new();
        variable(&mut bytes, self.0.len());
        for (_, value) in &self.0 {
            match value {
                None => bytes.push(0),
                Some(text) => {
                    variable(&mut bytes, text.len() + 1);
                    bytes.extend(text.bytes());
                }
            }
        }
        base32(&bytes)
    }

    /// The partition of a table that is partitioned by `columns` with that ident; `None` where it is none.
    pub fn of_ident(columns: &[String], ident: &str) -> Option<Self> {
        let bytes = unbase32(ident)?;
        let mut rest = bytes.as_slice();
        if take_variable(&mut rest)? != columns.len() {
            return None;
        }
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            let value = match take_variable(&mut rest)? {
                0 => None,
                length => {
                    let (text, after) = rest.split_at_checked(length - 1)?;
                    rest = after;
                    Some(String::from_utf8(text.to_vec()).ok()?)
                }
            };
            values.push((column.clone(), value));
        }
        let partition = Self(values);
        (partition.ident() == ident).then_some(partition)
    }

    fn condition(&self) -> String {
        let column = |(name, value): &(String, Option<String>)| match value {
            Some(text) => format!("{} = {}", ident(name), literal(text)),
            None => format!("{} IS NULL", ident(name)),
        };
        format!("({})", self.0.iter().map(column).collect::<Vec<_>>().join(" AND "))
    }
}

/// Deletes one partition, all of it: a condition on all of a table's partition columns and nothing else drops the
/// partition with its index, and the answer does not tell whether there was one.
pub fn delete_partition(name: &TableName, partition: &Partition) -> String {
    let condition = partition.condition();
    format!("DELETE FROM {} WHERE {}", table(name), condition)
}

/// One column, `count`: the rows of some partitions that readers see.
pub fn count_rows(name: &TableName, partitions: &[Partition]) -> String {
    let within = condition(partitions, None).map(|within| format!(" WHERE {within}")).unwrap_or_default();
    format!("SELECT count(*) AS count FROM {}{within}", table(name))
}

/// A number as CrateDB's streams have it: seven bits a byte, the lowest first.
fn variable(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits fit into a byte")
}

fn take_variable(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..28).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The alphabet that keeps the order of bytes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Base32 without padding.
fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let digit = |at: usize| (0..5).fold(0_usize, |digit, offset| digit << 1 | usize::from(bit(at + offset)));
    (0..bytes.len() * 8).step_by(5).map(|at| char::from(ALPHABET[digit(at)])).collect()
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(|byte| ALPHABET.iter().position(|it| *it == byte)).collect::<Option<Vec<_>>>()?;
    let bit = |at: usize| digits[at / 5] >> (4 - at % 5) & 1;
    let byte = |at: usize| u8::try_from((0..8).fold(0, |byte, offset| byte << 1 | bit(at * 8 + offset))).ok();
    (0..digits.len() * 5 / 8).map(byte).collect()
}

/// The condition for rows of the given partitions for which the checked `filter` holds; `None` for all rows.
pub fn condition(partitions: &[Partition], filter: Option<&str>) -> Option<String> {
    let within = partitions.iter().map(Partition::condition).collect::<Vec<_>>().join(" OR ");
    match (within.is_empty(), filter) {
        (true, None) => None,
        (true, Some(filter)) => Some(filter.to_owned()),
        (false, None) => Some(within),
        (false, Some(filter)) => Some(format!("({within}) AND ({filter})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_or_asked_for() {
        let of = |a: Option<&str>, b: Option<&str>| {
            Partition(vec![("a\"".to_owned(), a.map(str::to_owned)), ("b".to_owned(), b.map(str::to_owned))])
        };
        let parts = [of(Some("it's"), Some("-5")), of(None, Some("{x}"))];
        assert_eq!(parts[0].clause(), r#"PARTITION ("a""" = 'it''s', "b" = '-5')"#);
        assert_eq!(parts[1].clause(), r#"PARTITION ("a""" = NULL, "b" = E'{x}')"#);
        assert!(parts[1].has_null() && !parts[0].has_null());
        let both = r#"("a""" = 'it''s' AND "b" = '-5') OR ("a""" IS NULL AND "b" = E'{x}')"#;
        assert_eq!(condition(&parts, None).as_deref(), Some(both));
        assert_eq!(condition(&parts, Some("x OR y")), Some(format!("({both}) AND (x OR y)")));
        assert_eq!(condition(&[], Some("x")).as_deref(), Some("x"));
        assert_eq!(condition(&[], None), None);
        assert_eq!(
            delete_partition(&TableName::new("s", "t"), &parts[0]),
            r#"DELETE FROM "s"."t" WHERE ("a""" = 'it''s' AND "b" = '-5')"#
        );
    }

    #[test]
    fn idents_are_those_of_cratedb() {
        let check = |values: &[Option<&str>], ident: &str| {
            let names = ["b", "ts", "d"].map(str::to_owned);
            let of = values.iter().zip(&names).map(|(value, name)| (name.clone(), value.map(str::to_owned)));
            let partition = Partition(of.collect());
            assert_eq!(partition.ident(), ident);
            assert_eq!(Partition::of_ident(&names[..values.len()], ident), Some(partition));
        };
        check(&[Some("1")], "04132");
        check(&[Some("t"), Some("1767225600000"), Some("1.5")], "0c1783hh6sr3echi6kr30c1g60o08c9e6k");
        check(&[Some("t"), Some("1767225600123"), Some("1.0E20")], "0c1783hh6sr3echi6kr30c1h68pgec9e612j4c0");
        check(&[None, None, None], "0c00000");
        let long = "ä".repeat(100);
        let columns = ["m".to_owned()];
        let partition = Partition(vec![("m".to_owned(), Some(long))]);
        assert_eq!(Partition::of_ident(&columns, &partition.ident()), Some(partition));
        for ident in ["", "0", "04132x", "0c00000", "04136!", "00"] {
            assert_eq!(Partition::of_ident(&columns, ident), None, "{ident}");
        }
    }
}
