//! Collects findings, the places that only they know, and the stretches of text that no output may show.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::span::Span;
use transship_model::{Finding, Severity, SpanIndex, SpecPath};

use crate::shape::Unknown;

/// A stretch of a file, by the number of the file. Compact, because every node of a workspace has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) offset: u32,
    /// At least one character.
    pub(crate) length: u32,
    /// Whether it is a block collection, which has no text of its own but its first character.
    pub(crate) is_block: bool,
}

#[derive(Debug)]
struct File {
    name: String,
    /// The bytes of the first character.
    first: u32,
}

/// Everything that is wrong with a workspace.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The files by number.
    files: Vec<File>,
    pub(crate) findings: Vec<Finding>,
    /// Places that are no paths of the merged workspace.
    pub(crate) places: BTreeMap<SpecPath, Span>,
    pub(crate) masked: BTreeSet<At>,
    /// The unknown keys of maps of which the rest is checked all the same.
    pub(crate) unknown: BTreeMap<SpecPath, Unknown>,
}

impl Report {
    /// Takes up a file and gives its number.
    pub(crate) fn file(&mut self, name: &str) -> u32 {
        self.files.push(File { name: name.to_owned(), first: 1 });
        u32::try_from(self.files.len() - 1).expect("the number of files is capped")
    }

    /// Takes up the text of a file, of which only the first character matters.
    pub(crate) fn text(&mut self, file: u32, text: &str) {
        let first = text.chars().next().map_or(1, char::len_utf8);
        self.files[wide(file)].first = u32::try_from(first).expect("a character has at most four bytes");
    }

    /// The first character of a file.
    pub(crate) fn start_of(&self, file: u32) -> At {
        let length = self.files.get(wide(file)).map_or(1, |file| file.first);
        At { file, line: 1, column: 1, offset: 0, length, is_block: false }
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Masks the text at `at` wherever sources are shown.
    pub(crate) fn mask(&mut self, at: At) {
        self.masked.insert(at);
    }

    pub(crate) fn span(&self, at: At) -> Span {
        Span {
            file: self.files[wide(at.file)].name.clone(),
            line: wide(at.line),
            column: wide(at.column),
            offset: wide(at.offset),
            length: wide(at.length),
        }
    }

    /// A path for a place that is not (or not alone) a path of the merged workspace: `FILE:LINE:COLUMN`.
    pub(crate) fn place(&mut self, at: At) -> SpecPath {
        let span = self.span(at);
        let path = SpecPath(format!("{}:{}:{}", span.file, span.line, span.column));
        self.places.insert(path.clone(), span);
        path
    }

    /// The path for the start of a file.
    pub(crate) fn place_start(&mut self, file: u32) -> SpecPath {
        self.place(self.start_of(file))
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The findings in the order of their places.
    pub(crate) fn sort(&mut self, index: &SpanIndex) {
        let place = |finding: &Finding| {
            let path = finding.path.as_ref()?;
            let span = if finding.at_key { index.key(path) } else { index.value(path) }?;
            Some((span.file.clone(), span.offset))
        };
        self.findings.sort_by_cached_key(|finding| (place(finding), finding.code, finding.message.clone()));
        self.findings.dedup();
    }
}

fn wide(n: u32) -> usize {
    usize::try_from(n).expect("u32 fits usize on every supported target")
}
