//! Figures in `docs/sandbox.md` that tests write and hold true.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// Tests that write into the page take turns.
static TURN: Mutex<()> = Mutex::new(());

/// How many statements are answered alike, and for what reasons the others are not.
pub(crate) struct Figures {
    /// What was compared, by part: statements, and those that were answered alike.
    pub(crate) parts: Vec<(String, usize, usize)>,
    /// The reasons of the exceptions.
    pub(crate) reasons: Vec<String>,
}

impl Figures {
    /// As lines of markdown within an item of a list.
    fn shown(&self) -> String {
        let (mut all, mut alike) = (0, 0);
        let mut rows = String::new();
        for (part, of_part, alike_of_part) in &self.parts {
            writeln!(rows, "  | {part} | {of_part} | {alike_of_part} |").expect("writing to a String");
            (all, alike) = (all + of_part, alike + alike_of_part);
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in &self.reasons {
            *reasons.entry(reason).or_default() += 1;
        }
        let reasons: String = reasons.iter().map(|(reason, count)| format!("  - {count} × {reason}\n")).collect();
        let table = format!("  | | statements | answered alike |\n  |---|---|---|\n{rows}");
        format!(
            "  {alike} of {all} statements are answered alike.\n\n{table}\n  The exceptions, each with its reason:\n\n{reasons}"
        )
    }

    /// The page says so, or is made to with `TRANSSHIP_BLESS`. They are printed too.
    pub(crate) fn stand_in_the_page(&self, name: &str) {
        let shown = self.shown();
        writeln!(std::io::stderr(), "{name}\n{shown}").expect("stderr takes a line");
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox.md");
        let page = fs_err::read_to_string(path).expect("the page");
        let start = page.find(&format!("<!-- {name}:")).expect("a place for the figures");
        let start = start + page[start..].find('\n').expect("a line ends") + 1;
        let end = start + page[start..].find("  <!-- end -->").expect("the place ends");
        let right = format!("{}\n{shown}\n{}", &page[..start], &page[end..]);
        if std::env::var_os("TRANSSHIP_BLESS").is_some() {
            fs_err::write(path, right).expect("written");
            return;
        }
        assert_eq!(page, right, "docs/sandbox.md is out of date");
    }
}
