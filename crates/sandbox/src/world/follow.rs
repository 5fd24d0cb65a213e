//! How subscriptions follow their publications: a step at every tick.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Ailment, Cluster, SubscribedTable, Subscription};
use super::shard::Lease;
use super::table::Table;
use super::{TableName, World};

/// How many operations a shard takes over at a tick.
const BATCH: usize = 50_000;

/// Why a table that left and came back is not followed.
const EXISTS: &str = "Relation already exists";

/// How far the replication of a table has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Initializing,
    Restoring,
    Monitoring,
    Failed,
}

impl State {
    /// The letter in `pg_subscription_rel`.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Initializing => "i",
            Self::Restoring => "d",
            Self::Monitoring => "r",
            Self::Failed => "e",
        }
    }
}

impl Cluster {
    /// The tables of a publication that exist and that `user` may read; `None` where there is no such publication.
    pub(crate) fn published_to(&self, publication: &str, user: &str) -> Option<BTreeSet<TableName>> {
        let found = self.publications.get(publication)?;
        let named = |name: &&TableName| found.tables.as_ref().is_none_or(|tables| tables.contains(*name));
        let may = |name: &&TableName| {
            self.has(user, "DQL", name) && ["DQL", "DML", "DDL"].iter().all(|kind| self.has(&found.owner, kind, name))
        };
        Some(self.tables.keys().filter(named).filter(may).cloned().collect())
    }
}

impl World {
    /// Lets every subscription of every cluster take a step.
    pub(crate) fn tick(&mut self) {
        self.finish();
        let now = self.clock.now();
        let names: Vec<String> = self.clusters.keys().cloned().collect();
        for name in names {
            if self.clusters[&name].subscriptions.is_empty() {
                continue;
            }
            let mut target = self.clusters.remove(&name).expect("the name is that of a cluster");
            let mut subscriptions = std::mem::take(&mut target.subscriptions);
            for (subscription_name, subscription) in &mut subscriptions {
                if let Some(source) = self.clusters.get_mut(&subscription.source) {
                    Step { name: subscription_name, subscription, source, target: &mut target, now }.take();
                }
            }
            target.subscriptions = subscriptions;
            self.clusters.insert(name, target);
        }
    }

    /// Lets go of everything that a subscription follows: its tables become writable, its leases end.
    pub(crate) fn release_all(&mut self, cluster: &str, subscription: &mut Subscription) {
        let tables: Vec<TableName> = subscription.tables.keys().cloned().collect();
        for table in tables {
            if let Some(found) = self.cluster_mut(cluster).tables.get_mut(&table) {
                found.subscription = None;
            }
            if let Some(found) =
                self.clusters.get_mut(&subscription.source).and_then(|source| source.tables.get_mut(&table))
            {
                end_leases(found, cluster);
            }
        }
    }
}

/// One subscription at one tick.
struct Step<'a> {
    name: &'a str,
    subscription: &'a mut Subscription,
    source: &'a mut Cluster,
    target: &'a mut Cluster,
    now: i64,
}

