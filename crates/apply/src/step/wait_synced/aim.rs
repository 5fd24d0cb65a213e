//! What a wait has to reach: the mark, and what of it the source still has.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::TableName;

use crate::catalog::{ShardKey, ShardProgress};

/// Every shard of some tables, started or not, with the identity of its index.
pub(super) type Shards = BTreeMap<ShardKey, Option<String>>;

/// The highest sequence number of each of the source's primary shards when the wait began; -1 without operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    mark: BTreeMap<ShardKey, i64>,
    /// The shards that were there when the wait began.
    began: Shards,
}

impl Aim {
    /// The aim by what the source has; `None` while the primary of one of its `shards` is not started.
    pub(super) fn of(primaries: &BTreeMap<ShardKey, ShardProgress>, shards: Shards) -> Option<Self> {
        let mark: BTreeMap<ShardKey, i64> = primaries
            .iter()
            .map(|(shard, checkpoint)| Some((shard.clone(), checkpoint.max_seq_no?)))
            .collect::<Option<_>>()?;
        shards.keys().all(|shard| mark.contains_key(shard)).then_some(Self { mark, began: shards })
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

    /// Takes out of the mark what the source no longer has: partitions that were dropped there, and those that were made
    /// again under the same name since. Of a table without any shard nothing is known: it may be out of sight.
    pub(super) fn narrow(&mut self, now: &Shards) {
        let seen: BTreeSet<&TableName> = now.keys().map(|(table, ..)| table).collect();
        let began = &self.began;
        self.mark.retain(|shard, _| {
            let same = |uuid: &Option<String>| match (uuid, began.get(shard)) {
                (Some(now), Some(Some(before))) => now == before,
                _ => true,
            };
            !seen.contains(&shard.0) || now.get(shard).is_some_and(same)
        });
    }

    /// Whether the target has begun with partitions of the table that came after the wait began.
    pub(super) fn is_passed(&self, table: &TableName, reached: &BTreeMap<ShardKey, ShardProgress>) -> bool {
        reached.iter().any(|(shard, progress)| {
            shard.0 == *table && progress.global_checkpoint.is_some() && !self.began.contains_key(shard)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: &str) -> ShardKey {
        (TableName::new("shop", "t"), partition.to_owned(), 0)
    }

    fn primaries(shards: &[(&str, i64)]) -> BTreeMap<ShardKey, ShardProgress> {
        let shard = |(partition, highest): &(&str, i64)| {
            let number = Some(*highest);
            let progress = ShardProgress { max_seq_no: number, global_checkpoint: number, ..ShardProgress::default() };
            (key(partition), progress)
        };
        shards.iter().map(shard).collect()
    }

    fn shards(shards: &[(&str, &str)]) -> Shards {
        shards.iter().map(|(partition, uuid)| (key(partition), Some((*uuid).to_owned()))).collect()
    }

    #[test]
    fn what_the_source_no_longer_has_is_not_waited_for() {
        let began = shards(&[("dropped", "a"), ("made again", "b"), ("written", "c")]);
        let mut aim = Aim::of(&primaries(&[("dropped", 4), ("made again", 9), ("written", 2)]), began).unwrap();
        aim.narrow(&Shards::new());
        assert_eq!(aim.operations(), 18, "a table out of sight is not gone");
        aim.narrow(&shards(&[("made again", "x"), ("written", "c"), ("new", "d")]));
        let t = key("").0;
        let left: Vec<_> = aim.shards(&t).map(|((_, partition, _), highest)| (partition.as_str(), highest)).collect();
        assert_eq!(left, [("written", 2)]);
        assert!(!aim.is_passed(&t, &primaries(&[("dropped", 4), ("written", 2)])), "was there when the wait began");
        assert!(aim.is_passed(&t, &primaries(&[("written", 2), ("new", 0)])));
    }

    #[test]
    fn a_primary_that_is_not_started_or_not_listed_gives_no_mark() {
        let all = || shards(&[("x", "a"), ("y", "b")]);
        assert_eq!(Aim::of(&primaries(&[("x", 1)]), all()), None);
        let mut both = primaries(&[("x", 1), ("y", 0)]);
        assert!(Aim::of(&both, all()).is_some());
        both.values_mut().next().unwrap().max_seq_no = None;
        assert_eq!(Aim::of(&both, all()), None);
    }
}
