//! ALTER TABLE and ALTER CLUSTER SWAP TABLE.

use super::env::Env;
use super::{Outcome, Session, table as tables};
use crate::ast::{AlterTable, Options};
use crate::error::{Result, SqlError};
use crate::value::Value;
use crate::world::{Cluster, TableName, World};

/// How CrateDB counts what it cannot count.
const UNKNOWN: i64 = -2;

/// The keys that a subscribed table still takes.
const SUBSCRIBED_SETTINGS: [&str; 6] =
    ["number_of_replicas", "refresh_interval", "translog.", "routing.allocation.", "blocks.metadata", "write."];

/// ALTER TABLE.
pub(super) fn table(world: &mut World, session: &Session, name: &[String], change: &AlterTable) -> Result<Outcome> {
    let name = session.resolve(name)?;
    let cluster = world.cluster(&session.cluster);
    check(cluster, session, &name, change)?;
    match change {
        AlterTable::RenameTo(target) => rename(world.cluster_mut(&session.cluster), &name, target),
        AlterTable::AddColumns(columns) => {
            let found = world.cluster_mut(&session.cluster).table_mut(&name)?;
            for definition in columns {
                if found.column(&definition.name).is_some() {
                    let message = format!("The table {name} already has a column named {}", definition.name);
                    return Err(SqlError::internal(message));
                }
                found.columns.push(tables::column(definition, &[])?);
                found.checks.extend(definition.checks.iter().cloned());
            }
            Ok(Outcome::done("ALTER", UNKNOWN))
        }
        AlterTable::DropColumns(columns) => {
            let found = world.cluster_mut(&session.cluster).table_mut(&name)?;
            for column in columns {
                let at = found.column(column).ok_or_else(|| SqlError::column_unknown(column))?;
                if found.primary_key.contains(column) || found.partitioned_by.contains(column) {
                    return Err(SqlError::internal(format!(
                        "Dropping column: {column} which is part of the 'PRIMARY KEY' is not allowed"
                    )));
                }
                found.columns.remove(at);
                let shards = found.partitions.values_mut().flat_map(|partition| &mut partition.shards);
                shards.for_each(|shard| shard.drop_column(at));
            }
            Ok(Outcome::done("ALTER", UNKNOWN))
        }
        AlterTable::RenameColumn(from, to) => {
            let found = world.cluster_mut(&session.cluster).table_mut(&name)?;
            let at = found.column(from).ok_or_else(|| SqlError::column_unknown(from))?;
            if found.column(to).is_some() {
                return Err(SqlError::internal(format!("Cannot rename column to a name that is in use: {to}")));
            }
            let is_named = found.primary_key.contains(from) || found.partitioned_by.contains(from);
            if is_named || !found.checks.is_empty() || found.columns.iter().any(|column| column.generated.is_some()) {
                return Err(SqlError::not_understood("renaming a column that others refer to"));
            }
            found.columns[at].name.clone_from(to);
            Ok(Outcome::done("ALTER", UNKNOWN))
        }
        AlterTable::Set(options) => {
            let settings = tables::settings(&Env::with_values(world, session, &[]), options)?;
            world.cluster_mut(&session.cluster).table_mut(&name)?.settings.extend(settings);
            Ok(Outcome::done("ALTER", UNKNOWN))
        }
        AlterTable::Reset(names) => {
            let found = world.cluster_mut(&session.cluster).table_mut(&name)?;
            found.settings.retain(|setting, _| !names.contains(setting));
            Ok(Outcome::done("ALTER", UNKNOWN))
        }
    }
}

