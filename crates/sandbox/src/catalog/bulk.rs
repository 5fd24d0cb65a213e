//! Repositories, snapshots and restores in `sys`.

use super::Found;
use super::sys::object;
use crate::VERSION;
use crate::engine::Env;
use crate::types::DataType::{self, Boolean, Integer, Text, Timestamptz};
use crate::value::Value;
use crate::world::{Partition, Snapshot, SnapshotState, TableName, index_name, partition_text};

/// The settings that are not shown.
const MASKED: [&str; 9] = [
    "access_key",
    "secret_key",
    "account",
    "key",
    "sas_token",
    "private_key_id",
    "private_key",
    "client_id",
    "client_email",
];

pub(super) fn repositories(env: &Env<'_>) -> Found {
    let columns = vec![("name", Text), ("settings", DataType::object()), ("type", Text)];
    let row = |(name, found): (&String, &crate::world::Repository)| {
        let setting = |(name, value): (&String, &String)| {
            let shown = if MASKED.contains(&name.as_str()) { "[xxxxx]" } else { value };
            (name.clone(), Value::text(shown))
        };
        let settings = Value::Object(found.settings.iter().map(setting).collect());
        vec![Value::text(name), settings, Value::text(&found.kind)]
    };
    Found { columns, rows: env.cluster.repositories.iter().map(row).collect() }
}

fn relation() -> DataType {
    object(&[("table_schema", Text), ("table_name", Text)])
}

pub(super) fn snapshots(env: &Env<'_>) -> Found {
    let part = object(&[("table_schema", Text), ("table_name", Text), ("values", Text.array())]);
    let columns = vec![
        ("concrete_indices", Text.array()),
        ("failures", Text.array()),
        ("finished", Timestamptz),
        ("id", Text),
        ("include_global_state", Boolean),
        ("name", Text),
        ("reason", Text),
        ("relations", relation().array()),
        ("repository", Text),
        ("started", Timestamptz),
        ("state", Text),
        ("table_partitions", part.array()),
        ("tables", Text.array()),
        ("total_shards", Integer),
        ("version", Text),
    ];
    let mut rows = Vec::new();
    for (repository, found) in &env.cluster.repositories {
        let listed = env.world.listed(&env.cluster.name, repository).map(|depot| &depot.snapshots);
        let all = listed.into_iter().flatten().chain(&found.running);
        rows.extend(all.map(|(name, snapshot)| snapshot_row(repository, name, snapshot)));
    }
    Found { columns, rows }
}

fn snapshot_row(repository: &str, name: &str, snapshot: &Snapshot) -> Vec<Value> {
    let mut parts: Vec<(&TableName, &String, &Partition)> = Vec::new();
    for (table, found) in &snapshot.tables {
        parts.extend(found.partitions.iter().map(|(ident, partition)| (table, ident, partition)));
    }
    let indices = parts.iter().map(|(table, ident, _)| index_name(table, ident));
    let values = |partition: &Partition| {
        Value::Array(partition.values.iter().map(|value| Value::opt_text(partition_text(value))).collect())
    };
    let partitioned = parts.iter().filter(|(_, ident, _)| !ident.is_empty()).map(|(table, _, partition)| {
        Value::object([
            ("table_schema", Value::text(&table.schema)),
            ("table_name", Value::text(&table.table)),
            ("values", values(partition)),
        ])
    });
    let reason = (snapshot.state == SnapshotState::Failed).then_some("all shards failed");
    vec![
        Value::texts(indices),
        Value::texts(snapshot.failures.iter().filter(|_| snapshot.state != SnapshotState::InProgress)),
        Value::Time(snapshot.finished),
        Value::text(&snapshot.uuid),
        Value::Bool(false),
        Value::text(name),
        Value::opt_text(reason),
        Value::Array(snapshot.tables.keys().map(named).collect()),
        Value::text(repository),
        Value::Time(snapshot.started),
        Value::text(snapshot.state.word()),
        Value::Array(partitioned.collect()),
        Value::texts(snapshot.tables.keys().map(ToString::to_string)),
        Value::count(parts.iter().map(|(_, _, partition)| partition.shards.len()).sum()),
        Value::text(VERSION),
    ]
}

fn named(table: &TableName) -> Value {
    Value::object([("table_schema", Value::text(&table.schema)), ("table_name", Value::text(&table.table))])
}

pub(super) fn restores(env: &Env<'_>) -> Found {
    let shard = object(&[
        ("table_schema", Text),
        ("table_name", Text),
        ("partition_ident", Text),
        ("shard_id", Integer),
        ("state", Text),
    ]);
    let columns = vec![("id", Text), ("name", Text), ("repository", Text), ("shards", shard.array()), ("state", Text)];
    let row = |restore: &crate::world::Restore| {
        let mut shards = Vec::new();
        for (table, ident) in &restore.partitions {
            let found = env.cluster.tables.get(table).and_then(|found| found.partitions.get(ident));
            for number in 0..found.map_or(0, |partition| partition.shards.len()) {
                shards.push(Value::object([
                    ("table_schema", Value::text(&table.schema)),
                    ("table_name", Value::text(&table.table)),
                    ("partition_ident", Value::text(ident)),
                    ("shard_id", Value::count(number)),
                    ("state", Value::text("INIT")),
                ]));
            }
        }
        vec![
            Value::text(&restore.id),
            Value::text(&restore.snapshot),
            Value::text(&restore.repository),
            Value::Array(shards),
            Value::text("INIT"),
        ]
    };
    let of_subscriptions = env.cluster.subscriptions.iter().filter(|(_, it)| it.is_restoring());
    let copies = of_subscriptions.map(|(name, _)| {
        let texts = [name, "_latest_", &format!("_logical_replication_{name}")].map(Value::text);
        let [id, snapshot, repository] = texts;
        vec![id, snapshot, repository, Value::Array(Vec::new()), Value::text("INIT")]
    });
    Found { columns, rows: env.cluster.restores.iter().map(row).chain(copies).collect() }
}
