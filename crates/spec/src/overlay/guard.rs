//! What an overlay may not take away: `protected`, `prevent_destroy`, and masks.

use transship_model::{Finding, Glob, SpecPath};

use crate::node::{Entry, Kind, Node};
use crate::report::Report;

/// The transformations that hide a value.
const MASKS: [&str; 4] = ["mask", "hash", "redact", "partial"];

/// Reports every protection of `base` that `merged` lacks.
pub(super) fn check(base: &Node, merged: &Node, report: &mut Report) {
    flags(base, merged, "clusters", "protected", report);
    flags(base, merged, "flows", "prevent_destroy", report);
    for flow in entries_of(base, "flows") {
        let Some(after) = merged.get("flows").and_then(|flows| flows.get(&flow.key)) else { continue };
        masks(&SpecPath::of("flows", &flow.key), &flow.value, after, report);
    }
}

fn entries_of<'a>(root: &'a Node, section: &str) -> &'a [Entry] {
    root.get(section).map_or(&[], Node::entries)
}

fn flags(base: &Node, merged: &Node, section: &str, flag: &str, report: &mut Report) {
    for named in entries_of(base, section) {
        let Some(before) = named.value.get(flag).filter(|value| value.kind == Kind::Bool(true)) else { continue };
        let after = merged.get(section).and_then(|section| section.get(&named.key)).and_then(|named| named.get(flag));
        if after.is_some_and(|after| after.kind == Kind::Bool(true)) {
            continue;
        }
        let first = report.place(before.at);
        report.push(
            Finding::error("spec::overlay-clears-flag", format!("an environment cannot clear `{flag}`"))
                .at(SpecPath::of(section, &named.key).key(flag))
                .related(first, "set here")
                .help("remove the line from the environment, or the flag from the workspace for all environments"),
        );
    }
}

/// Checks that each masked column of each table is still masked wherever the flow carries the table.
fn masks(path: &SpecPath, before: &Node, after: &Node, report: &mut Report) {
    let (Some(before), Some(after)) = (before.get("tables"), after.get("tables")) else { return };
    for table in before.items() {
        let masked = masked_columns(table);
        let Some(from) = table.get("from").and_then(Node::as_text).filter(|_| !masked.is_empty()) else { continue };
        for (i, carrier) in after.items().iter().enumerate().filter(|(_, carrier)| carries(carrier, from)) {
            let path = path.key("tables").item(i);
            for column in &masked {
                if !keeps(carrier, column) {
                    lost(&path, from, column, report);
                }
            }
        }
    }
}

struct Masked<'a> {
    column: &'a str,
    rule: &'a Node,
}

fn masked_columns(table: &Node) -> Vec<Masked<'_>> {
    let columns = table.get("columns").map_or(&[][..], Node::entries);
    let is_masked = |rule: &Node| MASKS.iter().any(|mask| rule.get(mask).is_some());
    columns
        .iter()
        .filter(|entry| is_masked(&entry.value))
        .map(|entry| Masked { column: &entry.key, rule: &entry.value })
        .collect()
}

/// Whether an entry of `tables` brings the table `from`.
fn carries(entry: &Node, from: &str) -> bool {
    let pattern = entry.as_text().or_else(|| entry.get("from").and_then(Node::as_text));
    pattern.is_some_and(|pattern| Glob(pattern.to_owned()).matches(from))
}

/// Whether `carrier` brings nothing of the masked column that is not masked as before.
fn keeps(carrier: &Node, masked: &Masked<'_>) -> bool {
    let Some(columns) = carrier.get("columns") else { return false };
    if !matches!(columns.kind, Kind::Map(_)) {
        return false;
    }
    let source = words(masked.rule.get("sql").and_then(Node::as_text).unwrap_or(masked.column));
    columns.entries().iter().all(|entry| {
        let is_as_before = MASKS.iter().all(|mask| match (masked.rule.get(mask), entry.value.get(mask)) {
            (None, _) => true,
            (Some(before), Some(after)) => hides_as_much(mask, before, after),
            (Some(_), None) => false,
        });
        is_as_before || (entry.key != masked.column && !reads(entry, &source))
    })
}

/// Whether a column reads one of the source columns of a masked one without a mask of its own.
fn reads(entry: &Entry, source: &[String]) -> bool {
    if MASKS.iter().any(|mask| entry.value.get(mask).is_some()) {
        return false;
    }
    let sql = entry.value.as_text().or_else(|| entry.value.get("sql").and_then(Node::as_text)).unwrap_or(&entry.key);
    words(sql).iter().any(|word| source.contains(word))
}

fn words(sql: &str) -> Vec<String> {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn hides_as_much(mask: &str, before: &Node, after: &Node) -> bool {
    let number = |node: &Node, key: &str| match node.get(key).map(|node| &node.kind) {
        Some(Kind::Number(number)) => number.as_u64().unwrap_or(0),
        _ => 0,
    };
    match mask {
        "partial" => ["first", "last"].iter().all(|end| number(after, end) <= number(before, end)),
        "redact" => after.kind != Kind::Bool(false),
        _ => true,
    }
}

fn lost(path: &SpecPath, from: &str, masked: &Masked<'_>, report: &mut Report) {
    let first = report.place(masked.rule.at);
    report.push(
        Finding::error(
            "spec::overlay-clears-mask",
            format!("an environment cannot take the mask off `{}` of `{from}`", masked.column),
        )
        .at(path.key("columns").key(masked.column))
        .related(first, "masked here")
        .help("keep the mask in the environment's `columns`, or leave the column out"),
    );
}
