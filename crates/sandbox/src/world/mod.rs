//! What the clusters hold.

mod access;
mod cluster;
mod depot;
mod files;
mod follow;
mod remote;
mod shard;
mod table;

pub(crate) use access::{Class, Privilege};
pub(crate) use cluster::{
    Ailment, Cluster, ForeignTable, Logged, Mapping, Publication, Relation, SUPERUSER, Server, SubscribedTable,
    Subscription, User, View, is_system_schema,
};
pub(crate) use depot::{Depot, Place, Repository, Restore, Snapshot, SnapshotState};
pub(crate) use files::{Bucket, Buckets, Location, decode, reason};
pub(crate) use follow::index_name;
pub(crate) use shard::{Doc, Shard};
pub(crate) use table::{Column, Partition, Table, partition_ident, partition_text};

use std::collections::BTreeMap;
use std::fmt;

use crate::clock::Clock;

/// The name of a relation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableName {
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl TableName {
    pub(crate) fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// All clusters of a sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) clock: Clock,
    /// What lies where repositories are.
    pub(crate) depots: BTreeMap<Place, Depot>,
    pub(crate) buckets: Buckets,
}

impl World {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clusters: BTreeMap::new(), clock, depots: BTreeMap::new(), buckets: Buckets::default() }
    }

    /// A cluster that is known to exist.
    pub(crate) fn cluster(&self, name: &str) -> &Cluster {
        self.clusters.get(name).expect("sessions belong to clusters of the world")
    }

    /// The same, to change it.
    pub(crate) fn cluster_mut(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).expect("sessions belong to clusters of the world")
    }
}
