//! Rows of a table that is there whose key the source no longer has: `prune`. They go before rows are written, so that the
//! ledger has nothing to know of it: until the copy is noted, both are planned again.

use transship_model::consent::DropKind;
use transship_model::ledger::CopyRow;
use transship_model::observed::Table;
use transship_model::plan::{
    Action, Consent, ConsentBy, KeyReads, ObjectRef, Precondition, PruneRows, PrunedKey, StepKind,
};
use transship_model::{Finding, TableName};
use transship_sql::definition::Definition;
use transship_sql::ident::ident;
use transship_sql::prune::{self, Keys};
use transship_sql::{digest, lookup, partition, table as table_sql};

use super::assess::{Deed, Found};
use super::columns::{Carried, Origin};
use super::context::Context;
use super::identity;
use super::sensitive;
use super::steps::{because, source_as_planned};
use super::wish::{Wish, filter};
use crate::consent::Consents;
use crate::draft::{FlowDraft, LIFT_PREVENT_DESTROY, NewStep};

/// Whether rows that are gone at the source are to go.
pub(super) fn declared(wish: &Wish<'_>) -> bool {
    wish.pair.entry.settings().is_some_and(|table| table.prune)
}

/// The table that rows are deleted from; `None` where nothing is pruned.
fn pruned<'a>(found: &Found<'a>) -> Option<&'a Table> {
    found.there.filter(|_| found.deed == Deed::Upsert && declared(&found.wish))
}

/// The step that deletes them.
pub(super) fn rows(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    let Some((there, key)) = pruned(found).and_then(|there| Some((there, key(found, there).ok()?))) else { return };
    let (cluster, to, from) = (context.target_name, &found.wish.pair.to, &found.wish.pair.from);
    let (table, indices) = (ObjectRef::table(cluster, to), ObjectRef::indices(cluster, to));
    let why = format!("{}; rows whose key is gone at the source go first (prune)", because(found));
    let mut step = NewStep::new(cluster, StepKind::PruneRows, why)
        .action(Action::PruneRows(action(context, found, key)))
        .requires(Precondition::Unchanged(table.clone()))
        .requires(Precondition::Writable(table.clone()))
        .requires(source_as_planned(context, from))
        .drops(consent(context, found));
    draft.basis.extend([table, ObjectRef::table(context.source_name, from)]);
    // Partitions of the target come and go.
    if there.partitioned_by.is_empty() {
        step = step.requires(Precondition::Unchanged(indices.clone()));
        draft.basis.insert(indices);
    }
    draft.push(step);
    if context.instance.flow.prevent_destroy || context.row.is_some_and(|row| row.prevent_destroy) {
        draft.prevent_destroy(&format!("deletes rows of table {cluster}.{to}"), LIFT_PREVENT_DESTROY);
    }
}

/// What a reviewer should know, where rows are deleted.
pub(super) fn told(context: &Context<'_>, found: &Found<'_>) -> Option<String> {
    pruned(found)?;
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    Some(format!(
        "rows of {full} whose key is gone at the source, or no longer chosen, are deleted, whoever wrote them (prune)"
    ))
}

/// A table that is for certain the copy which was made by this very declaration has lost rows by it before, or never had
/// others. Any other may hold rows that nobody meant to go.
fn consent(context: &Context<'_>, found: &Found<'_>) -> Consent {
    let name = format!("{}.{}", context.target_name, found.wish.pair.to);
    let is_it = |note: &CopyRow| found.there.is_some_and(|there| identity::is_the_very(&note.indices, there));
    if found.note.is_some_and(|note| note.asked == found.wish.asked && is_it(note)) {
        return Consent { kind: DropKind::Rows, name, given: Some(ConsentBy::Prune) };
    }
    Consents::new(context.input, &context.instance.flow.allow_drop).ask(DropKind::Rows, name)
}

fn action(context: &Context<'_>, found: &Found<'_>, key: Vec<PrunedKey>) -> PruneRows {
    let wish = &found.wish;
    let (from, into) = (&wish.pair.from, &wish.pair.to);
    let chosen = partition::condition(&wish.partitions, None);
    PruneRows {
        source: context.source_name.clone(),
        unreadable: lookup::unreadable(from, &wish.partitions),
        at_source: at_source(from, &key, partition::condition(&wish.partitions, filter(wish.pair.entry))),
        at_target: at_target(into, &key, chosen),
        delete: prune::delete_row(into, key.iter().map(|it| (it.name.as_str(), it.data_type.as_str()))),
        from: from.clone(),
        into: into.clone(),
        key,
        allow_shrink: context.instance.flow.allow_shrink,
        timeout: context.instance.flow.timeout(),
    }
}

/// What is asked of the source, by its own expressions.
pub(crate) fn at_source(of: &TableName, key: &[PrunedKey], filter: Option<String>) -> KeyReads {
    let texts = key.iter().filter_map(|it| digest::text(&it.from, &it.data_type)).collect();
    let keys = Keys { of, texts, filter: filter.as_deref() };
    KeyReads {
        refresh: table_sql::refresh([of]),
        buckets: keys.buckets(),
        in_buckets: keys.in_buckets(),
        among: keys.among(),
        filter,
    }
}

