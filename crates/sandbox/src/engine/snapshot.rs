//! CREATE SNAPSHOT and DROP SNAPSHOT.

use std::collections::{BTreeMap, BTreeSet};

use super::env::Env;
use super::{Outcome, Session, restore};
use crate::ast::{Options, Part};
use crate::cast::convert;
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{
    Ailment, Cluster, Relation, Snapshot, SnapshotState, Table, TableName, World, index_name, partition_ident,
};

/// The options of CREATE SNAPSHOT and RESTORE.
pub(super) struct Settings {
    pub(super) waits: bool,
    pub(super) ignores_missing: bool,
    texts: BTreeMap<String, String>,
}

impl Settings {
    pub(super) fn new(env: &Env<'_>, options: &Options) -> Result<Self> {
        let mut found = Self { waits: false, ignores_missing: false, texts: BTreeMap::new() };
        for (name, expr) in options {
            let value = env.constant(expr)?;
            let is_true = || convert(&value, &DataType::Boolean) == Some(Value::Bool(true));
            match name.as_str() {
                "wait_for_completion" => found.waits = is_true(),
                "ignore_unavailable" => found.ignores_missing = is_true(),
                "schema_rename_pattern"
                | "schema_rename_replacement"
                | "table_rename_pattern"
                | "table_rename_replacement" => {
                    found.texts.insert(name.clone(), env.text(expr)?);
                }
                other => return Err(SqlError::internal(format!("Setting '{other}' is not supported"))),
            }
        }
        Ok(found)
    }

    pub(super) fn text<'a>(&'a self, name: &str, otherwise: &'a str) -> &'a str {
        self.texts.get(name).map_or(otherwise, String::as_str)
    }
}

/// `repository.snapshot`.
pub(super) fn split(name: &[String]) -> Result<(&str, &str)> {
    match name {
        [repository, snapshot] => Ok((repository, snapshot)),
        _ => Err(SqlError::internal("Snapshot name not supported, only <repository>.<snapshot> works.)")),
    }
}

/// CREATE SNAPSHOT.
pub(super) fn create(
    world: &mut World,
    session: &Session,
    name: &[String],
    parts: &[Part],
    options: &Options,
    values: &[Value],
) -> Result<Outcome> {
    let (repository, snapshot) = split(name)?;
    world.cluster(&session.cluster).require_on_cluster(&session.user, "DDL")?;
    world.look(&session.cluster, repository)?;
    let env = Env::with_values(world, session, values);
    let settings = Settings::new(&env, options)?;
    let tables = tables(&env, parts, &settings)?;
    check_name(world, &session.cluster, repository, snapshot)?;
    let (now, cluster) = (world.clock.now(), world.cluster_mut(&session.cluster));
    let ailment = cluster.ailment.take();
    let end = match ailment {
        None => SnapshotState::Success,
        Some(Ailment::One) => SnapshotState::Partial,
        Some(Ailment::All) => SnapshotState::Failed,
    };
    let uuid = cluster.next_uuid();
    let failures = failures(&tables, ailment);
    let made = Snapshot { uuid, state: SnapshotState::InProgress, end, failures, started: now, finished: 0, tables };
    let found = cluster.repositories.get_mut(repository).expect("its name was just checked");
    found.running.insert(snapshot.to_owned(), made);
    if settings.waits {
        world.finish_snapshots(&session.cluster);
        if end == SnapshotState::Failed {
            let message = format!("Error creating snapshot '{repository}.{snapshot}': all shards failed");
            return Err(SqlError::internal(message));
        }
    }
    Ok(Outcome::done("CREATE", 1))
}

fn failures(tables: &BTreeMap<TableName, Table>, ailment: Option<Ailment>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in tables {
        for (ident, partition) in &table.partitions {
            for number in 0..partition.shards.len() {
                let index = index_name(name, ident);
                found.push(format!("[{index}][{number}] failed: IndexShardSnapshotFailedException[No space left]"));
            }
        }
    }
    match ailment {
        None => Vec::new(),
        Some(Ailment::One) => found.into_iter().take(1).collect(),
        Some(Ailment::All) => found,
    }
}

