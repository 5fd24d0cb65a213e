//! Putting a copy in place of a table, and what goes with it.

use transship_model::TableName;

use crate::ident::{ident, table};

/// Gives a table another name in its own schema; CrateDB renames no table into another schema.
pub fn rename_table(name: &TableName, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", table(name), ident(to))
}

/// Puts `copy` in the place of `name`, and drops what was there. Sent a second time it would find no `copy`.
pub fn swap_table(copy: &TableName, name: &TableName) -> String {
    format!("ALTER CLUSTER SWAP TABLE {} TO {} WITH (drop_source = true)", table(copy), table(name))
}

/// Makes `name` a view over `copy`, or has the view that it is read from `copy` from now on.
pub fn switch_view(name: &TableName, copy: &TableName) -> String {
    format!("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}", table(name), table(copy))
}

/// Gives or denies a user a privilege on a table.
pub fn grant(privilege: &Grant) -> String {
    let verb = if privilege.granted { "GRANT" } else { "DENY" };
    let Grant { kind, on, user, .. } = privilege;
    format!("{verb} {} ON TABLE {} TO {}", kind.as_str(), table(on), ident(user))
}

/// One column, `count`: the rows of a table that readers see.
pub fn count_rows(name: &TableName) -> String {
    format!("SELECT count(*) AS count FROM {}", table(name))
}

/// A privilege on one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it permits.
    pub kind: PrivilegeKind,
    /// Whether it is given, or denied.
    pub granted: bool,
    /// On what.
    pub on: TableName,
    /// To whom: a user or a role.
    pub user: String,
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
        assert_eq!(
            switch_view(&name, &copy),
            r#"CREATE OR REPLACE VIEW "crm"."people" AS SELECT * FROM "crm"."transship__x""#
        );
        let user = "app\"x".to_owned();
        let grant_of =
            |granted| grant(&Grant { kind: PrivilegeKind::Dql, granted, on: name.clone(), user: user.clone() });
        assert_eq!(grant_of(true), r#"GRANT DQL ON TABLE "crm"."people" TO "app""x""#);
        assert_eq!(grant_of(false), r#"DENY DQL ON TABLE "crm"."people" TO "app""x""#);
    }
}
