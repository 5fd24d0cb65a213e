//! What a copy is told, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use transship_cluster::Gate;
use transship_model::Name;
use transship_model::access::Access;
use transship_model::redact::Redactor;
use transship_sql::copy::Inner;

/// How one of the two clusters is reached.
#[derive(Clone, Debug)]
pub struct End {
    /// The cluster's name in the spec.
    pub name: Name,
    /// Address, user and secrets.
    pub access: Access,
    /// Masks secrets in what the server says.
    pub redactor: Arc<Redactor>,
}

/// One table's rows to be copied by one pair of statements.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where `select` runs.
    pub source: End,
    /// Where `insert` runs.
    pub target: End,
    /// Gives the rows. Its first columns are the parameters of `insert` in their order; more may follow that only name
    /// rows.
    pub select: String,
    /// The values of `$1`, `$2`, … in `select`, as texts; `None` for NULL.
    pub values: Vec<Option<String>>,
    /// Writes one row, with `$1`, `$2`, … as its values.
    pub insert: String,
    /// What `insert` does with a row that is there already.
    pub write: Write,
    /// The columns of `select` that name a row; none where none does.
    pub key: Vec<KeyColumn>,
    /// Whether the target has a primary key, be it given or generated there, so that a row that is sent again is not there
    /// twice.
    pub keyed: bool,
    /// Whether rows hold values that nothing may show: of what a server says only the kind is told then.
    pub sensitive: bool,
    /// Places in columns of `select`, by their number from 0, where JSON does not say enough.
    pub inner: Vec<(usize, Inner)>,
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
    /// It leaves what is there: `ON CONFLICT (…) DO NOTHING`, for tables that are all primary key.
    Keep,
}

/// A column of the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its place among the columns of the select, from 0.
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
    /// Connections that write at the same time. There are never more than twice as many batches in memory, and one.
    pub writers: usize,
    /// After so many refused rows the copy is given up.
    pub refused: u64,
    /// How many refused rows an error names.
    pub shown: usize,
    /// How long a server may be silent before it counts as lost.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 5_000,
            bytes: 4 * 1024 * 1024,
            writers: 2,
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
    /// Rows that the target said it wrote.
    pub written: u64,
    /// Rows that the target refused.
    pub refused: u64,
    /// Bytes of the cells that the source sent.
    pub bytes: u64,
}

/// A copy that is complete: every row that was read is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows that the source sent, all of which the target said it wrote.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
}
