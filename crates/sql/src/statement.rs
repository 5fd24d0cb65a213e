//! Statements of steps, read back from their text: a statement counts only if the builder that makes it gives the very
//! same text again. The audit and apply know by this that a step sends nothing but what its kind is for.

use transship_model::TableName;
use transship_model::plan::StepKind;

use crate::{replication, table};

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
        }
    }
}

struct Reader<'a>(&'a str);

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
        if self.word("DROP TABLE ") { Some(Statement::DropTable { table: self.table()? }) } else { None }
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A quoted identifier; a doubled quote stands for one.
    fn identifier(&mut self) -> Option<String> {
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

    fn table(&mut self) -> Option<TableName> {
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
            r#"CREATE PUBLICATION "p"#,
            r#"CREATE SUBSCRIPTION "s" CONNECTION 'crate://x' PUBLICATION "p""#,
        ] {
            assert_eq!(Statement::read(sql), None, "{sql}");
        }
    }
}
