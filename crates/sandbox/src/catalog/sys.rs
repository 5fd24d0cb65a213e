//! `sys`: the cluster, its node, its shards, its users.

use super::{Found, bulk, missing_replicas, tables};
use crate::VERSION;
use crate::engine::Env;
use crate::types::{DataType, Field, Policy};
use crate::value::Value;
use crate::world::{Partition, Shard, TableName};

use DataType::{Bigint, Boolean, Integer, Smallint, Text};

pub(super) fn find(env: &Env<'_>, name: &str) -> Option<Found> {
    Some(match name {
        "cluster" => cluster(env),
        "nodes" => nodes(env),
        "shards" => shards(env),
        "segments" => segments(env),
        "health" => health(env),
        "jobs_log" => jobs_log(env),
        "jobs" => Found { columns: vec![("id", Text), ("stmt", Text), ("username", Text)], rows: Vec::new() },
        "node_checks" => Found {
            columns: vec![("id", Integer), ("passed", Boolean), ("description", Text), ("severity", Integer)],
            rows: Vec::new(),
        },
        "users" => users(env),
        "roles" => roles(env),
        "privileges" => privileges(env),
        "repositories" => bulk::repositories(env),
        "snapshots" => bulk::snapshots(env),
        "snapshot_restore" => bulk::restores(env),
        _ => return None,
    })
}

pub(super) fn object(fields: &[(&str, DataType)]) -> DataType {
    let field = |(name, data_type): &(&str, DataType)| Field {
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        not_null: false,
    };
    DataType::Object(Policy::Dynamic, fields.iter().map(field).collect())
}

fn cluster(env: &Env<'_>) -> Found {
    let columns = vec![
        ("id", Text),
        ("license", DataType::object()),
        ("master_node", Text),
        ("name", Text),
        ("settings", DataType::Object(Policy::Strict, Vec::new())),
    ];
    let found = env.cluster;
    let row = vec![
        Value::text(&found.id),
        Value::Null,
        Value::text(&found.node_id),
        Value::text(&found.name),
        Value::object([]),
    ];
    Found { columns, rows: vec![row] }
}

fn nodes(env: &Env<'_>) -> Found {
    let version = object(&[("number", Text), ("build_hash", Text), ("build_snapshot", Boolean)]);
    let ports = object(&[("http", Integer), ("psql", Integer), ("transport", Integer)]);
    let columns = vec![
        ("hostname", Text),
        ("id", Text),
        ("name", Text),
        ("port", ports),
        ("rest_url", Text),
        ("roles", Text.array()),
        ("version", version),
    ];
    let port = Value::Int(env.cluster.port.into());
    let row = vec![
        Value::text("localhost"),
        Value::text(&env.cluster.node_id),
        Value::text(&env.cluster.name),
        Value::object([("http", Value::Null), ("psql", port.clone()), ("transport", port)]),
        Value::Null,
        Value::texts(["data", "master_eligible"]),
        Value::object([
            ("number", Value::text(VERSION)),
            ("build_hash", Value::text("sandbox")),
            ("build_snapshot", Value::Bool(false)),
        ]),
    ];
    Found { columns, rows: vec![row] }
}

fn lease_type() -> DataType {
    object(&[("id", Text), ("retaining_seq_no", Bigint), ("source", Text), ("timestamp", DataType::Timestamptz)])
}

fn shards(env: &Env<'_>) -> Found {
    let size = object(&[("used", Bigint), ("reused", Bigint), ("recovered", Bigint), ("percent", DataType::Real)]);
    let columns = vec![
        ("closed", Boolean),
        ("id", Integer),
        ("node", object(&[("id", Text), ("name", Text)])),
        ("num_docs", Bigint),
        ("partition_ident", Text),
        ("partition_uuid", Text),
        ("primary", Boolean),
        ("recovery", object(&[("stage", Text), ("type", Text), ("size", size)])),
        ("relocating_node", Text),
        (
            "retention_leases",
            object(&[("leases", lease_type().array()), ("primary_term", Bigint), ("version", Bigint)]),
        ),
        ("routing_state", Text),
        ("schema_name", Text),
        (
            "seq_no_stats",
            object(&[("global_checkpoint", Bigint), ("local_checkpoint", Bigint), ("max_seq_no", Bigint)]),
        ),
        ("size", Bigint),
        ("state", Text),
        ("table_name", Text),
    ];
    let mut rows = Vec::new();
    for (name, table) in tables(env) {
        for (ident, partition) in &table.partitions {
            for (number, shard) in partition.shards.iter().enumerate() {
                rows.push(shard_row(env, name, (ident, partition), (number, shard)));
                for _ in 0..missing_replicas(env.cluster, table) {
                    rows.push(unassigned_row(name, ident, number));
                }
            }
        }
    }
    Found { columns, rows }
}

