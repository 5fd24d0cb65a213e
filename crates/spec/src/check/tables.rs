//! Which tables: names and patterns, and the keys that speak of a single table.

use transship_model::name::{ASIDE_PREFIX, RESERVED_SCHEMAS};
use transship_model::spec::{Flow, Table};
use transship_model::{Finding, Glob, SpecPath};

use super::{sql, tables_with_settings};
use crate::report::Report;

/// Characters that CrateDB takes in no name of a schema or table, and `.`, which parts the two.
const NEVER: [char; 12] = ['"', '\'', '`', '\\', '/', '<', '>', '|', ',', '#', '.', ' '];

pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let from = |i: usize| match &flow.tables[i] {
        transship_model::spec::TableEntry::Pattern(_) => path.key("tables").item(i),
        transship_model::spec::TableEntry::Table(_) => path.key("tables").item(i).key("from"),
    };
    for (i, entry) in flow.tables.iter().enumerate() {
        check_pattern(entry.from(), from(i), report);
    }
    for (i, pattern) in flow.exclude.iter().enumerate() {
        check_pattern(pattern, path.key("exclude").item(i), report);
    }
    for (path, table) in tables_with_settings(flow, path) {
        check_table(table, &path, report);
    }
    check_exclude(flow, path, report);
}

/// Why `text` is no table name or pattern: code, message, help.
pub(super) fn problem_of(text: &str) -> Option<(&'static str, String, &'static str)> {
    let malformed = |help| Some(("spec::bad-table", format!("`{text}` is not a table"), help));
    let Some((schema, table)) = text.split_once('.') else {
        return malformed("write `schema.table`; the schema is `doc` unless the table has another");
    };
    if text.contains('"') {
        return malformed("write names without quotes, as CrateDB stores them");
    }
    if table.contains('.') {
        return malformed("write `schema.table`, without a catalog before it");
    }
    let is_name = |part: &str| {
        !part.is_empty() && !part.starts_with('_') && !part.contains(|c: char| NEVER.contains(&c) || c.is_control())
    };
    if !is_name(schema) || !is_name(table) {
        return malformed("write `schema.table`, with `*` and `?` for patterns");
    }
    if RESERVED_SCHEMAS.contains(&schema) {
        let message = format!("`{schema}` is not a schema of tables that flows may carry");
        return Some(("spec::reserved-schema", message, "name a table of another schema"));
    }
    if table.starts_with(ASIDE_PREFIX) {
        let message = format!("names that begin with `{ASIDE_PREFIX}` are kept for copies on their way");
        return Some(("spec::reserved-table", message, "name another table"));
    }
    None
}

fn check_pattern(pattern: &Glob, path: SpecPath, report: &mut Report) {
    if let Some((code, message, help)) = problem_of(&pattern.0) {
        report.push(Finding::error(code, message).at(path).help(help));
    }
}

/// The name of a single table.
pub(super) fn check_name(name: &str, path: SpecPath, report: &mut Report) {
    if !Glob(name.to_owned()).is_literal() {
        report.push(
            Finding::error(
                "spec::pattern-as-name",
                format!("`{name}` is a pattern, here stands the name of one table"),
            )
            .at(path)
            .help("write `schema.table`"),
        );
    } else if let Some((code, message, help)) = problem_of(name) {
        report.push(Finding::error(code, message).at(path).help(help));
    }
}

fn check_table(table: &Table, path: &SpecPath, report: &mut Report) {
    if let Some(to) = &table.to {
        check_name(to, path.key("to"), report);
    }
    if let Some(Err((code, message, help))) = table.filter.as_deref().map(sql::check) {
        report.push(Finding::error(code, message).at(path.key("where")).help(help));
    }
    for (i, _) in table.partitions.iter().enumerate().filter(|(_, partition)| partition.is_empty()) {
        report.push(
            Finding::error("spec::empty-value", "the partition has no values")
                .at(path.key("partitions").item(i))
                .help("write each partition column with its value: `{ month: 1767225600000 }`"),
        );
    }
    if table.from.is_literal() {
        return;
    }
    let single = [
        ("to", table.to.is_some()),
        ("where", table.filter.is_some()),
        ("columns", table.columns.is_some()),
        ("cursor", table.cursor.is_some()),
        ("partitions", !table.partitions.is_empty()),
    ];
    for (key, _) in single.into_iter().filter(|(_, is_set)| *is_set) {
        report.push(
            Finding::error(
                "spec::pattern-with-settings",
                format!("`{key}` is about one table, `{}` is a pattern", table.from),
            )
            .at_key(path.key(key))
            .related(path.key("from"), "the pattern")
            .help("give the table an entry of its own, and `exclude` it from the pattern"),
        );
    }
}

/// An `exclude` that can exclude nothing.
fn check_exclude(flow: &Flow, path: &SpecPath, report: &mut Report) {
    if !flow.exclude.is_empty() && flow.tables.iter().all(|entry| entry.from().is_literal()) {
        report.push(
            Finding::warning("spec::exclude-without-pattern", "`exclude` has no use where no table is a pattern")
                .at_key(path.key("exclude"))
                .help("remove `exclude`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_schema_and_name() {
        for (text, code) in [
            ("shop.orders", None),
            ("shop.*", None),
            ("*.orders_?", None),
            ("Shop.Orders", None),
            ("orders", Some("spec::bad-table")),
            ("*", Some("spec::bad-table")),
            ("crate.shop.orders", Some("spec::bad-table")),
            ("\"shop\".\"orders\"", Some("spec::bad-table")),
            ("shop.", Some("spec::bad-table")),
            (".orders", Some("spec::bad-table")),
            ("shop.my orders", Some("spec::bad-table")),
            ("shop._orders", Some("spec::bad-table")),
            ("sys.shards", Some("spec::reserved-schema")),
            ("transship.*", Some("spec::reserved-schema")),
            ("shop.transship__orders", Some("spec::reserved-table")),
        ] {
            assert_eq!(problem_of(text).map(|problem| problem.0), code, "{text}");
        }
    }
}
