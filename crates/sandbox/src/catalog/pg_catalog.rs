//! `pg_catalog`: publications and subscriptions show to their owner alone, superusers included.

use super::{Found, tables, user_oid, views};
use crate::engine::Env;
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Publication, Subscription, TableName};

use DataType::{Bigint, Boolean, Integer, Text};

pub(super) fn find(env: &Env<'_>, name: &str) -> Option<Found> {
    Some(match name {
        "pg_publication" => publications(env),
        "pg_publication_tables" => published(env),
        "pg_subscription" => subscriptions(env),
        "pg_subscription_rel" => subscribed(env),
        "pg_namespace" => namespaces(env),
        "pg_class" => classes(env),
        _ => return None,
    })
}

fn own_publications<'a>(env: &'a Env<'_>) -> impl Iterator<Item = (&'a String, &'a Publication)> {
    env.cluster.publications.iter().filter(|(_, found)| found.owner == env.session.user)
}

fn own_subscriptions<'a>(env: &'a Env<'_>) -> impl Iterator<Item = (&'a String, &'a Subscription)> {
    env.cluster.subscriptions.iter().filter(|(_, found)| found.owner == env.session.user)
}

fn publications(env: &Env<'_>) -> Found {
    let columns = vec![
        ("oid", Integer),
        ("puballtables", Boolean),
        ("pubdelete", Boolean),
        ("pubinsert", Boolean),
        ("pubname", Text),
        ("pubowner", Integer),
        ("pubupdate", Boolean),
    ];
    let row = |(name, found): (&String, &Publication)| {
        let yes = Value::Bool(true);
        let all = Value::Bool(found.tables.is_none());
        vec![
            Value::Int(found.oid.into()),
            all,
            yes.clone(),
            yes.clone(),
            Value::text(name),
            user_oid(&found.owner),
            yes,
        ]
    };
    Found { columns, rows: own_publications(env).map(row).collect() }
}

fn published(env: &Env<'_>) -> Found {
    let columns = vec![("pubname", Text), ("schemaname", Text), ("tablename", Text)];
    let mut rows = Vec::new();
    for (name, found) in own_publications(env) {
        let tables: Vec<&TableName> = match &found.tables {
            Some(tables) => tables.iter().collect(),
            None => env.cluster.tables.keys().collect(),
        };
        rows.extend(tables.into_iter().map(|table| [name, &table.schema, &table.table].map(Value::text).to_vec()));
    }
    Found { columns, rows }
}

fn subscriptions(env: &Env<'_>) -> Found {
    let columns = vec![
        ("oid", Integer),
        ("subbinary", Boolean),
        ("subconninfo", Text),
        ("subdbid", Integer),
        ("subenabled", Boolean),
        ("subname", Text),
        ("subowner", Text),
        ("subpublications", Text.array()),
        ("subslotname", Text),
        ("substream", Boolean),
        ("subsynccommit", Text),
    ];
    let row = |(name, found): (&String, &Subscription)| {
        vec![
            Value::Int(found.oid.into()),
            Value::Bool(true),
            Value::text(&found.shown),
            Value::Int(0),
            Value::Bool(true),
            Value::text(name),
            Value::text(&found.owner),
            Value::texts(found.publications.clone()),
            Value::Null,
            Value::Bool(false),
            Value::Null,
        ]
    };
    Found { columns, rows: own_subscriptions(env).map(row).collect() }
}

fn subscribed(env: &Env<'_>) -> Found {
    let columns = vec![
        ("srrelid", DataType::Regclass),
        ("srsubid", Integer),
        ("srsublsn", Bigint),
        ("srsubstate", Text),
        ("srsubstate_reason", Text),
    ];
    let mut rows = Vec::new();
    for (_, found) in own_subscriptions(env) {
        for (name, table) in &found.tables {
            let oid = env.cluster.tables.get(name).map_or(0, |table| table.oid);
            rows.push(vec![
                Value::Relation(oid, name.to_string()),
                Value::Int(found.oid.into()),
                Value::Null,
                Value::text(table.state.letter()),
                Value::opt_text(table.reason.clone()),
            ]);
        }
    }
    Found { columns, rows }
}

fn schema_oid(schema: &str) -> Value {
    user_oid(schema)
}

fn namespaces(env: &Env<'_>) -> Found {
    let mut names: Vec<&String> =
        tables(env).map(|(name, _)| &name.schema).chain(views(env).map(|(name, _)| &name.schema)).collect();
    names.sort();
    names.dedup();
    let rows = names.into_iter().map(|name| vec![Value::text(name), user_oid("crate"), schema_oid(name)]);
    Found { columns: vec![("nspname", Text), ("nspowner", Integer), ("oid", Integer)], rows: rows.collect() }
}

fn classes(env: &Env<'_>) -> Found {
    let columns = vec![("oid", Integer), ("relkind", Text), ("relname", Text), ("relnamespace", Integer)];
    let row = |name: &TableName, oid: i32, kind: &str| {
        vec![Value::Int(oid.into()), Value::text(kind), Value::text(&name.table), schema_oid(&name.schema)]
    };
    let mut rows: Vec<Vec<Value>> = tables(env).map(|(name, table)| row(name, table.oid, "r")).collect();
    rows.extend(views(env).map(|(name, view)| row(name, view.oid, "v")));
    Found { columns, rows }
}
