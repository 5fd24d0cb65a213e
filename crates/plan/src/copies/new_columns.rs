//! Columns that the source has and the table on the target has not, as `on_new_column` says, and columns that the source
//! has no more. Only tables that are carried whole have such columns: what is chosen by `columns` is said by name.

use transship_model::Finding;
use transship_model::ledger::CopyRow;
use transship_model::observed::{Table, TableKind};
use transship_model::plan::{ObjectRef, Precondition, StepKind};
use transship_model::spec::{Existing, OnNewColumn};
use transship_sql::definition::Column;
use transship_sql::ident::ident;
use transship_sql::place;

use super::assess::{Deed, Found};
use super::columns::{Carried, top_level};
use super::context::{Context, Pair};
use super::identity;
use super::wish::Wish;
use crate::draft::{FlowDraft, NewStep};

/// What is said of columns that the source gets.
fn rule(context: &Context<'_>) -> Option<OnNewColumn> {
    context.instance.flow.on_new_column
}

/// Whether a table is carried with all of its columns, whatever they are.
pub(crate) fn is_whole(pair: &Pair<'_>) -> bool {
    pair.entry.settings().is_none_or(|table| table.columns.is_none())
}

/// The columns without those that `on_new_column: ignore` leaves out: a table that is there, and that rows go into or that
/// is replaced by another copy of ours, gets no others than it has.
pub(super) fn kept(context: &Context<'_>, pair: &Pair<'_>, columns: Vec<Carried>) -> Vec<Carried> {
    match there(context, pair).filter(|_| rule(context) == Some(OnNewColumn::Ignore) && is_whole(pair)) {
        Some(there) => columns.into_iter().filter(|column| has(there, &column.name)).collect(),
        None => columns,
    }
}

fn there<'a>(context: &Context<'a>, pair: &Pair<'_>) -> Option<&'a Table> {
    if context.half.contains(&pair.to) {
        return None;
    }
    let ours = || context.row.and_then(|row| identity::table_of(context.target, row, &pair.to));
    let chosen = pair.entry.settings().is_some_and(|table| !table.partitions.is_empty());
    if context.existing() == Existing::Replace && !chosen {
        return ours();
    }
    context.target.tables.get(&pair.to).filter(|there| there.kind == TableKind::Table)
}

fn has(table: &Table, name: &str) -> bool {
    table.columns.iter().any(|column| column.name == name)
}

/// What is to be told of columns that are left out.
pub(super) fn ignored(context: &Context<'_>, wish: &Wish<'_>) -> Vec<String> {
    if rule(context) != Some(OnNewColumn::Ignore) || !is_whole(wish.pair) {
        return Vec::new();
    }
    let left = top_level(wish.source).filter(|column| !wish.columns.iter().any(|it| it.name == column.name));
    let left: Vec<&str> = left.map(|column| column.name.as_str()).collect();
    if left.is_empty() {
        return Vec::new();
    }
    let full = format!("{}.{}", context.source_name, wish.pair.from);
    vec![format!("{full} has columns that are not copied (on_new_column: ignore): {}", left.join(", "))]
}

/// The columns that a table gets before rows go into it: as the copy would define them, but that rows which are there have
/// no value in them.
pub(super) fn added(context: &Context<'_>, wish: &Wish<'_>, there: Option<&Table>, deed: Deed) -> Vec<Column> {
    let adds = rule(context) == Some(OnNewColumn::Add) && matches!(deed, Deed::Append | Deed::Upsert);
    let Some(there) = there.filter(|there| adds && is_whole(wish.pair) && there.kind == TableKind::Table) else {
        return Vec::new();
    };
    let new = wish.written.iter().filter(|name| !has(there, name));
    let new = new.filter_map(|name| wish.derived.definition.column(name));
    new.map(|column| Column { not_null: false, ..column.clone() }).collect()
}

/// Whether rows were written before that have no value in a column which is written now.
pub(super) fn grown(wish: &Wish<'_>, note: &CopyRow) -> bool {
    !note.columns.is_empty() && wish.written.iter().any(|name| !note.columns.contains(name))
}

/// The step that adds them.
pub(super) fn add(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    if found.added.is_empty() {
        return;
    }
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let names: Vec<&str> = found.added.iter().map(|column| column.name.as_str()).collect();
    let because = format!(
        "{}.{} has columns that {cluster}.{to} has not (on_new_column: add): {}",
        context.source_name,
        found.wish.pair.from,
        names.join(", ")
    );
    draft.push(
        NewStep::new(cluster, StepKind::AlterTable, because)
            .sql(place::add_columns(to, &found.added))
            .requires(Precondition::Present(ObjectRef::table(cluster, to))),
    );
    if found.deed == Deed::Append && found.note.is_some() {
        let text = format!("rows of {cluster}.{to} that were added before have no value in {}", names.join(", "));
        draft.warn("plan::added-before", text);
    }
}