fn shard_row(
    env: &Env<'_>,
    name: &TableName,
    (ident, partition): (&String, &Partition),
    (number, shard): (usize, &Shard),
) -> Vec<Value> {
    let size = Value::Int(208 + 512 * i64::try_from(shard.len()).unwrap_or(0));
    let (max, node) = (Value::Int(shard.max_seq_no), &env.cluster.node_id);
    let state = match partition {
        Partition { lost: true, .. } => "UNASSIGNED",
        Partition { is_arriving: true, .. } => "INITIALIZING",
        _ => "STARTED",
    };
    let numbers = || {
        Value::object([
            ("global_checkpoint", max.clone()),
            ("local_checkpoint", max.clone()),
            ("max_seq_no", max.clone()),
        ])
    };
    let numbers = if partition.lost { Value::Null } else { numbers() };
    let recovered = Value::object([
        ("used", size.clone()),
        ("reused", Value::Int(0)),
        ("recovered", size.clone()),
        ("percent", Value::Float(100.0)),
    ]);
    vec![
        Value::Bool(false),
        Value::count(number),
        Value::object([("id", Value::text(node)), ("name", Value::text(&env.cluster.name))]),
        Value::count(shard.len()),
        Value::text(ident),
        Value::text(&partition.uuid),
        Value::Bool(true),
        Value::object([("stage", Value::text("DONE")), ("type", Value::text("EMPTY_STORE")), ("size", recovered)]),
        Value::Null,
        Value::object([
            ("leases", leases(env, shard)),
            ("primary_term", Value::Int(1)),
            ("version", Value::count(shard.leases.len() + 1)),
        ]),
        Value::text(state),
        Value::text(&name.schema),
        numbers,
        size,
        Value::text(state),
        Value::text(&name.table),
    ]
}

fn leases(env: &Env<'_>, shard: &Shard) -> Value {
    let lease = |id: String, retaining: i64, source: &str, timestamp: i64| {
        Value::object([
            ("id", Value::Text(id)),
            ("retaining_seq_no", Value::Int(retaining)),
            ("source", Value::text(source)),
            ("timestamp", Value::Int(timestamp)),
        ])
    };
    let own =
        lease(format!("peer_recovery/{}", env.cluster.node_id), shard.max_seq_no.max(0), "peer recovery", env.now);
    let others =
        shard.leases.iter().map(|(id, found)| lease(id.clone(), found.retaining, &found.source, found.timestamp));
    Value::Array(std::iter::once(own).chain(others).collect())
}

/// A replica for which there is no second node.
fn unassigned_row(name: &TableName, ident: &str, number: usize) -> Vec<Value> {
    let mut row = vec![Value::Null; 16];
    row[0] = Value::Bool(false);
    row[1] = Value::count(number);
    row[4] = Value::text(ident);
    row[6] = Value::Bool(false);
    row[10] = Value::text("UNASSIGNED");
    row[11] = Value::text(&name.schema);
    row[14] = Value::text("UNASSIGNED");
    row[15] = Value::text(&name.table);
    row
}

/// Not filtered by privileges, unlike every other catalog.
fn segments(env: &Env<'_>) -> Found {
    let columns = vec![
        ("partition_ident", Text),
        ("primary", Boolean),
        ("shard_id", Integer),
        ("table_name", Text),
        ("table_schema", Text),
    ];
    let mut rows = Vec::new();
    for (name, table) in &env.cluster.tables {
        for (ident, partition) in &table.partitions {
            for (number, _) in partition.shards.iter().enumerate().filter(|(_, shard)| shard.max_seq_no >= 0) {
                let texts = [Value::text(ident), Value::Bool(true), Value::count(number)];
                rows.push([&texts[..], &[Value::text(&name.table), Value::text(&name.schema)]].concat());
            }
        }
    }
    Found { columns, rows }
}

