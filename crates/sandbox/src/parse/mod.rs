//! Text to statements: a parser by recursive descent for what the sandbox understands.

mod bulk;
mod expression;
mod query;
mod reader;
mod statement;
mod table;
mod types;

use crate::ast::Statement;
use crate::error::Result;
use reader::Reader;

/// A statement with the text that it was parsed from.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    pub(crate) text: String,
}

/// Reads the statements of `sql`, which are separated by `;`.
pub(crate) fn statements(sql: &str) -> Result<Vec<Parsed>> {
    let mut reader = Reader::new(sql)?;
    let mut found = Vec::new();
    loop {
        while reader.symbol(";") {}
        if reader.is_done() {
            return Ok(found);
        }
        let start = reader.position();
        let statement = reader.statement()?;
        let text = sql[start..reader.position()].trim().to_owned();
        if !reader.is_done() {
            reader.expect_symbol(";")?;
        }
        found.push(Parsed { statement, text });
    }
}

/// Reads one statement; an empty text is one.
pub(crate) fn statement(sql: &str) -> Result<Parsed> {
    let mut all = statements(sql)?;
    match all.len() {
        0 => Ok(Parsed { statement: Statement::Empty, text: String::new() }),
        1 => Ok(all.remove(0)),
        _ => Err(crate::error::SqlError::syntax("only one statement is allowed in the extended protocol")),
    }
}
