//! Whether a user holds a privilege, as far as the catalogs tell.

use transship_model::TableName;
use transship_model::observed::{Observed, Privilege};

/// What a privilege is asked for.
#[derive(Clone, Copy)]
pub(crate) enum On<'a> {
    /// The whole cluster.
    Cluster,
    /// A table or view that is there, by a privilege on itself or on what it is in.
    Table(&'a TableName),
    /// A schema and whatever will be made in it: privileges on single tables do not count.
    Schema(&'a str),
}

/// Whether `user` holds `kind` (`DQL`, `DML`, `DDL`, `AL`).
///
/// `None` where the catalogs could not be read. The most specific grant or denial decides; roles count where the user
/// has no entry of its own.
pub(crate) fn holds(observed: &Observed, user: &str, kind: &str, on: On<'_>) -> Option<bool> {
    let users = observed.users.as_ref()?;
    let known = users.get(user);
    if known.is_some_and(|user| user.superuser) {
        return Some(true);
    }
    let privileges = observed.privileges.as_ref()?;
    if let Some(own) = decided(privileges, user, kind, on) {
        return Some(own);
    }
    let roles = known.map(|user| user.roles.as_slice()).unwrap_or_default();
    let by_role = roles.iter().filter_map(|role| decided(privileges, role, kind, on));
    Some(by_role.reduce(|any, role| any && role).unwrap_or(false))
}

fn decided(privileges: &[Privilege], grantee: &str, kind: &str, on: On<'_>) -> Option<bool> {
    let find = |class: &str, ident: Option<&str>| {
        privileges
            .iter()
            .find(|p| p.grantee == grantee && p.kind == kind && p.class == class && p.ident.as_deref() == ident)
            .map(|p| p.granted)
    };
    let narrow = match on {
        On::Cluster => None,
        On::Table(table) => find("TABLE", Some(&table.to_string()))
            .or_else(|| find("VIEW", Some(&table.to_string())))
            .or_else(|| find("SCHEMA", Some(&table.schema))),
        On::Schema(schema) => find("SCHEMA", Some(schema)),
    };
    narrow.or_else(|| find("CLUSTER", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privilege(kind: &str, class: &str, ident: Option<&str>, granted: bool) -> Privilege {
        let ident = ident.map(str::to_owned);
        Privilege { grantee: "u".into(), kind: kind.into(), class: class.into(), ident, granted }
    }

    #[test]
    fn the_most_specific_entry_decides() {
        let all = [
            privilege("DQL", "CLUSTER", None, true),
            privilege("DQL", "SCHEMA", Some("shop"), false),
            privilege("DQL", "TABLE", Some("shop.orders"), true),
        ];
        let at = |table: &str| decided(&all, "u", "DQL", On::Table(&table.parse().unwrap()));
        assert_eq!(at("shop.orders"), Some(true));
        assert_eq!(at("shop.other"), Some(false));
        assert_eq!(at("iot.other"), Some(true));
        assert_eq!(decided(&all, "u", "AL", On::Cluster), None);
    }
}
