//! Tables and views come and go.

use std::collections::BTreeMap;

use super::env::Env;
use super::{Outcome, Session, query};
use crate::ast::{ColumnDefinition, CreateTable, Expr, Name, Query};
use crate::error::{Result, SqlError};
use crate::types::DataType;
use crate::value::Value;
use crate::world::{Cluster, Column, Relation, Table, TableName, View, World, is_system_schema};

/// How many shards a table gets by itself.
const SHARDS: u32 = 4;

/// Characters that no name of a relation may have.
pub(super) const FORBIDDEN: [char; 11] = [',', '/', '\\', ' ', '"', '<', '*', '?', '>', '|', '#'];

/// Fails unless the user may change definitions in the schema.
pub(super) fn require_ddl(cluster: &Cluster, session: &Session, name: &TableName) -> Result<()> {
    if is_system_schema(&name.schema) {
        return Err(SqlError::internal(format!("Cannot create relation in read-only schema '{}'", name.schema)));
    }
    cluster.require(&session.user, "DDL", name)
}

/// CREATE TABLE.
pub(super) fn create(world: &mut World, session: &Session, create: &CreateTable) -> Result<Outcome> {
    let name = session.resolve(&create.name)?;
    let cluster = world.cluster(&session.cluster);
    if name.table.contains(FORBIDDEN) {
        return Err(SqlError::internal(format!(
            "Relation name '{name}' is invalid. Must not contain the following characters [,, /, \\,  , \", <, *, ?, >, |]"
        )));
    }
    require_ddl(cluster, session, &name)?;
    if cluster.relation(&name).is_some() {
        return if create.if_not_exists {
            Ok(Outcome::done("CREATE", 0))
        } else {
            Err(SqlError::relation_exists(&name))
        };
    }
    let settings = settings(&Env::with_values(world, session, &[]), &create.options)?;
    let mut table = definition(create, settings)?;
    table.made_as.clone_from(&name);
    name_checks(&mut table, &name, create);
    let cluster = world.cluster_mut(&session.cluster);
    table.oid = cluster.next_oid();
    if !table.is_partitioned() {
        let partition = table.new_partition(Vec::new(), cluster.next_uuid());
        table.partitions.insert(String::new(), partition);
    }
    cluster.tables.insert(name, table);
    Ok(Outcome::done("CREATE", 1))
}

/// Names the checks that have no name, as CrateDB does: after their column, with twelve digits.
fn name_checks(table: &mut Table, name: &TableName, create: &CreateTable) {
    for (number, check) in table.checks.iter_mut().enumerate().filter(|(_, check)| check.name.is_none()) {
        let column = create.columns.iter().find(|column| column.checks.contains(check));
        let column = column.map_or_else(String::new, |column| format!("_{}", column.name));
        check.name = Some(format!("{}_{}{column}_check_{number:012x}", name.schema, name.table));
    }
}

fn definition(create: &CreateTable, settings: BTreeMap<String, Value>) -> Result<Table> {
    let own = create.columns.iter().filter(|column| column.primary_key).map(|column| column.name.clone());
    let primary_key: Vec<String> =
        if create.primary_key.is_empty() { own.collect() } else { create.primary_key.clone() };
    let is_known = |path: &String| {
        let name = path.split('[').next().unwrap_or(path);
        create.columns.iter().any(|column| column.name == name)
    };
    let named = primary_key.iter().chain(&create.partitioned_by).chain(&create.clustered_by);
    if let Some(unknown) = named.into_iter().find(|path| !is_known(path)) {
        return Err(SqlError::column_unknown(unknown));
    }
    for partition in &create.partitioned_by {
        if !primary_key.is_empty() && !primary_key.contains(partition) {
            return Err(SqlError::internal(format!(
                "Cannot use non primary key column '{partition}' in PARTITIONED BY clause if primary key is set on table"
            )));
        }
    }
    let clustered_by = create.clustered_by.clone().or_else(|| {
        let mut candidates = primary_key.iter().filter(|key| !create.partitioned_by.contains(key));
        candidates
            .next()
            .filter(|_| {
                primary_key.len() == 1
                    || !create.partitioned_by.is_empty() && primary_key.len() == create.partitioned_by.len() + 1
            })
            .cloned()
    });
    Ok(Table {
        oid: 0,
        made_as: TableName::new("", ""),
        columns: create.columns.iter().map(|definition| column(definition, &primary_key)).collect::<Result<_>>()?,
        primary_key,
        checks: create.checks.clone(),
        clustered_by,
        shards: create.shards.unwrap_or(SHARDS),
        partitioned_by: create.partitioned_by.clone(),
        settings,
        partitions: BTreeMap::new(),
        subscription: None,
    })
}

/// A column of a table; those of the primary key are never NULL.
pub(super) fn column(definition: &ColumnDefinition, primary_key: &[String]) -> Result<Column> {
    if definition.data_type == DataType::Numeric(None) {
        return Err(SqlError::internal("NUMERIC storage is only supported if precision and scale are specified"));
    }
    Ok(Column {
        name: definition.name.clone(),
        data_type: definition.data_type.clone(),
        not_null: definition.not_null || primary_key.contains(&definition.name),
        default: definition.default.clone(),
        generated: definition.generated.clone(),
        index: definition.index.clone(),
        storage: definition.storage.clone(),
    })
}

