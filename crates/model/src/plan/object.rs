//! The objects that a plan relies on, and the facts about them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{FlowId, Name, TableName};

/// An object that a plan relies on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// The cluster's name in the spec; for an export, the store's.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// What kind of object.
    pub kind: ObjectKind,
    /// Its name: `schema.table` for a table, empty for the cluster itself.
    pub name: String,
}

impl ObjectRef {
    /// The table `name` of `cluster`.
    pub fn table(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Table, name: name.to_string() }
    }

    /// The publication `name` of `cluster`.
    pub fn publication(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Publication, name: name.to_owned() }
    }

    /// The subscription `name` of `cluster`.
    pub fn subscription(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Subscription, name: name.to_owned() }
    }

    /// The cluster itself.
    pub fn cluster(cluster: &Name) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Cluster, name: String::new() }
    }

    /// The indices of the table `name` of `cluster`.
    pub fn indices(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Indices, name: name.to_string() }
    }

    /// What has arrived in the table `name` of `cluster`.
    pub fn arrival(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Arrival, name: name.to_string() }
    }

    /// The partition `ident` of the table `name` of `cluster`.
    pub fn partition(cluster: &Name, name: &TableName, ident: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Partition, name: format!("{name}/{ident}") }
    }

    /// The table and the ident of a partition. No table has `/` in its name.
    pub fn as_partition(&self) -> Option<(TableName, &str)> {
        let (table, ident) = self.name.rsplit_once('/').filter(|_| self.kind == ObjectKind::Partition)?;
        Some((table.parse().ok()?, ident))
    }

    /// The row of `flow` in the ledger on `cluster`.
    pub fn flow(cluster: &Name, flow: &FlowId) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Flow, name: flow.to_string() }
    }

    /// The tables of the subscription `name` of `cluster`.
    pub fn subscribed_tables(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::SubscribedTables, name: name.to_owned() }
    }

    /// The tables of the publication `name` of `cluster`.
    pub fn published_tables(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::PublishedTables, name: name.to_owned() }
    }

    /// The privileges on the table `name` of `cluster` itself.
    pub fn privileges(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Privileges, name: name.to_string() }
    }

    /// The repository `name` of `cluster`.
    pub fn repository(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Repository, name: name.to_owned() }
    }

    /// The foreign server `name` of `cluster`, with its user mappings.
    pub fn server(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Server, name: name.to_owned() }
    }

    /// The export that is looked for at `place` of `store`.
    pub fn export(store: &Name, place: &str) -> Self {
        Self { cluster: store.clone(), kind: ObjectKind::Export, name: place.to_owned() }
    }

    /// The ledger on `cluster`.
    pub fn ledger(cluster: &Name) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Ledger, name: String::new() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ObjectKind::Cluster => write!(f, "cluster {}", self.cluster),
            ObjectKind::Ledger => write!(f, "ledger on {}", self.cluster),
            ObjectKind::Table => write!(f, "table {}.{}", self.cluster, self.name),
            ObjectKind::Indices => write!(f, "indices of table {}.{}", self.cluster, self.name),
            ObjectKind::Arrival => write!(f, "what has arrived in table {}.{}", self.cluster, self.name),
            ObjectKind::Partition => write!(f, "partition {}.{}", self.cluster, self.name),
            ObjectKind::Privileges => write!(f, "privileges on table {}.{}", self.cluster, self.name),
            ObjectKind::Repository => write!(f, "repository {}.{}", self.cluster, self.name),
            ObjectKind::Server => write!(f, "foreign server {}.{}", self.cluster, self.name),
            ObjectKind::Publication => write!(f, "publication {}.{}", self.cluster, self.name),
            ObjectKind::Subscription => write!(f, "subscription {}.{}", self.cluster, self.name),
            ObjectKind::PublishedTables => write!(f, "tables of publication {}.{}", self.cluster, self.name),
            ObjectKind::SubscribedTables => write!(f, "tables of subscription {}.{}", self.cluster, self.name),
            ObjectKind::Export if self.name.is_empty() => write!(f, "export in store {}", self.cluster),
            ObjectKind::Export => write!(f, "export in store {} at {}", self.cluster, self.name),
            ObjectKind::Flow => write!(f, "row of flow {} in the ledger on {}", self.name, self.cluster),
        }
    }
}

/// A kind of object that a plan can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// The cluster's identity, user and version.
    Cluster,
    /// The ledger's tables and format.
    Ledger,
    /// A table's existence, identity and definition.
    Table,
    /// The identities of all indices of a table: one for each partition, and others when it was made again. Relied on
    /// where the table is to be dropped, so that whatever was written into new partitions meanwhile is not.
    Indices,
    /// Which primary shards of a table are started, and which of those have anything. Relied on where a table is to be
    /// dropped because it is half a copy that nobody can have relied on.
    Arrival,
    /// The identity of the index of one partition of a table; its name is `schema.table/ident`.
    Partition,
    /// Who may do what with a table itself, by `sys.privileges`. Relied on where they pass to what takes its place.
    Privileges,
    /// A repository's existence, type and settings.
    Repository,
    /// A foreign server's existence and address, and for whom it has user mappings.
    Server,
    /// A publication's existence, and whether it is FOR ALL TABLES.
    Publication,
    /// The tables of a publication.
    PublishedTables,
    /// A subscription's existence, connection and publications.
    Subscription,
    /// The tables that a subscription follows, and which of them have failed.
    SubscribedTables,
    /// The manifest that is found in a place of a store, and whether its files are there.
    Export,
    /// Which run wrote the ledger's row of a flow last: a plan that was used, or overtaken by another, is stale.
    Flow,
}

/// A fact that a plan relies on: identity and definition, never rows or sizes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The object.
    pub object: ObjectRef,
    /// SHA-256 in hexadecimal of what matters of it, or `absent`.
    pub fingerprint: String,
}