/// What goes into the snapshot, as it is now.
fn tables(env: &Env<'_>, parts: &[Part], settings: &Settings) -> Result<BTreeMap<TableName, Table>> {
    let mut found = BTreeMap::new();
    for part in parts {
        let name = env.session.resolve(&part.table)?;
        let table = match env.cluster.relation(&name) {
            Some(Relation::Table(table)) => table,
            Some(Relation::View(_) | Relation::Foreign(_)) => {
                return Err(SqlError::not_allowed(&name, "CREATE SNAPSHOT"));
            }
            None if settings.ignores_missing => continue,
            None => return Err(env.cluster.unknown(&name)),
        };
        if table.subscription.is_some() {
            return Err(SqlError::replicated(&name, "CREATE SNAPSHOT", "subscription"));
        }
        let wanted = partition(env, &name, table, part)?;
        let idents: BTreeSet<&String> =
            wanted.as_ref().map_or_else(|| table.partitions.keys().collect(), |ident| std::iter::once(ident).collect());
        let into = found.entry(name).or_insert_with(|| Table { partitions: BTreeMap::new(), ..table.clone() });
        into.partitions.extend(idents.into_iter().map(|ident| (ident.clone(), table.partitions[ident].clone())));
    }
    if found.is_empty() {
        // So does CrateDB where all of the named tables are missing.
        found = env.cluster.tables.iter().map(|(name, table)| (name.clone(), table.clone())).collect();
    }
    found.values_mut().for_each(Table::refresh);
    Ok(found)
}

/// The ident of the partition that a clause names, which must be there; `None` without a clause.
pub(super) fn partition(env: &Env<'_>, name: &TableName, table: &Table, part: &Part) -> Result<Option<String>> {
    let Some(ident) = typed_ident(env, name, table, part)? else { return Ok(None) };
    if !table.partitions.contains_key(&ident) {
        return Err(SqlError::internal(format!("No partition for table '{name}' with ident '{ident}' exists")));
    }
    Ok(Some(ident))
}

/// The same, there or not.
pub(super) fn typed_ident(env: &Env<'_>, name: &TableName, table: &Table, part: &Part) -> Result<Option<String>> {
    if part.partition.is_empty() {
        return Ok(None);
    }
    if part.partition.len() != table.partitioned_by.len() {
        return Err(SqlError::internal(format!(
            "The table \"{name}\" is partitioned by {} columns but the PARTITION clause contains {} columns",
            table.partitioned_by.len(),
            part.partition.len()
        )));
    }
    let mut values = Vec::new();
    for column in &table.partitioned_by {
        let given = part.partition.iter().find(|(name, _)| name == column);
        let (_, expr) = given.ok_or_else(|| SqlError::column_unknown(column))?;
        let at = table.column(column).ok_or_else(|| SqlError::column_unknown(column))?;
        values.push(crate::cast::cast(&env.constant(expr)?, &table.columns[at].data_type)?);
    }
    Ok(Some(partition_ident(&values)))
}

fn check_name(world: &mut World, cluster: &str, repository: &str, name: &str) -> Result<()> {
    let invalid =
        |why: &str| Err(SqlError::internal(format!("[{repository}:{name}] Invalid snapshot name [{name}], {why}")));
    let there = world.look(cluster, repository)?.snapshots.contains_key(name);
    let found = &world.cluster(cluster).repositories[repository];
    match () {
        () if found.is_readonly => {
            Err(SqlError::internal(format!("[{repository}] cannot create snapshot in a readonly repository")))
        }
        () if there => invalid("snapshot with the same name already exists"),
        () if found.running.contains_key(name) => invalid("snapshot with the same name is already in-progress"),
        () if name.is_empty() => invalid("cannot be empty"),
        () if name.contains(char::is_whitespace) => invalid("must not contain whitespace"),
        () if name.contains(',') => invalid("must not contain ','"),
        () if name.contains('#') => invalid("must not contain '#'"),
        () if name.starts_with('_') => invalid("must not start with '_'"),
        () if name != name.to_lowercase() => invalid("must be lowercase"),
        () => Ok(()),
    }
}

/// DROP SNAPSHOT.
pub(super) fn drop(world: &mut World, session: &Session, name: &[String]) -> Result<Outcome> {
    let (repository, snapshot) = split(name)?;
    world.cluster(&session.cluster).require_on_cluster(&session.user, "DDL")?;
    let is_there = world.look(&session.cluster, repository)?.snapshots.contains_key(snapshot);
    let cluster = world.cluster_mut(&session.cluster);
    if cluster.repositories[repository].is_readonly {
        let message = format!("[{repository}] cannot delete snapshot from a readonly repository");
        return Err(SqlError::internal(message));
    }
    if restore::is_running(cluster, repository) {
        let message = format!("[{repository}:{snapshot}] cannot delete snapshot during a restore in progress");
        return Err(SqlError::internal(message));
    }
    if stop(cluster, repository, snapshot) {
        return Ok(Outcome::done("DROP", 1));
    }
    if !is_there {
        return Err(SqlError::internal(format!("[{repository}:{snapshot}] is missing")));
    }
    world.write_depot(&session.cluster, repository, |depot| {
        depot.snapshots.remove(snapshot);
    })?;
    Ok(Outcome::done("DROP", 1))
}

/// Stops a snapshot that is being made.
fn stop(cluster: &mut Cluster, repository: &str, snapshot: &str) -> bool {
    let found = cluster.repositories.get_mut(repository);
    found.is_some_and(|found| found.running.remove(snapshot).is_some())
}
