//! Colours, and text that is safe to show. Views always style; the terminal takes the styles off where nobody sees them.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use owo_colors::OwoColorize as _;

/// `text` without control characters other than line breaks: names and server texts must not steer a terminal.
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| c == '\n' || !(c.is_control() || is_direction(c));
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect())
}

/// Characters that reorder the text around them, so that it reads as something else.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What matters most.
pub fn bold(text: &str) -> String {
    plain(text).bold().to_string()
}

/// What can be skipped.
pub fn dim(text: &str) -> String {
    plain(text).dimmed().to_string()
}

/// What appears.
pub fn green(text: &str) -> String {
    plain(text).green().to_string()
}

/// What changes, and what to be careful about.
pub fn yellow(text: &str) -> String {
    plain(text).yellow().to_string()
}

/// What goes.
pub fn red(text: &str) -> String {
    plain(text).red().to_string()
}

/// What goes for good, or forbids going on.
pub fn alarm(text: &str) -> String {
    plain(text).red().bold().to_string()
}

/// What is waited for, and what to type.
pub fn cyan(text: &str) -> String {
    plain(text).cyan().to_string()
}

/// How many columns `text` takes, styles aside.
pub fn columns(text: &str) -> usize {
    strip_str(text).to_string().chars().count()
}

/// `1 flow`, `2 flows`.
pub fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// Lines of text at most so wide.
#[derive(Debug)]
pub struct Page {
    width: usize,
    text: String,
}

impl Page {
    /// An empty page.
    pub const fn new(width: usize) -> Self {
        Self { width, text: String::new() }
    }

    /// How wide its lines may be.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// A line as it is, even when it is wider.
    pub fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// Lines that are ready.
    pub fn block(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// An empty line, unless there is one already or nothing before.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// `left`, and `right` at the right edge, or right behind it where both do not fit.
    pub fn pair(&mut self, left: &str, right: &str) {
        if columns(right) == 0 {
            return self.line(left);
        }
        let space = self.width.saturating_sub(columns(left) + columns(right)).max(2);
        self.line(&format!("{left}{}{right}", " ".repeat(space)));
    }

    /// Words broken into lines, each behind `indent`; the first behind `first`, which is as wide. `style` is put on each line.
    pub fn wrapped(&mut self, first: &str, indent: usize, text: &str, style: fn(&str) -> String) {
        let room = self.width.saturating_sub(indent).max(20);
        let mut lead = first.to_owned();
        for line in plain(text).lines() {
            for row in broken(line, room) {
                self.line(&format!("{lead}{}", style(&row)));
                lead = " ".repeat(indent);
            }
        }
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text
    }
}

/// `line` in rows of at most `room` columns, broken at spaces where there are any.
fn broken(line: &str, room: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in line.split_whitespace() {
        let last = rows.last_mut().expect("there is always a row");
        let used = last.chars().count();
        if used == 0 {
            last.push_str(word);
        } else if used + 1 + word.chars().count() <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_replaced() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\nd"), "a\u{fffd}[2Jb\u{fffd}c\nd");
        assert_eq!(columns(&red("abc")), 3);
    }

    #[test]
    fn lines_keep_their_width() {
        let mut page = Page::new(30);
        page.wrapped("  - ", 4, "one two three four five six seven", plain_string);
        page.pair("left", "right");
        let text = page.finish();
        assert_eq!(text, "  - one two three four five\n    six seven\nleft                     right\n");
    }

    fn plain_string(text: &str) -> String {
        text.to_owned()
    }
}
