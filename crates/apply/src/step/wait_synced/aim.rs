//! What a wait has to reach: the mark, and what of it the source still has.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::TableName;

use crate::catalog::{ShardKey, ShardProgress};

/// The highest sequence number of each of the source's primary shards when the wait began; -1 without operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    mark: BTreeMap<ShardKey, i64>,
    /// The shards that were there when the wait began.
    known: BTreeSet<ShardKey>,
}

impl Aim {
    /// The aim by what the source has; `None` while one of its primary shards is not started.
    pub(super) fn of(source: &BTreeMap<ShardKey, ShardProgress>) -> Option<Self> {
        let mark: BTreeMap<ShardKey, i64> = source
            .iter()
            .map(|(shard, checkpoint)| Some((shard.clone(), checkpoint.max_seq_no?)))
            .collect::<Option<_>>()?;
        Some(Self { known: mark.keys().cloned().collect(), mark })
    }

    /// The operations that are waited for.
    pub(super) fn operations(&self) -> i64 {
        self.mark.values().map(|highest| highest + 1).sum()
    }

    /// The shards of a table, each with what it has to reach.
    pub(super) fn shards<'a>(&'a self, table: &'a TableName) -> impl Iterator<Item = (&'a ShardKey, i64)> {
        let of_table = self.mark.iter().filter(move |((name, ..), _)| name == table);
        of_table.map(|(shard, highest)| (shard, *highest))
    }

    /// Lowers the mark to what the source still has: a partition that was dropped there is no longer waited for, nor is
    /// what one held that was made again under its name.
    pub(super) fn narrow(&mut self, now: &Self) {
        self.mark.retain(|shard, _| now.mark.contains_key(shard));
        for (shard, highest) in &mut self.mark {
            *highest = (*highest).min(now.mark[shard]);
        }
    }

    /// Whether the target has begun with partitions of the table that came after the wait began.
    pub(super) fn is_passed(&self, table: &TableName, reached: &BTreeMap<ShardKey, ShardProgress>) -> bool {
        reached.iter().any(|(shard, progress)| {
            shard.0 == *table && progress.global_checkpoint.is_some() && !self.known.contains(shard)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableName {
        TableName::new("shop", "t")
    }

    fn source(shards: &[(&str, i64)]) -> BTreeMap<ShardKey, ShardProgress> {
        let shard = |(partition, highest): &(&str, i64)| {
            let number = Some(*highest);
            let progress = ShardProgress { max_seq_no: number, global_checkpoint: number, ..ShardProgress::default() };
            ((table(), (*partition).to_owned(), 0), progress)
        };
        shards.iter().map(shard).collect()
    }

    #[test]
    fn what_the_source_has_dropped_is_not_waited_for() {
        let mut aim = Aim::of(&source(&[("dropped", 4), ("made again", 9), ("written", 2)])).unwrap();
        aim.narrow(&Aim::of(&source(&[("made again", 1), ("written", 5), ("new", 0)])).unwrap());
        let t = table();
        let left: Vec<_> = aim.shards(&t).map(|((_, partition, _), highest)| (partition.as_str(), highest)).collect();
        assert_eq!((left, aim.operations()), (vec![("made again", 1), ("written", 2)], 5));
        assert!(!aim.is_passed(&table(), &source(&[("dropped", 4), ("written", 2)])), "was there when the wait began");
        assert!(aim.is_passed(&table(), &source(&[("written", 2), ("new", 0)])));
    }

    #[test]
    fn a_shard_that_is_not_started_gives_no_mark() {
        let mut shards = source(&[("x", 1)]);
        shards.values_mut().next().unwrap().max_seq_no = None;
        assert_eq!(Aim::of(&shards), None);
    }
}
