//! What the clusters of the fake world hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use transship_model::ledger::LedgerView;
use transship_model::observed::{
    Observed, Publication, RelationState, Shard, SubscribedTable, Subscription, TableKind, Writable,
};
use transship_model::{Name, TableName, Version};

use super::plans::name;

/// All clusters, by their name in the spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct World {
    pub(crate) clusters: BTreeMap<Name, Cluster>,
    /// How many operations a second a subscription takes over; each look at it is a second.
    pub(crate) speed: i64,
    /// How many operations each look brings to every shard of every table that is not subscribed.
    pub(crate) writes: i64,
    /// How many looks a lease outlives its subscription.
    pub(crate) lease_looks: u32,
    /// Tables whose replication fails, with the reason.
    pub(crate) failing: BTreeMap<TableName, String>,
    /// Copies take everything over and never end.
    pub(crate) endless: bool,
    /// No restore of a subscription is listed, whatever its tables say.
    pub(crate) forgotten: bool,
    /// Targets have a shard that never starts, of a partition that no source has.
    pub(crate) dead_shard: bool,
    /// Tables that the subscriber may not read.
    pub(crate) denied: BTreeSet<TableName>,
    made: u32,
}

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) users: BTreeSet<String>,
    pub(crate) tables: BTreeMap<TableName, Table>,
    /// Owner and tables.
    pub(crate) publications: BTreeMap<String, (String, BTreeSet<TableName>)>,
    pub(crate) subscriptions: BTreeMap<String, Followed>,
    /// The ledger's tables, each with its rows by primary key; a row is its other columns.
    pub(crate) ledger: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) uuid: u32,
    /// The highest sequence number by partition and shard.
    pub(crate) shards: BTreeMap<(String, i64), i64>,
    /// The subscription that writes it.
    pub(crate) subscribed: Option<String>,
    /// Subscribers with a lease, and how many looks the lease outlives.
    pub(crate) leases: BTreeMap<String, Option<u32>>,
    /// Whether nobody renews them, and they keep nothing that was replicated.
    pub(crate) unused: bool,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Followed {
    pub(crate) owner: String,
    pub(crate) connection: String,
    pub(crate) source: Name,
    pub(crate) publication: String,
    pub(crate) tables: BTreeMap<TableName, SubscribedTable>,
}

impl World {
    /// Clusters `a` and `b`; `a` has tables `shop.t` (two shards) and `shop.p` (two partitions) and `shop.empty`.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            clusters: BTreeMap::new(),
            speed: i64::MAX,
            writes: 0,
            lease_looks: 2,
            failing: BTreeMap::new(),
            endless: false,
            forgotten: false,
            dead_shard: false,
            denied: BTreeSet::new(),
            made: 0,
        };
        for cluster in ["a", "b"] {
            let users = ["tool".to_owned(), "repl".to_owned()].into();
            let made = Cluster { id: format!("id-{cluster}"), user: "tool".to_owned(), users, ..Cluster::default() };
            world.clusters.insert(name(cluster), made);
        }
        world.add_table("a", "t", &[("", 0, 9), ("", 1, -1)]);
        world.add_table("a", "p", &[("x", 0, 4), ("y", 0, 3)]);
        world.add_table("a", "empty", &[("", 0, -1)]);
        world
    }

    pub(crate) fn at(&mut self, cluster: &str) -> &mut Cluster {
        self.clusters.get_mut(&name(cluster)).expect("a cluster of the world")
    }

    pub(crate) fn add_table(&mut self, cluster: &str, table: &str, shards: &[(&str, i64, i64)]) {
        let uuid = self.next_uuid();
        let shards = shards.iter().map(|(partition, id, max)| (((*partition).to_owned(), *id), *max)).collect();
        self.at(cluster).tables.insert(TableName::new("shop", table), Table { uuid, shards, ..Table::default() });
    }

    pub(super) fn next_uuid(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    /// The same without what differs from run to run: counters, runs, steps and the runs' ids in the flows.
    pub(crate) fn settled(&self) -> Self {
        let mut world = self.clone();
        world.made = 0;
        for cluster in world.clusters.values_mut() {
            cluster.ledger.remove("runs");
            cluster.ledger.remove("steps");
            for row in cluster.ledger.get_mut("flows").into_iter().flat_map(BTreeMap::values_mut) {
                row[2].clear();
            }
            for table in cluster.tables.values_mut() {
                table.uuid = 0;
            }
        }
        world
    }

    /// What an observation would see.
    pub(crate) fn observe(&self, cluster: &Name, writable: &BTreeSet<TableName>) -> Observed {
        let found = &self.clusters[cluster];
        let tables = found.tables.iter().map(|(name, table)| (name.clone(), observed_table(name, table, writable)));
        let publications = found.publications.iter().filter(|(_, (owner, _))| *owner == found.user);
        let subscriptions = found.subscriptions.iter().filter(|(_, followed)| followed.owner == found.user);
        Observed {
            id: found.id.clone(),
            cluster_name: cluster.to_string(),
            version: Version::new(6, 4, 0),
            newest_version: Version::new(6, 4, 0),
            user: found.user.clone(),
            superuser: Some(false),
            users: None,
            privileges: None,
            now: Timestamp::UNIX_EPOCH,
            tables: tables.collect(),
            publications: publications
                .map(|(name, (_, tables))| (name.clone(), Publication { all_tables: false, tables: tables.clone() }))
                .collect(),
            subscriptions: subscriptions
                .map(|(name, followed)| (name.clone(), observed_subscription(followed)))
                .collect(),
            ledger: if found.ledger.is_empty() { LedgerView::Absent } else { LedgerView::Present(BTreeMap::new()) },
            repositories: BTreeMap::new(),
            servers: BTreeMap::new(),
            described: BTreeMap::new(),
            unseen: Vec::new(),
        }
    }
}

fn observed_table(name: &TableName, table: &Table, writable: &BTreeSet<TableName>) -> transship_model::observed::Table {
    let shard = |((partition, id), max): (&(String, i64), &i64)| Shard {
        partition: partition.clone(),
        id: i32::try_from(*id).unwrap(),
        uuid: Some(table.uuid.to_string()),
        max_seq_no: Some(*max),
        global_checkpoint: Some(*max),
        docs: 0,
        bytes: 0,
        stalled: false,
        leases: Vec::new(),
    };
    let answer = if table.subscribed.is_some() { Writable::Subscribed } else { Writable::Yes };
    transship_model::observed::Table {
        kind: TableKind::Table,
        columns: Vec::new(),
        primary_key: Vec::new(),
        partitioned_by: Vec::new(),
        clustered_by: None,
        shards: None,
        replicas: None,
        column_policy: None,
        created: None,
        closed: false,
        primaries: table.shards.iter().map(shard).collect(),
        health: None,
        definition: None,
        writable: writable.contains(name).then_some(answer),
        visible: true,
    }
}

fn observed_subscription(followed: &Followed) -> Subscription {
    Subscription {
        connection: followed.connection.clone(),
        publications: vec![followed.publication.clone()],
        tables: followed.tables.clone(),
    }
}

/// A table that a subscription has just taken up.
pub(super) fn taken_up() -> SubscribedTable {
    SubscribedTable::new(RelationState::Initializing)
}
