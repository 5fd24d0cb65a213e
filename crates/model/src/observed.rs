//! What is there: the catalogs of the clusters, read at one moment.
//!
//! Unseen is not absent: what the connected user may not see is listed under [`Observed::unseen`], and whoever
//! concludes from absence has to look there first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerView;
use crate::name::{Name, TableName};
use crate::store::ObservedStore;
use crate::version::Version;

/// The format of a saved [`Observation`].
pub const OBSERVATION_FORMAT: u32 = 1;

/// What was seen on every cluster of a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// [`OBSERVATION_FORMAT`].
    pub format_version: u32,
    /// When it was taken.
    #[schemars(with = "String")]
    pub taken: Timestamp,
    /// The clusters by their name in the spec.
    #[schemars(with = "BTreeMap<String, Observed>")]
    pub clusters: BTreeMap<Name, Observed>,
    /// The stores that flows begin or end in, by their name in the spec, as the machine saw them that runs transship.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, ObservedStore>")]
    pub stores: BTreeMap<Name, ObservedStore>,
}

impl Observation {
    /// The day (UTC) on which it was taken.
    pub fn day(&self) -> Date {
        self.taken.to_zoned(jiff::tz::TimeZone::UTC).date()
    }
}

/// What was seen on one cluster as one user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// `sys.cluster.id`, the cluster's identity.
    pub id: String,
    /// `sys.cluster.name`, the key of its retention leases on publishers.
    pub cluster_name: String,
    /// The lowest version among its nodes.
    pub version: Version,
    /// The highest version among its nodes.
    pub newest_version: Version,
    /// `current_user`.
    pub user: String,
    /// Whether the user is a superuser; `None` when `sys.users` could not be read.
    pub superuser: Option<bool>,
    /// The users that exist; `None` when `sys.users` could not be read.
    pub users: Option<BTreeMap<String, User>>,
    /// The privileges that were granted or denied; `None` when `sys.privileges` could not be read.
    pub privileges: Option<Vec<Privilege>>,
    /// The server's clock when it was asked.
    #[schemars(with = "String")]
    pub now: Timestamp,
    /// Tables, views, foreign and blob tables of user schemas.
    #[schemars(with = "BTreeMap<String, Table>")]
    pub tables: BTreeMap<TableName, Table>,
    /// The publications that the user owns.
    pub publications: BTreeMap<String, Publication>,
    /// The subscriptions that the user owns.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// The repositories of snapshots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repositories: BTreeMap<String, Repository>,
    /// The foreign servers that the user owns; all of them where it is a superuser.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, ForeignServer>,
    /// The ledger of this workspace and environment.
    pub ledger: LedgerView,
    /// Statements that were prepared and never executed, each with the types of its columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub described: BTreeMap<String, Described>,
    /// What could not be seen, and why.
    pub unseen: Vec<Unseen>,
}

/// A foreign server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignServer {
    /// Who made it.
    pub owner: String,
    /// Its `url`.
    pub url: String,
    /// The users for whom it has mappings, as far as the user may see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapped: Vec<String>,
}

/// What a server said about a statement that it prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Described {
    /// The types of its columns, as CREATE TABLE has them; empty where the type on the wire does not tell.
    Types(Vec<String>),
    /// It refused the statement; why.
    Refused(String),
}

/// A user of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Whether it is a superuser.
    pub superuser: bool,
    /// The roles that it has, through other roles too.
    pub roles: Vec<String>,
}

/// A privilege that was granted or denied (`sys.privileges`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Privilege {
    /// The user or role.
    pub grantee: String,
    /// `DQL`, `DML`, `DDL` or `AL`.
    pub kind: String,
    /// `CLUSTER`, `SCHEMA`, `TABLE` or `VIEW`.
    pub class: String,
    /// The schema, or `schema.table`; `None` for the whole cluster.
    pub ident: Option<String>,
    /// Whether it is granted rather than denied.
    pub granted: bool,
}

/// A relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What kind of relation it is.
    pub kind: TableKind,
    /// Its columns, sub-columns of objects included, in the order of the catalog.
    pub columns: Vec<Column>,
    /// The primary key's columns in order; empty without one.
    pub primary_key: Vec<String>,
    /// The partition columns in order.
    pub partitioned_by: Vec<String>,
    /// The routing column; `None` for `_id`.
    pub clustered_by: Option<String>,
    /// The number of primary shards (of new partitions, for a partitioned table).
    pub shards: Option<u32>,
    /// The number of replicas, as in `0-1`.
    pub replicas: Option<String>,
    /// `strict`, `dynamic` or `ignored`.
    pub column_policy: Option<String>,
    /// The version that created it, which logical replication compares.
    pub created: Option<Version>,
    /// Whether it is closed.
    pub closed: bool,
    /// The primary shards, of every partition.
    pub primaries: Vec<Shard>,
    /// The health of its shards; `None` when `sys.health` has no row for it.
    pub health: Option<Health>,
    /// The text of SHOW CREATE TABLE, for tables whose definition a plan uses; for views, what they select.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Whether the table can be written, for tables where a plan needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<Writable>,
    /// `false` where only `sys.shards` tells that the table exists: the user has no privilege on it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub visible: bool,
}

