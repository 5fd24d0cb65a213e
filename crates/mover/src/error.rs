//! Why a copy is not complete.

use std::fmt;

use thiserror::Error;
use transship_cluster::ClusterError;

use crate::job::Progress;

/// Why a copy is not complete. Each tells how far it had come.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The source could not be reached, or stopped sending. What was read before has been written.
    #[error("reading stopped after {} rows: {error}", .progress.read)]
    Source {
        /// What went wrong.
        error: ClusterError,
        /// How far it had come.
        progress: Progress,
    },
    /// The target could not be reached, or refuses every row.
    #[error("nothing more can be written after {} rows: {error}", .progress.written)]
    Target {
        /// What went wrong.
        error: ClusterError,
        /// How far it had come.
        progress: Progress,
    },
    /// Whether rows were written is not known: the answer is missing, or says that only a part was done.
    #[error("whether {rows} rows were written is not known: {error}")]
    Unknown {
        /// How many rows.
        rows: u64,
        /// Why.
        error: ClusterError,
        /// How far it had come.
        progress: Progress,
    },
    /// The target wrote fewer rows of a statement than were sent, and does not say which. Nothing is sent again that could be
    /// there twice: the rows have to be deleted, and copied one by one.
    #[error("the target wrote {written} of {rows} rows of a statement, and does not say which{}", said(error.as_ref()))]
    Short {
        /// How many rows it had.
        rows: u64,
        /// How many of them were written, as far as the target says.
        written: u64,
        /// What the target said beside it.
        error: Option<ClusterError>,
        /// How far it had come.
        progress: Progress,
    },
    /// The target refused rows; unless `given_up`, it has all others.
    #[error("{}", refused(.progress, *.given_up, .first))]
    Refused {
        /// The first of them in the order of reading.
        first: Vec<RefusedRow>,
        /// Whether the copy was given up because there were too many.
        given_up: bool,
        /// How far it had come.
        progress: Progress,
    },
    /// The columns that are read are not those that are written.
    #[error("the columns that are read do not fit those that are written: {problem}")]
    Columns {
        /// What does not fit.
        problem: String,
    },
    /// What was planned to be done with the columns cannot be begun.
    #[error("{problem}")]
    Transform {
        /// Why.
        problem: String,
    },
    /// The numbers of rows read, written and refused do not add up.
    #[error("{} rows were read, but {} written and {} refused", .progress.read, .progress.written, .progress.refused)]
    Unaccounted {
        /// The numbers.
        progress: Progress,
    },
    /// It was told to stop. Rows beyond those counted may have been written.
    #[error("cancelled after {} rows were written", .progress.written)]
    Cancelled {
        /// How far it had come.
        progress: Progress,
    },
}

/// A row that the target refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place in the order of reading, from 1.
    pub number: u64,
    /// Name and text of each column of its primary key that may be shown; empty for a table without one.
    pub key: Vec<(String, String)>,
    /// The server's reason, without values of other columns.
    pub reason: String,
}

impl fmt::Display for RefusedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "row {} of those read", self.number)?;
        }
        for (at, (name, value)) in self.key.iter().enumerate() {
            write!(f, "{}{name} = {value}", if at == 0 { "" } else { ", " })?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl MoveError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source { .. } => "mover::source",
            Self::Target { .. } => "mover::target",
            Self::Unknown { .. } => "mover::unknown",
            Self::Short { .. } => "mover::short",
            Self::Refused { .. } => "mover::refused",
            Self::Columns { .. } => "mover::columns",
            Self::Transform { .. } => "mover::transform",
            Self::Unaccounted { .. } => "mover::unaccounted",
            Self::Cancelled { .. } => "mover::cancelled",
        }
    }

    /// How far it had come; nowhere, where the statements do not fit each other.
    pub fn progress(&self) -> Progress {
        self.clone().progress_mut().copied().unwrap_or_default()
    }

    /// The same of a copy that has come further since.
    pub(crate) fn after(mut self, now: Progress) -> Self {
        if let Some(progress) = self.progress_mut() {
            *progress = now;
        }
        self
    }

    const fn progress_mut(&mut self) -> Option<&mut Progress> {
        match self {
            Self::Source { progress, .. }
            | Self::Target { progress, .. }
            | Self::Unknown { progress, .. }
            | Self::Short { progress, .. }
            | Self::Refused { progress, .. }
            | Self::Unaccounted { progress }
            | Self::Cancelled { progress } => Some(progress),
            Self::Columns { .. } | Self::Transform { .. } => None,
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Source { error, .. } | Self::Target { error, .. } => return error.help(),
            Self::Unknown { .. } | Self::Short { .. } => {
                "begin again with an empty table, or with one that has a primary key by upsert"
            }
            Self::Refused { .. } => {
                "repair these rows on the source, leave them out by `where`, or make the target's columns and \
                 constraints fit them"
            }
            Self::Transform { .. } => "nothing was written; docs/transform.md has what each verb needs",
            Self::Columns { .. } => "a table changed since the plan was made: plan again and review it",
            Self::Unaccounted { .. } => "begin again with an empty table, and report this with the statements",
            Self::Cancelled { .. } => {
                "apply again: a copy aside that has whole chunks goes on with the others, and any other begins anew"
            }
        };
        Some(text.to_owned())
    }
}

fn said(error: Option<&ClusterError>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

fn refused(progress: &Progress, given_up: bool, first: &[RefusedRow]) -> String {
    let rows = if progress.refused == 1 { "row was" } else { "rows were" };
    let rest = if given_up { "; the copy was given up" } else { "; all others are written" };
    let named: Vec<_> = first.iter().map(|row| format!("\n  {row}")).collect();
    let unnamed = progress.refused - progress.refused.min(first.len() as u64);
    let more = if unnamed == 0 { String::new() } else { format!("\n  and {unnamed} more") };
    format!("{} {rows} refused{rest}:{}{more}", progress.refused, named.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_named() {
        let row = |number, key: &[(&str, &str)]| RefusedRow {
            number,
            key: key.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reason: "no".to_owned(),
        };
        let error = MoveError::Refused {
            first: vec![row(7, &[("id", "1"), ("month", "2")]), row(9, &[])],
            given_up: false,
            progress: Progress { read: 10, written: 7, refused: 3, bytes: 0, kept: 0 },
        };
        assert_eq!(
            error.to_string(),
            "3 rows were refused; all others are written:\n  id = 1, month = 2: no\n  row 9 of those read: no\n  and 1 more"
        );
    }
}
