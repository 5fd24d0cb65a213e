//! The ways by which rows are moved.

use std::fmt;
use std::str::FromStr;

use crate::Outcome;
use crate::bench::Bench;
use crate::process::Used;
use crate::{child, inside, peers, tunnel};

/// How rows come from the source to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `INSERT INTO … SELECT` inside the target: what everything is compared with.
    Floor,
    /// Reading without writing.
    ReadOnly,
    /// The engine's own writing, from a source that costs nothing.
    WriteOnly,
    /// The engine.
    Stream,
    /// The engine with an execution for each row.
    Rows,
    ForeignTable,
    Copy,
    Replication,
    Snapshot,
    Asyncpg,
    HttpBulk,
    Cr8,
    Ingestr,
    Pgjdbc,
    /// With `reWriteBatchedInserts`.
    PgjdbcRewrite,
}

/// What became of one way in one round.
#[derive(Clone, Debug)]
pub(crate) enum Ran {
    /// All that the way does is done; nothing is said of whether the rows are right.
    Done(Used),
    /// There is nothing to run, for want of this.
    NotInstalled(String),
}

impl Way {
    pub(crate) const ALL: [Self; 15] = [
        Self::Floor,
        Self::ReadOnly,
        Self::WriteOnly,
        Self::Stream,
        Self::Rows,
        Self::ForeignTable,
        Self::Copy,
        Self::Replication,
        Self::Snapshot,
        Self::Asyncpg,
        Self::HttpBulk,
        Self::Cr8,
        Self::Ingestr,
        Self::Pgjdbc,
        Self::PgjdbcRewrite,
    ];

    /// The table of the target in which the rows arrive, if any.
    pub(crate) const fn arrives(self) -> Option<&'static str> {
        match self {
            Self::ReadOnly => None,
            // Both bring the table under its own name.
            Self::Replication | Self::Snapshot => Some("source"),
            _ => Some("moved"),
        }
    }

    pub(crate) async fn run(self, bench: &Bench) -> Outcome<Ran> {
        match self {
            Self::Floor => inside::floor(bench).await,
            Self::ReadOnly | Self::Stream | Self::Rows => child::copy(bench, self, &bench.arguments.source).await,
            Self::WriteOnly => child::copy(bench, self, bench.replay().await?).await,
            Self::ForeignTable => inside::foreign_table(bench).await,
            Self::Copy => inside::copy(bench).await,
            Self::Replication => tunnel::replication(bench).await,
            Self::Snapshot => inside::snapshot(bench).await,
            Self::Asyncpg => peers::asyncpg(bench).await,
            Self::HttpBulk => peers::http_bulk(bench).await,
            Self::Cr8 => peers::cr8(bench).await,
            Self::Ingestr => peers::ingestr(bench).await,
            Self::Pgjdbc => peers::pgjdbc(bench, false).await,
            Self::PgjdbcRewrite => peers::pgjdbc(bench, true).await,
        }
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|way| way.to_string() == word).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(Self::to_string).collect();
            format!("{word} is no way: {}", all.join(", "))
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::ReadOnly => "read-only",
            Self::WriteOnly => "write-only",
            Self::Stream => "stream",
            Self::Rows => "rows",
            Self::ForeignTable => "foreign-table",
            Self::Copy => "copy",
            Self::Replication => "replication",
            Self::Snapshot => "snapshot",
            Self::Asyncpg => "asyncpg",
            Self::HttpBulk => "http-bulk",
            Self::Cr8 => "cr8",
            Self::Ingestr => "ingestr",
            Self::Pgjdbc => "pgjdbc",
            Self::PgjdbcRewrite => "pgjdbc-rewrite",
        })
    }
}
