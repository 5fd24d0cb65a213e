//! The text of workspace files as it may be shown: secrets masked, control characters replaced, long lines cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use transship_model::redact::MASK;
use transship_model::span::Span;

use super::Sources;

/// How much of a long line is shown before and after what is marked.
const AROUND: usize = 120;

/// How many lines around a mark can come to be shown; more than the report's own context.
const CONTEXT: usize = 3;

/// The files that some spans lie in, one after the other, so that one report can mark places in several of them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    files: Vec<Shown>,
    marks: BTreeMap<Span, SourceSpan>,
}

#[derive(Debug)]
struct Shown {
    name: String,
    start: usize,
    text: String,
}

impl Desk {
    /// The files of `spans`, ready to be shown, that of the first one first.
    pub(super) fn new<'a>(sources: &Sources, spans: impl IntoIterator<Item = &'a Span>) -> Self {
        let mut by_file = Vec::<(&str, Vec<&Span>)>::new();
        for span in spans {
            match by_file.iter_mut().find(|(file, _)| *file == span.file) {
                Some((_, spans)) => spans.push(span),
                None => by_file.push((&span.file, vec![span])),
            }
        }
        let mut desk = Self::default();
        let mut start = 0;
        for (file, spans) in by_file {
            let Some(text) = sources.files.get(file) else { continue };
            let masked: Vec<_> = sources.masked.iter().filter(|span| span.file == file).collect();
            let (text, marks) = show(text, &spans, &masked);
            for (span, (offset, length)) in spans.into_iter().zip(marks) {
                desk.marks.insert(span.clone(), (start + offset, length).into());
            }
            let end = start + text.len() + 1;
            desk.files.push(Shown { name: sources.open(file), start, text });
            start = end;
        }
        desk
    }

    /// Where `span` is marked; `None` when its file has no text.
    pub(super) fn mark(&self, span: &Span) -> Option<SourceSpan> {
        self.marks.get(span).copied()
    }
}

impl SourceCode for Desk {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let file = self.files.iter().rfind(|file| file.start <= span.offset()).ok_or(MietteError::OutOfBounds)?;
        let local = SourceSpan::from((span.offset() - file.start, span.len()));
        let found = file.text.read_span(&local, lines_before, lines_after)?;
        let here = SourceSpan::from((found.span().offset() + file.start, found.span().len()));
        Ok(Box::new(MietteSpanContents::new_named(
            file.name.clone(),
            found.data(),
            here,
            found.line(),
            found.column(),
            found.line_count(),
        )))
    }
}

/// `text` as it may be shown, and where each of `spans` (byte offset and length) lies in it.
///
/// Lines that no report shows are left empty: they only count.
fn show(text: &str, spans: &[&Span], masked: &[&Span]) -> (String, Vec<(usize, usize)>) {
    let mut shown = String::new();
    let mut offsets = BTreeMap::<usize, usize>::new();
    let bounds: BTreeSet<usize> = spans.iter().flat_map(|span| [span.offset, end(text, span)]).collect();
    let visible = visible_lines(text, spans);
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if visible.contains(&number) {
            let window = window(start, line.len(), &bounds);
            for (at, character) in line.char_indices().map(|(i, c)| (start + i, c)) {
                if bounds.contains(&at) {
                    offsets.entry(at).or_insert(shown.len());
                }
                push(&mut shown, at, character, &window, masked);
            }
        } else {
            shown.push('\n');
        }
        start += line.len();
    }
    let place = |offset: usize| offsets.get(&offset).copied().unwrap_or(shown.len());
    let marks = spans.iter().map(|span| {
        let (start, end) = (place(span.offset), place(end(text, span)));
        (start, end.saturating_sub(start).max(1))
    });
    let marks = marks.collect();
    (shown, marks)
}

/// Where the mark of `span` ends: with its first line, since whole sections are never marked.
fn end(text: &str, span: &Span) -> usize {
    let rest = text.get(span.offset..).unwrap_or_default();
    span.offset + rest.find('\n').map_or(span.length, |line| line.min(span.length)).max(1)
}

/// The lines around the start of every span, by number from 0.
fn visible_lines(text: &str, spans: &[&Span]) -> BTreeSet<usize> {
    let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let lines = spans.iter().map(|span| starts.partition_point(|start| *start <= span.offset));
    lines.flat_map(|line| line.saturating_sub(CONTEXT)..=line + CONTEXT).collect()
}

/// The bytes of a line that are shown: all of a short one, else what lies around the marks.
fn window(start: usize, length: usize, bounds: &BTreeSet<usize>) -> Range<usize> {
    if length <= 2 * AROUND {
        return start..start + length;
    }
    let mut marks = bounds.range(start..start + length);
    let first = marks.next().copied().unwrap_or(start);
    let last = marks.take_while(|mark| **mark <= first + AROUND).last().copied().unwrap_or(first);
    first.saturating_sub(AROUND).max(start)..last + AROUND
}

fn push(shown: &mut String, at: usize, character: char, window: &Range<usize>, masked: &[&Span]) {
    let hidden = masked.iter().find(|span| (span.offset..span.offset + span.length).contains(&at));
    match character {
        '\n' => shown.push('\n'),
        _ if at == window.end || (at + character.len_utf8() == window.start) => shown.push('…'),
        _ if !window.contains(&at) => {}
        _ if hidden.is_some_and(|span| span.offset == at) => shown.push_str(MASK),
        _ if hidden.is_some() => {}
        '\t' => shown.push('\t'),
        _ if character.is_control() => shown.push(char::REPLACEMENT_CHARACTER),
        _ => shown.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: usize, length: usize) -> Span {
        Span { file: "a".into(), line: 1, column: 1, offset, length }
    }

    #[test]
    fn marks_follow_what_is_masked_replaced_and_cut() {
        let check = |text: &str, mark: Span, masked: &[Span], expected: (&str, &str)| {
            let (shown, marks) = show(text, &[&mark], &masked.iter().collect::<Vec<_>>());
            let (offset, length) = marks[0];
            let marked = shown.get(offset..offset + length).unwrap_or_default();
            assert_eq!((shown.as_str(), marked), expected);
        };
        check("a: bc", span(3, 2), &[], ("a: bc", "bc"));
        check("a: secret d", span(10, 1), &[span(3, 6)], ("a: *** d", "d"));
        check("a: secret d", span(3, 8), &[span(3, 6)], ("a: *** d", "*** d"));
        check("a: \u{1b}[31m", span(0, 1), &[], ("a: \u{fffd}[31m", "a"));
        let long = format!("{}x{}", "l".repeat(1000), "r".repeat(1000));
        let cut = format!("…{}x{}…", "l".repeat(120), "r".repeat(120));
        check(&long, span(1000, 1), &[], (&cut, "x"));
    }
}
