//! Why a step failed.

use std::time::Duration;

use thiserror::Error;
use transship_cluster::{ClusterError, ErrorKind};
use transship_model::plan::{ObjectRef, Part, Precondition, StepKind};
use transship_model::{FlowId, Name, TableName};
use transship_mover::MoveError;
use transship_store::StoreError;

use super::summary::{self, FileProblem};
use crate::lock::Lost;

/// Why a step failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StepError {
    /// A cluster answered with an error, or not at all.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The step is not what its kind does.
    #[error("the step is not what a step {kind} does: {reason}")]
    NotOfItsKind {
        /// The step's kind.
        kind: StepKind,
        /// What is wrong.
        reason: String,
    },
    /// Something that the step relies on is not what it was.
    #[error("{object} {how}")]
    Changed {
        /// What changed.
        object: ObjectRef,
        /// What is the matter with it.
        how: &'static str,
    },
    /// A precondition does not hold.
    #[error("{}", broken(.precondition))]
    Precondition {
        /// The precondition.
        precondition: Precondition,
    },
    /// Whether a table can be written could not be told.
    #[error("cannot tell whether {table} can be written: {reason}")]
    WritableUnknown {
        /// The table.
        table: ObjectRef,
        /// What the server said.
        reason: String,
    },
    /// An object of the name exists and belongs to somebody else.
    #[error("{object} exists already and belongs to another user: {user} cannot see it")]
    OwnedByAnother {
        /// The object.
        object: ObjectRef,
        /// As whom transship is connected.
        user: String,
    },
    /// An object of the name exists and is another one than the plan makes.
    #[error("{object} exists already and differs: {difference}")]
    Differs {
        /// The object.
        object: ObjectRef,
        /// In what.
        difference: String,
    },
    /// The effect of the statement cannot be seen afterwards.
    #[error("the statement succeeded, but {object} {problem}")]
    NoEffect {
        /// The object.
        object: ObjectRef,
        /// What is wrong with it.
        problem: String,
    },
    /// The subscription is gone, or at least out of sight, and tables of it still count as followed.
    #[error("{subscription} is not to be seen any more, but {} still count as followed", names(.tables))]
    LeftFollowed {
        /// The subscription.
        subscription: ObjectRef,
        /// The tables.
        tables: Vec<TableName>,
    },
    /// The source does not show the publication that is to be subscribed to.
    #[error("{publication} is not there, or belongs to another user")]
    NoPublication {
        /// The publication.
        publication: ObjectRef,
    },
    /// Another subscription of the target has failed: making one looks at all again, and can take the master down.
    #[error("{subscription} has failed, and can take every other one down when another is made")]
    FailedNeighbour {
        /// The failed subscription.
        subscription: ObjectRef,
    },
    /// The user whom the connection names does not exist on the source.
    #[error("the source cluster `{cluster}` has no user `{user}` to connect as")]
    NoSubscriber {
        /// The source.
        cluster: Name,
        /// The user.
        user: String,
    },
    /// The bound value is no longer what the reviewers saw.
    #[error("the connection would be `{now}`, the plan shows `{planned}`")]
    ParameterChanged {
        /// What the plan shows.
        planned: String,
        /// What it would be now, masked.
        now: String,
    },
    /// The subscription came without some of the tables.
    #[error("the subscription has not got {}: user `{user}` may not read them on cluster `{source_cluster}`", names(.tables))]
    TablesMissing {
        /// The tables.
        tables: Vec<TableName>,
        /// As whom the subscriber connects.
        user: String,
        /// The source.
        source_cluster: Name,
    },
    /// A table of the subscription failed.
    #[error("replication of {table} failed: {reason}")]
    ReplicationFailed {
        /// The table.
        table: TableName,
        /// The server's reason.
        reason: String,
    },
    /// A wait came to nothing.
    #[error("nothing changed for {} min: {state}", .after.as_secs() / 60)]
    Stalled {
        /// How long nothing changed.
        after: Duration,
        /// How far it had come.
        state: String,
    },
    /// The target has stopped copying in the middle.
    #[error("{table} was copied in part, and the target does not go on: {state}")]
    AbandonedCopy {
        /// The table.
        table: TableName,
        /// How far the wait had come.
        state: String,
    },
    /// The target does not begin to copy.
    #[error("{table}: the target has not begun to copy it, and does nothing of the kind: {state}")]
    NotBegun {
        /// The table.
        table: TableName,
        /// How far the wait had come.
        state: String,
    },
    /// A copy has everything and does not end.
    #[error("the copy does not end: for {} min the target has had {partitions} shards of partitions that the source has dropped, and cannot start them; {state}", .after.as_secs() / 60)]
    EndlessCopy {
        /// The shards that never start.
        partitions: usize,
        /// How long.
        after: Duration,
        /// How far it had come.
        state: String,
    },
    /// Rows did not all arrive.
    #[error(transparent)]
    Copy(#[from] Box<MoveError>),
    /// The files of an export have not as many rows as were counted, and nobody wrote meanwhile.
    #[error("{counted} rows of {table} were counted, {exported} were exported, and nothing was written meanwhile")]
    ExportDiffers {
        /// The table.
        table: TableName,
        /// The rows that were counted.
        counted: u64,
        /// The rows that were exported.
        exported: u64,
    },
    /// Not every row that was exported was imported.
    #[error("{imported} of {exported} exported rows were imported into {table}{}", summary::shown(.problems))]
    NotImported {
        /// The table.
        table: TableName,
        /// The rows that were exported.
        exported: u64,
        /// The rows that were imported.
        imported: u64,
        /// What the cluster said of files, the first ones.
        problems: Vec<FileProblem>,
    },
    /// A store cannot be used by this machine.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of an export is not what it should be.
    #[error("{file}: {problem}")]
    FileBroken {
        /// Its path below the store.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The files of an export have not the rows that were exported.
    #[error("{exported} rows of {table} were exported, and its files have {found}")]
    FilesDiffer {
        /// The table.
        table: TableName,
        /// The rows that were exported.
        exported: u64,
        /// The rows in its files.
        found: u64,
    },
    /// A store cannot be used by COPY.
    #[error("store {store} cannot be used so: {reason}")]
    StoreUnfit {
        /// The store.
        store: Name,
        /// Why not.
        reason: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A copy does not have as many rows as were written to it.
    #[error("{table} has {found} rows, and {written} were written to it")]
    CountDiffers {
        /// The copy.
        table: TableName,
        /// Its rows.
        found: u64,
        /// The rows that were written.
        written: u64,
    },
    /// The target took other rows than there are at the source.
    #[error("{table}: the source has {expected} rows where the target read {pulled}")]
    PullDiffers {
        /// The table of the source.
        table: TableName,
        /// The rows that the source counts.
        expected: u64,
        /// The rows that the target wrote.
        pulled: u64,
    },
    /// Values that the driver of the target would shift.
    #[error("{table} has {rows} rows with a time in {} that lies before 1582-10-25 or after the year 9999", .columns.join(", "))]
    TimesUnfit {
        /// The table of the source.
        table: TableName,
        /// The columns.
        columns: Vec<String>,
        /// How many rows.
        rows: u64,
    },
    /// The condition of a chunk is not sent to the source.
    #[error("{table}: the target would read the whole table for each chunk")]
    NotSent {
        /// The table of the source.
        table: TableName,
    },
    /// What would be read at once does not fit the heap of a node of the target.
    #[error("{table}: about {mib} MiB would be read at once, and the target keeps that on the heap of one node")]
    ExceedsHeap {
        /// The table of the source.
        table: TableName,
        /// What it would be.
        mib: u64,
    },
    /// A program cannot be started.
    #[error("`{program}` cannot be started: {reason}")]
    CommandNotStarted {
        /// The program.
        program: String,
        /// Why.
        reason: String,
    },
    /// A program did not do its work.
    #[error("`{program}` {how}{}", .last.as_ref().map(|last| format!("; its last line: {last}")).unwrap_or_default())]
    CommandFailed {
        /// The program.
        program: String,
        /// How it ended.
        how: String,
        /// What it printed last, redacted.
        last: Option<String>,
    },
    /// A program has not said how many rows it wrote.
    #[error("`{program}` ended well, and its result cannot be used: {reason}")]
    CommandResult {
        /// The program.
        program: String,
        /// Why.
        reason: String,
    },
    /// A program did not write as many rows as it says.
    #[error("{reported} rows were reported for {table}, and {found} are in the copy of it")]
    CommandCounts {
        /// The table of the flow.
        table: TableName,
        /// The rows of the copy.
        found: u64,
        /// The rows that the program says it wrote.
        reported: u64,
    },
    /// A snapshot is not whole.
    #[error("snapshot {snapshot} {state}")]
    SnapshotFailed {
        /// The snapshot.
        snapshot: String,
        /// What became of it.
        state: String,
    },
    /// The repository has a snapshot of the name of the one to be made.
    #[error("snapshot {snapshot} is in the store already, left by an earlier flow of this name")]
    SnapshotTaken {
        /// The snapshot.
        snapshot: String,
    },
    /// A table was not restored whole.
    #[error("{table} was not restored whole: {state}")]
    RestoreFailed {
        /// The copy.
        table: TableName,
        /// What is wrong.
        state: String,
    },
    /// The copy has far fewer rows than what it would replace.
    #[error("the copy of {table} has {new} rows, what it would replace has {old}")]
    Shrinks {
        /// The table that would be replaced.
        table: TableName,
        /// The rows of the copy.
        new: u64,
        /// The rows of what it would replace.
        old: u64,
    },
    /// Far fewer rows of a table would be left than it has.
    #[error("{gone} of the {old} rows of {table} are not at the source, and would be deleted")]
    Prunes {
        /// The table.
        table: TableName,
        /// The rows that would go.
        gone: u64,
        /// The rows that it has.
        old: u64,
    },
    /// Partitions of a table that is read give no rows, and no error either.
    #[error("{cluster} gives no rows of {} of {table}: {}", partitions(parts.len()), first(parts))]
    Unreadable {
        /// The cluster.
        cluster: Name,
        /// The table.
        table: TableName,
        /// The partitions, each with what is the matter.
        parts: Vec<String>,
    },
    /// Rows are there still, as they were, though the statement that deletes them was sent.
    #[error("{count} rows of {table} that were to be deleted are there still")]
    NotDeleted {
        /// The table.
        table: TableName,
        /// How many.
        count: u64,
    },
    /// Two clusters see different places in what is called one store.
    #[error("`{reader}` does not see what `{writer}` has written to store {store}")]
    StoresDiffer {
        /// The store.
        store: Name,
        /// Who wrote.
        writer: Name,
        /// Who looked.
        reader: Name,
    },
    /// A wait took too long.
    #[error("not done within {} s: {state}", .limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// How far it had come.
        state: String,
    },
    /// A flow that comes before was not done by its job.
    #[error("{flow} of part {part} comes before, and run {run}, which was to do it, failed")]
    AwaitedFailed {
        /// The flow.
        flow: FlowId,
        /// Its part.
        part: Part,
        /// The run.
        run: String,
    },
    /// The run was told to stop while the step was waiting.
    #[error("the wait was ended because the run was cancelled")]
    Cancelled,
    /// The run holds the locks of its flows no more.
    #[error("the lock was lost: {0}")]
    LockLost(Lost),
    /// The ledger is of a newer format.
    #[error("the ledger on cluster `{cluster}` has format {found}, this transship knows {known}")]
    LedgerNewer {
        /// The cluster.
        cluster: Name,
        /// The ledger's format.
        found: String,
        /// The format that is known.
        known: u32,
    },
    /// The columns of two tables have other ids, so that a partition of one does not fit into the other.
    #[error("columns of {table} have other ids than those of {from} ({}): CrateDB would refuse its partitions", .columns.join(", "))]
    ColumnsDiffer {
        /// The table that is there.
        table: TableName,
        /// The one that the partition is of.
        from: TableName,
        /// The columns.
        columns: Vec<String>,
    },
    /// Something failed on a cluster whose disks are full.
    #[error("{error}; a disk of `{cluster}` {problem}")]
    Disk {
        /// The cluster.
        cluster: Name,
        /// What the checks of its nodes say.
        problem: &'static str,
        /// What failed.
        error: Box<StepError>,
    },
    /// A row of the ledger could not be written.
    #[error("the ledger on cluster `{cluster}` could not be written: {reason}")]
    LedgerWrite {
        /// The cluster.
        cluster: Name,
        /// Why.
        reason: String,
        /// What the server's answer suggests.
        help: Option<String>,
    },
}

impl From<Lost> for StepError {
    fn from(lost: Lost) -> Self {
        Self::LockLost(lost)
    }
}

impl StepError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cluster(error) => error.code(),
            Self::NotOfItsKind { .. } => "apply::not-of-its-kind",
            Self::Changed { .. } => "apply::changed",
            Self::Precondition { .. } => "apply::precondition",
            Self::WritableUnknown { .. } => "apply::writable-unknown",
            Self::OwnedByAnother { .. } => "apply::owned-by-another",
            Self::Differs { .. } => "apply::differs",
            Self::NoEffect { .. } => "apply::no-effect",
            Self::LeftFollowed { .. } => "apply::left-followed",
            Self::NoPublication { .. } => "apply::no-publication",
            Self::NoSubscriber { .. } => "apply::no-subscriber",
            Self::FailedNeighbour { .. } => "apply::failed-neighbour",
            Self::ParameterChanged { .. } => "apply::parameter-changed",
            Self::TablesMissing { .. } => "apply::tables-missing",
            Self::ReplicationFailed { .. } => "apply::replication-failed",
            Self::Stalled { .. } => "apply::stalled",
            Self::TimedOut { .. } => "apply::timed-out",
            Self::AbandonedCopy { .. } => "apply::abandoned-copy",
            Self::NotBegun { .. } => "apply::not-begun",
            Self::EndlessCopy { .. } => "apply::endless-copy",
            Self::Copy(error) => error.code(),
            Self::ExportDiffers { .. } => "apply::export-differs",
            Self::NotImported { .. } => "apply::not-imported",
            Self::Store(error) => error.code(),
            Self::FileBroken { .. } => "apply::file-broken",
            Self::FilesDiffer { .. } => "apply::files-differ",
            Self::StoreUnfit { .. } => "apply::store-unfit",
            Self::CountDiffers { .. } => "apply::count-differs",
            Self::PullDiffers { .. } => "apply::pull-differs",
            Self::TimesUnfit { .. } => "apply::times-unfit",
            Self::NotSent { .. } => "apply::not-sent",
            Self::ExceedsHeap { .. } => "apply::exceeds-heap",
            Self::CommandNotStarted { .. } => "apply::command-not-started",
            Self::CommandFailed { .. } => "apply::command-failed",
            Self::CommandResult { .. } => "apply::command-result",
            Self::CommandCounts { .. } => "apply::command-counts",
            Self::SnapshotFailed { .. } => "apply::snapshot-failed",
            Self::SnapshotTaken { .. } => "apply::snapshot-taken",
            Self::RestoreFailed { .. } => "apply::restore-failed",
            Self::StoresDiffer { .. } => "apply::stores-differ",
            Self::Shrinks { .. } | Self::Prunes { .. } => "apply::shrinks",
            Self::Unreadable { .. } => "apply::unreadable",
            Self::NotDeleted { .. } => "apply::not-deleted",
            Self::AwaitedFailed { .. } => "apply::awaited-failed",
            Self::Cancelled => "apply::cancelled",
            Self::LockLost(_) => "apply::lock-lost",
            Self::LedgerNewer { .. } => "apply::ledger-newer",
            Self::ColumnsDiffer { .. } => "apply::columns-differ",
            Self::Disk { error, .. } => error.code(),
            Self::LedgerWrite { .. } => "apply::ledger-write",
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Cluster(error) => return error.help(),
            Self::NotOfItsKind { .. } => "make the plan again with this transship",
            Self::Changed { .. } | Self::Precondition { .. } | Self::Differs { .. } | Self::ParameterChanged { .. } => {
                "something changed since the plan was made: plan again and review it"
            }
            Self::WritableUnknown { .. } => "grant transship's user DML on the table, then plan again",
            Self::OwnedByAnother { .. } => {
                "apply as the user who owns it, or choose another name under `names` of the flow"
            }
            Self::NoEffect { .. } => "plan again: the new plan starts from what is there now",
            Self::LeftFollowed { .. } => transship_plan::LEFT_FOLLOWED,
            Self::NoPublication { .. } => "apply as the user who owns the publication; plan again to see what is there",
            Self::FailedNeighbour { .. } => "repair that one first: plan again to see how",
            Self::NoSubscriber { user, .. } => {
                return Some(format!(
                    "create it on the source: CREATE USER \"{user}\", and GRANT it DQL on the tables"
                ));
            }
            Self::TablesMissing { tables, user, .. } => {
                let tables = transship_sql::ident::tables(tables);
                let user = transship_sql::ident::ident(user);
                return Some(format!("run on the source: GRANT DQL ON TABLE {tables} TO {user}; then plan again"));
            }
            Self::ReplicationFailed { .. } => {
                "remove the cause, then plan again: a failed subscription is made anew over dropped tables"
            }
            Self::Stalled { .. } | Self::TimedOut { .. } => {
                "see the logs of both clusters, then plan again: a new plan begins with what is there. A wait for data goes \
                 on by itself, and the flow's `timeout` sets its limit"
            }
            Self::Copy(error) => return error.help(),
            Self::ExportDiffers { .. } => {
                "apply again; if it stays so, the source has shards that cannot be read: see sys.health"
            }
            Self::NotImported { problems, .. } if problems.iter().all(|problem| problem.is_missing) => {
                "do both clusters see the same place? a directory has to be the same mount on every node of both. Then \
                 apply again: what was left is removed first"
            }
            Self::NotImported { .. } => {
                "correct the rows on the source, or leave them out by `where`, and apply again: what was left is removed first"
            }
            Self::Store(error) => return error.help(),
            Self::StoreUnfit { help, .. } => help,
            Self::FileBroken { .. } => "nothing was imported from it; export anew, and plan again",
            Self::FilesDiffer { .. } => {
                "does this machine see the place that the cluster writes to? Apply again: it is exported anew"
            }
            Self::CountDiffers { .. } => {
                "somebody else wrote into the copy, or rows were lost; plan again: it is made anew"
            }
            Self::PullDiffers { .. } => {
                "rows were refused by the target, or the source is written so fast that no chunk of it stands still: \
                 `engine: stream` names refused rows, and reads each table at one moment. A copy aside is made anew by the next \
                 plan; what was added to a table that was there stays"
            }
            Self::TimesUnfit { .. } => {
                "the calendar of the driver shifts them: use `engine: stream`, or leave the rows out by `where`. A copy aside \
                 is dropped by the next plan"
            }
            Self::ExceedsHeap { .. } => {
                "use `engine: stream`, which holds back what cannot be written yet; nothing was copied at once"
            }
            Self::NotSent { .. } => "use `engine: stream`, or another `where`; nothing was copied",
            Self::CommandNotStarted { .. } => {
                "a program with a slash in it lies below the workspace, any other in a directory of PATH"
            }
            Self::CommandFailed { .. } => {
                "what it printed is in the log of the run (runs show RUN); nothing was put in place: apply again runs it anew"
            }
            Self::CommandResult { .. } => {
                "it has to write {\"format_version\":1,\"rows\":{\"SCHEMA.TABLE\":N}} to file descriptor 3, with every table \
                 that it was given (docs/command.md); nothing was put in place"
            }
            Self::CommandCounts { .. } => {
                "rows were lost, refused or written twice, or the program counts something else; nothing was put in place: \
                 apply again runs it anew"
            }
            Self::SnapshotTaken { .. } => {
                "apply again: now that the repository is there, its snapshots are seen and the next number is taken"
            }
            Self::SnapshotFailed { .. } => {
                "see the log of the source and whether all of its shards are there, then apply again: a new snapshot is made"
            }
            Self::RestoreFailed { .. } => {
                "see the log of the target and its disks, then apply again: what is left is dropped and restored anew"
            }
            Self::StoresDiffer { .. } => {
                "nothing was copied: a directory has to be the same mount on every node of both clusters, and a bucket's \
                 address has to lead both to the same server"
            }
            Self::Unreadable { .. } => {
                "rows would be missing without a word: open closed partitions (ALTER TABLE … PARTITION (…) OPEN), wait until all \
                 shards are there (sys.health), or choose other ones by `partitions`; their values are in \
                 information_schema.table_partitions"
            }
            Self::NotDeleted { .. } => {
                "apply again, which looks anew; where it stays so, look for blocks on the table (ALTER TABLE … SET (\"blocks.write\" = …))"
            }
            Self::Shrinks { .. } | Self::Prunes { .. } => {
                "look why the source has so few rows; when that is right, set `allow_shrink: true` on the flow"
            }
            Self::AbandonedCopy { .. } => {
                "CrateDB forgets what it copies when its cluster is restarted: apply again, the table is copied anew"
            }
            Self::NotBegun { .. } => {
                "apply again: the subscription is made anew. Where that ends here again, CrateDB no longer looks for new tables \
                 on the target, as after a restart of the whole cluster: it begins again when another node becomes master, \
                 or when no subscription is left there (`--resync` of every flow that follows into it)"
            }
            Self::EndlessCopy { .. } => {
                "a partition that is dropped on the source while it is copied does this: see to it that none is, then \
                 apply again with --resync FLOW"
            }
            Self::AwaitedFailed { .. } => "apply that part again, and then this one: what was done stays done",
            Self::Cancelled => "plan and apply again: the new plan starts from what is there now",
            Self::LockLost(_) => {
                "nothing more was written, since another run may be at work: wait for it, or apply again to go on"
            }
            Self::LedgerNewer { .. } => "use the newer transship that wrote it",
            Self::ColumnsDiffer { .. } => {
                "columns were dropped or added in another order; nothing was deleted: copy the whole table, or its partitions \
                 by `export-import` or `custom`"
            }
            Self::Disk { .. } => {
                "make space or add nodes, see sys.node_checks of the cluster; then apply again: what was left is removed first"
            }
            Self::LedgerWrite { help: Some(help), .. } => return Some(help.clone()),
            Self::LedgerWrite { .. } => {
                "transship's user needs DDL, DML and DQL on schema `transship` of the target; then plan again"
            }
        };
        Some(text.to_owned())
    }

    /// Whether the statement may have had its effect although it failed, so that one has to look.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::Cluster(error) if error.may_have_happened() || error.is_transient())
    }

    /// Whether trying again can help. After a timeout the server may still be at it, so that trying again would not.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Cluster(error) if error.is_transient() && error.kind != ErrorKind::Timeout)
    }
}

fn broken(precondition: &Precondition) -> String {
    match precondition {
        Precondition::Absent(object) => format!("{object} should not exist, but does"),
        Precondition::Present(object) => format!("{object} should exist, but does not, or cannot be seen"),
        Precondition::Unchanged(object) => format!("{object} changed since the plan was made"),
        Precondition::Writable(object) => format!("{object} cannot be written: it belongs to a subscription"),
    }
}

/// Table names for people.
pub(crate) fn names<'a>(tables: impl IntoIterator<Item = &'a TableName>) -> String {
    tables.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn partitions(count: usize) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}

/// The first few of them.
fn first(parts: &[String]) -> String {
    const MANY: usize = 3;
    let more = if parts.len() > MANY { ", …" } else { "" };
    format!("{}{more}", parts.iter().take(MANY).map(String::as_str).collect::<Vec<_>>().join(", "))
}
