//! What flows may be: strategies, what they do about tables that are there, what was applied of them before, and what may be
//! seen of them.

use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// With so many rows a chunk.
    Stream(Option<usize>),
    Json,
    Csv,
    Snapshot,
    Detach,
    Live,
    ToStore,
    FromStore,
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Error,
    Replace,
    View,
    Append,
    Upsert,
    Skip,
}

/// What was applied of a flow before the run that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    Nothing,
    /// All of it: nothing is to be done, unless it is due since its source has changed.
    Same,
    /// All of it, and it is to be done once more.
    Resync,
    /// Less of it: fewer rows, or fewer tables.
    Less,
    /// It is no longer declared.
    Gone,
}

/// What may be seen of a target's table while a flow is applied and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// What was there, or what will be.
    Aside,
    /// What was there, and some of the rows that come.
    Append,
    /// Each row that was there, or the one that takes its place.
    Upsert,
    /// The same of the chosen partitions, and what was there of all others.
    Parts,
    /// Nothing, some of the rows that come, or what was there.
    Arrives,
}

impl Strategy {
    pub(super) fn existing(self, random: &mut Random) -> Existing {
        use Existing::{Append, Error, Replace, Skip, Upsert, View};
        let all: &[Existing] = match self {
            Self::Stream(_) | Self::Json | Self::Csv | Self::FromStore => {
                &[Error, Replace, Replace, View, Append, Upsert, Skip]
            }
            Self::Snapshot | Self::Auto => &[Error, Replace, Replace, View, Skip],
            Self::Detach => &[Error, Error, Replace, Skip],
            Self::Live => &[Error, Error, Replace],
            Self::ToStore => &[Error],
        };
        all[random.below(all.len())]
    }

    /// Whether rows and columns can be chosen.
    pub(super) const fn chooses(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Json | Self::Csv | Self::ToStore)
    }

    pub(super) const fn chooses_partitions(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Json | Self::Csv | Self::Snapshot)
    }

    pub(super) fn yaml(self) -> String {
        match self {
            Self::Stream(None) => "{ custom: { engine: stream } }".to_owned(),
            Self::Stream(Some(rows)) => format!("{{ custom: {{ engine: stream, chunk_rows: {rows} }} }}"),
            Self::Json => "{ export-import: { store: disk, compression: gzip } }".to_owned(),
            Self::Csv => "{ export-import: { store: disk, format: csv } }".to_owned(),
            Self::Snapshot => "{ snapshot: { store: disk } }".to_owned(),
            Self::Detach => "{ logical-replication: { then: detach } }".to_owned(),
            Self::Live => "{ logical-replication: {} }".to_owned(),
            Self::ToStore | Self::FromStore => "{ export-import: {} }".to_owned(),
            Self::Auto => "auto".to_owned(),
        }
    }
}

impl Existing {
    pub(super) const fn yaml(self) -> &'static str {
        match self {
            Self::Error => "existing: error",
            Self::Replace => "existing: replace",
            Self::View => "existing: replace\n    replace_by: view",
            Self::Append => "existing: append",
            Self::Upsert => "existing: upsert",
            Self::Skip => "existing: skip",
        }
    }
}
