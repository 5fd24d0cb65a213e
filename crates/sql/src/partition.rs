//! Partitions of a table by their values.
//!
//! A value is the text that `sys.snapshots` and file names have: `t` and `f` for booleans, milliseconds since 1970 for
//! timestamps. `RESTORE` of a partition whose table is not there compares such texts and nothing else: with `true` for
//! `t` it restores nothing and succeeds.

use crate::ident::{ident, literal};

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

    fn condition(&self) -> String {
        let column = |(name, value): &(String, Option<String>)| match value {
            Some(text) => format!("{} = {}", ident(name), literal(text)),
            None => format!("{} IS NULL", ident(name)),
        };
        format!("({})", self.0.iter().map(column).collect::<Vec<_>>().join(" AND "))
    }
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
    }
}
