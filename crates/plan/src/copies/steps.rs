//! Writes down what to do about each table, in the one safe order: clear left-overs, make the copy aside, fill it, put it
//! in place, drop the versions before.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{CopyRow, CopyingRow, FlowRow, FlowState};
use transship_model::plan::{Action, Afterwards, CopyNote, ObjectRef, Precondition, Record, StepKind};
use transship_model::spec::Repeat;
use transship_model::{Finding, Name, TableName};
use transship_sql::partition::Partition;

use super::assess::{self, Deed, Found};
use super::context::{Context, Pair};
use super::partitions;
use super::wish::{self, Wish};
use super::{cursor, new_columns, place, prune, versions};
use crate::digest;
use crate::draft::{FlowDraft, NewStep};

/// Why a copy aside is dropped that a run left which was cut.
const LEFT: &str = "a copy that an earlier run left unfinished";

/// How a strategy gets rows to the target. What is said of the whole flow has nothing to say by default.
pub(crate) trait Fill {
    /// What one table is to become.
    fn wish<'a>(&self, context: &Context<'a>, pair: &'a Pair<'a>) -> Result<Wish<'a>, Vec<Finding>> {
        wish::wish(context, pair)
    }

    /// What forbids the flow for reasons of the strategy's own.
    fn check(&self, _: &Context<'_>, _: &[Found<'_>]) -> Vec<Finding> {
        Vec::new()
    }

    /// Whether [`Fill::begin`] clears what cut runs left, and makes and fills the copies of all tables.
    fn prepares(&self) -> bool {
        false
    }

    /// What is done once, before the first table that gets rows.
    fn begin(&self, _: &Context<'_>, _: &[Found<'_>], _: &mut FlowDraft) {}

    /// Why the connected users cannot judge the flow.
    fn observable(&self, _context: &Context<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Tables on the target that runs of this flow filled in part: they count as absent, whatever name they have.
    fn half(&self, _context: &Context<'_>) -> BTreeSet<TableName> {
        BTreeSet::new()
    }

    /// Tables that it writes beside those that it is to write, by cluster.
    fn writes(&self, _context: &Context<'_>) -> BTreeSet<(Name, TableName)> {
        BTreeSet::new()
    }

    /// Clears what runs that were cut have left of the whole flow, where no table gets rows.
    fn clear(&self, _context: &Context<'_>, _found: &[Found<'_>], _draft: &mut FlowDraft) {}

    /// Whether the table arrives under its own name, so that nothing has to be put in place.
    fn is_in_place(&self, _found: &Found<'_>) -> bool {
        false
    }

    /// What a run did not get to that was cut right after a copy had got its name.
    fn late(&self, _context: &Context<'_>, _found: &Found<'_>, _draft: &mut FlowDraft) {}

    /// Whether a copy aside that is there already is whole, or gone on with, and no left-over.
    fn keeps(&self, _context: &Context<'_>, _found: &Found<'_>) -> bool {
        false
    }

    /// What the ledger has of a copy aside that is gone on with.
    fn continues(&self, _context: &Context<'_>, _found: &Found<'_>) -> Option<CopyingRow> {
        None
    }

    /// The flow's row, with what else the ledger has to know.
    fn row(&self, _context: &Context<'_>, _found: &[Found<'_>], row: FlowRow) -> FlowRow {
        row
    }

    /// Makes the table `copy` and fills it, every row counted.
    fn aside(&self, context: &Context<'_>, found: &Found<'_>, copy: &TableName, draft: &mut FlowDraft);

    /// Writes rows into the table that is there, as `found.deed` says; the ledger notes `done` afterwards.
    fn into(&self, context: &Context<'_>, found: &Found<'_>, done: CopyNote, draft: &mut FlowDraft);

    /// What is done once, after the last table that got rows.
    fn end(&self, _: &Context<'_>, _: &mut FlowDraft) {}

    /// What the flow's row has besides; `copies` says whether the plan moves rows.
    fn note(&self, _: &Context<'_>, _copies: bool, _: &mut FlowRow) {}
}

/// Writes the steps of every table, one table after the other.
pub(super) fn write(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill, draft: &mut FlowDraft) {
    let copies = moves_rows(found);
    if copies {
        fill.begin(context, found, draft);
    } else {
        fill.clear(context, found, draft);
    }
    let mut only_due = draft.steps.is_empty() || found.iter().any(|found| found.due.reason().is_some());
    for found in found {
        let before = draft.steps.len();
        match found.deed {
            Deed::Nothing => leave(context, found, fill, draft),
            Deed::Refuse(_) => {}
            Deed::Create | Deed::Replace => copy_aside(context, found, fill, draft),
            Deed::Finish => place::finish(context, found, draft),
            Deed::Restore => restore_into(context, found, fill, draft),
            Deed::Append | Deed::Upsert => copy_into(context, found, fill, draft),
        }
        only_due &= found.due.reason().is_some() || draft.steps.len() == before;
    }
    if copies {
        fill.end(context, draft);
    }
    warn_of_never(context, draft);
    draft.due = only_due && is_due(context, found, fill, draft);
    finish(context, found, fill, draft);
}

fn moves_rows(found: &[Found<'_>]) -> bool {
    let moves = |deed| matches!(deed, Deed::Create | Deed::Replace | Deed::Restore | Deed::Append | Deed::Upsert);
    found.iter().any(|found| moves(found.deed))
}

/// A flow whose `existing` does nothing about copies that are there repeats nothing, whatever `repeat` says.
fn warn_of_never(context: &Context<'_>, draft: &mut FlowDraft) {
    let repeats = context.instance.flow.repeat.as_ref().is_some_and(|repeat| *repeat != Repeat::Once);
    if repeats && assess::again(context.existing()) == Deed::Nothing {
        let text = format!(
            "`repeat` has no effect with `existing: {}`: tables that were copied stay as they are; `replace` and `upsert` copy again",
            context.existing().as_str()
        );
        draft.warn("plan::never-repeats", text);
    }
}

/// Whether steps that were all written for tables that fell due are work that merely fell due: what a run writes into
/// the flow's row, be it one that failed, is no difference, and what has the name stays a table, or a view.
pub(crate) fn is_due(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill, draft: &FlowDraft) -> bool {
    let should = row(context, found, fill, FlowState::Done);
    let by_declaration = |is: &FlowRow| FlowRow {
        state: is.state,
        declaration: is.declaration.clone(),
        copies: is.copies.clone(),
        snapshots: is.snapshots.clone(),
        placing: is.placing.clone(),
        adding: is.adding.clone(),
        restoring: is.restoring.clone(),
        copying: is.copying.clone(),
        detach: is.detach.clone(),
        exports: is.exports.clone(),
        auto: is.auto.clone(),
        ..should.clone()
    };
    let same = context.row.is_some_and(|is| *is == by_declaration(is));
    same && !draft.steps.is_empty() && draft.steps.iter().all(|step| step.kind != StepKind::ReplaceByView)
}

/// A table that stays as it is: what a cut run left of it is still to be cleared.
fn leave(context: &Context<'_>, found: &Found<'_>, fill: &dyn Fill, draft: &mut FlowDraft) {
    if found.adopted {
        fill.late(context, found, draft);
    }
    place::pass_late_grants(context, found, draft);
    drop_unfinished(context, found, draft);
}

/// Drops what cut runs left of a table that gets rows, so that the next copy of it finds its name free.
pub(crate) fn clear_left(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    match found.deed {
        Deed::Nothing | Deed::Finish | Deed::Refuse(_) => {}
        Deed::Restore | Deed::Append | Deed::Upsert => drop_unfinished(context, found, draft),
        Deed::Create | Deed::Replace => {
            let copy = versions::name_of_copy(context, found);
            if context.target.tables.contains_key(&copy) {
                versions::drop_copy(context, &copy, LEFT, draft);
            }
        }
    }
}

fn drop_unfinished(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    for left in versions::unfinished(context, found) {
        versions::drop_copy(context, &left, LEFT, draft);
    }
}

/// A copy that is made aside and put in place.
fn copy_aside(context: &Context<'_>, found: &Found<'_>, fill: &dyn Fill, draft: &mut FlowDraft) {
    let to = &found.wish.pair.to;
    let names = versions::names(context, found);
    if fill.is_in_place(found) {
        fill.aside(context, found, to, draft);
        draft.basis.insert(ObjectRef::table(context.target_name, to));
        return;
    }
    if context.target.tables.contains_key(&names.copy) && !fill.prepares() && !fill.keeps(context, found) {
        versions::drop_copy(context, &names.copy, LEFT, draft);
    }
    fill.aside(context, found, &names.copy, draft);
    warn_of_losses(context, found, draft);
    place::put_in_place(context, found, &names, draft);
    // Until the new copy is in place, an old version may be all that there is of the table.
    for left in versions::replaced(context, found) {
        versions::drop_copy(context, &left, "a version that has been replaced", draft);
    }
    draft.basis.insert(ObjectRef::table(context.target_name, to));
}

/// Chosen partitions that go into the table that is there.
fn restore_into(context: &Context<'_>, found: &Found<'_>, fill: &dyn Fill, draft: &mut FlowDraft) {
    if !fill.prepares() {
        drop_unfinished(context, found, draft);
    }
    fill.into(context, found, note(found, None), draft);
    draft.basis.insert(ObjectRef::table(context.target_name, &found.wish.pair.to));
}

/// Rows that go straight into the table that is there.
fn copy_into(context: &Context<'_>, found: &Found<'_>, fill: &dyn Fill, draft: &mut FlowDraft) {
    let to = found.wish.pair.to.clone();
    if !fill.prepares() {
        drop_unfinished(context, found, draft);
    }
    prune::rows(context, found, draft);
    new_columns::add(context, found, draft);
    new_columns::warn_of_left(context, found, draft);
    fill.into(context, found, note(found, None), draft);
    draft.basis.insert(ObjectRef::table(context.target_name, &to));
    if let Some(text) = prune::told(context, found) {
        draft.warn("plan::prunes", text);
        return;
    }
    let text = match found.deed {
        Deed::Append if cursor::declared(found.wish.pair.entry).is_some() => format!(
            "rows are added to {}.{to} one batch at a time: readers see them come; those that are there stay as they are, \
             whatever becomes of them at the source",
            context.target_name
        ),
        Deed::Append => {
            format!("rows are added to {}.{to} one batch at a time: readers see them come", context.target_name)
        }
        _ => format!(
            "rows of {}.{to} that are gone at the source, or no longer chosen, stay (existing: upsert)",
            context.target_name
        ),
    };
    draft.warn("plan::in-place", text);
}

/// A source that another flow writes may be another table by the time that its copy is read.
pub(crate) fn source_as_planned(context: &Context<'_>, from: &TableName) -> Precondition {
    let object = ObjectRef::table(context.source_name, from);
    let written = context.others.written.contains(&(context.source_name.clone(), from.clone()));
    if written { Precondition::Present(object) } else { Precondition::Unchanged(object) }
}

pub(crate) fn note(found: &Found<'_>, holds: Option<TableName>) -> CopyNote {
    let wish = &found.wish;
    let (table, from, asked) = (wish.pair.to.clone(), wish.pair.from.clone(), wish.asked.clone());
    let columns = wish.written.iter().cloned().collect();
    CopyNote { table, from, asked, holds, partitions: wish.partitions.iter().map(Partition::ident).collect(), columns }
}

pub(crate) fn because(found: &Found<'_>) -> String {
    found.difference.as_deref().or(found.due.reason()).unwrap_or_default().to_owned()
}

fn warn_of_losses(context: &Context<'_>, found: &Found<'_>, draft: &mut FlowDraft) {
    for lost in &found.wish.derived.lost {
        let text = format!("{}.{} does not keep {lost}", context.target_name, found.wish.pair.to);
        draft.warn("plan::not-kept", text);
    }
}

/// The ledger row goes with whatever the flow does; where nothing else is to be done, it is a step of its own.
pub(crate) fn finish(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill, draft: &mut FlowDraft) {
    partitions::warn_of_incomplete(context, found, draft);
    if draft.steps.is_empty() {
        if !differs(context, found, fill) {
            return;
        }
        let because =
            if context.row.is_some() { "the ledger's row of the flow is out of date" } else { "the flow is new" };
        draft.push(NewStep::new(context.target_name, StepKind::RecordFlow, because).action(Action::Record));
    }
    if moves_rows(found) && !context.is_from_store() {
        let text = "a copy of tables under writes is no consistent cut: each table is read at a moment of its own";
        draft.warn("plan::not-a-cut", text);
    }
    draft.record = Some(Record {
        flow: context.instance.id.clone(),
        cluster: context.target_name.clone(),
        row: row(context, found, fill, FlowState::Applying),
        then: Afterwards::Done,
    });
    let target = context.target_name;
    draft.basis.extend([
        ObjectRef::cluster(context.read_cluster().0),
        ObjectRef::cluster(target),
        ObjectRef::ledger(target),
        ObjectRef::flow(target, &context.instance.id),
    ]);
}

/// Whether the ledger says something else than it should once all is well.
fn differs(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill) -> bool {
    let should = row(context, found, fill, FlowState::Done);
    context.row.is_none_or(|is| FlowRow { declaration: should.declaration.clone(), auto: None, ..is.clone() } != should)
}

fn row(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill, state: FlowState) -> FlowRow {
    let tables = context.pairs.iter().filter(|_| !context.is_to_store()).map(|pair| pair.to.clone());
    let before = context.row;
    let (from, read) = context.read_cluster();
    let mut row = FlowRow {
        state,
        strategy: context.instance.flow.strategy.strategy(),
        from: from.clone(),
        from_id: read.id.clone(),
        to: context.target_name.clone(),
        to_id: context.target.id.clone(),
        publication: None,
        subscription: None,
        tables: tables.clone().collect(),
        made: match state {
            FlowState::Done => tables.collect(),
            FlowState::Applying | FlowState::Removing => before.map(|row| row.made.clone()).unwrap_or_default(),
        },
        prevent_destroy: context.instance.flow.prevent_destroy,
        declaration: digest::of(context.instance.flow),
        copies: copies(context, found),
        repository: None,
        snapshots: BTreeSet::new(),
        placing: placing(context, found),
        adding: before.map(|row| row.adding.clone()).unwrap_or_default(),
        restoring: before.map(|row| row.restoring.clone()).unwrap_or_default(),
        copying: match state {
            FlowState::Done => BTreeMap::new(),
            FlowState::Applying | FlowState::Removing => copying(context, found, fill),
        },
        detach: None,
        arriving: BTreeMap::new(),
        end: context.end.clone(),
        exports: before.map(|row| row.exports.clone()).unwrap_or_default(),
        auto: None,
    };
    fill.note(context, moves_rows(found), &mut row);
    fill.row(context, found, row)
}

/// The copies that ended well, those among them that a cut run could not say of any more. A table that the source has not
/// got today is still one that was copied.
fn copies(context: &Context<'_>, found: &[Found<'_>]) -> BTreeMap<TableName, CopyRow> {
    let mut copies = context.row.map(|row| row.copies.clone()).unwrap_or_default();
    let adopted = found.iter().filter(|found| found.adopted);
    copies.extend(adopted.filter_map(|found| Some((found.wish.pair.to.clone(), found.note?.clone()))));
    copies
}

/// The copies aside that are gone on with.
fn copying(context: &Context<'_>, found: &[Found<'_>], fill: &dyn Fill) -> BTreeMap<TableName, CopyingRow> {
    let continued = found.iter().filter_map(|found| Some((found, fill.continues(context, found)?)));
    continued.map(|(found, noted)| (found.wish.pair.to.clone(), noted)).collect()
}

/// The copies that are still to get their names.
fn placing(context: &Context<'_>, found: &[Found<'_>]) -> BTreeMap<TableName, CopyRow> {
    let Some(row) = context.row else { return BTreeMap::new() };
    let unfinished = found.iter().filter(|found| found.deed == Deed::Finish).map(|found| &found.wish.pair.to);
    unfinished.filter_map(|to| Some((to.clone(), row.placing.get(to)?.clone()))).collect()
}
