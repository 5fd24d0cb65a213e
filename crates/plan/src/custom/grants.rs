//! Who may do what with a table, and how that passes to what takes its place.

use transship_model::TableName;
use transship_model::observed::Observed;
use transship_sql::place::{Grant, PrivilegeKind};

/// The grants and denials on a table itself, as grants on what takes its place; `None` where `sys.privileges` cannot be
/// read. Those on its schema and on the cluster reach what takes its place anyway.
pub(super) fn of(target: &Observed, table: &TableName, on: &TableName) -> Option<Vec<Grant>> {
    let privileges = target.privileges.as_ref()?;
    let name = table.to_string();
    let own = privileges.iter().filter(|it| it.class == "TABLE" && it.ident.as_deref() == Some(name.as_str()));
    let grants = own.filter_map(|it| {
        let kind = PrivilegeKind::read(&it.kind)?;
        let (granted, user) = (it.granted, it.grantee.clone());
        Some(Grant { kind, granted, on: on.clone(), user })
    });
    Some(grants.collect())
}
