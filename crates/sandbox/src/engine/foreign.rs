//! Foreign servers, user mappings and foreign tables: a cluster that reads tables of another one.

use super::query::{self, Plan};
use super::{Env, Outcome, Session, run};
use crate::ast::{Body, ColumnDefinition, Expr, Insert, Name, Options};
use crate::error::{Result, SqlError};
use crate::print::quote;
use crate::value::Value;
use crate::world::{Cluster, ForeignTable, Mapping, Relation, Server, TableName, World};

/// CREATE SERVER.
pub(super) fn create_server(
    world: &mut World,
    session: &Session,
    name: &str,
    options: &Options,
    values: &[Value],
) -> Result<Outcome> {
    world.cluster(&session.cluster).require_on_cluster(&session.user, "AL")?;
    let url = Env::with_values(world, session, values).option(options, "url")?;
    let url = url.ok_or_else(|| {
        SqlError::internal("Mandatory server option `url` for foreign data wrapper `jdbc` is missing")
    })?;
    let cluster = world.cluster_mut(&session.cluster);
    if cluster.servers.contains_key(name) {
        return Err(SqlError::internal(format!("Server `{name}` already exists")));
    }
    let server = Server { owner: session.user.clone(), url, mappings: std::collections::BTreeMap::new() };
    cluster.servers.insert(name.to_owned(), server);
    Ok(Outcome::done("CREATE", 1))
}

/// CREATE USER MAPPING for the current user.
pub(super) fn create_mapping(
    world: &mut World,
    session: &Session,
    server: &str,
    options: &Options,
    values: &[Value],
) -> Result<Outcome> {
    world.cluster(&session.cluster).require_on_cluster(&session.user, "AL")?;
    let env = Env::with_values(world, session, values);
    let mapping = Mapping { user: env.option(options, "user")?, password: env.option(options, "password")? };
    let found = world.cluster_mut(&session.cluster).servers.get_mut(server).ok_or_else(|| no_server(server))?;
    if found.mappings.contains_key(&session.user) {
        let message = format!("USER MAPPING for '{}' and server '{server}' already exists", session.user);
        return Err(SqlError::internal(message));
    }
    found.mappings.insert(session.user.clone(), mapping);
    Ok(Outcome::done("CREATE", 1))
}

/// CREATE FOREIGN TABLE.
pub(super) fn create_table(
    world: &mut World,
    session: &Session,
    (name, server): (&[String], &str),
    columns: &[ColumnDefinition],
    options: &Options,
) -> Result<Outcome> {
    let name = session.resolve(name)?;
    world.cluster(&session.cluster).require_on_cluster(&session.user, "AL")?;
    let env = Env::with_values(world, session, &[]);
    let schema = env.option(options, "schema_name")?.unwrap_or_else(|| name.schema.clone());
    let table = env.option(options, "table_name")?.unwrap_or_else(|| name.table.clone());
    let cluster = world.cluster_mut(&session.cluster);
    if !cluster.servers.contains_key(server) {
        return Err(no_server(server));
    }
    if cluster.relation(&name).is_some() {
        return Err(SqlError::relation_exists(&name));
    }
    let columns = columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect();
    let made = ForeignTable { server: server.to_owned(), columns, from: TableName::new(schema, table) };
    cluster.foreign.insert(name, made);
    Ok(Outcome::done("CREATE", 1))
}

/// DROP SERVER.
pub(super) fn drop_server(world: &mut World, session: &Session, name: &str) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    let found = cluster.servers.get(name).ok_or_else(|| no_server(name))?;
    let depends =
        |what: &str| Err(SqlError::internal(format!("Cannot drop server `{name}` because {what} depend on it")));
    if !found.mappings.is_empty() {
        let users: Vec<&str> = found.mappings.keys().map(String::as_str).collect();
        return depends(&format!("mapped users ({})", users.join(", ")));
    }
    if cluster.foreign.values().any(|table| table.server == name) {
        return depends("foreign tables");
    }
    cluster.servers.remove(name);
    Ok(Outcome::done("DROP", 1))
}