impl Step<'_> {
    fn take(mut self) {
        self.track();
        let tables: Vec<(TableName, State)> =
            self.subscription.tables.iter().map(|(name, table)| (name.clone(), table.state)).collect();
        for (name, state) in tables {
            match state {
                State::Initializing => self.set_up(&name),
                State::Restoring => self.restore(&name),
                State::Monitoring => self.follow(&name),
                State::Failed => {}
            }
        }
    }

    /// Compares the tables with those that are published now. Where no publication is left, nothing is compared.
    fn track(&mut self) {
        let found: Vec<BTreeSet<TableName>> = self.published();
        if self.subscription.is_frozen || found.is_empty() {
            return;
        }
        let published: BTreeSet<TableName> = found.into_iter().flatten().collect();
        let gone: Vec<TableName> =
            self.subscription.tables.keys().filter(|name| !published.contains(*name)).cloned().collect();
        for name in gone {
            self.release(&name);
        }
        for name in published {
            let oid = self.source.tables[&name].oid;
            let known = self.subscription.tables.get(&name).map(|table| table.source_oid);
            let is_there = self.target.tables.contains_key(&name);
            if known.is_some_and(|known| known != oid) || (known.is_none() && is_there) {
                self.subscription.tables.insert(name.clone(), SubscribedTable::failed(oid, EXISTS));
                self.mark(&name);
                self.subscription.is_frozen = true;
            } else if known.is_none() {
                self.subscription.tables.insert(name, SubscribedTable::new(oid));
            }
        }
    }

    fn published(&self) -> Vec<BTreeSet<TableName>> {
        let names = self.subscription.publications.iter();
        names.filter_map(|name| self.source.published_to(name, &self.subscription.user)).collect()
    }

    fn set(&mut self, name: &TableName, state: State) {
        if let Some(table) = self.subscription.tables.get_mut(name) {
            table.state = state;
        }
    }

    fn mark(&mut self, name: &TableName) {
        if let Some(table) = self.target.tables.get_mut(name) {
            table.subscription = Some(self.name.to_owned());
        }
    }

    fn release(&mut self, name: &TableName) {
        self.subscription.tables.remove(name);
        if let Some(table) = self.target.tables.get_mut(name) {
            table.subscription = None;
        }
        if let Some(table) = self.source.tables.get_mut(name) {
            end_leases(table, &self.target.name);
        }
    }

    /// Makes the table as the publisher has it, still empty.
    fn set_up(&mut self, name: &TableName) {
        if self.target.relation(name).is_some() {
            let oid = self.subscription.tables[name].source_oid;
            self.subscription.tables.insert(name.clone(), SubscribedTable::failed(oid, EXISTS));
            self.subscription.is_frozen = true;
            return;
        }
        let Some(source) = self.source.tables.get(name) else { return };
        let mut copy = Table { partitions: BTreeMap::new(), ..source.clone() };
        copy.oid = self.target.next_oid();
        copy.made_as.clone_from(name);
        copy.subscription = Some(self.name.to_owned());
        self.target.tables.insert(name.clone(), copy);
        self.set(name, State::Restoring);
        self.take_partitions(name);
    }

    /// Makes the partitions that are new on the publisher, and drops those that it has dropped.
    fn take_partitions(&mut self, name: &TableName) {
        let Some(source) = self.source.tables.get(name) else { return };
        let new: Vec<_> =
            source.partitions.iter().map(|(ident, found)| (ident.clone(), found.values.clone())).collect();
        for (ident, values) in &new {
            if !self.target.tables[name].partitions.contains_key(ident) {
                let uuid = self.target.next_uuid();
                let partition = self.target.tables[name].new_partition(values.clone(), uuid);
                let table = self.target.tables.get_mut(name).expect("it was just there");
                table.partitions.insert(ident.clone(), partition);
            }
        }
        let table = self.target.tables.get_mut(name).expect("it was just there");
        table.partitions.retain(|ident, _| new.iter().any(|(found, _)| found == ident));
    }

    /// Takes over what is there, unless the subscription has forgotten to.
    fn restore(&mut self, name: &TableName) {
        self.begin_leases(name);
        let partitions = self.target.tables.get_mut(name).into_iter().flat_map(|table| table.partitions.values_mut());
        match self.subscription.ailment {
            Some(Ailment::All) => partitions.for_each(|partition| {
                partition.is_arriving = true;
                partition.lost = true;
            }),
            Some(Ailment::One) => self.follow(name),
            None => {
                self.follow(name);
                self.set(name, State::Monitoring);
            }
        }
    }

    /// The publisher keeps operations from the first one on, before any file is copied.
    fn begin_leases(&mut self, name: &TableName) {
        let Some(source) = self.source.tables.get_mut(name) else { return };
        for (ident, partition) in &mut source.partitions {
            for (number, shard) in partition.shards.iter_mut().enumerate() {
                let (id, source) = lease(&self.target.name, name, (ident, number));
                shard.leases.insert(id, Lease { retaining: 0, timestamp: self.now, source });
            }
        }
    }

    fn follow(&mut self, name: &TableName) {
        if !self.target.tables.contains_key(name) || !self.source.tables.contains_key(name) {
            return;
        }
        if !self.subscription.is_frozen && !self.published().is_empty() {
            self.take_partitions(name);
            let columns = self.source.tables[name].columns.clone();
            self.target.tables.get_mut(name).expect("it was just there").columns = columns;
        }
        let (now, follower) = (self.now, self.target.name.clone());
        let copy = self.target.tables.get_mut(name).expect("it was just there");
        let interval = copy.refresh_interval();
        let source = self.source.tables.get_mut(name).expect("it was just there");
        for (ident, partition) in &mut copy.partitions {
            let Some(from) = source.partitions.get_mut(ident) else { continue };
            for (number, shard) in partition.shards.iter_mut().enumerate() {
                let Some(from) = from.shards.get_mut(number) else { continue };
                shard.follow(from, BATCH, now, interval);
                let retaining = shard.max_seq_no.max(0);
                let (id, source) = lease(&follower, name, (ident, number));
                from.leases.insert(id, Lease { retaining, timestamp: now, source });
            }
        }
    }
}

impl SubscribedTable {
    /// A table that is about to be copied.
    pub(crate) const fn new(source_oid: i32) -> Self {
        Self { state: State::Initializing, reason: None, source_oid }
    }

    fn failed(source_oid: i32, reason: &str) -> Self {
        Self { state: State::Failed, reason: Some(reason.to_owned()), source_oid }
    }
}

/// The name of a lease, and who holds it.
fn lease(follower: &str, name: &TableName, (ident, number): (&str, usize)) -> (String, String) {
    let source = format!("logical_replication:{follower}");
    (format!("{source}:[{}][{number}]", index_name(name, ident)), source)
}

fn end_leases(table: &mut Table, follower: &str) {
    let source = format!("logical_replication:{follower}");
    for shard in table.partitions.values_mut().flat_map(|partition| &mut partition.shards) {
        shard.leases.retain(|_, lease| lease.source != source);
    }
}

/// The name of the index that holds a table or a partition.
pub(crate) fn index_name(name: &TableName, ident: &str) -> String {
    match (name.schema.as_str(), ident) {
        ("doc", "") => name.table.clone(),
        ("doc", ident) => format!(".partitioned.{}.{ident}", name.table),
        (schema, "") => format!("{schema}.{}", name.table),
        (schema, ident) => format!("{schema}..partitioned.{}.{ident}", name.table),
    }
}
