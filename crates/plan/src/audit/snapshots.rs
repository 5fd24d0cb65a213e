//! Rules about snapshots: what is sent, that it is about what belongs to the flow, and that nothing is restored which was
//! not made before.

use transship_model::TableName;
use transship_model::plan::{
    Action, CreateSnapshot, ObjectRef, Plan, PlannedPartition, Precondition, Record, RestorePartition, RestoreTable,
    Step, StepKind,
};
use transship_sql::bulk::Bulk;
use transship_sql::snapshot::{self, Part};
use transship_sql::{partition, place, replication, table};

use super::{Ancestors, Flows, Found, Rule};
use crate::copies::partitions::read;

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let (repository, snapshot, from) = match &step.action {
            Some(Action::RestoreTable(it)) => (&it.repository, &it.snapshot, &it.from),
            Some(Action::RestorePartition(it)) => (&it.repository, &it.snapshot, &it.from),
            _ => continue,
        };
        let made = plan.all_steps().any(|other| {
            let makes = matches!(&other.action, Some(Action::CreateSnapshot(made))
                if made.repository == *repository && made.snapshot == *snapshot
                    && made.tables.contains(from) && has_partitions(made, step) && has_no_more(made, step));
            makes && ancestors.precedes(other, step)
        });
        if !made {
            found.step(Rule::CopyBeforePlace, step, "restores a table of a snapshot that was not made before");
        }
        match &step.action {
            Some(Action::RestoreTable(restored)) if step.kind == StepKind::RestoreTable => {
                let placed = flows.steps(step).iter().any(|other| {
                    let places = matches!(&other.action, Some(Action::PutInPlace(put)) if put.copy == restored.copy);
                    places && ancestors.precedes(step, other)
                });
                if !placed {
                    found.step(Rule::CopyBeforePlace, step, "restores a copy that is never put in place");
                }
            }
            Some(Action::RestorePartition(restored)) => {
                let tried = flows.steps(step).iter().any(|other| {
                    let tries = matches!(&other.action, Some(Action::RestoreTable(it)) if other.kind == StepKind::TryRestore
                        && (&it.repository, &it.snapshot, &it.from) == (&restored.repository, &restored.snapshot, &restored.from)
                        && it.partitions.contains(&restored.partition));
                    tries && other.cluster == step.cluster && ancestors.precedes(other, step)
                });
                if !tried {
                    found.step(Rule::CopyBeforePlace, step, "restores a partition in place that was not tried before");
                }
            }
            _ => {}
        }
    }
}

/// Whether the snapshot has nothing else, where a step restores all that it has.
fn has_no_more(made: &CreateSnapshot, step: &Step) -> bool {
    match step.sql.first().and_then(|sql| Bulk::read(sql)) {
        Some(Bulk::RestoreOnly { from, .. }) => made.tables == [from],
        _ => true,
    }
}

/// Whether the snapshot has the very partitions that a step restores, chosen as such.
fn has_partitions(made: &CreateSnapshot, step: &Step) -> bool {
    let (from, wanted) = match &step.action {
        Some(Action::RestoreTable(it)) => (&it.from, it.partitions.as_slice()),
        Some(Action::RestorePartition(it)) => (&it.from, std::slice::from_ref(&it.partition)),
        _ => return false,
    };
    let mut of_table = made.partitions.iter().filter(|it| it.table == *from).peekable();
    let whole = of_table.peek().is_none();
    let has: Vec<&PlannedPartition> = of_table.map(|it| &it.partition).collect();
    if wanted.is_empty() { whole } else { wanted.iter().all(|partition| has.contains(&partition)) }
}

/// Statements and actions are those that the builders make of the plan's own facts, to the letter, about the repository
/// of the flow.
pub(super) fn matches_kind(record: Option<&Record>, step: &Step) -> bool {
    if matches!(step.kind, StepKind::TryRestore | StepKind::RestorePartition | StepKind::ReplacePartition) {
        return restores_partitions(record, step);
    }
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
            let named = parts_of(action);
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
                && to == action.copy
                && (&action.repository, &action.snapshot) == (&repository, &snapshot)
                && restores(action, &part)
        }
        (
            StepKind::RestoreTable,
            Some(Bulk::RestoreOnly { repository, snapshot, from, to }),
            Some(Action::RestoreTable(action)),
        ) => {
            let part = Part { table: from, partitions: action.partitions.iter().map(read).collect() };
            own(&repository)
                && to == action.copy
                && (&action.repository, &action.snapshot) == (&repository, &snapshot)
                && restores(action, &part)
        }
        (StepKind::DropSnapshot, Some(Bulk::DropSnapshot { repository, snapshot }), None) => {
            let flow = record.map(|it| &it.flow);
            own(&repository) && flow.is_some_and(|flow| crate::snapshot::is_snapshot(flow, &snapshot))
        }
        _ => false,
    }
}

