//! Which key goes with which strategy, as one table, and which mode of `existing`.

use super::way::Way::{self, Auto, Command, Detach, ExportImport, ForeignTable, Replication, Snapshot, Stream};
use super::{ColumnRule, Columns, Existing, Flow, Rule, StrategyChoice, Table, TableEntry};
use crate::span::SpecPath;

/// A key, the ways that it goes with, and why not the others.
#[derive(Debug)]
pub struct Row {
    /// The key.
    pub key: &'static str,
    /// The code of every other combination.
    pub code: &'static str,
    /// The ways that it goes with.
    pub ways: &'static [Way],
    /// Why it does not go with the others.
    pub reason: &'static str,
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
pub const ROWS: &[Row] = &[
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
    row("chunk_rows", "spec::chunk-rows-needs-stream", &[Stream, ForeignTable], "another program divides the work"),
];

const ALL: &[Way] = &[Replication, Detach, Snapshot, ExportImport, Stream, ForeignTable, Command, Auto];

/// The ways that a mode goes with, the code of every other combination, and the reason.
pub const fn row_of_existing(existing: Existing) -> (&'static [Way], &'static str, &'static str) {
    match existing {
        Existing::Error => (ALL, "spec::error-needs-nothing", ""),
        Existing::Replace => (ALL, "spec::replace-needs-nothing", ""),
        Existing::Append => (SQL_WAYS, "spec::append-needs-copy", "it makes whole tables and cannot add rows to one"),
        Existing::Upsert => (SQL_WAYS, "spec::upsert-needs-copy", "it makes whole tables and cannot add rows to one"),
        Existing::Skip => (COPIES, "spec::skip-needs-copy", "a table that is there cannot be subscribed"),
    }
}

/// The row of a key that [`keys`] gives.
pub fn row_of(key: &str) -> &'static Row {
    ROWS.iter().find(|row| row.key == key).expect("every key that is looked for has a row")
}

/// Why a flow with these keys cannot go this way, one sentence each, with the place; empty where it can.
pub fn misfits(flow: &Flow, way: Way, path: &SpecPath) -> Vec<(String, SpecPath)> {
    let unfit = keys(flow, path).into_iter().filter(|(key, _)| !row_of(key).ways.contains(&way));
    let mut all: Vec<_> = unfit.map(|(key, path)| (format!("`{key}`: {}", row_of(key).reason), path)).collect();
    let (ways, _, reason) = row_of_existing(flow.existing());
    if !ways.contains(&way) {
        all.push((format!("`existing: {}`: {reason}", flow.existing().as_str()), path.key("existing")));
    }
    all
}

/// The keys of a flow that are set and depend on its strategy, each with its place.
pub fn keys(flow: &Flow, path: &SpecPath) -> Vec<(&'static str, SpecPath)> {
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
    if let StrategyChoice::Custom(custom) = &flow.strategy {
        let of_custom = [("run", !custom.run.is_empty()), ("chunk_rows", custom.chunk_rows.is_some())];
        all.extend(set(&of_custom, &path.key("strategy").key("custom")));
    }
    let tables = path.key("tables");
    for (index, entry) in flow.tables.iter().enumerate() {
        if let TableEntry::Table(table) = entry {
            all.extend(keys_of_table(table, &tables.item(index)));
        }
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
