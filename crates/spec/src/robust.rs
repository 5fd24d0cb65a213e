//! Whatever stands in a file, it is read or refused, and every place lies within the text.

use transship_model::span::Span;

use crate::files::{Source, Sources};
use crate::report::Report;
use crate::{LoadError, Loaded};

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

const PIECES: [&str; 24] = [
    ":", ": ", "\n", "  ", "- ", "{", "}", "[", "]", "'", "\"", "|\n", "*a", "&a ", "!x ", "#", "~", "é", "0", ",",
    "\t", "--- ", "? ", "\u{feff}",
];

/// `text` with a few characters removed, inserted, or repeated.
fn mutilated(text: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(characters.len() + 1);
        match random.below(3) {
            0 => {
                characters.splice(at..at, PIECES[random.below(PIECES.len())].chars());
            }
            1 => {
                let end = (at + random.below(6)).min(characters.len());
                characters.drain(at..end);
            }
            _ => characters.truncate(at),
        }
    }
    characters.into_iter().collect()
}

fn check(text: &str) {
    let mut report = Report::default();
    let file = report.file("a.yaml");
    let base = vec![Source { file, name: "a.yaml".to_owned(), text: text.to_owned() }];
    let sources = Sources { base, ..Sources::default() };
    let (root, spec) = crate::understand(&sources, None, &mut report);
    let (index, sources, masked) =
        match crate::finish(sources, &root, (spec, std::collections::BTreeMap::new()), report) {
            Ok(Loaded { index, sources, masked, .. }) => (index, sources, masked),
            Err(LoadError { findings, index, sources, masked }) => {
                assert!(findings.iter().all(|f| f.code != "spec::internal"), "{findings:?}\n{text}");
                assert!(findings.iter().all(|f| f.path.is_none() || f.help.is_some()), "{findings:?}");
                (index, sources, masked)
            }
        };
    let shown = &sources["a.yaml"];
    assert!(shown.len() == text.len().max(1), "{text:?} {shown:?} {masked:?}");
    let lies_within = |span: &Span| shown.get(span.offset..span.offset + span.length).is_some();
    for span in index.keys.values().chain(index.values.values()).chain(&masked) {
        assert!(lies_within(span), "{span:?} in {text:?}");
    }
}

#[test]
fn no_text_is_too_broken() {
    for text in ["", "\n", "a:", "version: 1\nx:", "é", "- é", "\u{feff}", "a: é:", "\"", "version: 1\nworkspace: é"]
    {
        check(text);
    }
    let texts = crate::corpus::texts();
    let mut random = Random(0x7261_6e64_6f6d);
    for _ in 0..400 {
        check(&mutilated(&texts[random.below(texts.len())], &mut random));
    }
}