/// Columns that an earlier declaration of the flow wrote, and this one does not: rows keep what they have there.
pub(super) fn warn_of_left(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let other = found.note.filter(|note| note.asked != found.wish.asked);
    let Some((note, there)) = other.zip(found.there) else { return };
    let is_left = |name: &&String| has(there, name) && !found.wish.written.contains(*name);
    let names: Vec<&str> = note.columns.iter().filter(is_left).map(String::as_str).collect();
    if !names.is_empty() {
        let (table, names) = (format!("{}.{}", context.target_name, found.wish.pair.to), names.join(", "));
        let text = format!("rows of {table} keep what an earlier declaration of the flow wrote into {names}");
        draft.warn("plan::no-longer-written", text);
    }
}

/// What `on_new_column` refuses, and columns that are gone.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    if !is_whole(found.wish.pair) {
        return Vec::new();
    }
    let mut findings = gone(context, found);
    match rule(context) {
        Some(OnNewColumn::Error) => findings.extend(appeared(context, found)),
        Some(OnNewColumn::Add) => findings.extend(cannot_add(context, found)),
        Some(OnNewColumn::Ignore) | None => {}
    }
    if matches!(rule(context), Some(OnNewColumn::Error) | None) {
        findings.extend(generated(context, found));
    }
    findings
}

/// A generated column that the table which is there has not; ordinary ones are refused as columns that are written.
fn generated(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let Some(there) = found.there.filter(|_| matches!(found.deed, Deed::Append | Deed::Upsert)) else {
        return Vec::new();
    };
    let wish = &found.wish;
    let new = wish.columns.iter().filter(|it| !wish.written.contains(&it.name) && !has(there, &it.name));
    let full = format!("{}.{}", context.target_name, wish.pair.to);
    let finding = |column: &Carried| {
        let message = format!("table {full} has no column {}, which the source generates", column.name);
        Finding::error("plan::no-such-column", message)
            .at(wish.pair.path.clone())
            .help("`on_new_column: ignore` leaves it out; or leave it out by `columns`")
    };
    new.map(finding).collect()
}

/// A copy that takes the place of one of ours would have more columns.
fn appeared(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let note = found.note.filter(|note| found.deed == Deed::Replace && !note.columns.is_empty())?;
    let new: Vec<&str> =
        found.wish.written.iter().filter(|name| !note.columns.contains(*name)).map(String::as_str).collect();
    let message = format!(
        "{}.{} has columns that its copy has not: {}",
        context.source_name,
        found.wish.pair.from,
        new.join(", ")
    );
    let help =
        "`on_new_column: add` lets the next copy have them, `ignore` leaves them out; `columns` says all of them";
    (!new.is_empty()).then(|| {
        Finding::error("plan::new-column", message).at_key(context.instance.path.key("on_new_column")).help(help)
    })
}

/// Columns of a table that is there and whose rows no ALTER TABLE can give a value, and those of chosen partitions.
fn cannot_add(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let fills = matches!(found.deed, Deed::Append | Deed::Upsert | Deed::Restore) && !found.wish.written.is_empty();
    let Some(there) = found.there.filter(|_| fills) else { return Vec::new() };
    let new = found.wish.columns.iter().filter(|column| !has(there, &column.name));
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    new.filter_map(|column| {
        let defined = found.wish.derived.definition.column(&column.name);
        let why = match defined {
            Some(defined) if defined.generated.is_some() => "it is generated, which CrateDB adds to empty tables only",
            _ if found.wish.primary_key.contains(&column.name) => "it belongs to the primary key",
            _ if found.deed == Deed::Restore => "chosen partitions go into the table as it is",
            _ => return None,
        };
        let by_hand = defined.filter(|_| found.deed == Deed::Restore).map(|defined| {
            let statement = place::add_columns(&found.wish.pair.to, &[Column { not_null: false, ..defined.clone() }]);
            format!("on {}: {}; or ", context.target_name, one_line(&statement))
        });
        let help = format!(
            "{}copy the table anew with `existing: replace`, or leave the column out by `on_new_column: ignore`",
            by_hand.unwrap_or_default()
        );
        let message = format!("column {} cannot be added to {full}: {why}", column.name);
        Some(Finding::error("plan::cannot-add-column", message).at(found.wish.pair.path.clone()).help(help))
    })
    .collect()
}

/// Columns that were copied before and that the source has no more: rows that change would keep what they had there.
fn gone(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    // What another declaration wrote need not have been a column of the source: see `warn_of_left`.
    let is_same = |note: &&CopyRow| note.asked == found.wish.asked;
    let ours = found.note.filter(is_same).filter(|_| matches!(found.deed, Deed::Append | Deed::Upsert));
    let Some((note, there)) = ours.zip(found.there) else { return Vec::new() };
    let is_gone = |name: &&String| has(there, name) && !has(found.wish.source, name);
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let finding = |name: &String| {
        let message = format!(
            "column {name} of {cluster}.{to} was copied from {}.{}, which has no such column any more: rows would keep what \
             they had",
            context.source_name, found.wish.pair.from
        );
        let drop = format!("ALTER TABLE {} DROP COLUMN {}", transship_sql::ident::table(to), ident(name));
        let help =
            format!("on {cluster}: {drop}; or name the columns under `columns`; or copy anew with `existing: replace`");
        Finding::error("plan::column-gone", message).at(found.wish.pair.path.clone()).help(help)
    };
    note.columns.iter().filter(is_gone).map(finding).collect()
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
