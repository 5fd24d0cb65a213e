//! One cluster: users, relations, publications and subscriptions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use super::TableName;
use super::access::Privilege;
use super::depot::{Repository, Restore};
use super::follow::State;
use super::table::Table;
use crate::ast::Query;
use crate::error::{Result, SqlError};
use crate::types::DataType;

/// The superuser of every cluster.
pub(crate) const SUPERUSER: &str = "crate";

/// A user or a role.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) is_role: bool,
    pub(crate) password: Option<String>,
    /// The roles it was granted, with who granted them.
    pub(crate) roles: BTreeMap<String, String>,
}

/// A view.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) oid: i32,
    pub(crate) owner: String,
    pub(crate) query: Query,
    pub(crate) text: String,
}

/// A publication.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) oid: i32,
    pub(crate) owner: String,
    /// `None` for all tables.
    pub(crate) tables: Option<BTreeSet<TableName>>,
}

/// A table of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscribedTable {
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    /// The publisher's table, by its oid there.
    pub(crate) source_oid: i32,
}

/// A subscription.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) oid: i32,
    pub(crate) owner: String,
    /// The connection without user and password.
    pub(crate) shown: String,
    /// The publisher's name in the world.
    pub(crate) source: String,
    /// As whom it reads there.
    pub(crate) user: String,
    pub(crate) publications: Vec<String>,
    pub(crate) tables: BTreeMap<TableName, SubscribedTable>,
    /// Whether it looks at its publications no more.
    pub(crate) is_frozen: bool,
    /// Whether it has forgotten that it copies its tables: all of their shards are missing, or only the word that they are
    /// there.
    pub(crate) ailment: Option<Ailment>,
}

impl Subscription {
    /// Whether a restore of it runs.
    pub(crate) fn is_restoring(&self) -> bool {
        let copying = |table: &SubscribedTable| matches!(table.state, State::Initializing | State::Restoring);
        self.ailment.is_none() && self.tables.values().any(copying)
    }
}

/// A foreign server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) owner: String,
    pub(crate) url: String,
    /// As whom each user reads there.
    pub(crate) mappings: BTreeMap<String, Mapping>,
}

/// As whom a user reads on another cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// A foreign table.
#[derive(Clone, Debug)]
pub(crate) struct ForeignTable {
    pub(crate) server: String,
    pub(crate) columns: Vec<(String, DataType)>,
    pub(crate) from: TableName,
}

/// A relation that has been looked up.
pub(crate) enum Relation<'a> {
    Table(&'a Table),
    View(&'a View),
    Foreign(&'a ForeignTable),
}

/// A statement that was run, as `sys.jobs_log` has it: without the values of its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) user: String,
    pub(crate) statement: String,
    pub(crate) error: Option<String>,
    pub(crate) ended: i64,
}

/// How many statements the log keeps.
const LOG_SIZE: usize = 10_000;

/// What befalls a snapshot, a restore or an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// One shard or file fails.
    One,
    /// All of them do.
    All,
}

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) node_id: String,
    pub(crate) port: u16,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) privileges: BTreeSet<Privilege>,
    pub(crate) tables: BTreeMap<TableName, Table>,
    pub(crate) views: BTreeMap<TableName, View>,
    pub(crate) publications: BTreeMap<String, Publication>,
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) servers: BTreeMap<String, Server>,
    pub(crate) foreign: BTreeMap<TableName, ForeignTable>,
    pub(crate) restores: Vec<Restore>,
    /// Where its file system begins on the machine's.
    pub(crate) root: Option<PathBuf>,
    /// Directories of its own file system that repositories may lie in.
    pub(crate) path_repo: Vec<PathBuf>,
    /// What befalls the next snapshot, restore or import.
    pub(crate) ailment: Option<Ailment>,
    pub(crate) log: VecDeque<Logged>,
    made: u32,
}

impl Cluster {
    pub(crate) fn new(name: &str, port: u16) -> Self {
        let users = BTreeMap::from([(SUPERUSER.to_owned(), User::default())]);
        let mut cluster = Self {
            name: name.to_owned(),
            id: String::new(),
            node_id: String::new(),
            port,
            users,
            privileges: BTreeSet::new(),
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            repositories: BTreeMap::new(),
            servers: BTreeMap::new(),
            foreign: BTreeMap::new(),
            restores: Vec::new(),
            root: None,
            path_repo: Vec::new(),
            ailment: None,
            log: VecDeque::new(),
            made: 0,
        };
        cluster.id = cluster.next_uuid();
        cluster.node_id = cluster.next_uuid();
        cluster
    }

    /// Notes that a statement was run.
    pub(crate) fn note(&mut self, logged: Logged) {
        if self.log.len() == LOG_SIZE {
            self.log.pop_front();
        }
        self.log.push_back(logged);
    }

    /// A number that nothing of this cluster has yet.
    pub(crate) fn next_oid(&mut self) -> i32 {
        self.made += 1;
        16_384 + i32::try_from(self.made).unwrap_or(0)
    }

    /// An id of 22 characters that nothing of the world has yet.
    pub(crate) fn next_uuid(&mut self) -> String {
        self.made += 1;
        let name: String = self.name.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
        format!("{name}{:0>width$}", self.made, width = 22 - name.len())
    }

    pub(crate) fn relation(&self, name: &TableName) -> Option<Relation<'_>> {
        let table = self.tables.get(name).map(Relation::Table);
        let view = || self.views.get(name).map(Relation::View);
        table.or_else(view).or_else(|| self.foreign.get(name).map(Relation::Foreign))
    }

    /// A table that the user may name, or the error for one that is not there.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        self.tables.get(name).ok_or_else(|| self.unknown(name))
    }

    pub(crate) fn table_mut(&mut self, name: &TableName) -> Result<&mut Table> {
        if !self.tables.contains_key(name) {
            return Err(self.unknown(name));
        }
        Ok(self.tables.get_mut(name).expect("it was just there"))
    }

    /// The error for a relation that is not there.
    pub(crate) fn unknown(&self, name: &TableName) -> SqlError {
        let mut names = self.tables.keys().chain(self.views.keys()).chain(self.foreign.keys());
        if names.any(|found| found.schema == name.schema) || is_system_schema(&name.schema) || name.schema == "doc" {
            SqlError::relation_unknown(name)
        } else {
            SqlError::schema_unknown(&name.schema)
        }
    }

    /// Fails where the index of a table cannot be deleted, since a view has the name that it was made under.
    pub(crate) fn check_index_name(&self, table: &Table) -> Result<()> {
        if self.views.contains_key(&table.made_as) && !table.partitions.is_empty() {
            let exception = "org.elasticsearch.cluster.coordination.FailedToCommitClusterStateException";
            return Err(SqlError::internal(format!("{exception}: publication failed")));
        }
        Ok(())
    }

    /// Whether any publication has the table.
    pub(crate) fn is_published(&self, name: &TableName) -> bool {
        self.publications.values().any(|found| found.tables.as_ref().is_none_or(|tables| tables.contains(name)))
    }
}

/// Whether a schema is CrateDB's own.
pub(crate) fn is_system_schema(schema: &str) -> bool {
    matches!(schema, "sys" | "information_schema" | "pg_catalog")
}
