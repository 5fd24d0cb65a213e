//! Publications.

use std::collections::BTreeSet;

use super::{Outcome, Session};
use crate::ast::{ChangeTables, Name};
use crate::error::{Result, SqlError};
use crate::world::{Cluster, Publication, Relation, SUPERUSER, TableName, World, is_system_schema};

/// CREATE PUBLICATION; without `tables`, for all.
pub(super) fn create(world: &mut World, session: &Session, name: &str, tables: Option<&[Name]>) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if cluster.publications.contains_key(name) {
        return Err(SqlError::internal(format!("Publication '{name}' already exists")));
    }
    let tables = match tables {
        None => None,
        Some(tables) => {
            let tables = named(cluster, session, tables, "CREATE PUBLICATION")?;
            for table in &tables {
                if cluster.is_published(table) {
                    return Err(SqlError::replicated(table, "CREATE PUBLICATION", "publication"));
                }
                if cluster.table(table)?.subscription.is_some() {
                    return Err(SqlError::replicated(table, "CREATE PUBLICATION", "subscription"));
                }
            }
            Some(tables)
        }
    };
    let publication = Publication { oid: cluster.next_oid(), owner: session.user.clone(), tables };
    cluster.publications.insert(name.to_owned(), publication);
    Ok(Outcome::done("CREATE", 1))
}

/// The tables by their names; all must be tables on which the user has every privilege.
fn named(cluster: &Cluster, session: &Session, tables: &[Name], operation: &str) -> Result<BTreeSet<TableName>> {
    let mut found = BTreeSet::new();
    for table in tables {
        let name = session.resolve(table)?;
        if !cluster.sees(&session.user, &name) {
            return Err(SqlError::schema_unknown(&name.schema));
        }
        match cluster.relation(&name) {
            Some(Relation::Table(_)) => {}
            Some(Relation::View(_) | Relation::Foreign(_)) => return Err(SqlError::not_allowed(&name, operation)),
            None if is_system_schema(&name.schema) => return Err(SqlError::not_allowed(&name, operation)),
            None => return Err(cluster.unknown(&name)),
        }
        for kind in ["DQL", "DML", "DDL"] {
            cluster.require(&session.user, kind, &name)?;
        }
        found.insert(name);
    }
    Ok(found)
}

/// The publication, if the user may change it.
fn owned<'a>(cluster: &'a mut Cluster, session: &Session, name: &str, verb: &str) -> Result<&'a mut Publication> {
    let unknown = || SqlError::internal(format!("Publication '{name}' unknown"));
    let found = cluster.publications.get_mut(name).ok_or_else(unknown)?;
    if found.owner != session.user && session.user != SUPERUSER {
        return Err(SqlError::internal(format!("A publication can only be {verb} by the owner or a superuser")));
    }
    Ok(found)
}

/// ALTER PUBLICATION.
pub(super) fn alter(
    world: &mut World,
    session: &Session,
    name: &str,
    change: ChangeTables,
    tables: &[Name],
) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if owned(cluster, session, name, "altered")?.tables.is_none() {
        let message =
            format!("Publication '{name}' is defined as FOR ALL TABLES, adding or dropping tables is not supported");
        return Err(SqlError::internal(message));
    }
    let named = named(cluster, session, tables, "ALTER PUBLICATION")?;
    let found = owned(cluster, session, name, "altered")?.tables.get_or_insert_default();
    match change {
        ChangeTables::Add => found.extend(named),
        ChangeTables::Set => *found = named,
        ChangeTables::Drop => found.retain(|table| !named.contains(table)),
    }
    Ok(Outcome::done("ALTER", 1))
}

/// DROP PUBLICATION.
pub(super) fn drop(world: &mut World, session: &Session, name: &str, if_exists: bool) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if !cluster.publications.contains_key(name) && if_exists {
        return Ok(Outcome::done("DROP", 1));
    }
    owned(cluster, session, name, "dropped")?;
    cluster.publications.remove(name);
    Ok(Outcome::done("DROP", 1))
}
