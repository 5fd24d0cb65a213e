//! `information_schema`: rows for what the user has any privilege on.

use super::columns::{self, precision};
use super::{Found, NAMES, tables, views};
use crate::VERSION;
use crate::engine::Env;
use crate::types::{DataType, Field, Policy};
use crate::value::Value;
use crate::world::{Table, TableName};

use DataType::{Boolean, Integer, Text};

pub(super) fn find(env: &Env<'_>, name: &str) -> Option<Found> {
    Some(match name {
        "tables" => all_tables(env),
        "columns" => all_columns(env),
        "key_column_usage" => keys(env),
        "table_constraints" => constraints(env),
        "table_partitions" => partitions(env),
        "views" => all_views(env),
        "schemata" => schemata(env),
        "foreign_servers" => servers(env),
        "foreign_server_options" => server_options(env),
        "user_mappings" => mappings(env),
        _ => return None,
    })
}

fn version_type() -> DataType {
    let field = |name: &str| Field { name: name.to_owned(), data_type: Text, not_null: false };
    DataType::Object(Policy::Dynamic, vec![field("created"), field("upgraded")])
}

fn refresh_interval() -> Field {
    Field { name: "refresh_interval".to_owned(), data_type: DataType::Bigint, not_null: false }
}

fn version() -> Value {
    Value::object([("created", Value::text(VERSION)), ("upgraded", Value::Null)])
}

fn all_tables(env: &Env<'_>) -> Found {
    let columns = vec![
        ("blobs_path", Text),
        ("closed", Boolean),
        ("clustered_by", Text),
        ("column_policy", Text),
        ("number_of_replicas", Text),
        ("number_of_shards", Integer),
        ("partitioned_by", Text.array()),
        ("reference_generation", Text),
        ("routing_hash_function", Text),
        ("self_referencing_column_name", Text),
        ("settings", DataType::Object(Policy::Strict, vec![refresh_interval()])),
        ("table_catalog", Text),
        ("table_name", Text),
        ("table_schema", Text),
        ("table_type", Text),
        ("version", version_type()),
    ];
    let mut rows: Vec<Vec<Value>> = tables(env).map(|(name, table)| table_row(name, table)).collect();
    rows.extend(views(env).map(|(name, _)| relation_row(name, "VIEW")));
    let (cluster, user) = (env.cluster, &env.session.user);
    let foreign = cluster.foreign.keys().filter(|name| cluster.sees(user, name));
    rows.extend(foreign.map(|name| relation_row(name, "FOREIGN")));
    for (schema, names) in NAMES {
        rows.extend(names.iter().map(|table| relation_row(&TableName::new(schema, *table), "BASE TABLE")));
    }
    Found { columns, rows }
}

fn table_row(name: &TableName, table: &Table) -> Vec<Value> {
    let partitioned = if table.is_partitioned() { Value::texts(table.partitioned_by.clone()) } else { Value::Null };
    vec![
        Value::Null,
        Value::Bool(false),
        Value::text(table.clustered_by.as_deref().unwrap_or("_id")),
        Value::Text(table.setting_text("column_policy", "strict")),
        Value::Text(table.setting_text("number_of_replicas", "0-1")),
        Value::Int(table.shards.into()),
        partitioned,
        Value::text("SYSTEM GENERATED"),
        Value::text("Murmur3"),
        Value::text("_id"),
        settings(table),
        Value::text("crate"),
        Value::text(&name.table),
        Value::text(&name.schema),
        Value::text("BASE TABLE"),
        version(),
    ]
}

/// Settings with the points in their names as nested objects.
fn settings(table: &Table) -> Value {
    let mut found = Value::object([("refresh_interval", Value::Int(table.refresh_interval()))]);
    for (name, value) in &table.settings {
        let mut at = &mut found;
        for part in name.split('.') {
            let Value::Object(fields) = at else { break };
            at = fields.entry(part.to_owned()).or_insert_with(|| Value::object([]));
        }
        *at = value.clone();
    }
    found
}

fn relation_row(name: &TableName, kind: &str) -> Vec<Value> {
    let mut row = vec![Value::Null; 16];
    row[3] = Value::text("strict");
    row[11] = Value::text("crate");
    row[12] = Value::text(&name.table);
    row[13] = Value::text(&name.schema);
    row[14] = Value::text(kind);
    row
}

