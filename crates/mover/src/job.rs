//! What a copy is told, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use transship_cluster::Gate;
use transship_model::Name;
use transship_model::access::Access;
use transship_model::redact::Redactor;
use transship_sql::copy::Inner;

use crate::transform::Transform;

/// How one of the two clusters is reached.
#[derive(Clone, Debug)]
pub struct End {
    /// The cluster's name in the spec.
    pub name: Name,
    /// Address, user and secrets.
    pub access: Access,
    /// Masks secrets in what the server says.
    pub redactor: Arc<Redactor>,
    /// What connections beyond the first take from; `None` where there may be as many as [`Limits`] says.
    pub more: Option<Arc<Semaphore>>,
}

/// One table's rows to be copied by one pair of statements.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where `select` runs.
    pub source: End,
    /// Where `insert` runs.
    pub target: End,
    /// Gives the rows. Its first columns are the parameters of `insert` in their order; more may follow that only name
    /// rows. Where there is a `transform`, that is so of what it makes.
    pub select: String,
    /// The parts in which the rows are read, several at a time, each by the values of `$1`, `$2`, … in `select`, as texts;
    /// `None` for NULL.
    pub parts: Vec<Vec<Option<String>>>,
    /// Writes one row, with `$1`, `$2`, … as its values.
    pub insert: String,
    /// What `insert` does with a row that is there already.
    pub write: Write,
    /// How many rows are written by one statement; `None` where each is an execution of its own, with a count of its own.
    pub many: Option<Many>,
    /// The columns that name a row; none where none does.
    pub key: Vec<KeyColumn>,
    /// Whether the target has a primary key, be it given or generated there, so that a row that is sent again is not there
    /// twice.
    pub keyed: bool,
    /// Whether rows hold values that nothing may show: of what a server says only the kind is told then.
    pub sensitive: bool,
    /// Places in columns of `select`, by their number from 0, where JSON does not say enough.
    pub inner: Vec<(usize, Inner)>,
    /// What becomes of the columns on the way; `None` where every cell is written as it was read.
    pub transform: Option<Arc<Transform>>,
    /// How much at once.
    pub limits: Limits,
    /// Once it is closed, nothing is written any more.
    pub gate: Gate,
}

/// What the statement that writes does with a row whose primary key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It refuses it.
    Insert,
    /// It overwrites it: `ON CONFLICT (…) DO UPDATE`.
    Upsert,
    /// It leaves what is there: `ON CONFLICT (…) DO NOTHING`.
    Keep,
}

/// Rows that are written many at a time, by `insert` with many rows of values. The server says only how many of them it
/// wrote: where these are not all, they are sent again one by one, so that each has an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Many {
    /// The statement for rows that are sent again where `insert` would refuse those that are there, and what it does. It
    /// may hide that two rows of the source have one key: whoever uses it counts the rows of the target afterwards.
    /// `None` with a statement that refuses rows that are there: a copy of which not all rows of a statement were written
    /// then ends as [`MoveError::Short`](crate::MoveError::Short).
    pub again: Option<(String, Write)>,
}

/// A column of the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its place among the columns of the select, or of what is made of them, from 0.
    pub at: usize,
    /// Its name on the target.
    pub name: String,
    /// Its type as the catalog names it.
    pub data_type: String,
    /// Whether its values may not be shown.
    pub sensitive: bool,
}

/// How much at once. A batch ends with whichever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of a batch.
    pub rows: usize,
    /// Bytes of a batch. A single row may be larger.
    pub bytes: usize,
    /// Connections that write at the same time.
    pub writers: Width,
    /// Connections that read parts at the same time.
    pub readers: Width,
    /// Bytes of batches that wait to be written, or are being written. A single batch may be larger.
    pub memory: usize,
    /// After so many refused rows the copy is given up.
    pub refused: u64,
    /// How many refused rows an error names.
    pub shown: usize,
    /// How long a server may be silent before it counts as lost.
    pub patience: Duration,
}

/// How many work at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// At first.
    pub first: usize,
    /// At most: so many are tried where that makes a copy faster.
    pub most: usize,
}

impl Width {
    /// Always so many.
    pub const fn fixed(count: usize) -> Self {
        Self { first: count, most: count }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            bytes: 4 * 1024 * 1024,
            writers: Width { first: 2, most: 8 },
            readers: Width { first: 1, most: 4 },
            memory: 24 * 1024 * 1024,
            refused: 1_000,
            shown: 10,
            patience: Duration::from_mins(5),
        }
    }
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that the source sent.
    pub read: u64,
    /// Rows that the target said it wrote, or had already where these are left.
    pub written: u64,
    /// Those of them that it had.
    pub kept: u64,
    /// Rows that the target refused.
    pub refused: u64,
    /// Bytes of the cells that the source sent.
    pub bytes: u64,
}

/// What becomes of a part of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartNews {
    /// Its rows are being read: some of them may be there from now on.
    Begun {
        /// Its place among the job's parts, from 0.
        part: usize,
    },
    /// All of its rows are written.
    Whole {
        /// Its place among the job's parts, from 0.
        part: usize,
        /// How many rows it has.
        rows: u64,
    },
}

/// Whoever is told how a copy goes on. It may not wait.
pub trait Watch: Send + Sync {
    /// Rows were read or written.
    fn progress(&self, progress: Progress);

    /// A part was begun, or is done.
    fn part(&self, _news: PartNews) {}
}

impl<F: Fn(Progress) + Send + Sync> Watch for F {
    fn progress(&self, progress: Progress) {
        self(progress);
    }
}

/// A copy that is complete: every row that was read is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows that the source sent, all of which the target said it wrote.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
}
