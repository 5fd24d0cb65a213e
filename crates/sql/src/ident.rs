//! Identifiers and literals as CrateDB reads them.

use transship_model::TableName;

/// `name` as a quoted identifier: quotes doubled, case kept.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `schema.table`, both quoted.
pub fn table(name: &TableName) -> String {
    format!("{}.{}", ident(&name.schema), ident(&name.table))
}

/// A list of quoted tables, comma-separated, in the given order.
pub fn tables<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    names.into_iter().map(table).collect::<Vec<_>>().join(", ")
}

/// `text` as a string literal: quotes doubled.
///
/// A text with braces is written as an `E''` literal, since CrateDB's simple protocol takes `'{a}'` for a placeholder.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('{') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// A row constructor list `('s', 't'), …` of table names, for `(schema_name, table_name) IN (…)`-like conditions.
pub(crate) fn table_condition<'a>(
    schema_column: &str,
    table_column: &str,
    names: impl IntoIterator<Item = &'a TableName>,
) -> String {
    let mut by_schema = std::collections::BTreeMap::<&str, Vec<String>>::new();
    for name in names {
        by_schema.entry(&name.schema).or_default().push(literal(&name.table));
    }
    let parts: Vec<_> = by_schema
        .iter()
        .map(|(schema, tables)| {
            format!("({schema_column} = {} AND {table_column} IN ({}))", literal(schema), tables.join(", "))
        })
        .collect();
    if parts.is_empty() { "false".to_owned() } else { parts.join(" OR ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(ident(r#"a"b C"#), r#""a""b C""#);
        assert_eq!(table(&TableName::new("shop", "order")), r#""shop"."order""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"{a\b}"), r"E'{a\\b}'");
    }
}