fn all_columns(env: &Env<'_>) -> Found {
    let columns = vec![
        ("character_maximum_length", Integer),
        ("column_default", Text),
        ("column_details", column_details()),
        ("column_name", Text),
        ("data_type", Text),
        ("generation_expression", Text),
        ("is_generated", Text),
        ("is_nullable", Text),
        ("numeric_precision", Integer),
        ("numeric_scale", Integer),
        ("ordinal_position", Integer),
        ("table_catalog", Text),
        ("table_name", Text),
        ("table_schema", Text),
    ];
    let row = |column: columns::ColumnRow| {
        let length = match column.data_type {
            DataType::Varchar(length) | DataType::Character(length) => Value::Int(length.into()),
            _ => Value::Null,
        };
        let data_type = match &column.data_type {
            DataType::Numeric(_) => "numeric".to_owned(),
            DataType::Varchar(_) => "text".to_owned(),
            DataType::Character(_) => "character".to_owned(),
            DataType::Bit(_) => "bit".to_owned(),
            DataType::FloatVector(_) => "float_vector".to_owned(),
            other => other.name(),
        };
        vec![
            length,
            Value::opt_text(column.default),
            details(&column.name, column.position),
            Value::Text(column.name),
            Value::Text(data_type),
            Value::opt_text(column.generated.clone()),
            Value::text(if column.generated.is_some() { "ALWAYS" } else { "NEVER" }),
            Value::text(if column.nullable { "YES" } else { "NO" }),
            precision(&column.data_type),
            Value::Null,
            Value::count(column.position),
            Value::text("crate"),
            Value::Text(column.table.table),
            Value::Text(column.table.schema),
        ]
    };
    Found { columns, rows: columns::all(env).into_iter().map(row).collect() }
}

fn column_details() -> DataType {
    let field = |name: &str, data_type: DataType| Field { name: name.to_owned(), data_type, not_null: false };
    DataType::Object(
        Policy::Dynamic,
        vec![field("name", Text), field("path", Text.array()), field("oid", DataType::Bigint)],
    )
}

/// The name of the column and the keys below it.
fn details(path: &str, position: usize) -> Value {
    let (name, keys) = path.split_once("['").unwrap_or((path, ""));
    let keys = keys.trim_end_matches("']").split("']['").filter(|key| !key.is_empty());
    Value::object([("name", Value::text(name)), ("path", Value::texts(keys)), ("oid", Value::count(position))])
}

fn keys(env: &Env<'_>) -> Found {
    let columns = vec![
        ("column_name", Text),
        ("constraint_catalog", Text),
        ("constraint_name", Text),
        ("constraint_schema", Text),
        ("ordinal_position", Integer),
        ("table_catalog", Text),
        ("table_name", Text),
        ("table_schema", Text),
    ];
    let mut rows = Vec::new();
    for (name, table) in tables(env) {
        for (at, key) in table.primary_key.iter().enumerate() {
            rows.push(vec![
                Value::text(key.split('[').next().unwrap_or(key)),
                Value::text("crate"),
                Value::Text(format!("{}_pkey", name.table)),
                Value::text(&name.schema),
                Value::count(at + 1),
                Value::text("crate"),
                Value::text(&name.table),
                Value::text(&name.schema),
            ]);
        }
    }
    Found { columns, rows }
}

fn constraints(env: &Env<'_>) -> Found {
    let columns = vec![
        ("constraint_catalog", Text),
        ("constraint_name", Text),
        ("constraint_schema", Text),
        ("constraint_type", Text),
        ("initially_deferred", Text),
        ("is_deferrable", Text),
        ("table_catalog", Text),
        ("table_name", Text),
        ("table_schema", Text),
    ];
    let mut rows = Vec::new();
    for (name, table) in tables(env) {
        let mut push = |constraint: String, kind: &str| {
            let texts = ["crate", &constraint, &name.schema, kind, "NO", "NO", "crate", &name.table, &name.schema];
            rows.push(texts.map(Value::text).to_vec());
        };
        if !table.primary_key.is_empty() {
            push(format!("{}_pkey", name.table), "PRIMARY KEY");
        }
        for column in table.columns.iter().filter(|column| column.not_null) {
            push(format!("{}_{}_{}_not_null", name.schema, name.table, column.name), "CHECK");
        }
        for check in &table.checks {
            push(check.name.clone().unwrap_or_else(|| format!("{}_{}_check", name.schema, name.table)), "CHECK");
        }
    }
    Found { columns, rows }
}

