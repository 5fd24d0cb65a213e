//! Tables that are said to be copied by a subscription: whether they are.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::TableName;
use transship_model::observed::{Observed, RelationState};
use transship_sql::replication;

use super::Look;

/// Those that have yet to be judged, by their subscription.
pub(super) struct Copies {
    waiting: BTreeMap<String, BTreeSet<TableName>>,
}

impl Copies {
    pub(super) fn of(copying: &BTreeMap<String, BTreeSet<TableName>>) -> Self {
        Self { waiting: copying.clone() }
    }

    pub(super) fn are_judged(&self) -> bool {
        self.waiting.values().all(BTreeSet::is_empty)
    }

    /// A copy that has ended since the first look is one no more: partitions come and go within a second.
    pub(super) fn look(&mut self, now: &Look, observed: &mut Observed) {
        self.waiting.retain(|subscription, _| !now.restoring.contains(&replication::repository_of(subscription)));
        for (subscription, tables) in &mut self.waiting {
            for table in tables.iter() {
                note_shards(observed, table, now);
                if now.state(subscription, table) == Some(RelationState::Monitoring) {
                    note_followed(observed, subscription, table);
                }
            }
            tables.retain(|table| now.state(subscription, table).is_some_and(RelationState::is_copying));
        }
    }

    /// Marks those that nobody copies as abandoned.
    pub(super) fn mark(self, observed: &mut Observed) {
        for (subscription, tables) in self.waiting {
            let known = observed.subscriptions.get_mut(&subscription).into_iter().flat_map(|it| &mut it.tables);
            for (_, table) in known.filter(|(name, _)| tables.contains(*name)) {
                table.abandoned = true;
            }
        }
    }
}

fn note_followed(observed: &mut Observed, subscription: &str, table: &TableName) {
    let known = observed.subscriptions.get_mut(subscription);
    if let Some(found) = known.and_then(|known| known.tables.get_mut(table)) {
        found.state = RelationState::Monitoring;
    }
}

/// What is told of a table that nobody copies, and what its shards have, are of one moment.
fn note_shards(observed: &mut Observed, name: &TableName, now: &Look) {
    for shard in observed.tables.get_mut(name).into_iter().flat_map(|table| &mut table.primaries) {
        let found = now.checkpoints.started.get(&(name.clone(), shard.partition.clone(), shard.id));
        shard.max_seq_no = found.and_then(|found| found.max_seq_no);
        shard.global_checkpoint = found.map(|found| found.global_checkpoint);
    }
}
