//! The catalogs: ordinary relations whose rows are made when they are read.

mod bulk;
mod columns;
mod information_schema;
mod pg_catalog;
mod sys;

use crate::engine::Env;
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Cluster, Table, TableName, View};

/// A relation of a catalog.
pub(crate) struct Found {
    pub(crate) columns: Vec<(&'static str, DataType)>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// The catalogs that there are.
const NAMES: [(&str, &[&str]); 3] = [
    (
        "sys",
        &[
            "cluster",
            "health",
            "jobs",
            "jobs_log",
            "nodes",
            "privileges",
            "repositories",
            "roles",
            "segments",
            "shards",
            "snapshot_restore",
            "snapshots",
            "users",
        ],
    ),
    (
        "information_schema",
        &[
            "columns",
            "foreign_server_options",
            "foreign_servers",
            "key_column_usage",
            "schemata",
            "table_constraints",
            "table_partitions",
            "tables",
            "user_mappings",
            "views",
        ],
    ),
    (
        "pg_catalog",
        &[
            "pg_class",
            "pg_namespace",
            "pg_publication",
            "pg_publication_tables",
            "pg_subscription",
            "pg_subscription_rel",
        ],
    ),
];

/// The relation of a name, if it is one of a catalog.
pub(crate) fn find(env: &Env<'_>, name: &TableName) -> Option<Found> {
    match name.schema.as_str() {
        "sys" => sys::find(env, &name.table),
        "information_schema" => information_schema::find(env, &name.table),
        "pg_catalog" => pg_catalog::find(env, &name.table),
        _ => None,
    }
}

/// The tables that the user sees.
fn tables<'a>(env: &'a Env<'_>) -> impl Iterator<Item = (&'a TableName, &'a Table)> {
    let (cluster, user) = (env.cluster, &env.session.user);
    cluster.tables.iter().filter(move |(name, _)| cluster.sees(user, name))
}

/// The views that the user sees.
fn views<'a>(env: &'a Env<'_>) -> impl Iterator<Item = (&'a TableName, &'a View)> {
    let (cluster, user) = (env.cluster, &env.session.user);
    cluster.views.iter().filter(move |(name, _)| cluster.sees(user, name))
}

/// A number that stands for a user.
fn user_oid(name: &str) -> Value {
    let hash = name.bytes().fold(7_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    Value::Int(hash.into())
}

/// How many copies of each primary a table wants beyond what one node can hold.
fn missing_replicas(cluster: &Cluster, table: &Table) -> i64 {
    let _ = cluster;
    let wanted = table.setting_text("number_of_replicas", "0-1");
    wanted.split('-').next().and_then(|low| low.parse().ok()).unwrap_or(0)
}
