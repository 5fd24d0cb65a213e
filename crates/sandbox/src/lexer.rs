//! Text of statements to tokens.

use crate::error::{Result, SqlError};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A word without quotes, as it was written.
    Word(String),
    /// An identifier in quotes.
    Quoted(String),
    /// A string literal.
    Text(String),
    /// A bit string literal.
    Bits(String),
    /// A number as it was written.
    Number(String),
    /// `$1`, from 1; `?` counts by itself.
    Parameter(usize),
    /// An operator or punctuation.
    Symbol(&'static str),
}

/// A token with where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) start: usize,
}

const SYMBOLS: [&str; 32] = [
    "::", "||", "<=", ">=", "<>", "!=", "!~*", "~*", "!~", "(", ")", "[", "]", "{", "}", ",", ".", ";", "+", "-", "*",
    "/", "%", "=", "<", ">", ":", "~", "|", "&", "^", "#",
];

/// Splits `sql` into tokens.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Placed>> {
    let mut lexer = Lexer { sql, at: 0, questions: 0 };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    questions: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.sql[self.at..]
    }

    fn next(&mut self) -> Result<Option<Placed>> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let token = match first {
            '\'' => Token::Text(self.quoted('\'')?),
            '"' => Token::Quoted(self.quoted('"')?),
            'e' | 'E' if self.rest()[1..].starts_with('\'') => {
                self.at += 1;
                Token::Text(self.escaped()?)
            }
            'b' | 'B' if self.rest()[1..].starts_with('\'') => {
                self.at += 1;
                Token::Bits(self.quoted('\'')?)
            }
            '$' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                self.at += 1;
                let digits = self.take_while(|next| next.is_ascii_digit());
                Token::Parameter(digits.parse().map_err(|_| SqlError::syntax(format!("invalid parameter ${digits}")))?)
            }
            '$' if self.rest().starts_with("$$") => Token::Text(self.dollars()?),
            '?' => {
                self.at += 1;
                self.questions += 1;
                Token::Parameter(self.questions)
            }
            digit if digit.is_ascii_digit() => Token::Number(self.number()),
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => Token::Number(self.number()),
            letter if letter.is_alphabetic() || letter == '_' || letter == '@' => {
                Token::Word(self.take_while(|next| next.is_alphanumeric() || matches!(next, '_' | '$' | '@')))
            }
            other => self.symbol(other)?,
        };
        Ok(Some(Placed { token, start }))
    }

    fn symbol(&mut self, first: char) -> Result<Token> {
        let found = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
        let Some(symbol) = found else {
            return Err(SqlError::syntax(format!("line 1:{}: token recognition error at: '{first}'", self.at + 1)));
        };
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let blanks = rest.len() - trimmed.len();
            if trimmed.starts_with("--") {
                let end = trimmed.find('\n').unwrap_or(trimmed.len());
                self.at += blanks + end;
            } else if trimmed.starts_with("/*") {
                let Some(end) = trimmed.find("*/") else { return Err(SqlError::syntax("unterminated comment")) };
                self.at += blanks + end + 2;
            } else {
                self.at += blanks;
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let end = self.rest().find(|next| !is_part(next)).unwrap_or(self.rest().len());
        let text = self.rest()[..end].to_owned();
        self.at += end;
        text
    }

    fn number(&mut self) -> String {
        let mut text = self.take_while(|next| next.is_ascii_digit() || next == '_');
        if self.rest().starts_with('.') && !self.rest().starts_with("..") {
            self.at += 1;
            text = format!("{text}.{}", self.take_while(|next| next.is_ascii_digit()));
        }
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if exponent.is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit())) {
            self.at += 1;
            let sign = if self.rest().starts_with(['+', '-']) {
                self.at += 1;
                &self.sql[self.at - 1..self.at]
            } else {
                ""
            };
            let digits = self.take_while(|next| next.is_ascii_digit());
            text = format!("{text}e{sign}{digits}");
        }
        text.replace('_', "")
    }

    /// A literal or an identifier in which a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut text = String::new();
        let mut characters = self.rest()[1..].char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            if character != quote {
                text.push(character);
            } else if characters.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.at += index + 2;
                return Ok(text);
            }
        }
        Err(SqlError::syntax(format!("line 1:{}: unterminated quoted text", self.at + 1)))
    }

    /// The rest of an `E'…'` literal, with backslashes as escapes.
    fn escaped(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut characters = self.rest()[1..].char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                '\'' if characters.next_if(|(_, next)| *next == '\'').is_some() => text.push('\''),
                '\'' => {
                    self.at += index + 2;
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
        Err(SqlError::syntax(format!("line 1:{}: unterminated quoted text", self.at + 1)))
    }

    fn dollars(&mut self) -> Result<String> {
        let inner = &self.rest()[2..];
        let Some(end) = inner.find("$$") else { return Err(SqlError::syntax("unterminated dollar-quoted text")) };
        let text = inner[..end].to_owned();
        self.at += end + 4;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token_is_told_apart() {
        let found = tokens(
            r#"a."B""c" 'it''s' E'\\n{' b'01' 1.5e-3 $2 ? -- x
            /* y */ x::text[1] <> $$q$$"#,
        );
        let found: Vec<Token> = found.unwrap().into_iter().map(|placed| placed.token).collect();
        assert_eq!(
            found,
            [
                Token::Word("a".into()),
                Token::Symbol("."),
                Token::Quoted("B\"c".into()),
                Token::Text("it's".into()),
                Token::Text("\\n{".into()),
                Token::Bits("01".into()),
                Token::Number("1.5e-3".into()),
                Token::Parameter(2),
                Token::Parameter(1),
                Token::Word("x".into()),
                Token::Symbol("::"),
                Token::Word("text".into()),
                Token::Symbol("["),
                Token::Number("1".into()),
                Token::Symbol("]"),
                Token::Symbol("<>"),
                Token::Text("q".into()),
            ]
        );
        assert_eq!(tokens("'x").unwrap_err().sqlstate, "42601");
    }
}
