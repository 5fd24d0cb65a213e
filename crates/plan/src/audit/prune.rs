//! Rules about rows that are deleted since the source no longer has them.

use transship_model::plan::{
    Action, ConsentBy, CopyRows, ObjectRef, Plan, Precondition, PruneRows, Record, RowWrite, Step, StepKind,
};
use transship_sql::{digest, ident, lookup, prune};

use super::{Ancestors, Flows, Found, Rule};
use crate::copies::prune::{at_source, at_target};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let Some(Action::PruneRows(pruned)) = &step.action else { continue };
        let leads_on = flows
            .steps(step)
            .iter()
            .any(|other| copied(other).is_some_and(|rows| is_of(rows, pruned) && ancestors.precedes(step, other)));
        if !leads_on {
            found.step(
                Rule::PruneLeadsOn,
                step,
                "deletes rows of a table that the same rows are not written to afterwards",
            );
        }
        if consented_by_ledger(step) && !is_as_declared(flows, step, pruned) {
            let text = "deletes rows without consent of a copy that was made in another way than it is declared now";
            found.step(Rule::ConsentOrBlocked, step, text);
        }
    }
}

/// Nobody had to type a consent.
fn consented_by_ledger(step: &Step) -> bool {
    step.consent.as_ref().is_some_and(|consent| consent.given == Some(ConsentBy::Prune))
}

/// The ledger has a copy that was asked for in the very way of the copy that follows.
fn is_as_declared(flows: &Flows<'_>, step: &Step, pruned: &PruneRows) -> bool {
    let noted = flows.record(step).and_then(|record| record.row.copies.get(&pruned.into));
    let asked = flows.steps(step).iter().filter_map(|other| copied(other)).find(|rows| is_of(rows, pruned));
    let asked = asked.and_then(|rows| rows.done.as_ref()).map(|done| &done.asked);
    noted.is_some() && noted.map(|note| &note.asked) == asked
}

fn copied(step: &Step) -> Option<&CopyRows> {
    match &step.action {
        Some(Action::CopyRows(rows)) if rows.done.is_some() => Some(rows),
        _ => None,
    }
}

/// Whether the same rows of the same source are written by their key.
fn is_of(rows: &CopyRows, pruned: &PruneRows) -> bool {
    let filter = pruned.at_source.filter.as_ref().map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
    (&rows.source, &rows.from, &rows.into) == (&pruned.source, &pruned.from, &pruned.into)
        && rows.write != RowWrite::Insert
        && rows.select.ends_with(&format!(" FROM {}{filter}", ident::table(&rows.from)))
}

/// The statements are those that the builders make of the key and the conditions, to the letter.
pub(super) fn matches_kind(step: &Step) -> bool {
    let Some(Action::PruneRows(it)) = &step.action else { return false };
    let known = |data_type: &str| digest::text("k", data_type).is_some();
    step.kind == StepKind::PruneRows
        && step.sql.is_empty()
        && !it.key.is_empty()
        && it.key.iter().all(|column| known(&column.data_type))
        && lookup::is_unreadable(&it.unreadable, &it.from)
        && it.at_source == at_source(&it.from, &it.key, it.at_source.filter.clone())
        && it.at_target == at_target(&it.into, &it.key, it.at_target.filter.clone())
        && it.delete == prune::delete_row(&it.into, it.key.iter().map(|it| (it.name.as_str(), it.data_type.as_str())))
}

/// The table is the very one that was seen, and its consent is about it.
pub(super) fn is_guarded(step: &Step) -> bool {
    let Some(Action::PruneRows(it)) = &step.action else { return false };
    let table = ObjectRef::table(&step.cluster, &it.into);
    let named = step.consent.as_ref().is_some_and(|consent| consent.name == format!("{}.{}", step.cluster, it.into));
    named
        && step.preconditions.contains(&Precondition::Unchanged(table.clone()))
        && step.preconditions.contains(&Precondition::Writable(table))
}

/// The table is one that the flow writes.
pub(super) fn is_own(record: &Record, step: &Step) -> bool {
    let Some(Action::PruneRows(it)) = &step.action else { return false };
    step.cluster == record.row.to && !it.into.is_reserved() && record.row.tables.contains(&it.into)
}
