//! Repositories, snapshots and COPY.

use super::reader::Reader;
use crate::ast::{CopyFrom, CopyTo, Options, Part, Statement};
use crate::error::Result;

impl Reader<'_> {
    /// What follows CREATE REPOSITORY.
    pub(super) fn create_repository(&mut self) -> Result<Statement> {
        let name = self.identifier()?;
        self.expect_words("TYPE")?;
        Ok(Statement::CreateRepository { name, kind: self.identifier()?, options: self.options()? })
    }

    /// What follows CREATE SNAPSHOT.
    pub(super) fn create_snapshot(&mut self) -> Result<Statement> {
        let (name, parts, options) = self.snapshot()?;
        Ok(Statement::CreateSnapshot { name, parts, options })
    }

    /// RESTORE SNAPSHOT.
    pub(super) fn restore(&mut self) -> Result<Statement> {
        self.expect_words("RESTORE SNAPSHOT")?;
        let (name, parts, options) = self.snapshot()?;
        Ok(Statement::Restore { name, parts, options })
    }

    fn snapshot(&mut self) -> Result<(Vec<String>, Vec<Part>, Options)> {
        let name = self.name()?;
        let parts = if self.words("ALL") || self.words("TABLES") {
            Vec::new()
        } else if self.words("TABLE") {
            self.list(Self::part)?
        } else {
            return Err(self.other_statement());
        };
        Ok((name, parts, self.options()?))
    }

    fn part(&mut self) -> Result<Part> {
        let table = self.name()?;
        let partition = if self.words("PARTITION") { self.in_parentheses(Self::option)? } else { Vec::new() };
        Ok(Part { table, partition })
    }

    /// COPY in both directions.
    pub(super) fn copy(&mut self) -> Result<Statement> {
        self.expect_words("COPY")?;
        let (part, start) = (self.part()?, self.mark());
        if let Some(copy) = self.copy_from(&part)? {
            return Ok(copy);
        }
        self.back_to(start);
        let columns = if self.is_symbol(0, "(") { self.in_parentheses(Self::expression)? } else { Vec::new() };
        let filter = if self.words("WHERE") { Some(self.expression()?) } else { None };
        self.expect_words("TO")?;
        let is_directory = self.words("DIRECTORY");
        let (target, options) = (self.expression()?, self.options()?);
        Ok(Statement::CopyTo(Box::new(CopyTo { part, columns, filter, is_directory, target, options })))
    }

    fn copy_from(&mut self, part: &Part) -> Result<Option<Statement>> {
        let is_list = self.is_symbol(0, "(");
        let columns = if is_list { self.in_parentheses(Self::identifier).ok() } else { Some(Vec::new()) };
        let Some(columns) = columns.filter(|_| self.words("FROM")) else { return Ok(None) };
        let (source, options) = (self.expression()?, self.options()?);
        let is_summary = self.words("RETURN SUMMARY");
        Ok(Some(Statement::CopyFrom(Box::new(CopyFrom { part: part.clone(), columns, source, options, is_summary }))))
    }
}