fn partitions(env: &Env<'_>) -> Found {
    let columns = vec![
        ("closed", Boolean),
        ("number_of_replicas", Text),
        ("number_of_shards", Integer),
        ("partition_ident", Text),
        ("routing_hash_function", Text),
        ("settings", DataType::object()),
        ("table_name", Text),
        ("table_schema", Text),
        ("values", DataType::object()),
        ("version", version_type()),
    ];
    let mut rows = Vec::new();
    for (name, table) in tables(env).filter(|(_, table)| table.is_partitioned()) {
        for (ident, partition) in &table.partitions {
            let values = table.partitioned_by.iter().cloned().zip(partition.values.iter().cloned()).collect();
            rows.push(vec![
                Value::Bool(false),
                Value::Text(table.setting_text("number_of_replicas", "0-1")),
                Value::Int(table.shards.into()),
                Value::text(ident),
                Value::text("Murmur3"),
                Value::object([]),
                Value::text(&name.table),
                Value::text(&name.schema),
                Value::Object(values),
                version(),
            ]);
        }
    }
    Found { columns, rows }
}

/// The foreign servers that the user made; all for a superuser.
fn seen_servers<'a>(env: &'a Env<'_>) -> impl Iterator<Item = (&'a String, &'a crate::world::Server)> {
    let user = &env.session.user;
    let seen = move |server: &crate::world::Server| user == crate::world::SUPERUSER || server.owner == *user;
    env.cluster.servers.iter().filter(move |(_, server)| seen(server))
}

fn servers(env: &Env<'_>) -> Found {
    let columns = vec![
        ("authorization_identifier", Text),
        ("foreign_data_wrapper_name", Text),
        ("foreign_server_catalog", Text),
        ("foreign_server_name", Text),
    ];
    let row = |(name, server): (&String, &crate::world::Server)| {
        vec![Value::text(&server.owner), Value::text("jdbc"), Value::text("crate"), Value::text(name)]
    };
    Found { columns, rows: seen_servers(env).map(row).collect() }
}

fn server_options(env: &Env<'_>) -> Found {
    let columns = vec![
        ("foreign_server_catalog", Text),
        ("foreign_server_name", Text),
        ("option_name", Text),
        ("option_value", Text),
    ];
    let row = |(name, server): (&String, &crate::world::Server)| {
        vec![Value::text("crate"), Value::text(name), Value::text("url"), Value::text(&server.url)]
    };
    Found { columns, rows: seen_servers(env).map(row).collect() }
}

fn mappings(env: &Env<'_>) -> Found {
    let columns =
        vec![("authorization_identifier", Text), ("foreign_server_catalog", Text), ("foreign_server_name", Text)];
    let may = env.cluster.require_on_cluster(&env.session.user, "AL").is_ok();
    let of = |(name, server): (&String, &crate::world::Server)| -> Vec<Vec<Value>> {
        server.mappings.keys().map(|user| vec![Value::text(user), Value::text("crate"), Value::text(name)]).collect()
    };
    Found { columns, rows: env.cluster.servers.iter().filter(|_| may).flat_map(of).collect() }
}

fn all_views(env: &Env<'_>) -> Found {
    let columns = vec![
        ("check_option", Text),
        ("is_updatable", Boolean),
        ("owner", Text),
        ("table_catalog", Text),
        ("table_name", Text),
        ("table_schema", Text),
        ("view_definition", Text),
    ];
    let row = |(name, view): (&TableName, &crate::world::View)| {
        vec![
            Value::text("NONE"),
            Value::Bool(false),
            Value::text(&view.owner),
            Value::text("crate"),
            Value::text(&name.table),
            Value::text(&name.schema),
            Value::text(&view.text),
        ]
    };
    Found { columns, rows: views(env).map(row).collect() }
}

fn schemata(env: &Env<'_>) -> Found {
    let mut names: Vec<String> = NAMES.iter().map(|(schema, _)| (*schema).to_owned()).collect();
    names.extend(["blob".to_owned(), "doc".to_owned()]);
    names.extend(tables(env).map(|(name, _)| name.schema.clone()));
    names.extend(views(env).map(|(name, _)| name.schema.clone()));
    names.sort();
    names.dedup();
    Found {
        columns: vec![("schema_name", Text)],
        rows: names.into_iter().map(|name| vec![Value::Text(name)]).collect(),
    }
}
