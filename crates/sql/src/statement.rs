//! Statements of steps, read back from their text: a statement counts only if the builder that makes it gives the very
//! same text again. The audit and apply know by this that a step sends nothing but what its kind is for.

use std::collections::BTreeMap;

use transship_model::TableName;
use transship_model::plan::StepKind;

use crate::definition::{self, Column, Definition};
use crate::place::{Grant, PrivilegeKind, Securable};
use crate::{place, replication, table, view};

/// A statement of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant and its fields are what the builder of that name takes")]
pub enum Statement {
    CreatePublication {
        publication: String,
    },
    PublishTables {
        publication: String,
        tables: Vec<TableName>,
    },
    /// `tables` are those that stay.
    UnpublishTables {
        publication: String,
        tables: Vec<TableName>,
    },
    /// `tables` are those that go.
    WithdrawTables {
        publication: String,
        tables: Vec<TableName>,
    },
    DropPublication {
        publication: String,
    },
    CreateSubscription {
        subscription: String,
        publication: String,
    },
    DropSubscription {
        subscription: String,
    },
    DropTable {
        table: TableName,
    },
    CreateTable {
        table: TableName,
        definition: Box<Definition>,
    },
    RenameTable {
        table: TableName,
        to: String,
    },
    SetSettings {
        table: TableName,
        settings: BTreeMap<String, String>,
    },
    AddColumns {
        table: TableName,
        columns: Vec<Column>,
    },
    SwapTable {
        copy: TableName,
        table: TableName,
    },
    SwitchView {
        view: TableName,
        copy: TableName,
    },
    Grant(Grant),
}

impl Statement {
    /// Reads a statement as the builders write it.
    pub fn read(sql: &str) -> Option<Self> {
        let mut reader = Reader(sql);
        let statement = reader.statement()?;
        (reader.0.is_empty() && statement.sql() == sql).then_some(statement)
    }

    /// The text of the statement.
    pub fn sql(&self) -> String {
        match self {
            Self::CreatePublication { publication } => replication::create_publication(publication),
            Self::PublishTables { publication, tables } => replication::publish_tables(publication, tables),
            Self::UnpublishTables { publication, tables } => replication::set_published_tables(publication, tables),
            Self::WithdrawTables { publication, tables } => replication::withdraw_tables(publication, tables),
            Self::DropPublication { publication } => replication::drop_publication(publication),
            Self::CreateSubscription { subscription, publication } => {
                replication::create_subscription(subscription, publication)
            }
            Self::DropSubscription { subscription } => replication::drop_subscription(subscription),
            Self::DropTable { table } => table::drop_table(table),
            Self::CreateTable { table, definition } => definition.create_table(table),
            Self::RenameTable { table, to } => place::rename_table(table, to),
            Self::SetSettings { table, settings } => place::set_settings(table, settings),
            Self::AddColumns { table, columns } => place::add_columns(table, columns),
            Self::SwapTable { copy, table } => place::swap_table(copy, table),
            Self::SwitchView { view, copy } => view::switch_view(view, copy),
            Self::Grant(grant) => place::grant(grant),
        }
    }

    /// The kind of step whose statement it is.
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::CreatePublication { .. } => StepKind::CreatePublication,
            Self::PublishTables { .. } => StepKind::PublishTables,
            Self::UnpublishTables { .. } | Self::WithdrawTables { .. } => StepKind::UnpublishTables,
            Self::DropPublication { .. } => StepKind::DropPublication,
            Self::CreateSubscription { .. } => StepKind::CreateSubscription,
            Self::DropSubscription { .. } => StepKind::DropSubscription,
            Self::DropTable { .. } => StepKind::DropTable,
            Self::CreateTable { .. } => StepKind::CreateTable,
            Self::RenameTable { .. } => StepKind::RenameTable,
            Self::SetSettings { .. } | Self::AddColumns { .. } => StepKind::AlterTable,
            Self::SwapTable { .. } => StepKind::SwapTable,
            Self::SwitchView { .. } => StepKind::SwitchView,
            Self::Grant(_) => StepKind::GrantPrivileges,
        }
    }
}

/// What of a statement is still to be read.
pub(crate) struct Reader<'a>(pub(crate) &'a str);

