//! Which key goes with which strategy, as one table.

use transship_model::spec::{ColumnRule, Columns, Flow, Rule, Table};
use transship_model::{Finding, SpecPath};

use super::tables_with_settings;
use super::way::Way::{self, Auto, Command, Detach, ExportImport, ForeignTable, Replication, Snapshot, Stream};
use super::way::{candidates, list};
use crate::report::Report;

/// A key, the ways that it goes with, and why not the others.
struct Row {
    key: &'static str,
    code: &'static str,
    ways: &'static [Way],
    reason: &'static str,
}

const SQL_WAYS: &[Way] = &[ExportImport, Stream, ForeignTable, Command, Auto];
const COPIES: &[Way] = &[Detach, Snapshot, ExportImport, Stream, ForeignTable, Command, Auto];
const STREAM: &[Way] = &[Stream, Auto];

const fn row(key: &'static str, code: &'static str, ways: &'static [Way], reason: &'static str) -> Row {
    Row { key, code, ways, reason }
}

const WHOLE_TABLES: &str = "it copies whole tables as they are";
const NO_ROWS: &str = "the rows do not pass through transship";
const FOLLOWS: &str = "it follows its source by itself";
const NOTHING_ADDED: &str = "it does not add to what is there";

/// The matrix.
const ROWS: &[Row] = &[
    row("where", "spec::where-needs-copy", SQL_WAYS, WHOLE_TABLES),
    row("columns", "spec::columns-needs-copy", SQL_WAYS, WHOLE_TABLES),
    row("to", "spec::rename-needs-copy", COPIES, "a replicated table has the name of its source"),
    row(
        "partitions",
        "spec::partitions-needs-copy",
        &[Snapshot, ExportImport, Stream, ForeignTable, Command, Auto],
        "it replicates whole tables",
    ),
    row("repeat", "spec::repeat-needs-copy", COPIES, FOLLOWS),
    row("cursor", "spec::cursor-needs-stream", STREAM, NOTHING_ADDED),
    row("overlap", "spec::overlap-needs-stream", STREAM, NOTHING_ADDED),
    row("prune", "spec::prune-needs-stream", STREAM, NOTHING_ADDED),
    row("mask", "spec::mask-needs-stream", STREAM, NO_ROWS),
    row("hash", "spec::hash-needs-stream", STREAM, NO_ROWS),
    row("redact", "spec::redact-needs-stream", STREAM, NO_ROWS),
    row("partial", "spec::partial-needs-stream", STREAM, NO_ROWS),
    row("lookup", "spec::lookup-needs-stream", STREAM, NO_ROWS),
    row("truncate", "spec::truncate-needs-stream", STREAM, NO_ROWS),
    row("round", "spec::round-needs-stream", STREAM, NO_ROWS),
    row("cast", "spec::cast-needs-stream", STREAM, NO_ROWS),
    row("const", "spec::const-needs-stream", STREAM, NO_ROWS),
    row("default", "spec::default-needs-stream", STREAM, NO_ROWS),
    row("expr", "spec::expr-needs-stream", STREAM, NO_ROWS),
    row("replace_by", "spec::replace-by-needs-copy", COPIES, "a subscribed table cannot be replaced"),
    row("target", "spec::target-needs-copy", COPIES, "a replicated table has the settings of its source"),
    row("allow_shrink", "spec::allow-shrink-needs-copy", COPIES, FOLLOWS),
    row(
        "on_new_column",
        "spec::on-new-column-needs-copy",
        &[ExportImport, Stream, ForeignTable, Auto],
        "new columns travel with the table, or are the program's own business",
    ),
    row(
        "max_lag",
        "spec::max-lag-needs-continuous",
        &[Replication, Stream, Auto],
        "a copy is not behind, it is due or not",
    ),
    row("names.publication", "spec::names-publication", &[Replication, Detach], "it makes no publication"),
    row("names.subscription", "spec::names-subscription", &[Replication, Detach], "it makes no subscription"),
    row("names.repository", "spec::names-repository", &[Snapshot], "it makes no repository"),
    row("run", "spec::run-needs-command", &[Command], "it runs no program"),
];

