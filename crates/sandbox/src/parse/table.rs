//! CREATE TABLE and ALTER TABLE.

use super::reader::Reader;
use crate::ast::{AlterTable, Check, ColumnDefinition, CreateTable, Expr, Index, Options, Statement};
use crate::error::{Result, SqlError};
use crate::lexer::Token;

impl Reader<'_> {
    /// What follows CREATE TABLE.
    pub(super) fn create_table(&mut self) -> Result<Statement> {
        let if_not_exists = self.words("IF NOT EXISTS");
        let mut table = CreateTable {
            if_not_exists,
            name: self.name()?,
            columns: Vec::new(),
            primary_key: Vec::new(),
            checks: Vec::new(),
            clustered_by: None,
            shards: None,
            partitioned_by: Vec::new(),
            options: Vec::new(),
        };
        self.expect_symbol("(")?;
        loop {
            self.table_element(&mut table)?;
            if !self.symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        self.table_clauses(&mut table)?;
        Ok(Statement::CreateTable(table))
    }

    /// What follows CREATE SERVER.
    pub(super) fn create_server(&mut self) -> Result<Statement> {
        let name = self.identifier()?;
        self.expect_words("FOREIGN DATA WRAPPER jdbc")?;
        Ok(Statement::CreateServer { name, options: self.foreign_options()? })
    }

    /// What follows CREATE FOREIGN TABLE.
    pub(super) fn create_foreign_table(&mut self) -> Result<Statement> {
        let name = self.name()?;
        let columns = self.in_parentheses(Self::column_definition)?;
        self.expect_words("SERVER")?;
        let server = self.identifier()?;
        Ok(Statement::CreateForeignTable { name, columns, server, options: self.foreign_options()? })
    }

    /// `OPTIONS (name value, …)`.
    pub(super) fn foreign_options(&mut self) -> Result<Options> {
        self.expect_words("OPTIONS")?;
        self.in_parentheses(|reader| Ok((reader.identifier()?, reader.expression()?)))
    }

    fn table_element(&mut self, table: &mut CreateTable) -> Result<()> {
        let name = if self.words("CONSTRAINT") { Some(self.identifier()?) } else { None };
        if self.words("PRIMARY KEY") {
            table.primary_key = self.in_parentheses(Self::column_path)?;
        } else if self.is_word(0, "CHECK") && self.is_symbol(1, "(") {
            table.checks.push(self.check(name)?);
        } else if self.is_word(0, "INDEX") || self.is_word(0, "LIKE") {
            return Err(SqlError::not_understood("named indices and LIKE in CREATE TABLE"));
        } else {
            let column = self.column_definition()?;
            table.checks.extend(column.checks.iter().cloned());
            table.columns.push(column);
        }
        Ok(())
    }

    /// `a` or `a['b']`, as a text.
    fn column_path(&mut self) -> Result<String> {
        let mut path = self.identifier()?;
        while self.symbol("[") {
            let Some(Token::Text(key)) = self.take() else { return Err(self.unexpected()) };
            self.expect_symbol("]")?;
            path = format!("{path}['{key}']");
        }
        Ok(path)
    }

    fn check(&mut self, name: Option<String>) -> Result<Check> {
        self.expect_words("CHECK")?;
        self.expect_symbol("(")?;
        let condition = self.expression()?;
        self.expect_symbol(")")?;
        Ok(Check { name, condition })
    }

    /// A column with its type and its constraints.
    pub(super) fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let mut column = ColumnDefinition {
            name: self.identifier()?,
            data_type: self.data_type()?,
            not_null: false,
            primary_key: false,
            default: None,
            generated: None,
            index: None,
            storage: Vec::new(),
            checks: Vec::new(),
        };
        while self.column_constraint(&mut column)? {}
        Ok(column)
    }

    fn column_constraint(&mut self, column: &mut ColumnDefinition) -> Result<bool> {
        if self.words("PRIMARY KEY") {
            column.primary_key = true;
        } else if self.words("NOT NULL") {
            column.not_null = true;
        } else if self.words("NULL") {
        } else if self.words("DEFAULT") {
            column.default = Some(self.expression()?);
        } else if self.words("GENERATED ALWAYS AS") || self.words("AS") {
            column.generated = Some(self.expression()?);
        } else if self.words("INDEX OFF") {
            column.index = Some(Index::Off);
        } else if self.words("INDEX USING") {
            let method = self.identifier()?;
            column.index = Some(Index::Using(method, self.options()?));
        } else if self.is_word(0, "STORAGE") {
            self.take();
            column.storage = self.options()?;
        } else if self.is_word(0, "CONSTRAINT") {
            self.take();
            let name = self.identifier()?;
            let check = self.check(Some(name))?;
            column.checks.push(check);
        } else if self.is_word(0, "CHECK") {
            let check = self.check(None)?;
            column.checks.push(check);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn table_clauses(&mut self, table: &mut CreateTable) -> Result<()> {
        loop {
            if self.words("CLUSTERED") {
                if self.words("BY") {
                    self.expect_symbol("(")?;
                    table.clustered_by = Some(self.column_path()?);
                    self.expect_symbol(")")?;
                }
                if self.words("INTO") {
                    table.shards = Some(self.number()?);
                    self.expect_words("SHARDS")?;
                }
            } else if self.words("PARTITIONED BY") {
                table.partitioned_by = self.in_parentheses(Self::column_path)?;
            } else if self.is_word(0, "WITH") {
                table.options = self.options()?;
            } else {
                return Ok(());
            }
        }
    }

    /// `WITH (name = value, …)`, if it is there.
    pub(super) fn options(&mut self) -> Result<Options> {
        if !self.words("WITH") {
            return Ok(Vec::new());
        }
        self.in_parentheses(Self::option)
    }

    /// `name = value`; the name may have points.
    pub(super) fn option(&mut self) -> Result<(String, Expr)> {
        let name = self.name()?.join(".");
        self.expect_symbol("=")?;
        Ok((name, self.expression()?))
    }

    /// What follows ALTER TABLE.
    pub(super) fn alter_table(&mut self) -> Result<Statement> {
        let name = self.name()?;
        let change = if self.words("RENAME TO") {
            AlterTable::RenameTo(self.name()?)
        } else if self.words("RENAME COLUMN") || self.words("RENAME") {
            let from = self.identifier()?;
            self.expect_words("TO")?;
            AlterTable::RenameColumn(from, self.identifier()?)
        } else if self.is_word(0, "ALTER") {
            return Err(self.unexpected());
        } else if self.words("ADD") {
            AlterTable::AddColumns(self.list(|reader| {
                reader.words("ADD");
                reader.words("COLUMN");
                reader.column_definition()
            })?)
        } else if self.words("DROP") {
            AlterTable::DropColumns(self.list(|reader| {
                reader.words("DROP");
                reader.words("COLUMN");
                reader.column_path()
            })?)
        } else if self.words("SET") {
            AlterTable::Set(self.in_parentheses(Self::option)?)
        } else if self.words("RESET") {
            AlterTable::Reset(self.in_parentheses(|reader| Ok(reader.name()?.join(".")))?)
        } else {
            return Err(SqlError::not_understood("this form of ALTER TABLE"));
        };
        Ok(Statement::AlterTable { name, change })
    }
}