impl Reader<'_> {
    fn statement(&mut self) -> Option<Statement> {
        if self.word("CREATE PUBLICATION ") {
            return Some(Statement::CreatePublication { publication: self.identifier()? });
        }
        if self.word("ALTER PUBLICATION ") {
            let publication = self.identifier()?;
            return match () {
                () if self.word(" ADD TABLE ") => {
                    Some(Statement::PublishTables { publication, tables: self.tables()? })
                }
                () if self.word(" SET TABLE ") => {
                    Some(Statement::UnpublishTables { publication, tables: self.tables()? })
                }
                () if self.word(" DROP TABLE ") => {
                    Some(Statement::WithdrawTables { publication, tables: self.tables()? })
                }
                () => None,
            };
        }
        if self.word("CREATE SUBSCRIPTION ") {
            let subscription = self.identifier()?;
            let publication = if self.word(" CONNECTION $1 PUBLICATION ") { self.identifier()? } else { return None };
            return Some(Statement::CreateSubscription { subscription, publication });
        }
        if self.word("DROP PUBLICATION IF EXISTS ") {
            return Some(Statement::DropPublication { publication: self.identifier()? });
        }
        if self.word("DROP SUBSCRIPTION IF EXISTS ") {
            return Some(Statement::DropSubscription { subscription: self.identifier()? });
        }
        if self.word("DROP TABLE ") {
            return Some(Statement::DropTable { table: self.table()? });
        }
        self.of_copies()
    }

    /// The statements that make copies and put them in place.
    fn of_copies(&mut self) -> Option<Statement> {
        if self.0.starts_with("CREATE TABLE ") {
            let (table, definition) = Definition::read_created(std::mem::take(&mut self.0)).ok()?;
            return Some(Statement::CreateTable { table, definition: Box::new(definition) });
        }
        if self.word("ALTER TABLE ") {
            let table = self.table()?;
            return match () {
                () if self.word(" RENAME TO ") => Some(Statement::RenameTable { table, to: self.identifier()? }),
                () if self.word(" SET (") => Some(Statement::SetSettings { table, settings: self.settings()? }),
                () if self.word(" ") => Some(Statement::AddColumns { table, columns: self.columns()? }),
                () => None,
            };
        }
        if self.word("ALTER CLUSTER SWAP TABLE ") {
            let copy = self.table()?;
            let table = if self.word(" TO ") { self.table()? } else { return None };
            return self.word(" WITH (drop_source = true)").then_some(Statement::SwapTable { copy, table });
        }
        if self.word("CREATE OR REPLACE VIEW ") {
            let view = self.table()?;
            let copy = if self.word(" AS SELECT * FROM ") { self.table()? } else { return None };
            return Some(Statement::SwitchView { view, copy });
        }
        self.grant().map(Statement::Grant)
    }

    /// `ADD COLUMN "a" TEXT, ADD COLUMN "b" INTEGER`, to the end.
    fn columns(&mut self) -> Option<Vec<Column>> {
        let added = definition::elements(std::mem::take(&mut self.0))?;
        added.iter().map(|column| Column::read(column.strip_prefix(place::ADD_COLUMN)?)).collect()
    }

    /// `"a" = 'x', "b" = 1)`.
    fn settings(&mut self) -> Option<BTreeMap<String, String>> {
        let mut settings = BTreeMap::new();
        loop {
            let name = self.identifier()?;
            if !self.word(" = ") {
                return None;
            }
            settings.insert(name, self.value()?);
            if !self.word(", ") {
                break;
            }
        }
        self.word(")").then_some(settings)
    }

    /// The text of a literal: of a text in quotes, or of a number or a word.
    fn value(&mut self) -> Option<String> {
        if self.0.starts_with('\'') || self.0.starts_with("E'") {
            return Some(crate::ident::literal(&self.literal()?));
        }
        let is_part = |character: char| character.is_ascii_alphanumeric() || "-+.".contains(character);
        let end = self.0.find(|character| !is_part(character)).unwrap_or(self.0.len());
        let (value, rest) = self.0.split_at(end);
        self.0 = rest;
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn grant(&mut self) -> Option<Grant> {
        let granted = self.word("GRANT ");
        if !granted && !self.word("DENY ") {
            return None;
        }
        let kind = PrivilegeKind::read(self.0.get(..3)?)?;
        self.0 = &self.0[3..];
        let class = match () {
            () if self.word(" ON TABLE ") => Securable::Table,
            () if self.word(" ON VIEW ") => Securable::View,
            () => return None,
        };
        let on = self.table()?;
        let user = if self.word(" TO ") { self.identifier()? } else { return None };
        Some(Grant { kind, granted, class, on, user })
    }

    pub(crate) fn word(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A quoted identifier; a doubled quote stands for one.
    pub(crate) fn identifier(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut characters = self.0.strip_prefix('"')?.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            if character != '"' {
                name.push(character);
            } else if characters.next_if(|(_, next)| *next == '"').is_some() {
                name.push('"');
            } else {
                self.0 = &self.0[index + 2..];
                return Some(name);
            }
        }
        None
    }

    pub(crate) fn table(&mut self) -> Option<TableName> {
        let schema = self.identifier()?;
        if self.word(".") { Some(TableName::new(schema, self.identifier()?)) } else { None }
    }

    fn tables(&mut self) -> Option<Vec<TableName>> {
        let mut tables = vec![self.table()?];
        while self.word(", ") {
            tables.push(self.table()?);
        }
        Some(tables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        let sql = "CREATE TABLE IF NOT EXISTS \"a\".\"b\" (\n   \"x\" TEXT DEFAULT '; DROP',\n   PRIMARY KEY (\"x\")\n)\n\
                   CLUSTERED INTO 1 SHARDS\nWITH (\n   \"refresh_interval\" = 1000\n)";
        Definition::read(sql).unwrap()
    }

    fn grant(granted: bool) -> Statement {
        let on = TableName::new("a\"b", "c, d");
        let class = if granted { Securable::Table } else { Securable::View };
        Statement::Grant(Grant { kind: PrivilegeKind::Dml, granted, class, on, user: "u \"1\"".to_owned() })
    }

    #[test]
    fn what_the_builders_write_is_read_back() {
        let tables = vec![TableName::new("shop", "orders"), TableName::new("a\"b", "c, d")];
        let name = || "p \"1\"".to_owned();
        for statement in [
            Statement::CreatePublication { publication: name() },
            Statement::PublishTables { publication: name(), tables: tables.clone() },
            Statement::UnpublishTables { publication: name(), tables: tables.clone() },
            Statement::WithdrawTables { publication: name(), tables: tables.clone() },
            Statement::DropPublication { publication: name() },
            Statement::CreateSubscription { subscription: name(), publication: "q".to_owned() },
            Statement::DropSubscription { subscription: name() },
            Statement::DropTable { table: tables[1].clone() },
            Statement::CreateTable { table: tables[1].clone(), definition: Box::new(definition()) },
            Statement::RenameTable { table: tables[1].clone(), to: name() },
            Statement::SetSettings {
                table: tables[1].clone(),
                settings: [("a", "'it''s, )'"), ("b.c", "-1.5"), ("d", "E'{\\\\}'"), ("e", "true")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            },
            Statement::AddColumns {
                table: tables[1].clone(),
                columns: [
                    "\"x, \"\"y\" NUMERIC(12, 2) DEFAULT 1.5",
                    "\"o\" OBJECT(DYNAMIC) AS (\n \"a\" TEXT,\n \"b\" BIT(3)\n)",
                ]
                .map(|text| Column::read(text).unwrap())
                .into(),
            },
            Statement::SwapTable { copy: tables[1].clone(), table: tables[0].clone() },
            Statement::SwitchView { view: tables[1].clone(), copy: tables[0].clone() },
            grant(true),
            grant(false),
        ] {
            assert_eq!(Statement::read(&statement.sql()), Some(statement));
        }
    }

    #[test]
    fn anything_else_is_not_a_statement() {
        for sql in [
            "",
            "DROP TABLE shop.orders",
            r#"DROP TABLE "shop"."orders"; DROP TABLE "shop"."x""#,
            r#"DROP TABLE "shop""#,
            r#"CREATE PUBLICATION "p" FOR ALL TABLES"#,
            r#"CREATE TABLE "a"."b" ("x" TEXT)"#,
            r#"ALTER CLUSTER SWAP TABLE "a"."b" TO "a"."c""#,
            r#"ALTER TABLE "a"."b" SET (number_of_replicas = 0)"#,
            r#"ALTER TABLE "a"."b" ADD COLUMN "x" TEXT, DROP COLUMN "y""#,
            r#"ALTER TABLE "a"."b" DROP COLUMN "y""#,
            r#"ALTER TABLE "a"."b" ADD COLUMN x TEXT"#,
            r#"CREATE OR REPLACE VIEW "a"."b" AS SELECT * FROM "a"."c" WHERE true"#,
            r#"GRANT AL TO "u""#,
            r#"GRANT DQL ON TABLE "a"."b" TO "u", "v""#,
            r#"CREATE PUBLICATION "p"#,
            r#"CREATE SUBSCRIPTION "s" CONNECTION 'crate://x' PUBLICATION "p""#,
        ] {
            assert_eq!(Statement::read(sql), None, "{sql}");
        }
    }
}
