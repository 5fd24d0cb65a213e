//! The manifest of an export: what lies in its files, for transship and for other tools. `docs/export.md` tells the rest.
//!
//! It is written after all files, and names each of them with size and checksum: files without a manifest are no
//! export. The [`Pointer`] beside the exports of a flow names the newest whole one.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{FlowId, Name, TableName};
use crate::observed::Column;
use crate::spec::{Compression, Format};
use crate::version::Version;

/// The format of a [`Manifest`] and of a [`Pointer`].
pub const MANIFEST_FORMAT: u32 = 1;

/// What the file of a manifest is called, in the place of its export.
pub const MANIFEST: &str = "manifest.json";

/// What the file of a pointer is called, in the place of the flow.
pub const LATEST: &str = "latest.json";

/// Tables in files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship manifest of an export, format 1")]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format_version: u32,
    /// Who exported what, where transship did; for people, and no condition of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported: Option<Exported>,
    /// What the files hold: `json` is one object in each line, `csv` has a header.
    pub format: Format,
    /// How they are packed; not at all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// The tables.
    #[schemars(length(min = 1))]
    pub tables: Vec<ManifestTable>,
}

/// Who exported what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The version of transship.
    pub tool_version: String,
    /// The workspace.
    #[schemars(with = "String")]
    pub workspace: Name,
    /// Its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub environment: Option<Name>,
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// The number of the export among those of the flow.
    pub number: u32,
    /// The source cluster's name in the workspace.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// The source cluster's `sys.cluster.id`.
    pub cluster_id: String,
    /// The lowest version among its nodes.
    pub cluster_version: Version,
    /// The run that wrote the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When the manifest was written, by the clock of the machine that runs transship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub written: Option<Timestamp>,
}

/// A table in files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestTable {
    /// Its name, `schema.table`.
    #[schemars(with = "String")]
    pub table: TableName,
    /// The CREATE TABLE that makes it, under any name.
    pub definition: String,
    /// Its columns as `information_schema.columns` tells them, columns of objects included. Generated ones are in no file.
    #[schemars(length(min = 1))]
    pub columns: Vec<Column>,
    /// The columns whose values stand as texts in JSON, since a number of JSON would not keep all of their digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_text: Vec<String>,
    /// The primary key's columns in order; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// The partition columns in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitioned_by: Vec<String>,
    /// The routing column; `None` for `_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustered_by: Option<String>,
    /// The condition for rows, where not all were exported.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Columns whose values no output may show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
    /// The rows in all files.
    pub rows: u64,
    /// The files, by path.
    pub files: Vec<ManifestFile>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Where it lies, below the directory of the manifest: parts joined by `/`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content as it lies there, in hexadecimal.
    pub sha256: String,
    /// What it holds, where that is not what the manifest says of all: rows that CSV cannot carry lie in files of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Its rows, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What names the newest whole export of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship pointer to an export, format 1")]
pub struct Pointer {
    /// [`MANIFEST_FORMAT`].
    pub format_version: u32,
    /// The manifest, below the directory of the pointer: parts joined by `/`.
    pub manifest: String,
    /// SHA-256 of the manifest, in hexadecimal.
    pub sha256: String,
}

