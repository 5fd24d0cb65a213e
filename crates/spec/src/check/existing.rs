//! What may happen with tables that are there: by strategy, together with other keys, and on protected clusters.

use transship_model::spec::matrix::row_of_existing;
use transship_model::spec::way::Way::{self, Auto, Replication, Stream};
use transship_model::spec::way::{candidates, list};
use transship_model::spec::{Existing, Flow, TableEntry};
use transship_model::{Finding, SpecPath};

use super::{Context, tables_with_settings};
use crate::report::Report;

pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let existing = flow.existing();
    let way = Way::of(&flow.strategy);
    let (ways, code, reason) = row_of_existing(existing);
    let candidates = candidates(flow);
    if !candidates.is_empty() && !candidates.iter().any(|way| ways.contains(way)) {
        let word = existing.as_str();
        report.push(
            Finding::error(code, format!("`existing: {word}` does not go with strategy {}: {reason}", way.words()))
                .at(path.key("existing"))
                .help(format!("use a strategy that can: {}; or one of the other modes", list(ways))),
        );
    }
    check_replace(flow, way, path, report);
    check_rows(flow, way, path, report);
}

/// Keys that only say how a table is replaced.
fn check_replace(flow: &Flow, way: Way, path: &SpecPath, report: &mut Report) {
    if flow.existing() == Existing::Replace || way == Replication {
        return;
    }
    let prunes = flow.existing() == Existing::Upsert
        && flow.tables.iter().filter_map(TableEntry::settings).any(|table| table.prune);
    let keys = [
        ("replace_by", flow.replace_by.is_some(), "spec::replace-by-needs-replace"),
        ("allow_shrink", flow.allow_shrink && !prunes, "spec::allow-shrink-needs-replace"),
    ];
    for (key, _, code) in keys.into_iter().filter(|(_, is_set, _)| *is_set) {
        report.push(
            Finding::error(code, format!("`{key}` has no use with `existing: {}`", flow.existing().as_str()))
                .at_key(path.key(key))
                .help("write `existing: replace`, or remove the key"),
        );
    }
}

/// Keys of tables that bring or remove single rows.
fn check_rows(flow: &Flow, way: Way, path: &SpecPath, report: &mut Report) {
    if !matches!(way, Stream | Auto) {
        return;
    }
    let existing = flow.existing();
    for (path, table) in tables_with_settings(flow, path) {
        if table.cursor.is_some() && !matches!(existing, Existing::Upsert | Existing::Append) {
            report.push(
                Finding::error(
                    "spec::cursor-needs-upsert",
                    format!("with `existing: {}`, `cursor` would never bring new rows", existing.as_str()),
                )
                .at_key(path.key("cursor"))
                .help("write `existing: upsert` on the flow; or `append`, where rows never change"),
            );
        }
        if table.overlap.is_some() && table.cursor.is_none() {
            report.push(
                Finding::error("spec::overlap-needs-cursor", "`overlap` has no use without `cursor`")
                    .at_key(path.key("overlap"))
                    .help("name the column by which new rows are found: `cursor: COLUMN`"),
            );
        }
        if table.prune && existing != Existing::Upsert {
            report.push(
                Finding::error(
                    "spec::prune-needs-upsert",
                    format!("`prune` has no use with `existing: {}`", existing.as_str()),
                )
                .at_key(path.key("prune"))
                .help("write `existing: upsert` on the flow, or remove the key"),
            );
        }
    }
    check_repeat(flow, path, report);
}

/// A flow that is continuous has no times at which it repeats.
fn check_repeat(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let has_cursor = |entry: &TableEntry| matches!(entry, TableEntry::Table(table) if table.cursor.is_some());
    if flow.repeat.is_some() && flow.tables.iter().all(has_cursor) {
        report.push(
            Finding::error("spec::repeat-with-cursor", "`repeat` has no use where every table has a `cursor`")
                .at_key(path.key("repeat"))
                .help("remove `repeat`: each apply brings what is new"),
        );
    }
    if flow.max_lag.is_some() && Way::of(&flow.strategy) == Stream && !flow.tables.iter().any(has_cursor) {
        report.push(
            Finding::error("spec::max-lag-needs-cursor", "`max_lag` has no use where no table has a `cursor`")
                .at_key(path.key("max_lag"))
                .help("name the column by which new rows are found: `cursor: COLUMN`; or remove `max_lag`"),
        );
    }
}

/// Nothing overwrites or removes what is on a protected cluster.
pub(super) fn check_protected(context: &Context<'_>, report: &mut Report) {
    for instance in context.spec.instances() {
        let Some(to) = instance.to else { continue };
        if !context.spec.clusters.get(to).is_some_and(|cluster| cluster.protected) {
            continue;
        }
        let protected = SpecPath::of("clusters", to).key("protected");
        let refused = |what: &str, path: SpecPath| {
            Finding::error("spec::protected-target", format!("`{to}` is protected: {what}"))
                .at(path)
                .related(protected.clone(), "protected here")
                .help("use `existing: error`, `append` or `skip`, or another cluster; `protected` keeps what is there")
        };
        match instance.flow.existing() {
            Existing::Upsert => {
                report.push(refused("`existing: upsert` would overwrite rows", instance.path.key("existing")));
            }
            Existing::Replace => {
                report.push(refused("`existing: replace` would drop tables", instance.path.key("existing")));
            }
            Existing::Error | Existing::Append | Existing::Skip => {}
        }
        for (path, _) in tables_with_settings(instance.flow, &instance.path).iter().filter(|(_, table)| table.prune) {
            report.push(refused("`prune` would delete rows", path.key("prune")));
        }
    }
}
