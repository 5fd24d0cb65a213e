//! Who may do what.

use super::TableName;
use super::cluster::{Cluster, SUPERUSER, is_system_schema};
use crate::error::{Result, SqlError};

/// What a privilege is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Cluster,
    Schema,
    Table,
    View,
}

impl Class {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "CLUSTER",
            Self::Schema => "SCHEMA",
            Self::Table => "TABLE",
            Self::View => "VIEW",
        }
    }
}

/// A privilege that was granted or denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Privilege {
    pub(crate) grantee: String,
    pub(crate) class: Class,
    /// The schema or the relation; `None` for the cluster.
    pub(crate) ident: Option<String>,
    /// DQL, DML, DDL, AL.
    pub(crate) kind: String,
    pub(crate) is_denied: bool,
    pub(crate) grantor: String,
}

impl Cluster {
    /// The user and all roles that it has, through others too.
    pub(crate) fn identities(&self, user: &str) -> Vec<String> {
        let mut found = vec![user.to_owned()];
        let mut at = 0;
        while at < found.len() {
            let roles = self.users.get(&found[at]).map(|user| user.roles.keys().cloned().collect::<Vec<_>>());
            for role in roles.unwrap_or_default() {
                if !found.contains(&role) {
                    found.push(role);
                }
            }
            at += 1;
        }
        found
    }

    /// What is said of `kind` on exactly this object: `Some(true)` for granted, `Some(false)` for denied.
    fn said(&self, identities: &[String], kind: &str, class: Class, ident: Option<&str>) -> Option<bool> {
        let is_it = |found: &&Privilege| {
            let same_class = found.class == class || (class == Class::Table && found.class == Class::View);
            found.kind == kind && same_class && found.ident.as_deref() == ident && identities.contains(&found.grantee)
        };
        let mut found = self.privileges.iter().filter(is_it).peekable();
        found.peek()?;
        Some(found.all(|privilege| !privilege.is_denied))
    }

    /// Whether the user has a privilege on the whole cluster.
    pub(crate) fn has_on_cluster(&self, user: &str, kind: &str) -> bool {
        user == SUPERUSER || self.said(&self.identities(user), kind, Class::Cluster, None).unwrap_or(false)
    }

    /// Whether the user has a privilege on a schema.
    pub(crate) fn has_on_schema(&self, user: &str, kind: &str, schema: &str) -> bool {
        let identities = self.identities(user);
        user == SUPERUSER
            || self
                .said(&identities, kind, Class::Schema, Some(schema))
                .or_else(|| self.said(&identities, kind, Class::Cluster, None))
                .unwrap_or(false)
    }

    /// Whether the user has a privilege on a relation; what is said nearest to it counts.
    pub(crate) fn has(&self, user: &str, kind: &str, name: &TableName) -> bool {
        let (identities, ident) = (self.identities(user), name.to_string());
        user == SUPERUSER
            || self
                .said(&identities, kind, Class::Table, Some(&ident))
                .unwrap_or_else(|| self.has_on_schema(user, kind, &name.schema))
    }

    /// Whether the user has any privilege on a relation, without which it looks as if it were not there.
    pub(crate) fn sees(&self, user: &str, name: &TableName) -> bool {
        matches!(name.schema.as_str(), "information_schema" | "pg_catalog")
            || ["DQL", "DML", "DDL", "AL"].iter().any(|kind| self.has(user, kind, name))
    }

    /// Fails unless the user has the privilege on the relation.
    pub(crate) fn require(&self, user: &str, kind: &str, name: &TableName) -> Result<()> {
        if !self.sees(user, name) {
            return Err(SqlError::schema_unknown(&name.schema));
        }
        let readable = is_system_schema(&name.schema) && name.schema != "sys";
        if readable || self.has(user, kind, name) { Ok(()) } else { Err(SqlError::missing_privilege(kind, user)) }
    }

    /// Fails unless the user has the privilege on the cluster.
    pub(crate) fn require_on_cluster(&self, user: &str, kind: &str) -> Result<()> {
        if self.has_on_cluster(user, kind) { Ok(()) } else { Err(SqlError::missing_privilege(kind, user)) }
    }

    /// Removes what was granted on a relation that is gone.
    pub(crate) fn forget_privileges(&mut self, name: &TableName) {
        let ident = name.to_string();
        self.privileges.retain(|found| found.class < Class::Table || found.ident.as_ref() != Some(&ident));
    }

    /// Lets privileges follow relations that change their names.
    pub(crate) fn move_privileges(&mut self, renamed: impl Fn(&str) -> Option<String>) {
        let moved = std::mem::take(&mut self.privileges).into_iter().map(|mut found| {
            if let Some(ident) = found.ident.as_deref().filter(|_| found.class >= Class::Table).and_then(&renamed) {
                found.ident = Some(ident);
            }
            found
        });
        self.privileges = moved.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::User;
    use super::*;

    fn privilege(grantee: &str, class: Class, ident: Option<&str>, kind: &str, is_denied: bool) -> Privilege {
        Privilege {
            grantee: grantee.to_owned(),
            class,
            ident: ident.map(str::to_owned),
            kind: kind.to_owned(),
            is_denied,
            grantor: SUPERUSER.to_owned(),
        }
    }

    #[test]
    fn what_is_said_nearest_counts() {
        let mut cluster = Cluster::new("c", 0);
        let mut reader = User::default();
        reader.roles.insert("readers".to_owned(), SUPERUSER.to_owned());
        cluster.users.insert("reader".to_owned(), reader);
        let (orders, other) = (TableName::new("shop", "orders"), TableName::new("shop", "other"));
        assert_eq!(cluster.require("reader", "DQL", &orders), Err(SqlError::schema_unknown("shop")));
        cluster.privileges.insert(privilege("readers", Class::Schema, Some("shop"), "DQL", false));
        cluster.privileges.insert(privilege("reader", Class::Table, Some("shop.orders"), "DQL", true));
        assert!(!cluster.sees("reader", &orders) && cluster.has("reader", "DQL", &other));
        assert_eq!(cluster.require("reader", "DML", &other), Err(SqlError::missing_privilege("DML", "reader")));
        assert!(cluster.has(SUPERUSER, "DDL", &orders));
    }
}
