//! Rows to files in a directory or a bucket, and back: `COPY TO` and `COPY FROM`.
//!
//! URIs are bound, since those of S3 hold secrets. `docs/bulk.md` has what the files are called, what the answers say,
//! and what does not survive them.

use std::collections::BTreeMap;

use transship_model::TableName;

use crate::ident::{ident, literal, table};

/// How files are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// By gzip.
    Gzip,
}

impl Compression {
    /// What the name of a file ends with.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ", compression = 'gzip'",
        }
    }
}

/// What files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// An object in each line.
    Json,
    /// Values with commas between them. CrateDB reads it and does not write it.
    Csv {
        /// Whether the first line has the names of the columns.
        header: bool,
        /// Whether nothing between two commas is NULL.
        empty_as_null: bool,
    },
}

/// What a store wants beside the URI: `protocol` for S3, `protocol` and `key` or `sas_token` for Azure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// Options whose values stand in the statement.
    pub literals: BTreeMap<String, String>,
    /// Options whose values are bound: `$2` is that of the first.
    pub bound: Vec<String>,
}

impl StoreOptions {
    fn text(&self) -> String {
        let literals = self.literals.iter().map(|(name, value)| (name, literal(value)));
        let bound = self.bound.iter().enumerate().map(|(at, name)| (name, format!("${}", at + 2)));
        literals.chain(bound).map(|(name, value)| format!(", {} = {value}", ident(name))).collect()
    }
}

/// A column that is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportColumn {
    /// Its name.
    pub name: String,
    /// Whether its values are written as texts, under the same name: a NUMERIC keeps all of its digits then.
    pub as_text: bool,
}

impl ExportColumn {
    /// A column as it is.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), as_text: false }
    }
}

/// The condition for rows of which `filter` is true, for an export with a list of columns: CrateDB looks rows up by their
/// primary key where a condition gives it, and then writes NULL for every column in the list. It does not see the key
/// within this, and leaves out partitions as before.
pub fn condition(filter: &str) -> String {
    format!("({filter}) = true")
}

/// What is exported of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The table.
    pub table: TableName,
    /// The columns; none for all, NULLs then being left out. Partition columns must be among them, or every row comes back in the partition of
    /// NULL.
    pub columns: Vec<ExportColumn>,
    /// The rows, by a checked condition such as that of [`crate::partition::condition`]; a `PARTITION` clause would be
    /// passed over where there is a condition, and every partition exported.
    pub condition: Option<String>,
    /// How files are packed.
    pub compression: Compression,
    /// What the store wants.
    pub options: StoreOptions,
}

/// Writes rows that readers see to files of JSON under the URI `$1`: one for each primary shard of the partitions that
/// the condition leaves, empty ones too. Its tag counts the rows. A directory must be there, a prefix must be empty.
pub fn copy_to(export: &Export) -> String {
    format!(
        "COPY {}{}{} TO DIRECTORY $1 WITH (format = 'json_object'{}{})",
        table(&export.table),
        export_columns(&export.columns),
        export.condition.as_deref().map(|condition| format!(" WHERE ({condition})")).unwrap_or_default(),
        export.compression.option(),
        export.options.text(),
    )
}

/// Counts the rows that an export writes.
pub fn count(export: &Export) -> String {
    let condition = export.condition.as_deref().map(|condition| format!(" WHERE ({condition})")).unwrap_or_default();
    format!("SELECT count(*) AS count FROM {}{condition}", table(&export.table))
}

/// Where imported rows come from and go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The table.
    pub table: TableName,
    /// The columns in their order in the files, for CSV without a header; none otherwise.
    pub columns: Vec<String>,
    /// What the files hold.
    pub format: FileFormat,
    /// How they are packed.
    pub compression: Compression,
    /// Whether a row replaces the one that has its primary key.
    pub overwrite: bool,
    /// What the store wants.
    pub options: StoreOptions,
}

