//! Walks through SQL text, knowing quotes and parentheses and nothing else.

use super::DefinitionError;

/// What is left of a text.
pub(super) struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.trim())
    }

    /// Words that have to come next.
    pub(super) fn words(&mut self, words: &'static str) -> Result<(), DefinitionError> {
        if self.try_words(words) { Ok(()) } else { Err(self.error(words)) }
    }

    /// Whether these words come next; then they are passed.
    pub(super) fn try_words(&mut self, words: &str) -> bool {
        let after = after_words(self.0, words);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// A symbol that has to come next.
    pub(super) fn symbol(&mut self, symbol: &str, expected: &'static str) -> Result<(), DefinitionError> {
        let after = self.0.strip_prefix(symbol).ok_or_else(|| self.error(expected))?;
        self.0 = after.trim_start();
        Ok(())
    }

    /// A name, in quotes or not.
    pub(super) fn name(&mut self) -> Result<String, DefinitionError> {
        let (name, rest) = name(self.0).ok_or_else(|| self.error("a name"))?;
        self.0 = rest.trim_start();
        Ok(name)
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<u32, DefinitionError> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let number = self.0[..end].parse().map_err(|_| self.error("a number"))?;
        self.0 = self.0[end..].trim_start();
        Ok(number)
    }

    /// What stands in the parentheses that have to come next.
    pub(super) fn parenthesised(&mut self) -> Result<&'a str, DefinitionError> {
        let inside = self.0.strip_prefix('(').ok_or_else(|| self.error("a parenthesis"))?;
        let end = outside(inside).find(|(depth, _, c)| *depth == 0 && *c == ')');
        let (_, end, _) = end.ok_or_else(|| self.error("a closing parenthesis"))?;
        self.0 = inside[end + 1..].trim_start();
        Ok(inside[..end].trim())
    }

    /// The parts between the commas of the parentheses that have to come next.
    pub(super) fn list(&mut self) -> Result<Vec<&'a str>, DefinitionError> {
        let inside = self.parenthesised()?;
        let mut parts = Vec::new();
        let mut from = 0;
        for (depth, at, c) in outside(inside) {
            if depth == 0 && c == ',' {
                parts.push(inside[from..at].trim());
                from = at + 1;
            }
        }
        parts.push(inside[from..].trim());
        Ok(parts)
    }

    /// The text up to the first of these words that stands outside of quotes and parentheses, or to the end.
    pub(super) fn until(&mut self, ends: &[&str]) -> &'a str {
        let starts = outside(self.0).filter(|(depth, at, _)| *depth == 0 && is_word_start(self.0, *at));
        let end =
            starts.map(|(_, at, _)| at).find(|at| ends.iter().any(|end| after_words(&self.0[*at..], end).is_some()));
        let (text, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        text.trim_end()
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a str {
        std::mem::take(&mut self.0).trim_end()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DefinitionError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.error("the end")) }
    }

    pub(super) fn error(&self, expected: &'static str) -> DefinitionError {
        DefinitionError { expected, found: self.0.chars().take(40).collect() }
    }
}

/// The text after these words, which stand on their own.
fn after_words<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let mut rest = text;
    for word in words.split(' ') {
        let after = rest.strip_prefix(word)?;
        if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        rest = after.trim_start();
    }
    Some(rest)
}

fn is_word_start(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(char::is_whitespace)
}

/// A name at the start of a text, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c != '"' {
            name.push(c);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &quoted[at + 1..]));
        }
    }
    None
}

/// A text that is one name and nothing else.
pub(super) fn whole_name(text: &str) -> Result<String, DefinitionError> {
    let mut scan = Scan::new(text);
    let name = scan.name()?;
    scan.end()?;
    Ok(name)
}

/// `name = value` of a WITH clause; the name may have dots, and may be in quotes.
pub(super) fn setting(text: &str) -> Result<(String, String), DefinitionError> {
    let (name, value) = text.split_once('=').ok_or_else(|| Scan::new(text).error("a setting"))?;
    Ok((name.trim().trim_matches('"').to_owned(), value.trim().to_owned()))
}

/// The first words of a text, those in quotes with their quotes.
pub(super) fn words_of(text: &str, count: usize) -> Vec<String> {
    let mut rest = text.trim_start();
    let mut words = Vec::new();
    while words.len() < count {
        let Some((_, after)) = name(rest) else { break };
        words.push(rest[..rest.len() - after.len()].to_owned());
        rest = after.trim_start();
    }
    words
}

/// Every word that stands outside of quotes.
pub(super) fn bare_words(text: &str) -> Vec<String> {
    let bare: String = outside(text).map(|(_, _, c)| if c.is_alphanumeric() || c == '_' { c } else { ' ' }).collect();
    bare.split_whitespace().map(str::to_owned).collect()
}

/// Where a word stands for the first time on its own and outside of quotes.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_start = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    outside(text).map(|(_, at, _)| at).find(|at| is_start(*at) && after_words(&text[*at..], word).is_some())
}

/// Every name in double quotes.
pub(super) fn quoted_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'']) {
        if rest[at..].starts_with('"') {
            let Some((found, after)) = name(&rest[at..]) else { break };
            names.push(found);
            rest = after;
        } else {
            let Some(end) = rest[at + 1..].find('\'') else { break };
            rest = &rest[at + 1 + end + 1..];
        }
    }
    names
}

/// The characters outside of quotes, each with how deep it stands in parentheses and brackets, and its position. Those
/// that open and close stand as deep as what they enclose; one that closes what the text did not open stands at 0.
fn outside(text: &str) -> impl Iterator<Item = (usize, usize, char)> + '_ {
    let (mut quote, mut depth) = (None, 0_usize);
    text.char_indices().filter_map(move |(at, c)| {
        if let Some(open) = quote {
            quote = if c == open { None } else { quote };
            return None;
        }
        let here = match c {
            '(' | '[' | '{' => depth + 1,
            _ => depth,
        };
        match c {
            '\'' | '"' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((here, at, c))
    })
}
