//! Reads one file's YAML into a [`Node`], strictly and within limits.
//!
//! The parser's own messages name its options, so every failure gets a message of ours, in [`failure`].

mod failure;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Location, Options, Spanned};
use transship_model::Finding;

use crate::files::Source;
use crate::node::{Entry, Kind, Node};
use crate::report::{At, Report};

/// How many values one file may hold: far more than a file of the largest size holds in practice.
const NODES_MAX: usize = 250_000;

/// How deep a file may be nested; a spec needs eight levels.
const DEPTH_MAX: usize = 32;

/// How often a file may use an alias, and how much text aliases may bring.
const ALIASES_MAX: usize = 100;
const ALIASED_MAX: usize = 20_000;

/// The document of a file; what is wrong with it is reported. `None` where there is nothing to go on with.
pub(crate) fn parse(source: &Source, report: &mut Report) -> Option<Node> {
    report.text(source.file, &source.text);
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(&source.text, options()) {
        Ok(raw) => Some(Converter { source, report }.node(raw)),
        Err(error) => {
            let (finding, at) = failure::finding(&error, source, report.start_of(source.file));
            let place = report.place(at);
            report.push(finding.at(place));
            None
        }
    }
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_aliases: ALIASES_MAX,
            max_documents: 1,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: ALIASED_MAX },
        // Duplicates are reported by the conversion, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// What the parser gives.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Number::from_f64(value).map_or(Raw::Null, Raw::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

struct Converter<'a> {
    source: &'a Source,
    report: &'a mut Report,
}

impl Converter<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let (at, written) = (self.at(raw.referenced), self.at(raw.defined));
        let kind = match raw.value {
            Raw::Null => Kind::Null,
            Raw::Bool(value) => Kind::Bool(value),
            Raw::Number(value) => Kind::Number(value),
            Raw::Text(value) => Kind::Text(value),
            Raw::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Kind::Map(self.entries(entries)),
        };
        Node { kind, at, written }
    }

    fn entries(&mut self, raw: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut seen: BTreeMap<String, At> = BTreeMap::new();
        for (raw_key, raw_value) in raw {
            let key_at = self.at(raw_key.referenced);
            let Some(key) = key_text(raw_key.value) else {
                self.no_name(key_at);
                continue;
            };
            let value = self.node(raw_value);
            if let Some(first) = seen.insert(key.clone(), key_at) {
                defined_twice(&key, first, key_at, self.report);
                continue;
            }
            entries.push(Entry { key, key_at, value });
        }
        entries
    }

    fn no_name(&mut self, at: At) {
        let place = self.report.place(at);
        self.report.push(
            Finding::error("spec::bad-key", "a key must be a text")
                .at(place)
                .help("quote the key if it is meant as text"),
        );
    }

    fn at(&self, location: Location) -> At {
        at(self.source, location)
    }
}

fn key_text(key: Raw) -> Option<String> {
    match key {
        Raw::Text(text) => Some(text),
        Raw::Number(number) => Some(number.to_string()),
        Raw::Bool(value) => Some(value.to_string()),
        Raw::Null | Raw::List(_) | Raw::Map(_) => None,
    }
}

/// Reports that `name` stands at both places.
pub(crate) fn defined_twice(name: &str, first: At, second: At, report: &mut Report) {
    let (first, second) = (report.place(first), report.place(second));
    report.push(
        Finding::error("spec::defined-twice", format!("`{name}` is defined twice"))
            .at(second)
            .related(first, "first defined here")
            .help("remove one of the two, or give it another name"),
    );
}

/// Where `location` lies, within the text. Locations without bytes are found by line and column.
fn at(source: &Source, location: Location) -> At {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let (line, column) = (number(location.line()), number(location.column()));
    let bytes = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let span = location.span();
    let (offset, length) = match (bytes(span.byte_offset()), bytes(span.byte_len())) {
        (Some(offset), Some(length)) => (offset, trimmed(&source.text, offset, length)),
        _ => (byte_of(&source.text, line, column), 1),
    };
    // What is missing at the end of a file is marked at its last character.
    let last = source.text.char_indices().next_back().map_or(0, |(at, _)| at);
    let width = |at: usize| source.text[at..].chars().next().map_or(1, char::len_utf8);
    let offset = source.text.floor_char_boundary(offset.min(last));
    let is_block = length == 0;
    let length = length.max(width(offset));
    At { file: source.file, line, column, offset: narrow(offset), length: narrow(length), is_block }
}

/// The length without the white space at the end: that of a block scalar reaches into the next line.
fn trimmed(text: &str, offset: usize, length: usize) -> usize {
    text.get(offset..offset.saturating_add(length)).map_or(1, |text| text.trim_end().len())
}

fn byte_of(text: &str, line: u32, column: u32) -> usize {
    let mut start = 0;
    for (number, content) in (1_u32..).zip(text.split_inclusive('\n')) {
        if number == line {
            let mut characters = content.char_indices().map(|(at, _)| at).zip(1_u32..);
            return start + characters.find(|(_, number)| *number == column).map_or(content.len(), |(at, _)| at);
        }
        start += content.len();
    }
    text.len()
}
