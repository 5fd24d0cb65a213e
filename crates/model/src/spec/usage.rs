//! What each kind of store can be used for.

use super::Store;

/// What a flow does with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreUse {
    /// Writes and reads snapshots.
    Snapshots,
    /// Writes files by `COPY TO`.
    Export,
    /// Reads files by `COPY FROM`.
    Import,
}

impl Store {
    /// Why it cannot be used like that: code, reason, and what to do.
    pub const fn cannot(&self, usage: StoreUse) -> Option<(&'static str, &'static str, &'static str)> {
        match (self, usage) {
            (Self::Url(_), StoreUse::Snapshots | StoreUse::Export) => Some((
                "spec::read-only-store",
                "a `url` store can only be read from",
                "use an `s3`, `directory` or `azure` store; a `url` store goes with `from: { store: NAME }`",
            )),
            (Self::Gcs(_), StoreUse::Export | StoreUse::Import) => Some((
                "spec::snapshots-only-store",
                "CrateDB cannot copy files to or from Google Cloud Storage",
                "use an `s3`, `directory` or `azure` store, or strategy `snapshot`",
            )),
            (Self::S3(s3), StoreUse::Export) if s3.access_key.is_none() && s3.secret_key.is_none() => Some((
                "spec::unsigned-store",
                "without keys, CrateDB writes files unsigned, whatever keys its nodes have",
                "give the store `access_key` and `secret_key`, or use strategy `snapshot`",
            )),
            _ => None,
        }
    }
}
