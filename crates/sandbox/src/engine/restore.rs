//! RESTORE SNAPSHOT.

use std::collections::BTreeMap;

use regex::Regex;

use super::env::Env;
use super::snapshot::{Settings, split, typed_ident};
use super::{Outcome, Session};
use crate::ast::{Options, Part};
use crate::error::{Result, SqlError};
use crate::value::Value;
use crate::world::{
    Ailment, Cluster, Restore, Shard, Snapshot, SnapshotState, Table, TableName, World, index_name, partition_ident,
};

/// RESTORE SNAPSHOT.
pub(super) fn run(
    world: &mut World,
    session: &Session,
    name: &[String],
    parts: &[Part],
    options: &Options,
    values: &[Value],
) -> Result<Outcome> {
    let (repository, snapshot) = split(name)?;
    world.cluster(&session.cluster).require_on_cluster(&session.user, "DDL")?;
    let settings = Settings::new(&Env::with_values(world, session, values), options)?;
    let found = restorable(world, session, repository, snapshot)?;
    let env = Env::with_values(world, session, values);
    let mut renamed = BTreeMap::new();
    for (from, table) in wanted(&env, &found, parts, &settings)? {
        check_whole(&found, &from, &table)?;
        let to = rename(&from, &settings)?;
        check_free(env.cluster, &from, &to, &table)?;
        renamed.insert(to, table);
    }
    let cluster = world.cluster_mut(&session.cluster);
    let ailment = cluster.ailment.take();
    let partitions: Vec<_> = renamed.into_iter().flat_map(|(name, table)| put(cluster, &name, table)).collect();
    let all = partitions.len();
    let failed = match ailment {
        None => 0,
        Some(Ailment::One) => all.min(1),
        Some(Ailment::All) => all,
    };
    let id = cluster.next_uuid();
    let (repository, snapshot) = (repository.to_owned(), snapshot.to_owned());
    let shown = format!("[{repository}:{snapshot}] failed to restore {failed} of {all} shards");
    cluster.restores.push(Restore { id, repository, snapshot, partitions, ailment });
    if settings.waits {
        cluster.finish_restores();
        if failed > 0 {
            return Err(SqlError::internal(shown));
        }
    }
    Ok(Outcome::done("RESTORE", 1))
}

fn restorable(world: &mut World, session: &Session, repository: &str, snapshot: &str) -> Result<Snapshot> {
    let found = world.look(&session.cluster, repository)?.snapshots.get(snapshot).cloned();
    let missing = || SqlError::internal(format!("[{repository}:{snapshot}] snapshot does not exist"));
    let found = found.ok_or_else(missing)?;
    if found.state == SnapshotState::Failed {
        return Err(SqlError::internal(format!("[{repository}:{snapshot}] unsupported snapshot state [FAILED]")));
    }
    Ok(found)
}

/// Whether a restore from the repository is running.
pub(super) fn is_running(cluster: &Cluster, repository: &str) -> bool {
    cluster.restores.iter().any(|restore| restore.repository == repository)
}

/// What is asked for of what the snapshot has. Partitions that it has not are passed over.
fn wanted(
    env: &Env<'_>,
    snapshot: &Snapshot,
    parts: &[Part],
    settings: &Settings,
) -> Result<BTreeMap<TableName, Table>> {
    if parts.is_empty() {
        return Ok(snapshot.tables.clone());
    }
    let mut found = BTreeMap::new();
    for part in parts {
        let name = env.session.resolve(&part.table)?;
        if env.cluster.views.contains_key(&name) {
            return Err(SqlError::internal("Unsupported relation type: View".to_owned()));
        }
        let Some(table) = snapshot.tables.get(&name) else {
            if settings.ignores_missing {
                continue;
            }
            return Err(SqlError::internal(format!("Relation [{name}] not found in snapshot")));
        };
        if part.partition.is_empty() {
            found.insert(name, table.clone());
        } else if let Some(ident) = ident(env, &name, part)?
            && let Some(partition) = table.partitions.get(&ident)
        {
            let into = found.entry(name).or_insert_with(|| Table { partitions: BTreeMap::new(), ..table.clone() });
            into.partitions.insert(ident, partition.clone());
        }
    }
    Ok(found)
}

/// The ident of a partition: by the types of the table that has the name here, by mere texts where there is none.
fn ident(env: &Env<'_>, name: &TableName, part: &Part) -> Result<Option<String>> {
    if let Some(table) = env.cluster.tables.get(name) {
        return typed_ident(env, name, table, part);
    }
    let mut values = Vec::new();
    for (_, expr) in &part.partition {
        match env.constant(expr)? {
            Value::Null => {
                let place = "java.base/java.util.Objects.requireNonNull(Objects.java:220)";
                return Err(SqlError::internal(format!("NullPointerException in {place}")));
            }
            value => values.push(value),
        }
    }
    Ok(Some(partition_ident(&values)))
}

fn check_whole(snapshot: &Snapshot, name: &TableName, table: &Table) -> Result<()> {
    for ident in table.partitions.keys() {
        let index = index_name(name, ident);
        if snapshot.failures.iter().any(|failure| failure.starts_with(&format!("[{index}]["))) {
            return Err(SqlError::internal(format!("index [{index}] wasn't fully snapshotted - cannot restore")));
        }
    }
    Ok(())
}