/// Reports every key of the flow that its strategy has no use for.
pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let way = Way::of(&flow.strategy);
    let candidates = candidates(flow);
    for (key, path) in keys(flow, path) {
        let row = ROWS.iter().find(|row| row.key == key).expect("every key that is looked for has a row");
        let fits = row.ways.contains(&way) && candidates.iter().any(|way| row.ways.contains(way));
        // Needs that no way provides are an error of their own.
        if !fits && !candidates.is_empty() {
            report.push(refused(row, way, path));
        }
    }
}

fn refused(row: &Row, way: Way, path: SpecPath) -> Finding {
    let key = row.key;
    let strategy = way.words();
    let message = match way {
        Auto if row.ways.contains(&Auto) => format!("`{key}` goes with no strategy that provides these `needs`"),
        Auto => format!("`{key}` does not go with strategy {strategy}: which objects there will be is not yet known"),
        _ => format!("`{key}` does not go with strategy {strategy}: {}", row.reason),
    };
    Finding::error(row.code, message)
        .at_key(path)
        .help(format!("remove the key, or use a strategy that can: {}", list(row.ways)))
}

/// The keys of a flow that are set and depend on its strategy, each with its place.
fn keys(flow: &Flow, path: &SpecPath) -> Vec<(&'static str, SpecPath)> {
    let names = flow.names.clone().unwrap_or_default();
    let of_flow = [
        ("repeat", flow.repeat.is_some()),
        ("replace_by", flow.replace_by.is_some()),
        ("target", !flow.target.is_empty()),
        ("allow_shrink", flow.allow_shrink),
        ("on_new_column", flow.on_new_column.is_some()),
        ("max_lag", flow.max_lag.is_some()),
        ("names.publication", names.publication.is_some()),
        ("names.subscription", names.subscription.is_some()),
        ("names.repository", names.repository.is_some()),
    ];
    let mut all = set(&of_flow, path);
    if let transship_model::spec::StrategyChoice::Custom(custom) = &flow.strategy
        && !custom.run.is_empty()
    {
        all.push(("run", path.key("strategy").key("custom").key("run")));
    }
    for (path, table) in tables_with_settings(flow, path) {
        all.extend(keys_of_table(table, &path));
    }
    all
}

fn set(keys: &[(&'static str, bool)], path: &SpecPath) -> Vec<(&'static str, SpecPath)> {
    keys.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| (*key, path.key(key))).collect()
}

fn keys_of_table(table: &Table, path: &SpecPath) -> Vec<(&'static str, SpecPath)> {
    let renamed = table.to.as_ref().is_some_and(|to| *to != table.from.0);
    let mut all = set(
        &[
            ("where", table.filter.is_some()),
            ("columns", table.columns.is_some()),
            ("to", renamed),
            ("partitions", !table.partitions.is_empty()),
            ("cursor", table.cursor.is_some()),
            ("overlap", table.overlap.is_some()),
            ("prune", table.prune),
        ],
        path,
    );
    if let Some(Columns::Rules(rules)) = &table.columns {
        for (column, rule) in rules {
            if let ColumnRule::Rule(rule) = rule {
                all.extend(keys_of_rule(rule, &path.key("columns").key(column)));
            }
        }
    }
    all
}

fn keys_of_rule(rule: &Rule, path: &SpecPath) -> Vec<(&'static str, SpecPath)> {
    set(
        &[
            ("mask", rule.mask.is_some()),
            ("hash", rule.hash.is_some()),
            ("redact", rule.redact.is_some()),
            ("partial", rule.partial.is_some()),
            ("lookup", rule.lookup.is_some()),
            ("truncate", rule.truncate.is_some()),
            ("round", rule.round.is_some()),
            ("cast", rule.cast.is_some()),
            ("const", rule.constant.is_some()),
            ("default", rule.default_value.is_some()),
            ("expr", rule.expr.is_some()),
        ],
        path,
    )
}

#[cfg(test)]
mod tests;
