//! The ledger: what transship did, kept where the data lands. History, never the truth.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contents::Contents;
use crate::name::{FlowId, Name, TableName};
use crate::spec::{Strategy, StrategyChoice};

/// The format of the ledger's tables that this transship reads and writes.
pub const LEDGER_FORMAT: u32 = 1;

/// What is known of a cluster's ledger for one workspace and environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerView {
    /// The tables do not exist.
    Absent,
    /// The tables exist but cannot be read; why.
    Unreadable(String),
    /// The tables are of a format that this transship does not know.
    Newer(u32),
    /// The rows of this workspace and environment, by flow.
    Present(#[schemars(with = "BTreeMap<String, LedgerEntry>")] BTreeMap<FlowId, LedgerEntry>),
}

/// A flow's row, and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// The run that wrote the row last.
    pub run: String,
    /// The row.
    pub row: FlowRow,
}

impl FlowRow {
    /// The row once the run that wrote it has ended well. Of exports, those below `exported` are whole then. What a run
    /// has begun in a table and none has ended stays known.
    #[must_use]
    pub fn done<'a>(&self, exported: impl IntoIterator<Item = &'a str>) -> Self {
        let detach = self.detach.as_ref().map(|_| Detach::default());
        let mut exports = self.exports.clone();
        for path in exported {
            let is_above = |row: &&mut ExportRow| {
                path.strip_prefix(&row.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            exports.values_mut().filter(is_above).for_each(|row| row.whole = true);
        }
        let (made, placing, copying) = (self.tables.clone(), BTreeMap::new(), BTreeMap::new());
        let arriving = BTreeMap::new();
        Self { state: FlowState::Done, made, placing, copying, arriving, detach, exports, ..self.clone() }
    }
}

impl LedgerView {
    /// The row of a flow.
    pub fn row(&self, flow: &FlowId) -> Option<&FlowRow> {
        self.entry(flow).map(|entry| &entry.row)
    }

    /// The row of a flow, and the run that wrote it.
    pub fn entry(&self, flow: &FlowId) -> Option<&LedgerEntry> {
        match self {
            Self::Present(entries) => entries.get(flow),
            Self::Absent | Self::Unreadable(_) | Self::Newer(_) => None,
        }
    }

    /// The rows; none where they could not be read.
    pub fn rows(&self) -> impl Iterator<Item = (&FlowId, &FlowRow)> {
        let entries = match self {
            Self::Present(entries) => Some(entries),
            Self::Absent | Self::Unreadable(_) | Self::Newer(_) => None,
        };
        entries.into_iter().flatten().map(|(flow, entry)| (flow, &entry.row))
    }
}

/// What the ledger knows of one flow. Written before the first statement that makes an object of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowRow {
    /// How far the last run came.
    pub state: FlowState,
    /// The strategy that made the objects.
    pub strategy: Strategy,
    /// The source cluster's name in the spec; that of the target again where the flow begins in a store.
    pub from: Name,
    /// The source cluster's `sys.cluster.id`.
    pub from_id: String,
    /// The target cluster's name in the spec; that of the source again where the flow ends in a store.
    pub to: Name,
    /// The target cluster's `sys.cluster.id`.
    pub to_id: String,
    /// The publication on the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<Owned>,
    /// The subscription on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Owned>,
    /// The tables, as the last plan froze them.
    #[schemars(with = "BTreeSet<String>")]
    pub tables: BTreeSet<TableName>,
    /// Those of them that the flow is known to have made on the target, but for those that are of no use yet
    /// ([`FlowRow::arriving`]); all of them once a run has ended well.
    #[schemars(with = "BTreeSet<String>")]
    pub made: BTreeSet<TableName>,
    /// Whether plans that drop anything of the flow are refused, also once it is gone from the spec.
    pub prevent_destroy: bool,
    /// SHA-256 of what was declared, in hexadecimal.
    pub declaration: String,
    /// The copies that ended well, by target table; empty for continuous flows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, CopyRow>")]
    pub copies: BTreeMap<TableName, CopyRow>,
    /// The repository of the flow's snapshots, on source and target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The snapshots that the flow made and did not drop since, as far as the last plan knew, and the one that it makes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub snapshots: BTreeSet<String>,
    /// Copies that were whole and about to be put in place, by target table: a run that was cut there left either the
    /// copy or what it replaces under the name, and the identity of the indices tells which.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, CopyRow>")]
    pub placing: BTreeMap<TableName, CopyRow>,
    /// Tables to which rows are being added: a run that was cut there may have added some.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "BTreeSet<String>")]
    pub adding: BTreeSet<TableName>,
    /// Partitions that are being restored into tables, by target table and the partition's ident, each with the identity
    /// of its index once that is known: a run that was cut there may have deleted the partition and not restored it, or
    /// not all of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, Option<String>>>")]
    pub restoring: BTreeMap<TableName, BTreeMap<String, Option<String>>>,
    /// Copies aside that are being filled by chunks, by target table: a run that was cut there is gone on with by the next.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, CopyingRow>")]
    pub copying: BTreeMap<TableName, CopyingRow>,
    /// Tables that the subscription of a continuous flow has begun to copy, that no run has confirmed and that nobody can have
    /// relied on, with what they have. What [`FlowRow::detach`] knows is apart from it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Contents>")]
    pub arriving: BTreeMap<TableName, Contents>,
    /// Exports whose files may lie in a store, by number; the highest number is never given again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<u32, ExportRow>,
    /// What is known of a flow whose subscription is dropped once it is in sync; `None` for every other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detach: Option<Detach>,
    /// What `strategy: auto` came to, with its settings; `None` where the strategy was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<StrategyChoice>,
    /// The store at one end; `None` where both are clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<StoreEnd>,
}