/// What is asked of the target, by the columns of its key.
pub(crate) fn at_target(of: &TableName, key: &[PrunedKey], filter: Option<String>) -> KeyReads {
    let texts = key.iter().filter_map(|it| digest::text(&ident(&it.name), &it.data_type)).collect();
    let keys = Keys { of, texts, filter: filter.as_deref() };
    KeyReads {
        refresh: table_sql::refresh([of]),
        buckets: keys.buckets(),
        in_buckets: keys.versions_in_buckets(),
        among: keys.rows_among(),
        filter,
    }
}

/// What forbids it.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Vec<Finding> {
    let Some(there) = pruned(found) else { return Vec::new() };
    let path = found.wish.pair.path.key("prune");
    let full = format!("{}.{}", context.target_name, found.wish.pair.to);
    let mut findings: Vec<Finding> = Vec::new();
    if let Err(problems) = key(found, there) {
        findings.extend(problems.into_iter().map(|problem| {
            let message = format!("rows of {full} cannot be compared with the source by their key: {problem}");
            let help = "take `prune` out, or `existing: replace`, which leaves nothing behind";
            Finding::error("plan::prune-key", message).at(path.clone()).help(help)
        }));
    }
    if let Some(column) = unlike_partition(found) {
        let message =
            format!("which rows of {full} are of the chosen partitions is not known: {column} is not carried as it is");
        let help = "carry the column under its own name, or take `prune` or `partitions` out";
        findings.push(Finding::error("plan::prune-partitions", message).at(path).help(help));
    }
    findings
}

/// A column of chosen partitions that the target does not have as the source has it.
fn unlike_partition(found: &Found<'_>) -> Option<String> {
    let wish = &found.wish;
    let carried = |name: &str| wish.columns.iter().any(|it| it.name == name && it.is_column(name));
    let columns = wish.partitions.iter().flat_map(|partition| &partition.0).map(|(column, _)| column);
    columns.into_iter().find(|column| !carried(column)).cloned()
}

/// The primary key of the target, and what the source has for each of its columns; or why that is not known.
fn key(found: &Found<'_>, there: &Table) -> Result<Vec<PrunedKey>, Vec<String>> {
    let (mut key, mut problems) = (Vec::new(), Vec::new());
    for name in &there.primary_key {
        match of_column(found, there, name) {
            Ok(column) => key.push(column),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(key) } else { Err(problems) }
}

fn of_column(found: &Found<'_>, there: &Table, name: &str) -> Result<PrunedKey, String> {
    let wish = &found.wish;
    let carried = wish.columns.iter().find(|it| it.name == name);
    let column = there.columns.iter().find(|it| it.name == name);
    let (carried, column) = carried.zip(column).ok_or_else(|| format!("the flow does not give {name}"))?;
    if column.generated.is_some() || !wish.written.contains(&carried.name) {
        made_alike(wish, there, name)?;
    }
    let from = from(carried).ok_or_else(|| format!("transship itself makes {name} on the way"))?;
    let data_type = column.data_type.clone();
    let read = type_of(wish, carried).unwrap_or_default();
    if digest::text(&from, &data_type).is_none() || !digest::is_alike(&read, &data_type) {
        return Err(format!("{name} is {read} at the source and {data_type} at the target"));
    }
    // An error of the source would show a value that it cannot cast.
    let is_plain = matches!(carried.from, Origin::Column(_)) && read == data_type;
    if !is_plain && sensitive::carries(wish.pair.entry, carried, wish.source) {
        return Err(format!("{name} is sensitive, and not the column that the source has"));
    }
    Ok(PrunedKey { name: name.to_owned(), data_type, from })
}

/// What the source computes for a column.
fn from(carried: &Carried) -> Option<String> {
    match (&carried.from, &carried.rule) {
        (Origin::Column(name), None) => Some(ident(name)),
        (Origin::Sql { sql, cast: None }, None) => Some(format!("({sql})")),
        (Origin::Sql { sql, cast: Some(cast) }, None) => Some(format!("CAST(({sql}) AS {cast})")),
        _ => None,
    }
}

/// The type of that.
fn type_of(wish: &Wish<'_>, carried: &Carried) -> Option<String> {
    if let Origin::Column(from) = &carried.from {
        return wish.source.columns.iter().find(|it| it.name == *from).map(|it| it.data_type.clone());
    }
    let at = wish.written.iter().position(|name| *name == carried.name)?;
    wish.types.get(at).cloned()
}

/// Whether a column that the target generates is what the source has: by the same expression, of columns that are all
/// carried as they are.
fn made_alike(wish: &Wish<'_>, there: &Table, name: &str) -> Result<(), String> {
    let generated = |table: &Table| {
        let definition = Definition::read(table.definition.as_deref()?).ok()?;
        definition.column(name)?.generated.clone()
    };
    let made = generated(there);
    let same = made.is_some() && made == generated(wish.source);
    if same && wish.columns.iter().all(|it| it.is_column(&it.name)) {
        return Ok(());
    }
    Err(format!("the target generates {name}, and not of the same columns as the source"))
}
