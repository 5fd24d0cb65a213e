//! Rules about snapshots: what is sent, that it is about what belongs to the flow, and that nothing is restored which was
//! not made before.

use transship_model::TableName;
use transship_model::plan::{
    Action, CreateSnapshot, ObjectRef, Plan, Precondition, Record, RestoreTable, Step, StepKind,
};
use transship_sql::bulk::Bulk;
use transship_sql::snapshot::{self, Part};
use transship_sql::{place, replication, table};

use super::{Ancestors, Flows, Found, Rule};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let Some(Action::RestoreTable(restored)) = &step.action else { continue };
        let made = plan.all_steps().any(|other| {
            let makes = matches!(&other.action, Some(Action::CreateSnapshot(made))
                if made.repository == restored.repository && made.snapshot == restored.snapshot
                    && made.tables.contains(&restored.from));
            makes && ancestors.precedes(other, step)
        });
        if !made {
            found.step(Rule::CopyBeforePlace, step, "restores a table of a snapshot that was not made before");
        }
        let placed = flows.steps(step).iter().any(|other| {
            let places = matches!(&other.action, Some(Action::PutInPlace(put)) if put.copy == restored.copy);
            places && ancestors.precedes(step, other)
        });
        if !placed {
            found.step(Rule::CopyBeforePlace, step, "restores a copy that is never put in place");
        }
    }
}

/// Statements and actions are those that the builders make of the plan's own facts, to the letter, about the repository
/// of the flow.
pub(super) fn matches_kind(record: Option<&Record>, step: &Step) -> bool {
    let [sql] = step.sql.as_slice() else { return false };
    let own = |repository: &str| record.is_some_and(|it| it.row.repository.as_deref() == Some(repository));
    match (step.kind, Bulk::read(sql), &step.action) {
        (StepKind::CreateRepository, Some(Bulk::CreateRepository { repository, .. }), None)
        | (StepKind::DropRepository, Some(Bulk::DropRepository { repository }), None) => own(&repository),
        (
            StepKind::CreateSnapshot,
            Some(Bulk::CreateSnapshot { repository, snapshot, parts }),
            Some(Action::CreateSnapshot(action)),
        ) => {
            let named: Vec<Part> = action.tables.iter().cloned().map(Part::whole).collect();
            own(&repository)
                && named == parts
                && (&action.repository, &action.snapshot) == (&repository, &snapshot)
                && watches(action)
                && record.is_some_and(|it| it.row.snapshots.contains(&snapshot))
        }
        (
            StepKind::RestoreTable,
            Some(Bulk::RestoreTable { repository, snapshot, part, to }),
            Some(Action::RestoreTable(action)),
        ) => {
            own(&repository)
                && part == Part::whole(action.from.clone())
                && to == action.copy
                && (&action.repository, &action.snapshot) == (&repository, &snapshot)
                && restores(action)
        }
        (StepKind::DropSnapshot, Some(Bulk::DropSnapshot { repository, snapshot }), None) => {
            let flow = record.map(|it| &it.flow);
            own(&repository) && flow.is_some_and(|flow| crate::snapshot::is_snapshot(flow, &snapshot))
        }
        _ => false,
    }
}

fn watches(action: &CreateSnapshot) -> bool {
    let counts: Vec<String> = action.tables.iter().map(place::count_rows).collect();
    action.refresh == table::refresh(&action.tables)
        && action.mark == replication::checkpoints(&action.tables)
        && action.counts == counts
        && action.look == snapshot::snapshot(&action.repository, &action.snapshot)
}

fn restores(action: &RestoreTable) -> bool {
    let copy = [&action.copy];
    action.copy.is_aside()
        && action.running == snapshot::running_restores(&action.repository, &action.snapshot)
        && action.missing == snapshot::missing_shards(copy)
        && action.reached == replication::checkpoints(copy)
        && action.refresh == table::refresh(copy)
        && action.count == place::count_rows(&action.copy)
}

/// A repository is dropped only as it was seen, and a snapshot only by a name that the flow gives, from a repository of
/// its own.
pub(super) fn is_guarded(step: &Step) -> bool {
    let own = |wanted: &Precondition| step.preconditions.contains(wanted);
    let consent = step.consent.as_ref().map(|consent| consent.name.as_str()).unwrap_or_default();
    match step.sql.first().and_then(|sql| Bulk::read(sql)) {
        Some(Bulk::DropRepository { repository }) => {
            let object = ObjectRef::repository(&step.cluster, &repository);
            own(&Precondition::Unchanged(object)) && consent == format!("{}.{repository}", step.cluster)
        }
        Some(Bulk::DropSnapshot { repository, snapshot }) => {
            let object = ObjectRef::repository(&step.cluster, &repository);
            own(&Precondition::Present(object)) && consent == format!("{}.{repository}.{snapshot}", step.cluster)
        }
        _ => false,
    }
}

/// A flow drops repositories and snapshots of its own, at its own ends.
pub(super) fn is_own(record: &Record, step: &Step) -> bool {
    match step.kind {
        StepKind::DropSnapshot => step.cluster == record.row.from,
        _ => [&record.row.from, &record.row.to].contains(&&step.cluster),
    }
}

/// Whether the copy that a step puts in place was restored before, and counted.
pub(super) fn fills(step: &Step, copy: &TableName) -> bool {
    matches!(&step.action, Some(Action::RestoreTable(restored)) if restored.copy == *copy)
}
