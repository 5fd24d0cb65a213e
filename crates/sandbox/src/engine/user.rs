//! Users, roles and privileges.

use super::{Outcome, Session};
use crate::ast::{GrantOn, Granting};
use crate::error::{Result, SqlError};
use crate::world::{Class, Cluster, Privilege, SUPERUSER, User, World, is_system_schema};

const KINDS: [&str; 4] = ["DQL", "DML", "DDL", "AL"];

/// CREATE USER and CREATE ROLE.
pub(super) fn create(
    world: &mut World,
    session: &Session,
    name: &str,
    is_role: bool,
    password: Option<String>,
) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if cluster.users.contains_key(name) {
        return Err(SqlError::internal(format!("Role '{name}' already exists")));
    }
    cluster.users.insert(name.to_owned(), User { is_role, password, ..User::default() });
    Ok(Outcome::done("CREATE", 1))
}

/// ALTER USER … SET (password = …). Everybody may change their own.
pub(super) fn alter(world: &mut World, session: &Session, name: &str, password: Option<String>) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    if session.user != name {
        cluster.require_on_cluster(&session.user, "AL")?;
    }
    let unknown = || SqlError::new("42704", format!("Role '{name}' does not exist"));
    cluster.users.get_mut(name).ok_or_else(unknown)?.password = password;
    Ok(Outcome::done("ALTER", 1))
}

/// DROP USER and DROP ROLE. Owners of publications and subscriptions stay.
pub(super) fn drop(world: &mut World, session: &Session, name: &str, if_exists: bool) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if !cluster.users.contains_key(name) {
        let unknown = SqlError::new("42704", format!("Role '{name}' does not exist"));
        return if if_exists { Ok(Outcome::done("DROP", 0)) } else { Err(unknown) };
    }
    let owned =
        cluster.publications.iter().find(|(_, found)| found.owner == name).map(|(object, _)| ("Publication", object));
    let owned = owned.or_else(|| {
        cluster.subscriptions.iter().find(|(_, found)| found.owner == name).map(|(object, _)| ("Subscription", object))
    });
    if let Some((kind, object)) = owned {
        let message = format!("User '{name}' cannot be dropped. {kind} '{object}' needs to be dropped first.");
        return Err(SqlError::internal(message));
    }
    if name == SUPERUSER {
        return Err(SqlError::internal(format!("Cannot drop a superuser '{name}'")));
    }
    cluster.users.remove(name);
    cluster.privileges.retain(|privilege| privilege.grantee != name);
    cluster.users.values_mut().for_each(|user| drop_role(user, name));
    Ok(Outcome::done("DROP", 1))
}

fn drop_role(user: &mut User, role: &str) {
    user.roles.remove(role);
}

/// GRANT, DENY and REVOKE of privileges and of roles.
pub(super) fn privileges(
    world: &mut World,
    session: &Session,
    how: Granting,
    names: &[String],
    on: Option<&GrantOn>,
    to: &[String],
) -> Result<Outcome> {
    let cluster = world.cluster_mut(&session.cluster);
    cluster.require_on_cluster(&session.user, "AL")?;
    if let Some(unknown) = to.iter().find(|name| !cluster.users.contains_key(*name)) {
        return Err(SqlError::new("42704", format!("Role '{unknown}' does not exist")));
    }
    let kinds: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    if on.is_none() && !kinds.is_empty() && !kinds.iter().all(|kind| KINDS.contains(&kind.as_str())) {
        return roles(cluster, session, how, names, to);
    }
    let kinds = if kinds.is_empty() { KINDS.map(str::to_owned).to_vec() } else { kinds };
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(SqlError::syntax(format!("Unknown privilege type '{unknown}'")));
    }
    let idents = idents(cluster, session, on)?;
    let mut changed = 0;
    for grantee in to {
        for kind in &kinds {
            for (class, ident) in &idents {
                let privilege = Privilege {
                    grantee: grantee.clone(),
                    class: *class,
                    ident: ident.clone(),
                    kind: kind.clone(),
                    is_denied: how == Granting::Deny,
                    grantor: session.user.clone(),
                };
                changed += i64::from(apply(cluster, how, privilege));
            }
        }
    }
    Ok(Outcome::done(tag(how), changed))
}

const fn tag(how: Granting) -> &'static str {
    match how {
        Granting::Grant => "GRANT",
        Granting::Deny => "DENY",
        Granting::Revoke => "REVOKE",
    }
}

/// Changes one privilege; whether anything changed.
fn apply(cluster: &mut Cluster, how: Granting, privilege: Privilege) -> bool {
    let same = |found: &Privilege| {
        (&found.grantee, found.class, &found.ident, &found.kind)
            == (&privilege.grantee, privilege.class, &privilege.ident, &privilege.kind)
    };
    let before = cluster.privileges.iter().find(|found| same(found)).cloned();
    if how != Granting::Revoke && before.as_ref().is_some_and(|before| before.is_denied == privilege.is_denied) {
        return false;
    }
    cluster.privileges.retain(|found| !same(found));
    if how == Granting::Revoke { before.is_some() } else { cluster.privileges.insert(privilege) }
}

fn idents(cluster: &Cluster, session: &Session, on: Option<&GrantOn>) -> Result<Vec<(Class, Option<String>)>> {
    let Some(on) = on else { return Ok(vec![(Class::Cluster, None)]) };
    let mut found = Vec::new();
    for name in &on.names {
        if on.class == "SCHEMA" {
            found.push((Class::Schema, name.last().cloned()));
            continue;
        }
        let table = session.resolve(name)?;
        if cluster.relation(&table).is_none() && !is_system_schema(&table.schema) {
            return Err(cluster.unknown(&table));
        }
        let class = if on.class == "VIEW" { Class::View } else { Class::Table };
        found.push((class, Some(table.to_string())));
    }
    Ok(found)
}

fn roles(cluster: &mut Cluster, session: &Session, how: Granting, roles: &[String], to: &[String]) -> Result<Outcome> {
    if let Some(unknown) = roles.iter().find(|role| !cluster.users.contains_key(*role)) {
        return Err(SqlError::new("42704", format!("Role '{unknown}' does not exist")));
    }
    let mut changed = 0;
    for (grantee, role) in to.iter().flat_map(|grantee| roles.iter().map(move |role| (grantee, role))) {
        let user = cluster.users.get_mut(grantee).expect("it was checked that it is there");
        let is_changed = match how {
            Granting::Revoke => user.roles.remove(role).is_some(),
            _ => user.roles.insert(role.clone(), session.user.clone()).is_none(),
        };
        changed += i64::from(is_changed);
    }
    Ok(Outcome::done(tag(how), changed))
}
