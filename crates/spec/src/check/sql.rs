//! SQL fragments: one expression each, so that nothing but an expression can be made of them.
//!
//! A fragment is put in parentheses and sent over the extended protocol, which takes one statement. What is refused here
//! is what could end the expression early: unbalanced quotes or brackets, `;`, comments and placeholders.

/// Why a text is no SQL expression: code, message, help.
pub(super) type Problem = (&'static str, &'static str, &'static str);

const QUOTE: Problem =
    ("spec::sql-quote", "a quote in this SQL is not closed", "close it; a quote within quotes is doubled");
const BRACKETS: Problem = ("spec::sql-brackets", "the brackets in this SQL are not balanced", "close what is opened");
const SEMICOLON: Problem =
    ("spec::sql-semicolon", "`;` cannot stand in an SQL expression", "write one expression, without `;`");
const COMMENT: Problem =
    ("spec::sql-comment", "a comment cannot stand in an SQL expression", "write the comment in YAML, after `#`");
const PLACEHOLDER: Problem =
    ("spec::sql-placeholder", "a placeholder cannot stand in an SQL expression", "write the value out");
const DOLLAR: Problem = ("spec::sql-quote", "`$$` cannot quote text in an SQL expression", "use single quotes");
const EMPTY: Problem = ("spec::sql-empty", "the SQL expression is empty", "write an expression, or remove the key");

/// Checks that `text` is balanced and a single expression as far as that can be known without a server.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(EMPTY);
    }
    let mut open = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        rest = match c {
            '\'' => after_quote(tail, '\'', is_escaped(text, rest, before)).ok_or(QUOTE)?,
            '"' => after_quote(tail, '"', false).ok_or(QUOTE)?,
            _ => {
                check_symbol(c, tail, &mut open)?;
                tail
            }
        };
        before = c;
    }
    if open.is_empty() { Ok(()) } else { Err(BRACKETS) }
}

fn check_symbol(c: char, tail: &str, open: &mut Vec<char>) -> Result<(), Problem> {
    match c {
        ';' => return Err(SEMICOLON),
        '-' if tail.starts_with('-') => return Err(COMMENT),
        '/' if tail.starts_with('*') => return Err(COMMENT),
        '?' => return Err(PLACEHOLDER),
        '$' if tail.starts_with(|c: char| c.is_ascii_digit()) => return Err(PLACEHOLDER),
        '$' if tail.starts_with('$') => return Err(DOLLAR),
        '(' => open.push(')'),
        '[' => open.push(']'),
        '{' => open.push('}'),
        ')' | ']' | '}' if open.pop() != Some(c) => return Err(BRACKETS),
        _ => {}
    }
    Ok(())
}

/// Whether the quote at the start of `rest` begins a text with backslashes as escapes: `E'…'`.
fn is_escaped(text: &str, rest: &str, before: char) -> bool {
    let word = text[..text.len() - rest.len()].chars().rev().nth(1);
    matches!(before, 'e' | 'E') && !word.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// What follows the closing `quote`; a doubled one is part of the text.
fn after_quote(text: &str, quote: char, escaped: bool) -> Option<&str> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if escaped && c == '\\' {
            characters.next();
        } else if c == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return Some(&text[at + quote.len_utf8()..]),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_pass() {
        for good in [
            "active",
            "month >= '2026-01-01'",
            "name = 'it''s; -- fine /* ? $1'",
            "\"Odd \"\"name;\" > 1",
            "o['a']['b']",
            "a - -1",
            "a / b * c",
            "x = E'it\\'s'",
            "note = 'back\\'",
            "f(a, [1, 2], {b = 3})",
            "like '%é%'",
            "cost$ > 1",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_could_end_an_expression_is_refused() {
        for (bad, code) in [
            ("", "spec::sql-empty"),
            (" \n", "spec::sql-empty"),
            ("a; DROP TABLE b", "spec::sql-semicolon"),
            ("a -- b", "spec::sql-comment"),
            ("a /* b */", "spec::sql-comment"),
            ("a = 'b", "spec::sql-quote"),
            ("a = E'b\\'", "spec::sql-quote"),
            ("\"a", "spec::sql-quote"),
            ("a = $$b$$", "spec::sql-quote"),
            ("a) OR (b", "spec::sql-brackets"),
            ("(a", "spec::sql-brackets"),
            ("(a]", "spec::sql-brackets"),
            ("a = $1", "spec::sql-placeholder"),
            ("a = ?", "spec::sql-placeholder"),
        ] {
            assert_eq!(check(bad).map_err(|problem| problem.0), Err(code), "{bad}");
        }
    }
}
