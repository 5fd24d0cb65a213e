//! Copies that were made aside: how the next ones are named, which of them are left over, and how they are dropped.

use transship_model::TableName;
use transship_model::observed::TableKind;
use transship_model::plan::{Consent, ConsentBy, ObjectRef, Precondition};
use transship_model::{DropKind, FlowId};
use transship_sql::ident::ident;

use super::assess::Found;
use super::context::Context;
use super::{chunks, names};
use crate::draft::{FlowDraft, NewStep};

/// The names that a copy and what it replaces get.
pub(super) struct Names {
    /// The copy, until it is put in place; for good, where a view reads it.
    pub(super) copy: TableName,
    /// The table whose name a view takes, from then on.
    pub(super) kept: TableName,
}

/// The names for the next copy. Behind a view every copy has a number of its own, above those of all before, but for one
/// that is gone on with.
pub(super) fn names(context: &Context<'_>, found: &Found<'_>) -> Names {
    let (spec, flow, to) = (&context.input.spec, &context.instance.id, &found.wish.pair.to);
    let known = known(context, to);
    let highest = known.iter().filter_map(|copy| names::taken(spec, flow, to, copy)).max().unwrap_or(0);
    let continued = chunks::continued(context, found).map(|noted| &noted.copy);
    let number = continued.and_then(|copy| number(context, to, copy)).unwrap_or(highest + 1);
    let kept = names::kept(spec, flow, to, number);
    let copy = if context.by_view() { names::version(spec, flow, to, number) } else { names::aside(spec, flow, to) };
    Names { copy, kept }
}

/// The name of the next copy.
pub(crate) fn name_of_copy(context: &Context<'_>, found: &Found<'_>) -> TableName {
    names(context, found).copy
}

/// The name of the foreign table through which a table of the source is read.
pub(crate) fn name_of_through(context: &Context<'_>, to: &TableName) -> TableName {
    names::through(&context.input.spec, &context.instance.id, to)
}

/// The table whose name the view over a copy took.
pub(super) fn kept(context: &Context<'_>, to: &TableName, copy: &TableName) -> Option<TableName> {
    Some(names::kept(&context.input.spec, &context.instance.id, to, number(context, to, copy)?))
}

/// The tables whose name a view took and that are still there.
pub(super) fn all_kept(context: &Context<'_>, to: &TableName) -> Vec<TableName> {
    there(context, to).into_iter().filter(names::is_kept).collect()
}

/// What is to be dropped once the next copy is in place: every copy that was there before, but for the one that is
/// replaced just then, which stays until the next run, those that a view reads or that the ledger takes for held by one,
/// and the tables whose name a view took: the flow did not make them.
pub(super) fn replaced(context: &Context<'_>, found: &Found<'_>) -> Vec<TableName> {
    let to = &found.wish.pair.to;
    let copy = names(context, found).copy;
    let stays = |left: &TableName| *left == copy || is_held(context, to, left) || names::is_kept(left);
    there(context, to).into_iter().filter(|left| !stays(left)).collect()
}

/// What a cut run left of a table to which nothing is to be done. Below a view the versions before the one that it reads
/// stay until the next run.
pub(super) fn unfinished(context: &Context<'_>, found: &Found<'_>) -> Vec<TableName> {
    let to = &found.wish.pair.to;
    let number = |copy: &TableName| number(context, to, copy);
    let holds = found.note.and_then(|note| note.holds.as_ref()).and_then(number);
    let is_before = |copy: &TableName| number(copy).zip(holds).is_some_and(|(copy, holds)| copy < holds);
    let left = there(context, to).into_iter();
    left.filter(|copy| !is_before(copy) && !is_held(context, to, copy) && !names::is_kept(copy)).collect()
}

/// Drops a copy that was made aside; its name says whose it is.
pub(super) fn drop_copy(context: &Context<'_>, copy: &TableName, because: &str, draft: &mut FlowDraft) {
    let cluster = context.target_name;
    let (object, indices) = (ObjectRef::table(cluster, copy), ObjectRef::indices(cluster, copy));
    let consent = Consent { kind: DropKind::Table, name: format!("{cluster}.{copy}"), given: Some(ConsentBy::Aside) };
    let step = NewStep::drop_table(cluster, copy, context.target, consent, because);
    draft.push(step.requires(Precondition::Unchanged(indices.clone())));
    draft.basis.extend([object, indices]);
}

fn number(context: &Context<'_>, to: &TableName, copy: &TableName) -> Option<u32> {
    names::number(&context.input.spec, &context.instance.id, to, copy)
}

/// Whether a view reads the copy, be it one that somebody else made, or the ledger has it that one is about to.
fn is_held(context: &Context<'_>, to: &TableName, copy: &TableName) -> bool {
    noted(context, to).contains(&copy) || is_read(context, copy)
}

/// Whether the name of the copy, which nothing else has, stands in the definition of a view.
fn is_read(context: &Context<'_>, copy: &TableName) -> bool {
    let quoted = ident(&copy.table);
    let mentions = |text: &String| text.contains(&copy.table) || text.contains(&quoted);
    let mut views = context.target.tables.values().filter(|seen| seen.kind == TableKind::View);
    views.any(|view| view.definition.as_ref().is_some_and(mentions))
}

fn noted<'a>(context: &Context<'a>, to: &TableName) -> Vec<&'a TableName> {
    let row = context.row.into_iter();
    row.flat_map(|row| [row.copies.get(to), row.placing.get(to)]).flatten().filter_map(|it| it.holds.as_ref()).collect()
}

/// The copies that the flow made of a table and that are there, whatever became of them.
fn there(context: &Context<'_>, to: &TableName) -> Vec<TableName> {
    let spec = &context.input.spec;
    let (identity, flow): (_, &FlowId) = ((&spec.workspace, spec.environment.as_ref()), &context.instance.id);
    let tables = context.target.tables.iter().filter(|(_, seen)| seen.kind == TableKind::Table).map(|(name, _)| name);
    tables.filter(|name| names::is_copy(identity, flow, to, name)).cloned().collect()
}

/// Those that are there and those that the ledger knows.
fn known(context: &Context<'_>, to: &TableName) -> Vec<TableName> {
    there(context, to).into_iter().chain(noted(context, to).into_iter().cloned()).collect()
}
