//! Rules about tables that a subscription fills once: nothing follows them any more only when the ledger has them in sync.

use transship_model::TableName;
use transship_model::plan::{
    Action, Afterwards, ConsentBy, NoteSynced, ObjectRef, Plan, Precondition, Record, Step, StepKind,
};
use transship_sql::statement::Statement;
use transship_sql::{place, replication, table};

use super::{Ancestors, Flows, Found, Rule};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let Some(record) = flows.record(step).filter(|it| it.row.detach.is_some()) else { continue };
        let of_flow = flows.steps(step);
        match step.kind {
            StepKind::DropSubscription
                if record.then == Afterwards::Done && !all_accounted_for(record, step, of_flow, ancestors) =>
            {
                found.step(Rule::SyncedFirst, step, "drops a subscription whose tables nobody knows to be whole");
            }
            StepKind::TakeCopy if !is_synced(record, step, of_flow, ancestors) => {
                found.step(Rule::SyncedFirst, step, "takes a table that nobody knows to be whole");
            }
            _ => {}
        }
    }
}

/// Every table that the subscription may have filled in part is noted before, or dropped after.
fn all_accounted_for(record: &Record, step: &Step, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    let arriving = record.row.detach.iter().flat_map(|detach| detach.arriving.keys());
    let noted = |name: &TableName| {
        of_flow.iter().any(|other| {
            names(other).is_some_and(|synced| synced.tables.iter().any(|it| it.note.from == *name))
                && ancestors.precedes(other, step)
        })
    };
    let dropped = |name: &TableName| {
        of_flow.iter().any(|other| {
            matches!(&other.action, Some(Action::DropTable(dropped)) if dropped.table == *name)
                && ancestors.precedes(step, other)
        })
    };
    let made_anew =
        of_flow.iter().any(|other| other.kind == StepKind::CreateSubscription && ancestors.precedes(step, other));
    let known = |name: &TableName| record.row.placing.values().any(|note| note.from == *name && note.holds.is_none());
    arriving.into_iter().all(|name| known(name) || noted(name) || dropped(name) || made_anew)
}

/// The table was noted in sync by a step before, or by a run before.
fn is_synced(record: &Record, step: &Step, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    let Some(Action::TakeCopy(take)) = &step.action else { return false };
    let known = record.row.placing.get(&take.table).is_some_and(|note| note.holds.is_none());
    let noted = of_flow.iter().any(|other| {
        let has = |synced: &NoteSynced| {
            synced.tables.iter().any(|it| it.note.table == take.table && it.note.from == take.arrived)
        };
        names(other).is_some_and(has) && ancestors.precedes(other, step)
    });
    known || noted
}

fn names(step: &Step) -> Option<&NoteSynced> {
    match &step.action {
        Some(Action::NoteSynced(synced)) => Some(synced),
        _ => None,
    }
}

/// Whether the flow of the step notes that everything has arrived before.
pub(super) fn is_after_note(step: &Step, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| other.kind == StepKind::NoteSynced && ancestors.precedes(other, step))
}

/// Whether what a step drops is there, and was seen in sync by one of those before: this plan made it, or has looked at it.
pub(super) fn is_seen_synced(step: &Step, before: &[&&Step]) -> bool {
    let consented = step.consent.as_ref().is_some_and(|consent| {
        consent.given == Some(ConsentBy::Detach)
            && step.preconditions.iter().any(|it| {
                matches!(it, Precondition::Present(object)
                    if object.cluster == step.cluster && consent.name == format!("{}.{}", object.cluster, object.name))
            })
    });
    consented && before.iter().any(|other| other.kind == StepKind::NoteSynced)
}

/// Whether the step drops the subscription or publication of a flow that fills its tables once.
pub(super) fn is_own_replication(plan: &Plan, step: &Step) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let Some(row) = record.map(|record| &record.row).filter(|row| row.detach.is_some()) else { return false };
    let owned = match step.kind {
        StepKind::DropSubscription => row.subscription.as_ref().map(|owned| (&row.to, &owned.name)),
        StepKind::DropPublication => row.publication.as_ref().map(|owned| (&row.from, &owned.name)),
        _ => None,
    };
    owned.is_some_and(|(cluster, name)| {
        let full = format!("{cluster}.{name}");
        *cluster == step.cluster && step.consent.as_ref().is_some_and(|consent| consent.name == full)
    })
}

