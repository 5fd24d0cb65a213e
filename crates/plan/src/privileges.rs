//! Whether a user holds a privilege, as far as the catalogs tell.

use transship_model::TableName;
use transship_model::observed::{Observed, Privilege};

/// Whether `user` holds `kind` (`DQL`, `DML`, `DDL`, `AL`) on `table`, or on the cluster where there is none.
///
/// `None` where the catalogs could not be read. The most specific grant or denial decides; roles count where the user
/// has no entry of its own.
pub(crate) fn holds(observed: &Observed, user: &str, kind: &str, table: Option<&TableName>) -> Option<bool> {
    let users = observed.users.as_ref()?;
    let known = users.get(user);
    if known.is_some_and(|user| user.superuser) {
        return Some(true);
    }
    let privileges = observed.privileges.as_ref()?;
    if let Some(own) = decided(privileges, user, kind, table) {
        return Some(own);
    }
    let roles = known.map(|user| user.roles.as_slice()).unwrap_or_default();
    let by_role = roles.iter().filter_map(|role| decided(privileges, role, kind, table));
    Some(by_role.reduce(|any, role| any && role).unwrap_or(false))
}

fn decided(privileges: &[Privilege], grantee: &str, kind: &str, table: Option<&TableName>) -> Option<bool> {
    let find = |class: &str, ident: Option<&str>| {
        privileges
            .iter()
            .find(|p| p.grantee == grantee && p.kind == kind && p.class == class && p.ident.as_deref() == ident)
            .map(|p| p.granted)
    };
    let on_table =
        table.and_then(|table| find("TABLE", Some(&table.to_string())).or_else(|| find("SCHEMA", Some(&table.schema))));
    on_table.or_else(|| find("CLUSTER", None))
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
        let at = |table: &str| decided(&all, "u", "DQL", Some(&table.parse().unwrap()));
        assert_eq!(at("shop.orders"), Some(true));
        assert_eq!(at("shop.other"), Some(false));
        assert_eq!(at("iot.other"), Some(true));
        assert_eq!(decided(&all, "u", "AL", None), None);
    }
}