/// Why a text is no manifest, or no pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is of a format that this transship does not know.
    Newer(u64),
    /// It is not what it should be; why.
    Broken(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(format) => write!(f, "it has format {format}, which a newer transship writes"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl Manifest {
    /// Reads one, and refuses what no import could rely on.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let manifest: Self = read(text)?;
        manifest.check().map_err(Unreadable::Broken)?;
        Ok(manifest)
    }

    /// The table of a name.
    pub fn table(&self, name: &TableName) -> Option<&ManifestTable> {
        self.tables.iter().find(|table| table.table == *name)
    }

    fn check(&self) -> Result<(), String> {
        let mut names: Vec<&TableName> = self.tables.iter().map(|table| &table.table).collect();
        names.sort();
        if let Some(name) = twice(&names) {
            return Err(format!("table {name} stands in it twice"));
        }
        let mut paths: Vec<&str> = self.tables.iter().flat_map(|table| &table.files).map(|it| &*it.path).collect();
        paths.sort_unstable();
        if let Some(path) = twice(&paths) {
            return Err(format!("file {path} stands in it twice"));
        }
        if let Some(path) = paths.into_iter().find(|path| !is_below(path)) {
            return Err(format!("`{path}` is no path below the directory of the manifest"));
        }
        let mut files = self.tables.iter().flat_map(|table| &table.files);
        let is_other = |format: Format| self.format != Format::Csv || format != Format::Json;
        if let Some(file) = files.find(|file| file.format.is_some_and(is_other)) {
            return Err(format!("{} has a format of its own, and only files of JSON beside CSV may", file.path));
        }
        self.tables.iter().try_for_each(ManifestTable::check)
    }
}

impl ManifestTable {
    fn check(&self) -> Result<(), String> {
        if self.table.is_reserved() {
            return Err(format!("{} is the name of no ordinary table", self.table));
        }
        let is_digest =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(file) = self.files.iter().find(|file| !is_digest(&file.sha256)) {
            return Err(format!("`sha256` of {} is no SHA-256 in lower-case hexadecimal", file.path));
        }
        let counted = self.files.iter().map(|file| file.rows).sum::<Option<u64>>();
        match counted {
            Some(counted) if counted != self.rows => {
                Err(format!("table {} has {} rows, and its files {counted}", self.table, self.rows))
            }
            _ => Ok(()),
        }
    }
}

impl Pointer {
    /// Reads one.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let pointer: Self = read(text)?;
        let is_manifest = is_below(&pointer.manifest) && pointer.manifest.rsplit('/').next() == Some(MANIFEST);
        if !is_manifest {
            return Err(Unreadable::Broken(format!("`{}` is no path of a manifest below it", pointer.manifest)));
        }
        Ok(pointer)
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<T, Unreadable> {
    let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
    let value: serde_json::Value = serde_json::from_slice(text).map_err(broken)?;
    match value.get("format_version").and_then(serde_json::Value::as_u64) {
        Some(format) if format != u64::from(MANIFEST_FORMAT) => Err(Unreadable::Newer(format)),
        _ => serde_json::from_value(value).map_err(broken),
    }
}

/// The first of sorted values that is there twice.
fn twice<T: PartialEq>(sorted: &[T]) -> Option<&T> {
    sorted.windows(2).find(|pair| matches!(pair, [one, other] if one == other)).and_then(<[T]>::first)
}

/// Whether a path leads below where it begins, and to one file: `*` stands for many in COPY FROM.
pub fn is_below(path: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_plain = |character: char| !character.is_control() && !"*\\".contains(character);
    path.split('/').all(is_part) && path.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest() -> Value {
        json!({
            "format_version": 1, "format": "json",
            "tables": [{
                "table": "s.t", "definition": "CREATE TABLE s.t (id BIGINT)",
                "columns": [{ "name": "id", "data_type": "bigint", "nullable": true }], "rows": 3,
                "files": [
                    { "path": "s.t/a.json", "size": 9, "sha256": "0".repeat(64), "rows": 3 },
                    { "path": "s.t/b.json", "size": 0, "sha256": "e".repeat(64), "rows": 0 },
                ],
            }],
        })
    }

    #[test]
    fn what_nobody_could_rely_on_is_refused() {
        let read = |path: &str, value: Value| {
            let mut manifest = manifest();
            *manifest.pointer_mut(path).expect("such a value") = value;
            Manifest::read(manifest.to_string().as_bytes()).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(read("/format", json!("json")), Ok(()));
        for (path, value, expected) in [
            ("/format_version", json!(2), "format 2"),
            ("/format", json!("xml"), "unknown variant"),
            ("/tables/0/files/0/path", json!("../x.json"), "no path below"),
            ("/tables/0/files/0/path", json!("/etc/x.json"), "no path below"),
            ("/tables/0/files/0/path", json!("s.t/*"), "no path below"),
            ("/tables/0/files/0/path", json!("s.t/b.json"), "twice"),
            ("/tables/0/files/0/sha256", json!("0"), "no SHA-256"),
            ("/tables/0/files/0/rows", json!(4), "has 3 rows, and its files 4"),
            ("/tables/0/table", json!("sys.nodes"), "no ordinary table"),
        ] {
            let error = read(path, value).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
        // Rows of single files need not be known.
        assert_eq!(read("/tables/0/files/0/rows", Value::Null), Ok(()));
        assert!(matches!(Manifest::read(b"{"), Err(Unreadable::Broken(_))));
    }

    #[test]
    fn a_pointer_names_a_manifest_below_it() {
        let read = |path: &str| {
            let text = json!({ "format_version": 1, "manifest": path, "sha256": "x" }).to_string();
            Pointer::read(text.as_bytes()).is_ok()
        };
        assert!(read("3/manifest.json") && read("manifest.json"));
        assert!(!read("../3/manifest.json") && !read("3/other.json") && !read("/3/manifest.json"));
    }
}
