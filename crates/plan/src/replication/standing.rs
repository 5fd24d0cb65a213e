//! How a table of the flow stands on the target: followed, being copied, half copied, of no use to anybody.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::{RelationState, Shard, SubscribedTable};
use transship_model::{Contents, TableName};

use super::context::Context;

impl Context<'_> {
    /// Whether the subscription has the table.
    pub(super) fn is_followed(&self, table: &TableName) -> bool {
        self.listed(table).is_some()
    }

    /// What the subscription says of the table.
    fn listed(&self, table: &TableName) -> Option<&SubscribedTable> {
        self.subscription?.tables.get(table)
    }

    /// Whether the table on the target came from this flow, by the ledger or by the subscription.
    pub(super) fn is_ours(&self, table: &TableName) -> bool {
        self.is_followed(table) || self.made.contains(table) || self.arriving.contains_key(table)
    }

    /// Whether the flow's subscription follows the table. One that has all of it and only says that it copies it does, too:
    /// nothing of what CrateDB does depends on that word.
    pub(super) fn follows(&self, name: &TableName) -> bool {
        let is_there = |found: &SubscribedTable| found.abandoned && !self.lacks_shards(name);
        self.listed(name).is_some_and(|found| found.state == RelationState::Monitoring || is_there(found))
    }

    /// Whether the flow's subscription has begun to copy the table, is not at it any more, and has left it in part.
    pub(super) fn is_abandoned(&self, name: &TableName) -> bool {
        self.listed(name).is_some_and(|table| table.abandoned) && self.lacks_shards(name)
    }

    /// Whether a primary shard of the source has none on the target that is started.
    fn lacks_shards(&self, name: &TableName) -> bool {
        let Some((source, target)) = self.source.tables.get(name).zip(self.target.tables.get(name)) else {
            return true;
        };
        let same = |one: &Shard, other: &Shard| (&one.partition, one.id) == (&other.partition, other.id);
        let is_started = |shard: &&Shard| shard.global_checkpoint.is_some();
        let started: Vec<&Shard> = target.primaries.iter().filter(is_started).collect();
        source.primaries.iter().any(|shard| !started.iter().any(|found| same(found, shard)))
    }

    /// Whether a shard of the table got nothing for seconds while operations waited for it.
    pub(super) fn is_stalled(&self, name: &TableName) -> bool {
        self.target.tables.get(name).is_some_and(|table| table.primaries.iter().any(|shard| shard.stalled))
    }

    /// As [`Self::arriving`]: a table of the flow's own subscription that no run has confirmed and that nobody can have
    /// relied on, by what is seen of it now; or one that nothing follows any more, and that has what it had by the ledger.
    pub(super) fn half_copied(&self) -> BTreeMap<TableName, Contents> {
        let noted = self.row.map(|row| row.arriving.clone()).unwrap_or_default();
        let was_in_sync = |name: &TableName| self.row.is_some_and(|row| row.made.contains(name));
        let is_half = |name: &TableName, has: &Contents| {
            if self.is_followed(name) {
                self.row.is_some() && !was_in_sync(name) && self.is_of_no_use(name)
            } else {
                noted.get(name).is_some_and(|had| !had.is_empty() && had == has)
            }
        };
        let there = self.chosen.keys().filter_map(|name| Some((name, Contents::of(self.target.tables.get(name)?))));
        there.filter(|(name, has)| is_half(name, has)).map(|(name, has)| (name.clone(), has)).collect()
    }

    /// Tables of the subscription that are dropped with nobody's consent as long as nothing has arrived in them since.
    pub(super) fn followed_halves(&self) -> BTreeSet<TableName> {
        self.arriving.keys().filter(|name| !self.once && self.is_followed(name)).cloned().collect()
    }

    /// Whether a followed table can be read by nobody, or got nothing at all of what the source has for it. One that was in
    /// the way of the subscription is somebody else's, although it is listed.
    fn is_of_no_use(&self, name: &TableName) -> bool {
        let listed = self.listed(name);
        let in_the_way =
            listed.and_then(|table| table.reason.as_deref()).is_some_and(|reason| reason.contains("already exists"));
        let Some(table) = self.target.tables.get(name).filter(|_| !in_the_way) else { return false };
        // Shards of a table that was followed come back with their node.
        let was_followed = listed.is_some_and(|table| table.state == RelationState::Monitoring);
        let has_no_shards = || match table.partitioned_by.as_slice() {
            [] => self.lacks_shards(name),
            _ => table.primaries.iter().all(|shard| shard.global_checkpoint.is_none()),
        };
        let is_empty = || table.primaries.iter().all(|shard| shard.global_checkpoint.is_none_or(|reached| reached < 0));
        !was_followed && has_no_shards() || self.is_stalled(name) && is_empty()
    }
}
