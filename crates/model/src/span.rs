//! Places in the text of a workspace.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A path into the merged workspace: `flows.orders-live.tables[0].where`. Empty for the workspace as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecPath(pub String);

impl SpecPath {
    /// The path of a top-level section's entry, such as `flows.orders-live`.
    pub fn of(section: &str, name: impl fmt::Display) -> Self {
        Self(format!("{section}.{name}"))
    }

    /// The path of the key `key` below this one.
    #[must_use]
    pub fn key(&self, key: impl fmt::Display) -> Self {
        if self.0.is_empty() { Self(key.to_string()) } else { Self(format!("{}.{key}", self.0)) }
    }

    /// The path of the list item `index` (from 0) below this one.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path one level up; `None` for the whole workspace.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let cut = self.0.rfind(['.', '[']).unwrap_or(0);
        Some(Self(self.0[..cut].to_owned()))
    }
}

impl fmt::Display for SpecPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stretch of a workspace file. Lines and columns count from 1, columns in characters; offset and length are bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The file, relative to the workspace, with `/`.
    pub file: String,
    /// The line of the first character.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// Where it starts, in bytes from the start of the file.
    pub offset: usize,
    /// How long it is, in bytes; at least 1.
    pub length: usize,
}

/// A file and line, as plans and reports show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, relative to the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where each value of the merged workspace was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanIndex {
    /// The key (or list item) at a path.
    pub keys: BTreeMap<SpecPath, Span>,
    /// The value at a path.
    pub values: BTreeMap<SpecPath, Span>,
}

impl SpanIndex {
    /// The span to mark for `path`: its value, else its key, else the nearest thing above it.
    pub fn value(&self, path: &SpecPath) -> Option<&Span> {
        nearest(path, [&self.values, &self.keys])
    }

    /// The span of the key at `path`, else of its value, else of the nearest thing above it.
    pub fn key(&self, path: &SpecPath) -> Option<&Span> {
        nearest(path, [&self.keys, &self.values])
    }

    /// File and line of the key at `path`.
    pub fn place(&self, path: &SpecPath) -> Option<Place> {
        self.key(path).map(|span| Place { file: span.file.clone(), line: span.line })
    }
}

fn nearest<'a>(path: &SpecPath, maps: [&'a BTreeMap<SpecPath, Span>; 2]) -> Option<&'a Span> {
    std::iter::successors(Some(path.clone()), SpecPath::parent)
        .find_map(|path| maps.into_iter().find_map(|map| map.get(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_down_and_up() {
        let path = SpecPath::of("flows", "a").key("tables").item(0).key("where");
        assert_eq!(path.to_string(), "flows.a.tables[0].where");
        let up: Vec<_> = std::iter::successors(Some(path), SpecPath::parent).map(|p| p.0).collect();
        assert_eq!(up, ["flows.a.tables[0].where", "flows.a.tables[0]", "flows.a.tables", "flows.a", "flows", ""]);
    }
}