/// Whether the ledger has the table as one that the flow's subscription filled, and not as one that is whole.
pub(super) fn is_arriving(plan: &Plan, step: &Step, table: &TableName) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let Some(row) = record.map(|record| &record.row) else { return false };
    match &row.detach {
        Some(detach) => {
            let mut noted = [row.placing.get(table), row.copies.get(table)].into_iter().flatten();
            let is_in_place = noted.any(|note| note.from == *table && note.holds.is_none());
            detach.arriving.contains_key(table) && !is_in_place
        }
        None => row.arriving.contains_key(table) && !row.made.contains(table),
    }
}

/// Whether a half copy of a flow that goes on following is looked at before its subscription is taken down, where that is
/// done by the same plan.
pub(super) fn is_watched(plan: &Plan, step: &Step, table: &TableName) -> bool {
    let of_flow = || plan.all_steps().filter(|other| other.flow == step.flow);
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let is_once = record.is_some_and(|record| record.row.detach.is_some());
    let arrival = Precondition::Unchanged(ObjectRef::arrival(&step.cluster, table));
    let before = || of_flow().take_while(|other| other.id != step.id);
    is_once
        || !before().any(|other| other.kind == StepKind::DropSubscription)
        || before().any(|other| other.preconditions.contains(&arrival))
}

/// Whether no table of the flow was ever in sync by the subscription that the step drops, as far as the ledger tells: it
/// has halves of them, or none of them is there when the subscription is taken down.
pub(super) fn never_filled(plan: &Plan, step: &Step) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let up_to = plan.all_steps().filter(|other| other.flow == step.flow).take_while(|other| other.id != step.id);
    let required: Vec<&Precondition> = up_to.chain([step]).flat_map(|other| &other.preconditions).collect();
    let is_absent = |name: &TableName| required.contains(&&Precondition::Absent(ObjectRef::table(&step.cluster, name)));
    record.is_some_and(|record| {
        let row = &record.row;
        let nothing = !row.arriving.is_empty() || !row.tables.is_empty() && row.tables.iter().all(is_absent);
        row.detach.is_none() && row.made.is_empty() && nothing
    })
}

/// The note looks at its own tables, by the statements of the builders.
pub(super) fn notes(step: &Step, flows_subscription: &str) -> bool {
    let Some(synced) = names(step) else { return false };
    let tables: Vec<&TableName> = synced.tables.iter().map(|table| &table.note.from).collect();
    !tables.is_empty()
        && synced.subscription == flows_subscription
        && synced.states == replication::subscribed_tables()
        && synced.mark == replication::checkpoints(tables.iter().copied())
        && synced.refresh == table::refresh(tables.iter().copied())
        && synced.tables.iter().all(|it| it.count == place::count_rows(&it.note.from) && it.note.holds.is_none())
}

/// The table gets the name of a copy aside in the one way that its schema allows, or keeps its own.
pub(super) fn takes(step: &Step) -> bool {
    let Some(Action::TakeCopy(take)) = &step.action else { return false };
    let sql = match step.sql.as_slice() {
        [] => take.arrived == take.copy,
        [sql] => match Statement::read(sql) {
            Some(Statement::RenameTable { table, to }) => {
                table == take.arrived && TableName::new(&table.schema, to) == take.copy
            }
            Some(Statement::SwapTable { copy, table }) => copy == take.arrived && table == take.copy,
            _ => false,
        },
        _ => false,
    };
    let named = match &take.done {
        Some(done) => take.copy == take.table && done.table == take.table && done.holds.is_none(),
        None => take.copy.is_aside(),
    };
    sql && named
        && take.count == place::count_rows(&take.copy)
        && take.refresh == table::refresh([&take.copy])
        && take.reached == replication::checkpoints([&take.copy])
}