/// DROP USER MAPPING of the current user.
pub(super) fn drop_mapping(world: &mut World, session: &Session, server: &str) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    let found = cluster.servers.get_mut(server).ok_or_else(|| no_server(server))?;
    if found.mappings.remove(&session.user).is_none() {
        let message = format!("No user mapping found for user `{}` and server `{server}`", session.user);
        return Err(SqlError::internal(message));
    }
    Ok(Outcome::done("DROP", 1))
}

/// DROP FOREIGN TABLE.
pub(super) fn drop_tables(world: &mut World, session: &Session, names: &[Name]) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    for name in names {
        let name = session.resolve(name)?;
        if cluster.foreign.remove(&name).is_none() {
            return Err(cluster.unknown(&name));
        }
        cluster.forget_privileges(&name);
    }
    Ok(Outcome::done("DROP", 1))
}

fn no_server(name: &str) -> SqlError {
    SqlError::internal(format!("Server `{name}` not found"))
}

/// The rows of a foreign table, as the user of the mapping reads them on the other cluster.
pub(super) fn rows(env: &Env<'_>, table: &ForeignTable) -> Result<Vec<Vec<Value>>> {
    let server = env.cluster.servers.get(&table.server).ok_or_else(|| no_server(&table.server))?;
    let mapping = server.mappings.get(&env.session.user);
    let port = server.url.split('/').nth(2).and_then(|host| host.rsplit_once(':')?.1.parse::<u16>().ok());
    let is_it = |cluster: &&Cluster| Some(cluster.port) == port;
    let remote = env.world.clusters.values().find(is_it);
    let remote = remote.ok_or_else(|| SqlError::internal("PSQLException[The connection attempt failed.]"))?;
    let user = mapping.and_then(|mapping| mapping.user.clone()).unwrap_or_else(|| env.session.user.clone());
    let known = remote.users.get(&user);
    let password = mapping.and_then(|mapping| mapping.password.as_ref());
    if known.is_none_or(|known| known.password.as_ref().is_some_and(|needed| Some(needed) != password)) {
        let message = format!("PSQLException[FATAL: password authentication failed for user \"{user}\"]");
        return Err(SqlError::internal(message));
    }
    let there = Session { cluster: remote.name.clone(), user, schema: "doc".to_owned(), fail_fast: false };
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| quote(name)).collect();
    let (schema, name) = (quote(&table.from.schema), quote(&table.from.table));
    let parsed = crate::parse::statement(&format!("SELECT {} FROM {schema}.{name}", columns.join(", ")))?;
    let crate::ast::Statement::Query(of_source) = &parsed.statement else {
        return Err(SqlError::not_understood("a foreign table"));
    };
    let of_source_env = Env::with_values(env.world, &there, &[]);
    let plan: Plan = query::plan(&of_source_env, of_source, None)?;
    run::rows(&plan, &of_source_env)
}

/// What EXPLAIN says of a query over a foreign table: conditions that the source is not asked for are a filter.
pub(super) fn explained(env: &Env<'_>, insert: &Insert) -> Option<String> {
    let Body::Select(select) = &insert.source.body else { return None };
    let crate::ast::From::Table { name, .. } = select.from.as_ref()? else { return None };
    let name = env.session.resolve(name).ok()?;
    let Some(Relation::Foreign(_)) = env.cluster.relation(&name) else { return None };
    let collect =
        format!("ForeignCollect[{name} | ... | {}] (rows=unknown)", select.filter.as_ref().map_or("true", |_| "..."));
    Some(match &select.filter {
        Some(filter) if !is_sent(filter) => {
            format!("Insert[...]\n  └ Filter[...] (rows=0)\n    └ ForeignCollect[{name} | ... | true]")
        }
        _ => format!("Insert[...]\n  └ {collect}"),
    })
}

fn is_sent(filter: &Expr) -> bool {
    match filter {
        Expr::Literal(..) | Expr::Column(_) | Expr::Parameter(_) => true,
        Expr::Negate(value) | Expr::Not(value) | Expr::Cast { value, .. } => is_sent(value),
        Expr::Binary(op, left, right) => {
            ["=", "<", "<=", ">", ">=", "<>", "!=", "AND", "OR"].contains(op) && is_sent(left) && is_sent(right)
        }
        _ => false,
    }
}