/// A store at one end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreEnd {
    /// The flow begins in it.
    From(#[schemars(with = "String")] Name),
    /// The flow ends in it. The ledger of the source has the row, and its copies are what the newest export has, by
    /// source table.
    To(#[schemars(with = "String")] Name),
}

/// What the ledger knows of a flow with `then: detach`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// Tables that the flow's subscription is about to fill or has filled in part, by the name that they have on the
    /// target until they are put in place, with what they have as far as that is known. A table that is not in sync by
    /// [`FlowRow::placing`] is half a copy, however whole it looks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Contents>")]
    pub arriving: BTreeMap<TableName, Contents>,
}

/// What the ledger knows of one export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRow {
    /// The store.
    #[schemars(with = "String")]
    pub store: Name,
    /// Where its files lie in it.
    pub path: String,
    /// Whether the run that wrote them has ended well.
    pub whole: bool,
}

/// What the ledger knows of one copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyRow {
    /// The table on the source.
    #[schemars(with = "String")]
    pub from: TableName,
    /// SHA-256 in hexadecimal of what was asked for the table.
    pub asked: String,
    /// The table that holds the rows, where the name is a view over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub holds: Option<TableName>,
    /// The idents of the chosen partitions that were copied; none for the whole table.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partitions: BTreeSet<String>,
    /// The columns of the table that were written; none where that is not known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// The identities of the indices of the table that holds the rows, one for each partition: a table of the same name
    /// with others is another table.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub indices: BTreeSet<String>,
    /// When the run began, by the clock of the machine that ran it.
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// How many rows were written; of partitions that were replaced, those of each time.
    pub rows: u64,
    /// The source's primary shards before the copy, `PARTITION/SHARD`, each with the identity of its index and its
    /// highest sequence number.
    pub marks: BTreeMap<String, (String, i64)>,
    /// How far the copy has come by a cursor; `None` where none is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorRow>,
}

