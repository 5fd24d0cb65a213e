//! What steps about snapshots make of the clusters.

use std::collections::BTreeMap;

use transship_model::Name;
use transship_model::observed::{Observation, Repository, Table};
use transship_model::plan::{Action, Step};
use transship_sql::bulk::Bulk;

use super::at;

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
        Some(Bulk::RestoreTable { .. } | Bulk::CopyTo(_) | Bulk::CopyFrom(_)) | None => {}
    }
    if let Some(Action::RestoreTable(restored)) = &step.action
        && let Some(table) = at(world, source).tables.get(&restored.from)
    {
        let copy = restored_from(table, step);
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
