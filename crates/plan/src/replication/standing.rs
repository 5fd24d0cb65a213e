//! How a table of the flow stands on the target: followed, being copied, half copied, of no use to anybody.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::{RelationState, Shard, SubscribedTable, Table, Writable};
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

    /// Whether the flow's subscription is said to copy the table, is not at it, and has left it in part or never begun.
    pub(super) fn is_abandoned(&self, name: &TableName) -> bool {
        self.listed(name).is_some_and(|table| table.abandoned) && self.lacks_shards(name)
    }

    /// Whether a primary shard of the source has none on the target that is started.
    fn lacks_shards(&self, name: &TableName) -> bool {
        let is_there = self.source.tables.contains_key(name) && self.target.tables.contains_key(name);
        !is_there || self.missing(name).next().is_some()
    }

    /// Whether a shard of the table got nothing for seconds while operations waited for it.
    pub(super) fn is_stalled(&self, name: &TableName) -> bool {
        self.target.tables.get(name).is_some_and(|table| table.primaries.iter().any(|shard| shard.stalled))
    }

    /// Whether a run has seen the table in sync.
    pub(super) fn was_in_sync(&self, name: &TableName) -> bool {
        self.row.is_some_and(|row| row.made.contains(name))
    }

    /// As [`Self::arriving`]: a table of the flow's own subscription that no run has confirmed and that nobody can have
    /// relied on, by what is seen of it now; or one that nothing follows any more, and that has what it had by the ledger.
    pub(super) fn half_copied(&self) -> BTreeMap<TableName, Contents> {
        let noted = self.row.map(|row| row.arriving.clone()).unwrap_or_default();
        let is_half = |name: &TableName, has: &Contents| {
            if self.is_followed(name) {
                self.row.is_some() && !self.was_in_sync(name) && self.is_of_no_use(name)
            } else {
                noted.get(name).is_some_and(|had| !had.is_empty() && had == has)
            }
        };
        let there = self.chosen.keys().filter_map(|name| Some((name, Contents::of(self.target.tables.get(name)?))));
        there.filter(|(name, has)| is_half(name, has)).map(|(name, has)| (name.clone(), has)).collect()
    }

    /// Tables that the flow's subscription is said to copy, of which nothing has come and nothing will.
    pub(super) fn not_begun(&self) -> BTreeSet<TableName> {
        let listed = self.subscription.into_iter().flat_map(|subscription| &subscription.tables);
        let is_nothing = |name: &TableName| {
            !self.target.tables.contains_key(name) && !self.was_in_sync(name) && !self.made.contains(name)
        };
        let idle = listed.filter(|(name, table)| table.abandoned && is_nothing(name));
        idle.map(|(name, _)| name.clone()).collect()
    }

    /// Tables of the subscription that are dropped with nobody's consent as long as nothing has arrived in them since.
    pub(super) fn followed_halves(&self) -> BTreeSet<TableName> {
        self.arriving.keys().filter(|name| !self.once && self.is_followed(name)).cloned().collect()
    }

    /// Whether nobody can have relied on a followed table: it has no index, a shard never came to it, none did of one with
    /// partitions, or it got nothing at all of what the source has for it. One that is listed and can be written is somebody else's: it
    /// came before the subscription could make its own.
    fn is_of_no_use(&self, name: &TableName) -> bool {
        let is_its_own = |table: &&Table| table.writable == Some(Writable::Subscribed) && !self.is_in_the_way(name);
        let Some(table) = self.target.tables.get(name).filter(is_its_own) else { return false };
        let is_empty =
            || table.primaries.iter().all(|shard| shard.global_checkpoint.is_some_and(|reached| reached < 0));
        let never_came = if table.partitioned_by.is_empty() {
            // The shards of an index are listed, assigned or not.
            let has_no_index = table.primaries.is_empty() && !table.closed;
            has_no_index || self.missing(name).any(|shard| self.was_followed(shard) == Some(false))
        } else {
            table.primaries.iter().all(|shard| shard.global_checkpoint.is_none()) && self.was_never_followed(name)
        };
        let is_copied = self.listed(name).is_some_and(|listed| listed.state != RelationState::Monitoring);
        is_copied && never_came || self.is_stalled(name) && is_empty()
    }

    /// Whether the table was there before the subscription, by which that has failed.
    fn is_in_the_way(&self, name: &TableName) -> bool {
        self.listed(name).is_some_and(SubscribedTable::is_in_the_way)
    }

    /// The primary shards of the source that the target has none for, or none that is started.
    fn missing(&self, name: &TableName) -> impl Iterator<Item = &Shard> {
        let target = self.target.tables.get(name).map(|table| table.primaries.as_slice()).unwrap_or_default();
        let is_started = |shard: &Shard| {
            let same = |found: &&Shard| (&found.partition, found.id) == (&shard.partition, shard.id);
            target.iter().find(same).is_some_and(|found| found.global_checkpoint.is_some())
        };
        let source = self.source.tables.get(name).map(|table| table.primaries.as_slice()).unwrap_or_default();
        source.iter().filter(move |shard| !is_started(shard))
    }

    /// Whether the target has never followed any shard of the table.
    fn was_never_followed(&self, name: &TableName) -> bool {
        let shards = self.source.tables.get(name).map(|source| source.primaries.as_slice()).unwrap_or_default();
        let known: Vec<bool> = shards.iter().filter_map(|shard| self.was_followed(shard)).collect();
        !known.is_empty() && !known.contains(&true)
    }

    /// Whether the target has ever followed a shard of the source, by the lease that the source keeps for it: it is made for
    /// the first operation of all, before files are copied, and moves on with the first renewal by who follows. `None` where
    /// that tells nothing, as of a single operation. Shards that are away for a while look as those that never came.
    fn was_followed(&self, shard: &Shard) -> Option<bool> {
        let own = shard.leases.iter().find(|lease| lease.subscriber == self.target.cluster_name)?;
        shard.max_seq_no.filter(|reached| *reached > 0).map(|_| own.retaining > 0)
    }
}
