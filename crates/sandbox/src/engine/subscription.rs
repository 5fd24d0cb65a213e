//! Subscriptions and their connection strings.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, Session};
use crate::error::{Result, SqlError};
use crate::world::{Cluster, SUPERUSER, SubscribedTable, Subscription, TableName, World};

/// A connection string, taken apart.
struct Connection {
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
    is_tunnel: bool,
    ssl_mode: String,
}

fn refused(message: impl std::fmt::Display) -> SqlError {
    SqlError::internal(format!("io.crate.replication.logical.exceptions.CreateSubscriptionException: {message}"))
}

impl Connection {
    fn parse(text: &str) -> Result<Self> {
        let Some(rest) = text.strip_prefix("crate://") else {
            return Err(refused(format!("The connection string must start with \"crate://\" but was: \"{text}\"")));
        };
        let (address, arguments) = rest.split_once('?').unwrap_or((rest, ""));
        let mut found = Self {
            host: String::new(),
            port: 0,
            user: String::new(),
            password: None,
            is_tunnel: false,
            ssl_mode: "prefer".to_owned(),
        };
        for argument in arguments.split('&').filter(|argument| !argument.is_empty()) {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            found.argument(name, decode(value))?;
        }
        if found.user.is_empty() {
            return Err(SqlError::internal("Setting 'user' must be provided on CREATE SUBSCRIPTION"));
        }
        let first = address.trim_end_matches('/').split(',').next().unwrap_or_default();
        let (host, port) = first.rsplit_once(':').unwrap_or((first, if found.is_tunnel { "5432" } else { "4300" }));
        host.clone_into(&mut found.host);
        found.port = port
            .parse()
            .map_err(|_| refused(format!("Invalid port number '{port}' inside connection string (1:65535)")))?;
        Ok(found)
    }

    fn argument(&mut self, name: &str, value: String) -> Result<()> {
        match (name, value.as_str()) {
            ("user", _) => self.user = value,
            ("password", _) => self.password = Some(value),
            ("mode", "sniff") => self.is_tunnel = false,
            ("mode", "pg_tunnel") => self.is_tunnel = true,
            ("mode", other) => {
                return Err(refused(format!(
                    "Invalid connection mode `{other}`, supported modes are: `sniff`, `pg_tunnel`"
                )));
            }
            ("sslmode", "prefer" | "require" | "disable") => self.ssl_mode = value,
            ("sslmode", other) => {
                return Err(refused(format!(
                    "Invalid value for sslmode: {other} expected one of: prefer, disable, require"
                )));
            }
            (other, _) => return Err(refused(format!("Connection string argument '{other}' is not supported"))),
        }
        Ok(())
    }

    /// The connection as the catalog shows it.
    fn shown(&self) -> String {
        let (mode, ssl) = if self.is_tunnel {
            ("pg_tunnel", format!("&sslmode={}", self.ssl_mode))
        } else {
            ("sniff", String::new())
        };
        format!("crate://{}:{}?user=*&password=*&mode={mode}{ssl}", self.host, self.port)
    }
}

/// Percent-decoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            (first, _) => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// CREATE SUBSCRIPTION. What it follows is copied at the next ticks.
pub(super) fn create(
    world: &mut World,
    session: &Session,
    name: &str,
    connection: &str,
    publications: &[String],
) -> Result<Outcome> {
    let target = world.cluster(&session.cluster);
    target.require_on_cluster(&session.user, "AL")?;
    let connection = Connection::parse(connection)?;
    if target.subscriptions.contains_key(name) {
        return Err(SqlError::internal(format!("Subscription '{name}' already exists")));
    }
    let tables = request(world, session, &connection, publications)?;
    if let Some(table) = tables.keys().find(|table| target.relation(table).is_some()) {
        let message = format!("Subscription '{name}' cannot be created as included relation '{table}' already exists");
        return Err(SqlError::new("42P07", message));
    }
    let source = reach(world, session, &connection)?.name.clone();
    let target = world.cluster_mut(&session.cluster);
    let ailment = target.ailment.take();
    let subscription = Subscription {
        oid: target.next_oid(),
        owner: session.user.clone(),
        shown: connection.shown(),
        source,
        user: connection.user,
        publications: publications.to_vec(),
        tables,
        is_frozen: false,
        ailment,
    };
    target.subscriptions.insert(name.to_owned(), subscription);
    Ok(Outcome::done("CREATE", 1))
}

/// The publisher behind a connection.
fn reach<'a>(world: &'a World, session: &Session, connection: &Connection) -> Result<&'a Cluster> {
    let is_it = |cluster: &&Cluster| cluster.port == connection.port && cluster.name != session.cluster;
    world
        .clusters
        .values()
        .find(is_it)
        .ok_or_else(|| SqlError::internal(format!("[][{}:{}] connect_exception", connection.host, connection.port)))
}

/// Asks the publisher for its tables, as CREATE SUBSCRIPTION does before anything is made.
fn request(
    world: &World,
    session: &Session,
    connection: &Connection,
    publications: &[String],
) -> Result<BTreeMap<TableName, SubscribedTable>> {
    let source = reach(world, session, connection)?;
    let user = source.users.get(&connection.user).filter(|user| !user.is_role);
    if connection.is_tunnel {
        let wrong = match user {
            None => Some(format!("trust authentication failed for user \"{}\"", connection.user)),
            Some(user) if user.password.is_some() && user.password != connection.password => {
                Some(format!("password authentication failed for user \"{}\"", connection.user))
            }
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            return Err(SqlError::internal(format!("Error response: FATAL, {wrong}, 28000, ClientAuthentication")));
        }
    }
    if user.is_none() {
        let message = format!("Cannot build publication state, subscribing user '{}' was not found.", connection.user);
        return Err(SqlError::internal(message));
    }
    let mut names = BTreeSet::new();
    for publication in publications {
        let found = source.published_to(publication, &connection.user);
        names.extend(found.ok_or_else(|| SqlError::internal(format!("Publication '{publication}' unknown")))?);
    }
    Ok(names.into_iter().map(|name| (name.clone(), SubscribedTable::new(source.tables[&name].oid))).collect())
}

/// ALTER SUBSCRIPTION parses, and never works.
pub(super) fn alter(name: &str) -> Result<Outcome> {
    Err(SqlError::internal(format!(
        "Cannot create Plan from AnalyzedStatement \"io.crate.replication.logical.analyze.AnalyzedAlterSubscription@{:x}\"  - not supported.",
        name.len()
    )))
}

/// DROP SUBSCRIPTION. Its tables stay and can be written at once.
pub(super) fn drop(world: &mut World, session: &Session, name: &str, if_exists: bool) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    let Some(found) = cluster.subscriptions.get(name) else {
        let unknown = SqlError::internal(format!("Subscription '{name}' unknown"));
        return if if_exists { Ok(Outcome::done("DROP", 1)) } else { Err(unknown) };
    };
    if found.owner != session.user && session.user != SUPERUSER {
        return Err(SqlError::internal("A subscription can only be dropped by the owner or a superuser"));
    }
    let mut dropped = cluster.subscriptions.remove(name).expect("it was just there");
    world.release_all(&session.cluster, &mut dropped);
    Ok(Outcome::done("DROP", 1))
}