/// What a snapshot has of each table: the whole, or chosen partitions.
fn parts_of(action: &CreateSnapshot) -> Vec<Part> {
    let of = |table: &TableName| -> Vec<_> {
        action.partitions.iter().filter(|it| it.table == *table).map(|it| read(&it.partition)).collect()
    };
    action.tables.iter().map(|table| Part { table: table.clone(), partitions: of(table) }).collect()
}

/// Chosen partitions are tried under a reserved name, and restored into the table one by one; what goes first is the
/// very partition.
fn restores_partitions(record: Option<&Record>, step: &Step) -> bool {
    let own = |repository: &str| record.is_some_and(|it| it.row.repository.as_deref() == Some(repository));
    match (step.kind, &step.action, step.sql.as_slice()) {
        (StepKind::TryRestore, Some(Action::RestoreTable(action)), [restore, drop]) => {
            let part = Part { table: action.from.clone(), partitions: action.partitions.iter().map(read).collect() };
            own(&action.repository)
                && !part.partitions.is_empty()
                && *restore == snapshot::restore_table(&action.repository, &action.snapshot, &part, &action.copy)
                && *drop == table::drop_table(&action.copy)
                && restores(action, &part)
        }
        (StepKind::RestorePartition, Some(Action::RestorePartition(action)), [restore]) => {
            own(&action.repository) && action.replaces.is_none() && fits(action, restore)
        }
        (StepKind::ReplacePartition, Some(Action::RestorePartition(action)), [delete, restore]) => {
            own(&action.repository)
                && action.replaces.is_some()
                && *delete == partition::delete_partition(&action.table, &read(&action.partition))
                && fits(action, restore)
        }
        _ => false,
    }
}

fn fits(action: &RestorePartition, restore: &str) -> bool {
    let (table, partition) = ([&action.table], read(&action.partition));
    let part = Part { table: action.from.clone(), partitions: vec![partition.clone()] };
    !action.table.is_reserved()
        && !partition.has_null()
        && restore == snapshot::restore_table(&action.repository, &action.snapshot, &part, &action.table)
        && action.running == snapshot::running_restores(&action.repository, &action.snapshot)
        && action.missing == snapshot::missing_shards(table)
        && action.reached == replication::checkpoints(table)
        && action.refresh == table::refresh(table)
        && action.count == partition::count_rows(&action.table, &[partition])
        && action.done.table == action.table
        && action.done.from == action.from
}

fn watches(action: &CreateSnapshot) -> bool {
    let counts: Vec<String> =
        parts_of(action).iter().map(|part| partition::count_rows(&part.table, &part.partitions)).collect();
    let each = action.partitions.iter().all(|it| it.count == partition::count_rows(&it.table, &[read(&it.partition)]));
    each && action.refresh == table::refresh(&action.tables)
        && action.mark == replication::checkpoints(&action.tables)
        && action.counts == counts
        && action.look == snapshot::snapshot(&action.repository, &action.snapshot)
}

fn restores(action: &RestoreTable, part: &Part) -> bool {
    let copy = [&action.copy];
    action.copy.is_aside()
        && part.table == action.from
        && part.partitions == action.partitions.iter().map(read).collect::<Vec<_>>()
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
        Some(Bulk::DeletePartition { table, partition }) => {
            let object = ObjectRef::partition(&step.cluster, &table, &partition.ident());
            own(&Precondition::Unchanged(object))
                && own(&Precondition::Writable(ObjectRef::table(&step.cluster, &table)))
                && consent == format!("{}.{table}", step.cluster)
        }
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
        StepKind::ReplacePartition => match &step.action {
            Some(Action::RestorePartition(it)) => {
                step.cluster == record.row.to && record.row.tables.contains(&it.table)
            }
            Some(Action::FillPartition(it)) => {
                step.cluster == record.row.to && record.row.tables.contains(&it.rows.into)
            }
            _ => false,
        },
        _ => [&record.row.from, &record.row.to].contains(&&step.cluster),
    }
}

/// Whether the ledger has it that the flow began to restore the very partition that a step deletes.
pub(super) fn is_unfinished(plan: &Plan, step: &Step) -> bool {
    let record = plan.all_records().find(|record| Some(&record.flow) == step.flow.as_ref());
    let (table, partition, replaces) = match &step.action {
        Some(Action::RestorePartition(it)) => (&it.table, &it.partition, &it.replaces),
        Some(Action::FillPartition(it)) => (&it.rows.into, &it.partition, &it.replaces),
        _ => return false,
    };
    let begun = record.and_then(|record| record.row.restoring.get(table));
    replaces.is_some() && begun.and_then(|begun| begun.get(&read(partition).ident())) == Some(replaces)
}

/// Whether the copy that a step puts in place was restored before, and counted.
pub(super) fn fills(step: &Step, copy: &TableName) -> bool {
    matches!(&step.action, Some(Action::RestoreTable(restored)) if restored.copy == *copy)
}