/// The name that a table gets.
fn rename(from: &TableName, settings: &Settings) -> Result<TableName> {
    let replaced = |name: &str, what: &str| {
        let pattern = settings.text(&format!("{what}_rename_pattern"), "(.+)").to_owned();
        let replacement = settings.text(&format!("{what}_rename_replacement"), "$1").to_owned();
        replace_all(name, &pattern, &replacement)
    };
    let to = TableName::new(replaced(&from.schema, "schema")?, replaced(&from.table, "table")?);
    if to.table.contains(super::table::FORBIDDEN) {
        return Err(SqlError::internal(format!(
            "Relation name '{to}' is invalid. Must not contain the following characters [,, /, \\,  , \", <, *, ?, >, |]"
        )));
    }
    Ok(to)
}

/// Java's `replaceAll`: `\Q…\E` quotes, `$1` is a group, `\` takes what follows as it is.
fn replace_all(name: &str, pattern: &str, replacement: &str) -> Result<String> {
    let regex = Regex::new(&quoted(pattern)).map_err(|_| SqlError::not_understood(format!("the pattern {pattern}")))?;
    let mut failed = None;
    let replaced = regex.replace_all(name, |found: &regex::Captures<'_>| match expand(found, replacement) {
        Ok(text) => text,
        Err(error) => {
            failed = Some(error);
            String::new()
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(replaced.into_owned()),
    }
}

fn quoted(pattern: &str) -> String {
    let mut found = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("\\Q") {
        let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
        found.push_str(before);
        found.push_str(&regex::escape(literal));
        rest = after;
    }
    found + rest
}

fn expand(found: &regex::Captures<'_>, replacement: &str) -> Result<String> {
    let mut text = String::new();
    let mut characters = replacement.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            '$' => {
                let group = characters.next().and_then(|digit| digit.to_digit(10));
                let group = group.ok_or_else(|| SqlError::internal("Illegal group reference"))?;
                let found = found.get(group as usize);
                text.push_str(found.ok_or_else(|| SqlError::internal(format!("No group {group}")))?.as_str());
            }
            other => text.push(other),
        }
    }
    Ok(text)
}

/// Fails where the name is taken, or one of the partitions of a table that is there.
fn check_free(cluster: &Cluster, from: &TableName, to: &TableName, table: &Table) -> Result<()> {
    if let Some(view) = cluster.views.get(to) {
        let view = format!("View[name={to}, stmt={}, owner={}", view.text, view.owner);
        return Err(SqlError::internal(format!(
            "Cannot restore relation `{from}` as `{to}`, it conflicts with: {view}]"
        )));
    }
    let Some(existing) = cluster.tables.get(to) else { return Ok(()) };
    if !table.is_partitioned() || !existing.is_partitioned() {
        return Err(SqlError::relation_exists(to));
    }
    if let Some(ident) = table.partitions.keys().find(|ident| existing.partitions.contains_key(*ident)) {
        let index = index_name(to, ident);
        return Err(SqlError::internal(format!("Partition '{index}' already exists")));
    }
    let is_alike = |left: &Table, right: &Table| {
        left.partitioned_by == right.partitioned_by
            && left.primary_key == right.primary_key
            && left.clustered_by == right.clustered_by
            && left.columns.iter().map(|column| (&column.name, &column.data_type)).collect::<Vec<_>>()
                == right.columns.iter().map(|column| (&column.name, &column.data_type)).collect::<Vec<_>>()
    };
    if is_alike(existing, table) {
        return Ok(());
    }
    Err(SqlError::new("42P17", format!("cannot restore relation [{to}]: its columns differ")))
}

/// Makes the table, or adds to it; its rows arrive later.
fn put(cluster: &mut Cluster, name: &TableName, table: Table) -> Vec<(TableName, String)> {
    let (oid, partitions) = (cluster.next_oid(), table.partitions.clone());
    let mut arriving = BTreeMap::new();
    for (ident, mut partition) in partitions {
        partition.uuid = cluster.next_uuid();
        partition.is_arriving = true;
        partition.shards.iter_mut().for_each(forget_leases);
        arriving.insert(ident, partition);
    }
    let idents: Vec<_> = arriving.keys().map(|ident| (name.clone(), ident.clone())).collect();
    let fresh = || Table { oid, made_as: name.clone(), partitions: BTreeMap::new(), subscription: None, ..table };
    cluster.tables.entry(name.clone()).or_insert_with(fresh).partitions.extend(arriving);
    idents
}

fn forget_leases(shard: &mut Shard) {
    shard.leases.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_java_does() {
        let check = |name: &str, pattern: &str, replacement: &str, expected: Option<&str>| {
            assert_eq!(replace_all(name, pattern, replacement).ok().as_deref(), expected, "{pattern}");
        };
        check("orders", "(.+)", "$1_copy", Some("orders_copy"));
        check("a$b", "^\\Qa$b\\E$", "x\\$1\\\\", Some("x$1\\"));
        check("x{1}", "^\\Qx{1}\\E$", "y", Some("y"));
        check("orders", "^\\Qorder\\E$", "y", Some("orders"));
        check("part", ".+", "$1", None);
    }
}
