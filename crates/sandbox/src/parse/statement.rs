//! Statements by their first words.

use super::reader::Reader;
use crate::ast::{ChangeTables, Conflict, Expr, GrantOn, Granting, Insert, Statement};
use crate::error::{Result, SqlError};
use crate::lexer::Token;

/// The words that statements of CrateDB begin with, beside those that are understood here.
const OF_CRATEDB: [&str; 11] =
    ["DEALLOCATE", "FETCH", "KILL", "CLOSE", "ANALYZE", "DISCARD", "OPTIMIZE", "RESET", "DECLARE", "SHOW", "EXPLAIN"];

impl Reader<'_> {
    /// A statement.
    pub(super) fn statement(&mut self) -> Result<Statement> {
        let Some(Token::Word(first)) = self.peek().cloned() else {
            return if self.is_symbol(0, "(") { self.query().map(Statement::Query) } else { Err(self.unexpected()) };
        };
        match first.to_uppercase().as_str() {
            "SELECT" | "VALUES" | "WITH" => self.query().map(Statement::Query),
            "INSERT" => self.insert().map(Statement::Insert),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "EXPLAIN" => self.explain(),
            "SHOW" => self.show(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop_statement(),
            "RESTORE" => self.restore(),
            "COPY" => self.copy(),
            "REFRESH" => {
                self.expect_words("REFRESH TABLE")?;
                self.list(Self::name).map(Statement::Refresh)
            }
            "GRANT" => self.privileges(Granting::Grant, "TO"),
            "DENY" => self.privileges(Granting::Deny, "TO"),
            "REVOKE" => self.privileges(Granting::Revoke, "FROM"),
            "SET" => self.set(),
            "BEGIN" | "START" => Ok(self.transaction("BEGIN")),
            "COMMIT" | "END" => Ok(self.transaction("COMMIT 0")),
            word if OF_CRATEDB.contains(&word) => Err(self.other_statement()),
            _ => Err(self.unexpected()),
        }
    }

    pub(super) fn other_statement(&self) -> SqlError {
        SqlError::not_understood(self.rest_of_text())
    }

    fn rest_of_text(&self) -> String {
        let rest = &self.whole()[self.position()..];
        rest.chars().take(120).collect()
    }

    fn transaction(&mut self, tag: &'static str) -> Statement {
        self.take();
        while matches!(self.peek(), Some(Token::Word(_))) {
            self.take();
        }
        Statement::Transaction(tag)
    }

    fn insert(&mut self) -> Result<Insert> {
        self.expect_words("INSERT INTO")?;
        let table = self.name()?;
        let is_list = self.is_symbol(0, "(") && !self.is_word(1, "SELECT") && !self.is_word(1, "VALUES");
        let columns = if is_list { self.in_parentheses(Self::identifier)? } else { Vec::new() };
        let source = self.query()?;
        let conflict = if self.words("ON CONFLICT") { Some(self.conflict()?) } else { None };
        let returning = if self.words("RETURNING") { self.list(Self::item)? } else { Vec::new() };
        Ok(Insert { table, columns, source, conflict, returning })
    }

    fn conflict(&mut self) -> Result<Conflict> {
        let columns = if self.is_symbol(0, "(") { self.in_parentheses(Self::identifier)? } else { Vec::new() };
        if self.words("DO NOTHING") {
            return Ok(Conflict { columns, set: Vec::new() });
        }
        self.expect_words("DO UPDATE SET")?;
        Ok(Conflict { columns, set: self.list(Self::assignment)? })
    }

    fn assignment(&mut self) -> Result<(String, Expr)> {
        let name = self.identifier()?;
        if self.is_symbol(0, "[") {
            return Err(SqlError::not_understood("assignments to keys of objects"));
        }
        self.expect_symbol("=")?;
        Ok((name, self.expression()?))
    }

    fn update(&mut self) -> Result<Statement> {
        self.expect_words("UPDATE")?;
        let table = self.name()?;
        self.expect_words("SET")?;
        let set = self.list(Self::assignment)?;
        Ok(Statement::Update { table, set, filter: self.filter()? })
    }

    fn delete(&mut self) -> Result<Statement> {
        self.expect_words("DELETE FROM")?;
        Ok(Statement::Delete { table: self.name()?, filter: self.filter()? })
    }

    fn filter(&mut self) -> Result<Option<Expr>> {
        if self.words("WHERE") { self.expression().map(Some) } else { Ok(None) }
    }

    fn explain(&mut self) -> Result<Statement> {
        if !self.is_word(1, "INSERT") {
            return Err(self.other_statement());
        }
        self.take();
        self.insert().map(Statement::ExplainInsert)
    }

    fn show(&mut self) -> Result<Statement> {
        if self.words("SHOW CREATE TABLE") {
            return self.name().map(Statement::ShowCreateTable);
        }
        if self.words("SHOW TABLES") { Ok(Statement::ShowTables) } else { Err(self.other_statement()) }
    }

    fn create(&mut self) -> Result<Statement> {
        let start = self.mark();
        self.expect_words("CREATE")?;
        if self.words("TABLE") {
            return self.create_table();
        }
        let or_replace = self.words("OR REPLACE");
        if self.words("VIEW") {
            return self.create_view(or_replace);
        }
        if self.words("PUBLICATION") {
            return self.create_publication();
        }
        if self.words("SUBSCRIPTION") {
            return self.create_subscription();
        }
        if self.words("REPOSITORY") {
            return self.create_repository();
        }
        if self.words("SNAPSHOT") {
            return self.create_snapshot();
        }
        if self.words("SERVER") {
            return self.create_server();
        }
        if self.words("FOREIGN TABLE") {
            return self.create_foreign_table();
        }
        if self.words("USER MAPPING FOR CURRENT_USER SERVER") {
            let server = self.identifier()?;
            return Ok(Statement::CreateUserMapping { server, options: self.foreign_options()? });
        }
        let is_role = self.is_word(0, "ROLE");
        if self.words("USER") || self.words("ROLE") {
            let name = self.identifier()?;
            return Ok(Statement::CreateUser { name, is_role, options: self.options()? });
        }
        self.back_to(start);
        Err(self.other_statement())
    }

    fn create_view(&mut self, or_replace: bool) -> Result<Statement> {
        let name = self.name()?;
        self.expect_words("AS")?;
        let start = self.position();
        let query = self.query()?;
        let text = self.text_since(start).to_owned();
        Ok(Statement::CreateView { name, or_replace, query, text })
    }

    fn create_publication(&mut self) -> Result<Statement> {
        let name = self.identifier()?;
        if self.words("FOR ALL TABLES") {
            return Ok(Statement::CreatePublication { name, tables: None });
        }
        let tables = if self.words("FOR TABLE") { self.list(Self::name)? } else { Vec::new() };
        Ok(Statement::CreatePublication { name, tables: Some(tables) })
    }

    fn create_subscription(&mut self) -> Result<Statement> {
        let name = self.identifier()?;
        self.expect_words("CONNECTION")?;
        let connection = self.expression()?;
        self.expect_words("PUBLICATION")?;
        let publications = self.list(Self::identifier)?;
        let has_options = !self.options()?.is_empty();
        Ok(Statement::CreateSubscription { name, connection, publications, has_options })
    }

    fn alter(&mut self) -> Result<Statement> {
        if self.words("ALTER TABLE") {
            return self.alter_table();
        }
        if self.words("ALTER USER") || self.words("ALTER ROLE") {
            let name = self.identifier()?;
            self.expect_words("SET")?;
            return Ok(Statement::AlterUser { name, options: self.in_parentheses(Self::option)? });
        }
        if self.words("ALTER CLUSTER SWAP TABLE") {
            let source = self.name()?;
            self.expect_words("TO")?;
            return Ok(Statement::SwapTable { source, target: self.name()?, options: self.options()? });
        }
        if self.words("ALTER SUBSCRIPTION") {
            let name = self.identifier()?;
            if !self.words("ENABLE") {
                self.expect_words("DISABLE")?;
            }
            return Ok(Statement::AlterSubscription { name });
        }
        if !self.words("ALTER PUBLICATION") {
            return Err(self.other_statement());
        }
        let name = self.identifier()?;
        let change = if self.words("ADD TABLE") {
            ChangeTables::Add
        } else if self.words("SET TABLE") {
            ChangeTables::Set
        } else {
            self.expect_words("DROP TABLE")?;
            ChangeTables::Drop
        };
        Ok(Statement::AlterPublication { name, change, tables: self.list(Self::name)? })
    }

    fn drop_statement(&mut self) -> Result<Statement> {
        let start = self.mark();
        self.expect_words("DROP")?;
        let Some(Token::Word(kind)) = self.take() else { return Err(self.unexpected()) };
        match kind.to_uppercase().as_str() {
            "REPOSITORY" => return Ok(Statement::DropRepository { name: self.identifier()? }),
            "SNAPSHOT" => return Ok(Statement::DropSnapshot { name: self.name()? }),
            "SERVER" => return Ok(Statement::DropServer { name: self.identifier()? }),
            "FOREIGN" => {
                self.expect_words("TABLE")?;
                return Ok(Statement::DropForeignTable { names: self.list(Self::name)? });
            }
            "USER" if self.words("MAPPING FOR CURRENT_USER SERVER") => {
                return Ok(Statement::DropUserMapping { server: self.identifier()? });
            }
            _ => {}
        }
        let if_exists = self.words("IF EXISTS");
        match kind.to_uppercase().as_str() {
            "TABLE" => Ok(Statement::DropTable { names: self.list(Self::name)?, if_exists }),
            "VIEW" => Ok(Statement::DropView { names: self.list(Self::name)?, if_exists }),
            "PUBLICATION" => Ok(Statement::DropPublication { name: self.identifier()?, if_exists }),
            "SUBSCRIPTION" => Ok(Statement::DropSubscription { name: self.identifier()?, if_exists }),
            "USER" | "ROLE" => Ok(Statement::DropUser { name: self.identifier()?, if_exists }),
            _ => {
                self.back_to(start);
                Err(self.other_statement())
            }
        }
    }

    fn privileges(&mut self, how: Granting, to: &str) -> Result<Statement> {
        self.take();
        let all = self.words("ALL");
        if all {
            self.words("PRIVILEGES");
        }
        let privileges = if all { Vec::new() } else { self.list(Self::identifier)? };
        let on = if self.words("ON") { Some(self.grant_on()?) } else { None };
        self.expect_words(to)?;
        Ok(Statement::Privileges { how, privileges, on, to: self.list(Self::identifier)? })
    }

    fn grant_on(&mut self) -> Result<GrantOn> {
        let class = ["SCHEMA", "TABLE", "VIEW"].into_iter().find(|class| self.words(class));
        let class = class.ok_or_else(|| self.unexpected())?;
        Ok(GrantOn { class, names: self.list(Self::name)? })
    }

    fn set(&mut self) -> Result<Statement> {
        self.expect_words("SET")?;
        if self.words("GLOBAL") {
            return Err(SqlError::not_understood("SET GLOBAL"));
        }
        self.words("SESSION");
        let name = self.name()?.join(".");
        if !self.symbol("=") {
            self.expect_words("TO")?;
        }
        let value = match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.take();
                Expr::Literal(crate::value::Value::Text(word), crate::types::DataType::Text)
            }
            _ => self.expression()?,
        };
        while self.symbol(",") {
            self.expression()?;
        }
        Ok(Statement::Set { name, value })
    }
}