/// Reads rows from the files `$1`, an array of URIs, each read once. It succeeds whatever happened; its rows are
/// `node, uri, success_count, error_count, errors`: one for each file and node that had rows or could not be read (both
/// counts NULL), none for an empty file. Errors are an object from messages to `count` and `line_numbers`.
pub fn copy_from(import: &Import) -> String {
    let format = match import.format {
        FileFormat::Json => "'json'".to_owned(),
        FileFormat::Csv { header, empty_as_null } => {
            format!("'csv', header = {header}, empty_string_as_null = {empty_as_null}")
        }
    };
    format!(
        "COPY {}{} FROM $1::array(text) WITH (format = {format}{}, shared = true, overwrite_duplicates = {}{}) RETURN \
         SUMMARY",
        table(&import.table),
        columns(&import.columns),
        import.compression.option(),
        import.overwrite,
        import.options.text(),
    )
}

/// The name of the file that a primary shard writes; `partition` is its `partition_ident`, empty without partitions.
pub fn file_name(table: &str, shard: i32, partition: &str, compression: Compression) -> String {
    format!("{table}_{shard}_{partition}.json{}", compression.suffix())
}

/// Whether the files of a table have a name that CrateDB can write: it takes the path for a URI without encoding it, and
/// fails, or decodes what was never encoded.
pub fn can_name_files(table: &str) -> bool {
    !table.contains(|character: char| character.is_control() || "{}[]^`%".contains(character))
}

fn export_columns(columns: &[ExportColumn]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let text = |column: &ExportColumn| format!("{}{}", ident(&column.name), if column.as_text { "::text" } else { "" });
    format!(" ({})", columns.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn columns(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" ({})", names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(literals: &[(&str, &str)], bound: &[&str]) -> StoreOptions {
        StoreOptions {
            literals: literals.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            bound: bound.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn rows_go_to_files() {
        let mut export = Export {
            table: TableName::new("s", "t"),
            columns: Vec::new(),
            condition: None,
            compression: Compression::None,
            options: StoreOptions::default(),
        };
        assert_eq!(copy_to(&export), r#"COPY "s"."t" TO DIRECTORY $1 WITH (format = 'json_object')"#);
        export.columns = vec![ExportColumn::plain("a"), ExportColumn { name: "B".to_owned(), as_text: true }];
        export.condition = Some("x OR y".to_owned());
        export.compression = Compression::Gzip;
        export.options = options(&[("protocol", "http")], &["key"]);
        assert_eq!(
            copy_to(&export),
            "COPY \"s\".\"t\" (\"a\", \"B\"::text) WHERE (x OR y) TO DIRECTORY $1 WITH (format = 'json_object', \
             compression = 'gzip', \"protocol\" = 'http', \"key\" = $2)"
        );
    }

    #[test]
    fn rows_come_from_files() {
        let mut import = Import {
            table: TableName::new("s", "t"),
            columns: Vec::new(),
            format: FileFormat::Json,
            compression: Compression::Gzip,
            overwrite: false,
            options: StoreOptions::default(),
        };
        assert_eq!(
            copy_from(&import),
            "COPY \"s\".\"t\" FROM $1::array(text) WITH (format = 'json', compression = 'gzip', shared = true, \
             overwrite_duplicates = false) RETURN SUMMARY"
        );
        import.columns = vec!["a".to_owned()];
        import.format = FileFormat::Csv { header: false, empty_as_null: true };
        import.compression = Compression::None;
        import.overwrite = true;
        import.options = options(&[("protocol", "http")], &[]);
        assert_eq!(
            copy_from(&import),
            "COPY \"s\".\"t\" (\"a\") FROM $1::array(text) WITH (format = 'csv', header = false, \
             empty_string_as_null = true, shared = true, overwrite_duplicates = true, \"protocol\" = 'http') RETURN SUMMARY"
        );
    }

    #[test]
    fn files_are_named_after_shards() {
        assert_eq!(file_name("orders", 2, "04132", Compression::Gzip), "orders_2_04132.json.gz");
        assert_eq!(file_name("o", 0, "", Compression::None), "o_0_.json");
        assert!(can_name_files("Ä$1(it's)+-~") && !can_name_files("a%41") && !can_name_files("x{1}"));
    }
}