/// Whether the table may be changed in this way, by this user.
fn check(cluster: &Cluster, session: &Session, name: &TableName, change: &AlterTable) -> Result<()> {
    if !cluster.sees(&session.user, name) {
        return Err(SqlError::schema_unknown(&name.schema));
    }
    if cluster.views.contains_key(name) {
        return Err(SqlError::not_allowed(name, "ALTER"));
    }
    let is_subscribed = cluster.table(name)?.subscription.is_some();
    match change {
        AlterTable::RenameTo(target) => {
            if target.len() > 1 {
                return Err(SqlError::internal("Target table name must not include a schema"));
            }
            check_rename(cluster, name)?;
        }
        AlterTable::Set(options) if is_subscribed => {
            let is_open = |key: &str| SUBSCRIBED_SETTINGS.iter().any(|open| key.starts_with(open));
            if let Some((key, _)) = options.iter().find(|(key, _)| !is_open(key)) {
                let message = format!("Invalid property \"{key}\" passed to [ALTER | CREATE] TABLE statement");
                return Err(SqlError::internal(message));
            }
        }
        _ if is_subscribed => return Err(SqlError::replicated(name, "ALTER", "subscription")),
        _ => {}
    }
    cluster.require(&session.user, "DDL", name)
}

/// Tables of publications and subscriptions keep their names.
fn check_rename(cluster: &Cluster, name: &TableName) -> Result<()> {
    if cluster.table(name)?.subscription.is_some() {
        return Err(SqlError::replicated(name, "ALTER RENAME", "subscription"));
    }
    if cluster.is_published(name) {
        return Err(SqlError::replicated(name, "ALTER RENAME", "publication"));
    }
    Ok(())
}

fn rename(cluster: &mut Cluster, name: &TableName, target: &[String]) -> Result<Outcome> {
    let target = TableName::new(&name.schema, target.last().cloned().unwrap_or_default());
    if cluster.relation(&target).is_some() {
        return Err(SqlError::relation_exists(&target));
    }
    let found = cluster.tables.remove(name).expect("it was checked that it is there");
    cluster.tables.insert(target.clone(), found);
    let (from, to) = (name.to_string(), target.to_string());
    cluster.move_privileges(|ident| (ident == from).then(|| to.clone()));
    Ok(Outcome::done("ALTER", UNKNOWN))
}

/// ALTER CLUSTER SWAP TABLE. Privileges follow the physical tables.
pub(super) fn swap(
    world: &mut World,
    session: &Session,
    source: &[String],
    target: &[String],
    options: &Options,
) -> Result<Outcome> {
    let (source, target) = (session.resolve(source)?, session.resolve(target)?);
    let env = Env::with_values(world, session, &[]);
    let mut drop_source = false;
    for (name, value) in options {
        match name.as_str() {
            "drop_source" => {
                drop_source = matches!(
                    crate::cast::convert(&env.constant(value)?, &crate::types::DataType::Boolean),
                    Some(Value::Bool(true))
                );
            }
            other => return Err(SqlError::internal(format!("Invalid options for ALTER CLUSTER SWAP TABLE: {other}"))),
        }
    }
    let cluster = world.cluster_mut(&session.cluster);
    for name in [&source, &target] {
        for kind in ["DQL", "DML", "DDL"] {
            cluster.require(&session.user, kind, name)?;
        }
        if cluster.views.contains_key(name) {
            return Err(SqlError::not_allowed(name, "ALTER RENAME"));
        }
        check_rename(cluster, name)?;
    }
    if drop_source {
        cluster.check_index_name(cluster.table(&target)?)?;
    }
    let one = cluster.tables.remove(&source).expect("it was checked that it is there");
    let other = cluster.tables.remove(&target).expect("it was checked that it is there");
    cluster.tables.insert(target.clone(), one);
    cluster.tables.insert(source.clone(), other);
    let (from, to) = (source.to_string(), target.to_string());
    cluster.move_privileges(|ident| match ident {
        ident if ident == from => Some(to.clone()),
        ident if ident == to => Some(from.clone()),
        _ => None,
    });
    if drop_source {
        cluster.tables.remove(&source);
        cluster.forget_privileges(&source);
    }
    Ok(Outcome::done("ALTER", 1))
}
