//! What steps about snapshots make of the clusters.

use std::collections::BTreeMap;

use transship_model::observed::{Observation, Repository, Shard, Table};
use transship_model::plan::{Action, PlannedPartition, RestorePartition, RestoreTable, Step, StepKind};
use transship_model::{Name, TableName};
use transship_sql::bulk::Bulk;

use super::{Marks, at};
use crate::copies::partitions::read;

pub(super) fn apply(world: &mut Observation, step: &Step, source: &Name) {
    match step.sql.first().and_then(|sql| Bulk::read(sql)) {
        Some(Bulk::CreateRepository { repository, settings }) => {
            let kind = settings.kind.as_str().to_owned();
            let made = Repository { kind, settings: settings.literals, snapshots: Some(BTreeMap::new()) };
            at(world, &step.cluster).repositories.insert(repository, made);
        }
        Some(Bulk::DropRepository { repository }) => {
            at(world, &step.cluster).repositories.remove(&repository);
        }
        Some(Bulk::CreateSnapshot { repository, snapshot, .. }) => {
            if let Some(repository) = at(world, &step.cluster).repositories.get_mut(&repository) {
                repository.snapshots.get_or_insert_default().insert(snapshot, "SUCCESS".to_owned());
            }
        }
        Some(Bulk::DropSnapshot { repository, snapshot }) => {
            let repository = at(world, &step.cluster).repositories.get_mut(&repository);
            if let Some(snapshots) = repository.and_then(|repository| repository.snapshots.as_mut()) {
                snapshots.remove(&snapshot);
            }
        }
        Some(
            Bulk::RestoreTable { .. }
            | Bulk::RestoreOnly { .. }
            | Bulk::DeletePartition { .. }
            | Bulk::CopyTo(_)
            | Bulk::CopyFrom(_),
        )
        | None => {}
    }
    if let Some(Action::RestorePartition(restored)) = &step.action {
        put_partition(world, step, source, (&restored.from, &restored.table, &restored.partition));
    }
    if let Some(Action::FillPartition(filled)) = &step.action {
        put_partition(world, step, source, (&filled.done.from, &filled.done.table, &filled.partition));
        if filled.clear.is_some() {
            at(world, &step.cluster).tables.remove(&filled.rows.from);
        }
    }
    if let Some(Action::RestoreTable(restored)) = &step.action
        && step.kind == StepKind::RestoreTable
        && let Some(table) = at(world, source).tables.get(&restored.from)
    {
        let mut copy = restored_from(table, step);
        let idents: Vec<String> = restored.partitions.iter().map(|it| read(it).ident()).collect();
        copy.primaries.retain(|shard| idents.is_empty() || idents.contains(&shard.partition));
        at(world, &step.cluster).tables.insert(restored.copy.clone(), copy);
    }
}

/// A restored table has indices of its own, and what the source had when the snapshot was made.
fn restored_from(table: &Table, step: &Step) -> Table {
    let mut copy = Table { writable: None, ..table.clone() };
    for shard in &mut copy.primaries {
        shard.uuid = Some(format!("projected-{}-{}", step.id, shard.partition));
        shard.leases.clear();
        shard.global_checkpoint = shard.max_seq_no;
    }
    copy
}

/// A partition takes the place of the one that the table had, if any.
fn put_partition(
    world: &mut Observation,
    step: &Step,
    source: &Name,
    (from, into, partition): (&TableName, &TableName, &PlannedPartition),
) {
    let ident = read(partition).ident();
    let Some(table) = at(world, source).tables.get(from) else { return };
    let arrived = restored_from(table, step).primaries.into_iter().filter(|shard| shard.partition == ident);
    let arrived: Vec<Shard> = arrived.collect();
    if let Some(table) = at(world, &step.cluster).tables.get_mut(into) {
        table.primaries.retain(|shard| shard.partition != ident);
        table.primaries.extend(arrived);
    }
}

/// The primary shards of what is restored, at the time of the snapshot.
pub(super) fn marks_of(world: &Observation, source: &Name, restored: &RestoreTable) -> Marks {
    let mut marks = super::marks_of(world, source, &restored.from);
    let idents: Vec<String> = restored.partitions.iter().map(|it| read(it).ident()).collect();
    let is_chosen = |key: &str| idents.iter().any(|ident| key.split_once('/').is_some_and(|it| it.0 == ident));
    marks.retain(|key, _| idents.is_empty() || is_chosen(key));
    marks
}

/// The same of one partition.
pub(super) fn marks_of_partition(world: &Observation, source: &Name, restored: &RestorePartition) -> Marks {
    of_partition(world, source, (&restored.from, &restored.partition))
}

/// The primary shards of one partition of a table.
pub(super) fn of_partition(
    world: &Observation,
    source: &Name,
    (from, partition): (&TableName, &PlannedPartition),
) -> Marks {
    let prefix = format!("{}/", read(partition).ident());
    let mut marks = super::marks_of(world, source, from);
    marks.retain(|key, _| key.starts_with(&prefix));
    marks
}