impl CopyRow {
    /// Whether an index of the source is another one than that which was noted under its name, or none of them was: `now`
    /// has the primary shards by `PARTITION/SHARD`, each with the identity of its index.
    pub fn is_of_another<'a>(&self, now: impl IntoIterator<Item = (String, &'a str)>) -> bool {
        let (mut is_any, mut is_known) = (false, false);
        for (key, index) in now {
            if self.marks.get(&key).is_some_and(|(before, _)| before != index) {
                return true;
            }
            is_any = true;
            is_known |= self.marks.values().any(|(before, _)| before == index);
        }
        is_any && !is_known && !self.marks.is_empty()
    }
}

/// How far a copy has come by a column that grows with every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorRow {
    /// The column of the source.
    pub column: String,
    /// Up to which of its values every row that was there has been written: a whole number, a time in milliseconds, or a
    /// text. `None` where nothing is known to be written, or no row had a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What the ledger knows of a copy aside that is being filled by chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyingRow {
    /// The copy aside.
    #[schemars(with = "String")]
    pub copy: TableName,
    /// The table on the source.
    #[schemars(with = "String")]
    pub from: TableName,
    /// SHA-256 in hexadecimal of what was asked for the table.
    pub asked: String,
    /// SHA-256 in hexadecimal of the copy's definition and of the statements that fill it.
    pub made: String,
    /// The identities of the copy's indices, as far as they are known.
    pub indices: BTreeSet<String>,
    /// When the run that made it began, by the clock of the machine that ran it.
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// The source's primary shards before the first chunk, as [`CopyRow::marks`].
    pub marks: BTreeMap<String, (String, i64)>,
    /// What the table's cursor came to before the first chunk; `None` where none is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorRow>,
    /// The column of the source by which its rows are divided.
    pub by: String,
    /// The chunks, in ascending order: each row of the table belongs to one.
    pub chunks: Vec<ChunkRow>,
}

impl CopyingRow {
    /// How many chunks are whole.
    pub fn done(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.rows.is_some()).count()
    }

    /// The rows of the chunks that are whole.
    pub fn rows(&self) -> u64 {
        self.chunks.iter().filter_map(|chunk| chunk.rows).sum()
    }

    /// The bounds of a chunk: its first value, and the first value of the next one.
    pub fn bounds(&self, chunk: usize) -> [Option<&str>; 2] {
        let from = |at: usize| self.chunks.get(at)?.from.as_deref();
        [from(chunk), from(chunk + 1)]
    }
}

/// What the ledger knows of a chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChunkRow {
    /// The value that it begins with, up to which the chunk before goes; `None` for the first, which has NULL as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many rows were written and found, once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// An object of a flow and the user who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owned {
    /// The object's name.
    pub name: String,
    /// The user that owns it: nobody else sees it.
    pub owner: String,
}

/// How far the last run of a flow came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowState {
    /// A run has begun and not ended well.
    Applying,
    /// The last run ended well.
    Done,
    /// A run that removes the flow has begun and not ended well.
    Removing,
}

/// What the ledgers know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The run's id, which begins with when it began.
    pub run: String,
    /// How it ended.
    pub state: RunState,
    /// When it began, by the clock of the machine that ran it.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The version of transship that ran.
    pub tool_version: String,
    /// The digest of its plan.
    pub digest: String,
}

/// What the ledger knows of a step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// The step's id.
    pub step: String,
    /// The cluster that it changes or looks at.
    pub cluster: String,
    /// What it does.
    pub kind: String,
    /// How it stands.
    pub state: StepState,
    /// When it began; `None` where it did not.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The code of its error.
    pub code: Option<String>,
    /// Its error, what it found out, or why it was not started.
    pub message: Option<String>,
}

/// How a step of a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It began, and did not end.
    Started,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
    /// It was not started, since another one failed.
    Skipped,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It has not ended.
    Running,
    /// Every step succeeded.
    Done,
    /// Some step failed.
    Failed,
    /// It was stopped before its end.
    Cancelled,
}
