//! Putting a copy in place of a table, and what goes with it.

use std::collections::BTreeMap;

use transship_model::TableName;

use crate::definition::Column;
use crate::ident::{ident, table};

/// Gives a table another name in its own schema; CrateDB renames no table into another schema.
pub fn rename_table(name: &TableName, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", table(name), ident(to))
}

/// Puts `copy` in the place of `name`, and drops what was there. Sent a second time it would find no `copy`.
pub fn swap_table(copy: &TableName, name: &TableName) -> String {
    format!("ALTER CLUSTER SWAP TABLE {} TO {} WITH (drop_source = true)", table(copy), table(name))
}

/// Gives a table other settings, each a literal; every partition of it gets them, those too that are yet to be made.
pub fn set_settings(name: &TableName, settings: &BTreeMap<String, String>) -> String {
    let each: Vec<String> = settings.iter().map(|(name, value)| format!("{} = {value}", ident(name))).collect();
    format!("ALTER TABLE {} SET ({})", table(name), each.join(", "))
}

/// What stands before each column in [`add_columns`].
pub(crate) const ADD_COLUMN: &str = "ADD COLUMN ";

/// Gives a table more columns, all or none of them; rows that are there have NULL in them.
pub fn add_columns(name: &TableName, columns: &[Column]) -> String {
    let each: Vec<String> = columns.iter().map(|column| format!("{ADD_COLUMN}{}", column.text())).collect();
    format!("ALTER TABLE {} {}", table(name), each.join(", "))
}

/// Gives or denies a user a privilege on a table or a view.
pub fn grant(privilege: &Grant) -> String {
    let verb = if privilege.granted { "GRANT" } else { "DENY" };
    let Grant { kind, class, on, user, .. } = privilege;
    format!("{verb} {} ON {} {} TO {}", kind.as_str(), class.as_str(), table(on), ident(user))
}

/// One column, `count`: the rows of a table that readers see.
pub fn count_rows(name: &TableName) -> String {
    format!("SELECT count(*) AS count FROM {}", table(name))
}

/// A privilege on one table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it permits.
    pub kind: PrivilegeKind,
    /// Whether it is given, or denied.
    pub granted: bool,
    /// On what kind of relation.
    pub class: Securable,
    /// On what.
    pub on: TableName,
    /// To whom: a user or a role.
    pub user: String,
}

/// A kind of relation that privileges are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Securable {
    /// A table.
    Table,
    /// A view.
    View,
}

impl Securable {
    /// The word that statements and `sys.privileges.class` have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
        }
    }
}

/// What a privilege on a table permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivilegeKind {
    /// Reading.
    Dql,
    /// Writing.
    Dml,
    /// Altering and dropping.
    Ddl,
}

impl PrivilegeKind {
    /// Reads the word that `sys.privileges` has.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Dql, Self::Dml, Self::Ddl].into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dql => "DQL",
            Self::Dml => "DML",
            Self::Ddl => "DDL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_read_as_cratedb_wants_them() {
        let (copy, name) = (TableName::new("crm", "transship__x"), TableName::new("crm", "people"));
        assert_eq!(rename_table(&copy, "people"), r#"ALTER TABLE "crm"."transship__x" RENAME TO "people""#);
        assert_eq!(
            swap_table(&copy, &name),
            r#"ALTER CLUSTER SWAP TABLE "crm"."transship__x" TO "crm"."people" WITH (drop_source = true)"#
        );
        let user = "app\"x".to_owned();
        let grant_of = |granted, class| {
            grant(&Grant { kind: PrivilegeKind::Dql, granted, class, on: name.clone(), user: user.clone() })
        };
        assert_eq!(grant_of(true, Securable::Table), r#"GRANT DQL ON TABLE "crm"."people" TO "app""x""#);
        assert_eq!(grant_of(false, Securable::View), r#"DENY DQL ON VIEW "crm"."people" TO "app""x""#);
    }
}
