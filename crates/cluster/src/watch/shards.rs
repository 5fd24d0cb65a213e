//! Shards that are behind: whether they get on.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::TableName;
use transship_model::observed::{Observed, RelationState};

use super::Look;
use crate::value::{Rows, ValueError};

/// A primary shard: its table, its partition's ident, its number.
pub(super) type ShardId = (TableName, String, i32);

/// How far a started primary shard has come.
#[derive(Clone, Copy)]
pub(super) struct Checkpoint {
    pub(super) max_seq_no: Option<i64>,
    pub(super) global_checkpoint: i64,
}

/// Those that have yet to be judged.
pub(super) struct Shards {
    /// How far each had come before.
    began: BTreeMap<ShardId, i64>,
    /// Those that did not move, with what they have yet to reach.
    waiting: BTreeMap<ShardId, i64>,
    /// Those of partitions that are not there at all.
    absent: BTreeSet<ShardId>,
}

impl Shards {
    pub(super) fn of(observed: &Observed, behind: &BTreeMap<ShardId, i64>) -> Self {
        let shards =
            observed.tables.iter().flat_map(|(name, table)| table.primaries.iter().map(move |shard| (name, shard)));
        let there: BTreeSet<(&TableName, &str)> =
            shards.clone().map(|(name, shard)| (name, shard.partition.as_str())).collect();
        let is_absent = |(table, partition, _): &&ShardId| {
            observed.tables.contains_key(table) && !there.contains(&(table, partition.as_str()))
        };
        let absent = behind.keys().filter(is_absent).cloned().collect();
        let reached = shards.filter_map(|(name, shard)| {
            Some(((name.clone(), shard.partition.clone(), shard.id), shard.global_checkpoint?))
        });
        Self { began: reached.collect(), waiting: behind.clone(), absent }
    }

    pub(super) fn are_judged(&self) -> bool {
        self.waiting.is_empty() && self.absent.is_empty()
    }

    pub(super) fn look(&mut self, now: &Look) {
        self.absent.retain(|shard| !now.checkpoints.listed.contains(shard));
        let began = &self.began;
        self.waiting.retain(|shard, mark| match now.checkpoints.started.get(shard).map(|now| now.global_checkpoint) {
            Some(reached) => reached < *mark && began.get(shard).is_none_or(|before| reached <= *before),
            // A shard that is gone, or is starting, tells nothing.
            None => false,
        });
    }

    /// Marks those that never moved as stalled, and tables that are followed as lacking the partitions that never came.
    pub(super) fn mark(self, observed: &mut Observed) {
        let lacking: BTreeSet<&TableName> = self.absent.iter().map(|(table, ..)| table).collect();
        let listed = observed.subscriptions.values_mut().flat_map(|subscription| &mut subscription.tables);
        for (_, table) in listed.filter(|(name, it)| it.state == RelationState::Monitoring && lacking.contains(name)) {
            table.lacks_partitions = true;
        }
        for (table, partition, id) in self.waiting.into_keys() {
            let shards = observed.tables.get_mut(&table).into_iter().flat_map(|table| &mut table.primaries);
            for shard in shards.filter(|shard| shard.partition == partition && shard.id == id) {
                shard.stalled = true;
            }
        }
    }
}

/// Primary shards, as one look finds them.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// Those that are started.
    pub(super) started: BTreeMap<ShardId, Checkpoint>,
    /// All, started or not.
    pub(super) listed: BTreeSet<ShardId>,
}

/// The shards of the answer of [`transship_sql::replication::checkpoints`].
pub(super) fn read(rows: &Rows) -> Result<Checkpoints, ValueError> {
    let mut found = Checkpoints::default();
    for row in 0..rows.rows.len() {
        let table = TableName::new(rows.text(row, "schema_name")?, rows.text(row, "table_name")?);
        let id = i32::try_from(rows.int(row, "id")?).unwrap_or(i32::MAX);
        let shard = (table, rows.text(row, "partition_ident")?.to_owned(), id);
        let max_seq_no = rows.opt_int(row, "max_seq_no")?;
        if let Some(global_checkpoint) = rows.opt_int(row, "global_checkpoint")? {
            found.started.insert(shard.clone(), Checkpoint { max_seq_no, global_checkpoint });
        }
        found.listed.insert(shard);
    }
    Ok(found)
}
