//! The tokens of a text, taken one by one.

use crate::ast::Name;
use crate::error::{Result, SqlError};
use crate::lexer::{self, Placed, Token};

/// Words that end what comes before them and are no names without quotes.
const RESERVED: [&str; 41] = [
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "ON",
    "JOIN",
    "LEFT",
    "RIGHT",
    "INNER",
    "CROSS",
    "FULL",
    "UNION",
    "HAVING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "RETURNING",
    "SET",
    "WITH",
    "USING",
    "FETCH",
    "ASC",
    "DESC",
    "NULLS",
    "SELECT",
    "INTO",
    "OUTER",
    "ANY",
];

/// Tokens with a place.
pub(super) struct Reader<'a> {
    sql: &'a str,
    tokens: Vec<Placed>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sql: &'a str) -> Result<Self> {
        Ok(Self { sql, tokens: lexer::tokens(sql)?, at: 0 })
    }

    pub(super) const fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Where the next token begins.
    pub(super) fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.sql.len(), |placed| placed.start)
    }

    /// The whole text.
    pub(super) const fn whole(&self) -> &'a str {
        self.sql
    }

    /// The text from a position up to the next token.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        self.sql[start..self.position()].trim()
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).map(|placed| placed.token.clone());
        self.at += 1;
        token
    }

    pub(super) const fn mark(&self) -> usize {
        self.at
    }

    pub(super) const fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }

    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Placed { token: Token::Word(found), .. }) if found.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Placed { token: Token::Symbol(found), .. }) if *found == symbol)
    }

    /// Takes all of the words, or none.
    pub(super) fn words(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let found = words.split(' ').enumerate().all(|(ahead, word)| self.is_word(ahead, word));
        self.at += if found { count } else { 0 };
        found
    }

    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(0, symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_words(&mut self, words: &str) -> Result<()> {
        if self.words(words) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The error for the next token, in the words of CrateDB's parser as far as they can be had.
    pub(super) fn unexpected(&self) -> SqlError {
        let at = self.position();
        let line = self.sql[..at].matches('\n').count() + 1;
        let column = at - self.sql[..at].rfind('\n').map_or(0, |start| start + 1) + 1;
        let rest = self.sql[at..].split_whitespace().next().unwrap_or("<EOF>");
        SqlError::syntax(format!("line {line}:{column}: mismatched input '{rest}' expecting something else"))
    }

    /// An identifier: in quotes as it is, otherwise in lower case.
    pub(super) fn identifier(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            Some(Token::Word(word)) if !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word)) => {
                let name = word.to_lowercase();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// An identifier, if there is one.
    pub(super) fn optional_identifier(&mut self) -> Option<String> {
        self.identifier().ok()
    }

    /// `a`, `a.b` or `a.b.c`.
    pub(super) fn name(&mut self) -> Result<Name> {
        let mut parts = vec![self.identifier()?];
        while self.symbol(".") {
            parts.push(self.identifier()?);
        }
        Ok(parts)
    }

    /// What `read` reads, once or more, separated by commas.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![read(self)?];
        while self.symbol(",") {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// A list in parentheses.
    pub(super) fn in_parentheses<T>(&mut self, read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_symbol("(")?;
        if self.symbol(")") {
            return Ok(Vec::new());
        }
        let items = self.list(read)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    pub(super) fn number(&mut self) -> Result<u32> {
        if let Some(Token::Number(number)) = self.take() {
            number.parse().map_err(|_| self.unexpected())
        } else {
            self.at -= 1;
            Err(self.unexpected())
        }
    }
}
