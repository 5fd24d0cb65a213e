//! What forbids a flow, found before anything is planned for it.

use transship_model::Finding;
use transship_model::ledger::CopyRow;
use transship_model::ledger::FlowRow;
use transship_model::observed::{TableKind, Writable};
use transship_model::spec::TableEntry;

use super::assess::{Deed, Found, Refusal};
use super::context::Context;
use super::steps::Fill;
use super::{cursor, lacking, new_columns, prune, published, sensitive, subset, types};

/// Everything that forbids the flow, in one go.
pub(super) fn check(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill) -> Result<(), Vec<Finding>> {
    let mut findings = fill.check(context, found);
    for found in found {
        findings.extend(refused(context, found));
        findings.extend(target(context, found));
        findings.extend(published::check(context, found));
        findings.extend(new_columns::check(context, found));
        findings.extend(types::check(context, found));
        findings.extend(subset::check(context, found));
        findings.extend(keys(context, found));
        findings.extend(cursor::check(context, found));
        findings.extend(prune::check(context, found));
        findings.extend(sensitive::check(found));
        findings.extend(sensitive::derived(found));
    }
    for lacking in lacking::check(context, found) {
        if !findings.contains(&lacking) {
            findings.push(lacking);
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// How a flow gets to another strategy or end.
const HOW_TO_MOVE: &str =
    "apply once with the flow left out, which takes it down and keeps its tables; then declare it anew";

/// What a flow made by another strategy has to be taken down before it copies by this one.
pub(crate) fn strategy(context: &Context<'_>) -> Result<(), Vec<Finding>> {
    let is_other = |row: &&FlowRow| row.strategy != context.instance.flow.strategy.strategy();
    match (context.row.filter(is_other), context.row.filter(|row| row.end != context.end)) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            let message =
                format!("flow {} has other ends than when it was made, and was never taken down", context.instance.id);
            Err(vec![Finding::error("plan::moved", message).at(context.instance.path.clone()).help(HOW_TO_MOVE)])
        }
        (Some(row), _) => {
            let message = format!("flow {} was made by `{}`, and never taken down", context.instance.id, row.strategy);
            Err(vec![
                Finding::error("plan::moved", message).at(context.instance.path.key("strategy")).help(HOW_TO_MOVE),
            ])
        }
    }
}

fn refused(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let Deed::Refuse(refusal) = found.deed else { return None };
    let (full, id) = (full(context, found), &context.instance.id);
    let (code, message, help) = match refusal {
        Refusal::Exists => (
            "plan::target-exists",
            format!("table {full} exists, and this flow did not make it"),
            "`existing: replace`, `append`, `upsert` or `skip` says what to do with it".to_owned(),
        ),
        Refusal::Edited => (
            "plan::edited",
            format!("what is declared for {full} was edited since it was copied"),
            format!("`existing: replace` and --resync {id} copy it anew; else undo the edit"),
        ),
        Refusal::Doubles => (
            "plan::doubles-rows",
            format!("adding rows to {full} once more would double those that it has of this flow"),
            "undo the edit, or use `existing: replace`, or `upsert` where there is a primary key".to_owned(),
        ),
        Refusal::Remade => (
            "plan::doubles-rows",
            format!(
                "table {full} was made again, restored or given other shards since this flow added its rows; adding them again could double them"
            ),
            format!(
                "if they are gone, --resync {id} adds them; if they are there, `existing: skip` leaves it as it is"
            ),
        ),
        Refusal::Unfinished => (
            "plan::append-unfinished",
            format!("a run that added rows to {full} did not end; adding them again could double them"),
            format!(
                "take out what it added, then apply with --resync {id}; or use `existing: replace`, or `upsert` by a primary key"
            ),
        ),
    };
    Some(Finding::error(code, message).at(found.wish.pair.path.clone()).help(help))
}

/// What stands under the target's name, where it is to be written or replaced.
fn target(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let Some(there) = found.there.filter(|_| !matches!(found.deed, Deed::Nothing | Deed::Refuse(_))) else {
        return Vec::new();
    };
    let (full, to, path) = (full(context, found), &found.wish.pair.to, found.wish.pair.path.clone());
    let error = |code, message: String, help: &str| vec![Finding::error(code, message).at(path.clone()).help(help)];
    let is_our_view = there.kind == TableKind::View && found.note.is_some_and(|note| note.holds.is_some());
    if there.kind != TableKind::Table && !(is_our_view && context.by_view() && found.deed == Deed::Replace) {
        let help = "rename or drop it by hand, or give the copy another name by `to`";
        return error("plan::not-a-table", format!("{full} is there, and is no table that can be written"), help);
    }
    if there.writable == Some(Writable::Subscribed) {
        let help = "one table has one writer: drop that replication first";
        return error("plan::target-subscribed", format!("table {full} is the target of a replication"), help);
    }
    if there.closed {
        let help = format!("on {}: ALTER TABLE {to} OPEN", context.target_name);
        return error("plan::target-closed", format!("table {full} is closed"), &help);
    }
    // A flow that replaced partitions of somebody's table knows these alone.
    let is_noted = |note: &CopyRow| {
        let mut indices = there.primaries.iter().filter_map(|shard| shard.uuid.as_ref());
        let may_be_partly = found.deed != Deed::Restore && !there.partitioned_by.is_empty();
        !may_be_partly || indices.all(|index| note.indices.contains(index))
    };
    let replaces = matches!(found.deed, Deed::Replace | Deed::Restore) && has_filter(found.wish.pair.entry);
    if replaces && !found.note.is_some_and(is_noted) {
        let help = "copy once into a new table, or take `where` out: chosen rows would replace all that is there";
        return error("plan::replaces-more", format!("table {full}, or a part of it, was not made by this flow"), help);
    }
    columns(context, found)
}

fn has_filter(entry: &TableEntry) -> bool {
    matches!(entry, TableEntry::Table(table) if table.filter.is_some())
}

/// Columns that are written into a table that is there already.
fn columns(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let fills = found.deed == Deed::Restore && !found.wish.written.is_empty();
    let adds = matches!(found.deed, Deed::Append | Deed::Upsert) || fills;
    let Some(there) = found.there.filter(|_| adds) else { return Vec::new() };
    let full = full(context, found);
    let path = &found.wish.pair.path;
    let mut findings = Vec::new();
    let unwritten = found.wish.columns.iter().filter(|column| !found.wish.written.contains(&column.name));
    for column in unwritten {
        let ordinary = there.columns.iter().any(|it| it.name == column.name && it.generated.is_none());
        if ordinary {
            let message = format!("column {} is generated on the source, and an ordinary one of {full}", column.name);
            let help = "give it as an expression under `columns`, or leave it out";
            findings.push(Finding::error("plan::generated-column", message).at(path.clone()).help(help));
        }
    }
    for name in &found.wish.written {
        match there.columns.iter().find(|column| column.name == *name) {
            None if found.added.iter().any(|column| column.name == *name) => {}
            None if there.column_policy.as_deref() == Some("dynamic") => {}
            None => findings.push(
                Finding::error("plan::no-such-column", format!("table {full} has no column {name}"))
                    .at(path.clone())
                    .help(format!(
                        "`on_new_column: add` adds it, `ignore` leaves it out; or, on {}: ALTER TABLE … ADD COLUMN; or leave it out \
                         by `columns`",
                        context.target_name
                    )),
            ),
            Some(column) if column.generated.is_some() => findings.push(
                Finding::error("plan::generated-column", format!("column {name} of {full} is generated there"))
                    .at(path.clone())
                    .help("leave it out by `columns`"),
            ),
            Some(_) => {}
        }
    }
    let needed = super::columns::top_level(there)
        .filter(|column| !column.nullable && column.default.is_none() && column.generated.is_none());
    for column in needed.filter(|column| !found.wish.written.contains(&column.name)) {
        let message = format!("column {} of {full} refuses NULL, and the flow does not give it", column.name);
        findings.push(Finding::error("plan::missing-column", message).at(path.clone()).help("add it to `columns`"));
    }
    findings
}

/// `upsert` needs the whole primary key of what it writes into.
fn keys(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let upserts = context.existing() == transship_model::spec::Existing::Upsert;
    let key = match found.there {
        Some(there) => &there.primary_key,
        None => &found.wish.primary_key,
    };
    let missing = key.is_empty() || key.iter().any(|column| !found.wish.columns.iter().any(|it| it.name == *column));
    if !upserts || found.deed == Deed::Nothing || !missing {
        return None;
    }
    let message =
        format!("{} has no primary key that the flow gives, by which rows could be told apart", full(context, found));
    let help = "use `append` or `replace`, or give every column of the key";
    Some(Finding::error("plan::no-primary-key", message).at(found.wish.pair.path.clone()).help(help))
}

fn full(context: &Context<'_>, found: &Found<'_>) -> String {
    format!("{}.{}", context.target_name, found.wish.pair.to)
}
