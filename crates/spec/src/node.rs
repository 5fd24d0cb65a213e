//! A YAML document as a tree that knows where each key and value was written.

use serde_json::Number;
use transship_model::{SpanIndex, SpecPath};

use crate::report::{At, Report};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where it is used.
    pub(crate) at: At,
    /// Where it was written: elsewhere than `at` for what an alias brings.
    pub(crate) written: At,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: At,
    pub(crate) value: Node,
}

impl Node {
    /// A map without entries, of no file.
    pub(crate) const fn empty() -> Self {
        let at = At { file: 0, line: 1, column: 1, offset: 0, length: 1, is_block: true };
        Self { kind: Kind::Map(Vec::new()), at, written: at }
    }

    /// The value of `key`, where this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, in words that do not repeat it.
    pub(crate) const fn words(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(true) => "true",
            Kind::Bool(false) => "false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::Text(value) => Value::String(value.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
        }
    }

    /// Masks every scalar below (and with) this one.
    pub(crate) fn mask(&self, report: &mut Report) {
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.mask(report)),
            Kind::Map(entries) => entries.iter().for_each(|entry| entry.value.mask(report)),
            _ => {
                report.mask(self.at);
                report.mask(self.written);
            }
        }
    }
}

/// The places of everything in `root`.
pub(crate) fn index(root: &Node, report: &Report) -> SpanIndex {
    let mut index = SpanIndex::default();
    add(root, &SpecPath::default(), report, &mut index);
    index
}

fn add(node: &Node, path: &SpecPath, report: &Report, index: &mut SpanIndex) {
    // A block collection has no text of its own: its key is what there is to mark.
    let shown_by_key = node.at.is_block && index.keys.contains_key(path);
    if !path.0.is_empty() && !shown_by_key {
        index.values.insert(path.clone(), report.span(node.at));
    }
    for entry in node.entries() {
        let path = path.key(&entry.key);
        index.keys.insert(path.clone(), report.span(entry.key_at));
        add(&entry.value, &path, report, index);
    }
    for (i, item) in node.items().iter().enumerate() {
        add(item, &path.item(i), report, index);
    }
}