fn health(env: &Env<'_>) -> Found {
    let columns = vec![
        ("health", Text),
        ("missing_shards", Bigint),
        ("partition_ident", Text),
        ("severity", Smallint),
        ("table_name", Text),
        ("table_schema", Text),
        ("underreplicated_shards", Bigint),
    ];
    let mut rows = Vec::new();
    for (name, table) in tables(env) {
        let short = missing_replicas(env.cluster, table) * i64::from(table.shards);
        for (ident, partition) in &table.partitions {
            let absent = if partition.is_arriving { i64::from(table.shards) } else { 0 };
            // Shards that a restore is about to bring are missing, and yet no reason for red.
            let (health, severity) = match () {
                () if partition.lost => ("RED", 3),
                () if absent + short > 0 => ("YELLOW", 2),
                () => ("GREEN", 1),
            };
            let ident = if table.is_partitioned() { Value::text(ident) } else { Value::Null };
            rows.push(vec![
                Value::text(health),
                Value::Int(absent),
                ident,
                Value::Int(severity),
                Value::text(&name.table),
                Value::text(&name.schema),
                Value::Int(short),
            ]);
        }
    }
    Found { columns, rows }
}

/// Everybody sees their own statements, who has AL those of all.
fn jobs_log(env: &Env<'_>) -> Found {
    let columns = vec![("ended", DataType::Timestamptz), ("error", Text), ("stmt", Text), ("username", Text)];
    let sees_all = env.cluster.has_on_cluster(&env.session.user, "AL");
    let seen = env.cluster.log.iter().filter(|logged| sees_all || logged.user == env.session.user);
    let row = |logged: &crate::world::Logged| {
        let error = Value::opt_text(logged.error.clone());
        vec![Value::Time(logged.ended), error, Value::text(&logged.statement), Value::text(&logged.user)]
    };
    Found { columns, rows: seen.map(row).collect() }
}

fn roles_of(found: &crate::world::User) -> Value {
    let role = |(role, grantor): (&String, &String)| {
        Value::object([("role", Value::text(role)), ("grantor", Value::text(grantor))])
    };
    Value::Array(found.roles.iter().map(role).collect())
}

fn granted() -> DataType {
    object(&[("role", Text), ("grantor", Text)]).array()
}

fn users(env: &Env<'_>) -> Found {
    let columns = vec![
        ("granted_roles", granted()),
        ("jwt", DataType::object()),
        ("name", Text),
        ("password", Text),
        ("session_settings", DataType::object()),
        ("superuser", Boolean),
    ];
    let row = |(name, user): (&String, &crate::world::User)| {
        let password = user.password.as_ref().map_or(Value::Null, |_| Value::text("********"));
        let superuser = Value::Bool(name == crate::world::SUPERUSER);
        vec![roles_of(user), Value::Null, Value::text(name), password, Value::object([]), superuser]
    };
    Found { columns, rows: env.cluster.users.iter().filter(|(_, user)| !user.is_role).map(row).collect() }
}

fn roles(env: &Env<'_>) -> Found {
    let columns = vec![("granted_roles", granted()), ("name", Text)];
    let found = env.cluster.users.iter().filter(|(_, user)| user.is_role);
    Found { columns, rows: found.map(|(name, role)| vec![roles_of(role), Value::text(name)]).collect() }
}

fn privileges(env: &Env<'_>) -> Found {
    let columns =
        vec![("class", Text), ("grantee", Text), ("grantor", Text), ("ident", Text), ("state", Text), ("type", Text)];
    let row = |found: &crate::world::Privilege| {
        vec![
            Value::text(found.class.name()),
            Value::text(&found.grantee),
            Value::text(&found.grantor),
            Value::opt_text(found.ident.clone()),
            Value::text(if found.is_denied { "DENY" } else { "GRANT" }),
            Value::text(&found.kind),
        ]
    };
    Found { columns, rows: env.cluster.privileges.iter().map(row).collect() }
}
