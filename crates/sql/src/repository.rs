//! Repositories of snapshots.

use std::collections::BTreeMap;

use transship_model::store::marker::Marker;

use crate::ident::{ident, literal, table};

/// Where the snapshots of a repository lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// A directory that all nodes mount, under `path.repo`.
    Fs,
    /// A bucket of S3 or of what speaks its protocol.
    S3,
    /// A container of Azure.
    Azure,
    /// A bucket of Google Cloud.
    Gcs,
    /// A directory of an `fs` repository, to be read only.
    Url,
}

impl RepositoryKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fs, Self::S3, Self::Azure, Self::Gcs, Self::Url];

    /// The word that statements and `sys.repositories.type` have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fs => "fs",
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Gcs => "gcs",
            Self::Url => "url",
        }
    }

    /// Reads the word.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The settings that say which place it is. Repositories that agree in them share their snapshots; only one cluster
    /// may write there.
    pub const fn place(self) -> &'static [&'static str] {
        match self {
            Self::Fs => &["location"],
            Self::S3 | Self::Gcs => &["endpoint", "bucket", "base_path"],
            Self::Azure => &["endpoint", "account", "container", "base_path"],
            Self::Url => &["url"],
        }
    }

    /// The settings that `sys.repositories` shows as `[xxxxx]`, whose values are not known from there.
    pub const fn masked(self) -> &'static [&'static str] {
        match self {
            Self::Fs | Self::Url => &[],
            Self::S3 => &["access_key", "secret_key"],
            Self::Azure => &["account", "key", "sas_token"],
            Self::Gcs => &["private_key_id", "private_key", "client_id", "client_email"],
        }
    }

    /// Whether `readonly` is a setting of it. A `url` repository is read-only anyway; one of `gcs` never is.
    pub const fn can_be_readonly(self) -> bool {
        matches!(self, Self::Fs | Self::S3 | Self::Azure)
    }
}

/// What a repository is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Where its snapshots lie.
    pub kind: RepositoryKind,
    /// Settings whose values stand in the statement.
    pub literals: BTreeMap<String, String>,
    /// Settings whose values are bound: `$1` is that of the first.
    pub bound: Vec<String>,
}

impl RepositorySettings {
    /// Settings of a kind, none of them given.
    pub const fn new(kind: RepositoryKind) -> Self {
        Self { kind, literals: BTreeMap::new(), bound: Vec::new() }
    }

    /// The same with a value in the statement.
    #[must_use]
    pub fn literal(mut self, setting: &str, value: impl Into<String>) -> Self {
        self.literals.insert(setting.to_owned(), value.into());
        self
    }

    /// The same with a value that is bound.
    #[must_use]
    pub fn bound(mut self, setting: &str) -> Self {
        self.bound.push(setting.to_owned());
        self
    }
}

/// Makes a repository; fails where the name is taken. All nodes try to write to its place; with `readonly` they look
/// for it, so the place must be there already.
pub fn create_repository(name: &str, settings: &RepositorySettings) -> String {
    let bound = settings.bound.iter().enumerate().map(|(at, name)| (name, format!("${}", at + 1)));
    let literals = settings.literals.iter().map(|(name, value)| (name, literal(value)));
    let given: Vec<_> = literals.chain(bound).map(|(name, value)| format!("{} = {value}", ident(name))).collect();
    format!("CREATE REPOSITORY {} TYPE {} WITH ({})", ident(name), settings.kind.as_str(), given.join(", "))
}

/// Drops a repository; fails where there is none. Its snapshots stay where they lie.
pub fn drop_repository(name: &str) -> String {
    format!("DROP REPOSITORY {}", ident(name))
}

/// Makes the table that markers of stores are of: it has partitions, none of them, and so no shard.
pub fn create_marker_table() -> String {
    format!("CREATE TABLE IF NOT EXISTS {} (p INTEGER) PARTITIONED BY (p)", table(&Marker::table()))
}

/// `name, type, settings` of all repositories. Settings are texts as they were given, secrets masked.
pub fn repositories() -> String {
    "SELECT name, type, settings FROM sys.repositories ORDER BY 1".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_bound_and_the_rest_stands_in_the_text() {
        let settings = RepositorySettings::new(RepositoryKind::S3)
            .literal("bucket", "it's")
            .literal("base_path", "shop/snapshots")
            .bound("access_key")
            .bound("secret_key");
        assert_eq!(
            create_repository("r\"1", &settings),
            "CREATE REPOSITORY \"r\"\"1\" TYPE s3 WITH (\"base_path\" = 'shop/snapshots', \"bucket\" = 'it''s', \
             \"access_key\" = $1, \"secret_key\" = $2)"
        );
        assert_eq!(drop_repository("r"), r#"DROP REPOSITORY "r""#);
    }

    #[test]
    fn kinds_are_read_back() {
        assert!(RepositoryKind::ALL.into_iter().all(|kind| RepositoryKind::read(kind.as_str()) == Some(kind)));
        assert_eq!(RepositoryKind::read("hdfs"), None);
    }
}