/// The settings of WITH and of ALTER TABLE … SET, with the types that they have.
pub(super) fn settings(env: &Env<'_>, options: &[(String, Expr)]) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for (name, expr) in options {
        let value = match expr {
            Expr::Column(word) => Value::text(word.join(".")),
            expr => env.constant(expr)?,
        };
        let value = match (name.as_str(), &value) {
            ("number_of_replicas" | "column_policy", Value::Int(number)) => Value::Text(number.to_string()),
            ("refresh_interval", Value::Text(text)) => {
                let milliseconds = crate::time::parse_interval(text);
                Value::Int(milliseconds.ok_or_else(|| SqlError::internal(format!("invalid refresh_interval {text}")))?)
            }
            _ => value,
        };
        if !is_setting(name) {
            let message = format!("Invalid property \"{name}\" passed to [ALTER | CREATE] TABLE statement");
            return Err(SqlError::internal(message));
        }
        found.insert(name.clone(), value);
    }
    Ok(found)
}

fn is_setting(name: &str) -> bool {
    let prefixes =
        ["blocks.", "translog.", "routing.allocation.", "mapping.", "unassigned.", "write.", "allocation.", "merge."];
    let names = [
        "column_policy",
        "number_of_replicas",
        "refresh_interval",
        "codec",
        "store.type",
        "max_ngram_diff",
        "max_shingle_diff",
        "number_of_routing_shards",
        "soft_deletes.retention_lease.period",
    ];
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// DROP TABLE.
pub(super) fn drop_tables(world: &mut World, session: &Session, names: &[Name], if_exists: bool) -> Result<Outcome> {
    let mut dropped = 0;
    for name in names {
        let name = session.resolve(name)?;
        let cluster = world.cluster_mut(&session.cluster);
        let Some(table) = cluster.tables.get(&name).filter(|_| cluster.sees(&session.user, &name)) else {
            if if_exists {
                continue;
            }
            return Err(match cluster.relation(&name) {
                Some(Relation::View(_) | Relation::Foreign(_)) => SqlError::not_allowed(&name, "DROP"),
                Some(Relation::Table(_)) => SqlError::schema_unknown(&name.schema),
                None => cluster.unknown(&name),
            });
        };
        if table.subscription.is_some() {
            return Err(SqlError::replicated(&name, "DROP", "subscription"));
        }
        cluster.require(&session.user, "DDL", &name)?;
        cluster.check_index_name(table)?;
        cluster.tables.remove(&name);
        cluster.forget_privileges(&name);
        dropped += 1;
    }
    Ok(Outcome::done("DROP", dropped))
}

/// REFRESH TABLE.
pub(super) fn refresh(world: &mut World, session: &Session, names: &[Name]) -> Result<Outcome> {
    let names: Vec<TableName> = names.iter().map(|name| session.resolve(name)).collect::<Result<_>>()?;
    let cluster = world.cluster_mut(&session.cluster);
    for name in &names {
        cluster.require(&session.user, "DQL", name)?;
        if cluster.views.contains_key(name) {
            return Err(SqlError::not_allowed(name, "REFRESH"));
        }
        cluster.table(name)?;
    }
    for name in &names {
        cluster.table_mut(name)?.refresh();
    }
    Ok(Outcome::done("REFRESH", i64::try_from(names.len()).unwrap_or(0)))
}

/// CREATE VIEW.
pub(super) fn create_view(
    world: &mut World,
    session: &Session,
    name: &[String],
    or_replace: bool,
    query: &Query,
    text: &str,
) -> Result<Outcome> {
    let name = session.resolve(name)?;
    require_ddl(world.cluster(&session.cluster), session, &name)?;
    query::plan(&Env::with_values(world, session, &[]), query, None)?;
    let cluster = world.cluster_mut(&session.cluster);
    let is_taken = cluster.tables.contains_key(&name) || (cluster.views.contains_key(&name) && !or_replace);
    if is_taken {
        return Err(SqlError::relation_exists(&name));
    }
    let oid = cluster.views.get(&name).map_or_else(|| 0, |view| view.oid);
    let oid = if oid == 0 { cluster.next_oid() } else { oid };
    cluster.views.insert(name, View { oid, owner: session.user.clone(), query: query.clone(), text: text.to_owned() });
    Ok(Outcome::done("CREATE", 1))
}

/// DROP VIEW.
pub(super) fn drop_views(world: &mut World, session: &Session, names: &[Name], if_exists: bool) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    let mut dropped = 0;
    for name in names {
        let name = session.resolve(name)?;
        if cluster.views.contains_key(&name) {
            cluster.require(&session.user, "DDL", &name)?;
            cluster.views.remove(&name);
            cluster.forget_privileges(&name);
            dropped += 1;
        } else if !if_exists {
            return Err(SqlError::internal(format!("Relations not found: {name}")));
        }
    }
    Ok(Outcome::done("DROP", dropped))
}
