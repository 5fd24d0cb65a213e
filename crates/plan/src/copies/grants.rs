//! Who may do what with a table, and how that passes to what takes its place.

use transship_model::TableName;
use transship_model::observed::{Observed, Privilege};
use transship_sql::place::{Grant, PrivilegeKind, Securable};

/// The grants and denials on a table itself, as grants on what takes its place; `None` where `sys.privileges` cannot be
/// read. Those on its schema and on the cluster reach what takes its place anyway.
pub(super) fn of(target: &Observed, table: &TableName, class: Securable, on: &TableName) -> Option<Vec<Grant>> {
    let grants = on_itself(target, Securable::Table, table)?.filter_map(|it| {
        let kind = PrivilegeKind::read(&it.kind)?;
        let (granted, user) = (it.granted, it.grantee.clone());
        Some(Grant { kind, granted, class, on: on.clone(), user })
    });
    Some(grants.collect())
}

/// Whether it holds already.
pub(super) fn has(target: &Observed, grant: &Grant) -> bool {
    on_itself(target, grant.class, &grant.on).is_some_and(|mut held| {
        held.any(|it| it.kind == grant.kind.as_str() && it.granted == grant.granted && it.grantee == grant.user)
    })
}

fn on_itself<'a>(
    target: &'a Observed,
    class: Securable,
    table: &TableName,
) -> Option<impl Iterator<Item = &'a Privilege>> {
    let name = table.to_string();
    let privileges = target.privileges.as_ref()?.iter();
    Some(privileges.filter(move |it| it.class == class.as_str() && it.ident.as_deref() == Some(name.as_str())))
}