/// A kind of relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// A table of rows.
    Table,
    /// A view.
    View,
    /// A foreign table.
    Foreign,
    /// A blob table.
    Blob,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name; sub-columns as `o['a']`.
    pub name: String,
    /// The type as the catalog names it, for example `timestamp with time zone`.
    pub data_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The expression of a generated column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// The default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A primary shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// The partition's ident; empty for a table without partitions.
    pub partition: String,
    /// The number of the shard.
    pub id: i32,
    /// The identity of the partition's (or table's) index: another one means that it was made again.
    pub uuid: Option<String>,
    /// The highest sequence number; -1 before the first operation, `None` while the shard is not started.
    pub max_seq_no: Option<i64>,
    /// The sequence number up to which every copy of the shard has everything.
    pub global_checkpoint: Option<i64>,
    /// Documents in it.
    pub docs: i64,
    /// Bytes on disk.
    pub bytes: i64,
    /// Whether nothing arrived for several seconds while operations waited for it; looked at only where some did.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stalled: bool,
    /// The leases by which subscribers keep operations, on a published table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<Lease>,
}

/// A retention lease of a subscriber.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The subscribing cluster's `sys.cluster.name`.
    pub subscriber: String,
    /// The first operation that is kept; not a measure of lag.
    pub retaining: i64,
    /// When it was renewed last.
    #[schemars(with = "String")]
    pub renewed: Timestamp,
}

/// The health of a table (`sys.health`), the worst over its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Health {
    /// All copies of all shards are there.
    Green,
    /// Replicas are missing.
    Yellow,
    /// Primary shards are missing.
    Red,
}

/// Whether a table can be written, as EXPLAIN INSERT answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Writable {
    /// It can.
    Yes,
    /// It belongs to a subscription.
    Subscribed,
    /// The server did not tell; why.
    Unknown(String),
}

/// A publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Whether it is FOR ALL TABLES.
    pub all_tables: bool,
    /// Its tables, those included that no longer exist.
    #[schemars(with = "BTreeSet<String>")]
    pub tables: BTreeSet<TableName>,
}

/// A subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The connection as the catalog shows it, user and password masked.
    pub connection: String,
    /// The publications it reads.
    pub publications: Vec<String>,
    /// Its tables.
    #[schemars(with = "BTreeMap<String, SubscribedTable>")]
    pub tables: BTreeMap<TableName, SubscribedTable>,
}

/// A table of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribedTable {
    /// Its state.
    pub state: RelationState,
    /// The reason that the server gives, with state `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether no restore of the subscription runs although the table is to be copied by one: CrateDB forgets what it was
    /// at when its cluster is restarted, and the state stays as it is for good (seen on 6.4.0).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
    /// Whether a partition of the source did not come for ten seconds although the table is followed: CrateDB may stop to
    /// look for new tables, partitions and columns when its cluster is restarted (seen on 6.4.0).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_partitions: bool,
}

impl SubscribedTable {
    /// A table of that state.
    pub const fn new(state: RelationState) -> Self {
        Self { state, reason: None, abandoned: false, lacks_partitions: false }
    }

    /// Whether it has failed because a table of its name was there before the subscription: that one is listed, and can be
    /// written unless its mark was left behind.
    pub fn is_in_the_way(&self) -> bool {
        let is_relation = |reason: &str| reason.starts_with("Relation") && reason.contains("already exists");
        self.reason.as_deref().is_some_and(is_relation)
    }
}

/// `pg_subscription_rel.srsubstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RelationState {
    /// `i`: about to be copied.
    Initializing,
    /// `d`: being copied.
    Restoring,
    /// `r`: followed. Not a proof of health.
    Monitoring,
    /// `e`: failed.
    Failed,
}

impl RelationState {
    /// Whether the table is being copied, or about to be.
    pub const fn is_copying(self) -> bool {
        matches!(self, Self::Initializing | Self::Restoring)
    }

    /// The state for the catalog's letter.
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "i" => Some(Self::Initializing),
            "d" => Some(Self::Restoring),
            "r" => Some(Self::Monitoring),
            "e" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A repository of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// CrateDB's word for its type: `fs`, `s3`, `azure`, `gcs` or `url`.
    pub kind: String,
    /// Its settings as the catalog shows them, secrets masked.
    pub settings: BTreeMap<String, String>,
    /// The state of each of its snapshots, by name, where a plan needs to know; a repository that cannot be read shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<BTreeMap<String, String>>,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// The catalog or object, for example `sys.privileges`.
    pub what: String,
    /// Why, in the server's words (redacted).
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}
