//! Who writes the files of a table: the source's nodes by COPY TO, or the machine that runs transship where they do not
//! write what is asked for, or not so that it is read back as it was.

use transship_model::spec::Format;
use transship_model::store::StoreLocation;
use transship_sql::definition::{beyond_json, is_numeric};

use super::files::Files;
use crate::copies::{Found, Origin};

/// Who writes the files of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The source's nodes.
    Source,
    /// The machine that runs transship, for a reason.
    Here(String),
}

impl Writer {
    /// That of a table.
    pub(super) fn of(files: &Files<'_>, found: &Found<'_>) -> Self {
        let reason = match files.format {
            Format::Csv => Some("CrateDB writes no CSV".to_owned()),
            Format::Json => bent(found).or_else(|| otherwise_named(found)).or_else(|| unpacked(files)),
        };
        reason.map_or(Self::Source, Self::Here)
    }

    /// Whether it is the machine that runs transship.
    pub(super) const fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// A bucket and files that are not packed: with a list of columns, CrateDB writes to what it has closed already, and the
/// statement fails. Seen on 6.4.0; packed files and directories are well.
fn unpacked(files: &Files<'_>) -> Option<String> {
    let is_bucket = matches!(files.location, StoreLocation::S3(_));
    let reason = "COPY TO fails with a list of columns in a bucket, unless files are packed (`compression: gzip`)";
    (is_bucket && files.packed.is_none()).then(|| reason.to_owned())
}

/// The first column that COPY FROM would not read as COPY TO writes it.
fn bent(found: &Found<'_>) -> Option<String> {
    let wish = &found.wish;
    wish.columns.iter().filter(|column| wish.written.contains(&column.name)).find_map(|column| {
        let data_type = &wish.derived.definition.column(&column.name)?.data_type;
        let beyond = beyond_json(data_type).filter(|_| !is_numeric(data_type))?;
        Some(format!("COPY FROM does not read {beyond} of column {} as COPY TO writes it", column.name))
    })
}

/// The first column that does not keep its name. COPY TO writes columns as they are.
fn otherwise_named(found: &Found<'_>) -> Option<String> {
    let other = found.wish.columns.iter().find_map(|column| match &column.from {
        Origin::Column(from) if *from == column.name => None,
        Origin::Column(_) => Some(format!("renamed column {}", column.name)),
        Origin::Sql { .. } | Origin::Const(_) | Origin::Expr(_) => Some(format!("computed column {}", column.name)),
    });
    other.map(|column| format!("COPY TO does not write {column}"))
}
