//! Restores one partition into its table, after the one that is there was deleted, and watches it until it is whole.
//!
//! The ledger has the partition before anything of it goes, and the identity of its new index as soon as that shows: a run
//! that is cut leaves a partition that the next one knows to be gone, or to be half a copy of the flow's own.

use std::time::Duration;

use transship_model::TableName;
use transship_model::plan::{ObjectRef, PlannedPartition, RestorePartition};
use transship_sql::lookup;
use transship_sql::partition::Partition;

use super::context::{Context, LIMIT};
use super::create_snapshot::SHOW;
use super::error::StepError;
use super::marks::{self, Marks};
use super::perform::Done;
use super::restore_table::{TAKE_UP, read_missing};
use crate::catalog;
use crate::ledger::{PartitionFilled, Taken};

/// How long deleting an index may take to show.
const GONE: Duration = Duration::from_mins(1);

/// The name of a partition in catalogs.
pub(super) fn ident(planned: &PlannedPartition) -> String {
    Partition(planned.values.iter().map(|it| (it.column.clone(), it.value.clone())).collect()).ident()
}

/// What the snapshot has of the partition.
struct Wanted {
    ident: String,
    /// Its rows just before.
    rows: u64,
    /// Whether the chosen partitions of the table stood still meanwhile.
    stood_still: bool,
    marks: Marks,
}

impl Wanted {
    fn of(cx: &Context<'_>, action: &RestorePartition, taken: Taken) -> Result<Self, StepError> {
        let ident = ident(&action.partition);
        let Some(rows) = taken.partitions.get(&ident).copied() else {
            return Err(cx.wrong("its snapshot has not the partition"));
        };
        let prefix = format!("{ident}/");
        let marks = taken.marks.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
        Ok(Self { ident, rows, stood_still: taken.rows.is_some(), marks })
    }
}

/// Restores it.
pub(super) async fn restore(cx: &Context<'_>, action: &RestorePartition) -> Result<Done, StepError> {
    let key = (action.repository.clone(), action.snapshot.clone(), action.from.clone());
    let Some(taken) = cx.ledger.taken(&key).await else {
        return Err(cx.wrong("its snapshot was not made by this run"));
    };
    let wanted = Wanted::of(cx, action, taken)?;
    same_columns(cx, action).await?;
    match (&action.replaces, cx.step.sql.as_slice()) {
        (None, [restore]) => {
            cx.ledger.begin_partition(cx.step, &action.table, &wanted.ident, None).await?;
            send(cx, action, &wanted, restore).await?;
        }
        (Some(index), [delete, restore]) => {
            may_shrink(cx, (&action.refresh, &action.count), &action.table, (wanted.rows, action.allow_shrink)).await?;
            if index_of(cx, &action.table, &wanted.ident).await?.as_ref() != Some(index) {
                let object = ObjectRef::partition(&cx.step.cluster, &action.table, &wanted.ident);
                return Err(StepError::Changed { object, how: "was made again since, or by somebody else" });
            }
            cx.ledger.begin_partition(cx.step, &action.table, &wanted.ident, None).await?;
            remove(cx, &action.table, (&wanted.ident, index), delete).await?;
            send(cx, action, &wanted, restore).await?;
        }
        _ => return Err(cx.wrong("it has not the statements that it needs")),
    }
    let index = appears(cx, &action.table, &wanted.ident).await?;
    cx.ledger.begin_partition(cx.step, &action.table, &wanted.ident, Some(index.clone())).await?;
    watch(cx, action, &wanted.ident).await?;
    cx.query(&cx.step.cluster, &action.refresh).await?;
    let rows = cx.look(&cx.step.cluster, &action.count, catalog::read_count).await?;
    compare(cx, action, &wanted, rows).await?;
    let indices = cx.indices(&cx.step.cluster, &action.table).await?;
    let Wanted { ident, marks, .. } = wanted;
    let filled = PartitionFilled { ident, rows, index, indices, marks };
    cx.ledger.end_partition(cx.step, (&action.done, action.keeps, action.renews), filled).await?;
    Ok(Done { already: false, note: Some(format!("{rows} rows")) })
}

/// A partition fits into a table whose columns have the ids that they have where it comes from. CrateDB refuses it
/// otherwise, and by then what it was to replace is gone.
async fn same_columns(cx: &Context<'_>, action: &RestorePartition) -> Result<(), StepError> {
    let source = &cx.record()?.row.from;
    let theirs = cx.look(source, &lookup::column_ids(&action.from), catalog::read_ids).await?;
    let ours = cx.look(&cx.step.cluster, &lookup::column_ids(&action.table), catalog::read_ids).await?;
    let differs = |(name, id): &(&String, &Option<i64>)| id.is_none() || ours.get(*name) != Some(*id);
    let columns: Vec<String> = theirs.iter().filter(differs).map(|(name, _)| name.clone()).collect();
    if columns.is_empty() && !theirs.is_empty() {
        return Ok(());
    }
    Err(StepError::ColumnsDiffer { table: action.table.clone(), from: action.from.clone(), columns })
}

/// A partition is not replaced by one that has far fewer rows, unless the flow says that it may be.
pub(super) async fn may_shrink(
    cx: &Context<'_>,
    (refresh, count): (&str, &str),
    table: &TableName,
    (new, allowed): (u64, bool),
) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    // Rows that no reader sees yet would be lost with the others.
    cx.query(cluster, refresh).await?;
    let old = cx.look(cluster, count, catalog::read_count).await?;
    let shrinks = old > 0 && (new == 0 || new < old.div_ceil(2));
    if shrinks && !allowed {
        return Err(StepError::Shrinks { table: table.clone(), new, old });
    }
    Ok(())
}

/// Deletes what is there, and sees that it is gone: the answer does not tell.
pub(super) async fn remove(
    cx: &Context<'_>,
    table: &TableName,
    (ident, index): (&str, &String),
    statement: &str,
) -> Result<(), StepError> {
    if let Err(error) = cx.execute(statement, &[], LIMIT).await
        && !error.is_uncertain()
    {
        return Err(error);
    }
    let mut pace = cx.settle(GONE);
    loop {
        let there = index_of(cx, table, ident).await?;
        if there.as_ref() != Some(index) {
            return Ok(());
        }
        pace.pause(|| "the partition is still there".to_owned()).await?;
    }
}

async fn send(cx: &Context<'_>, action: &RestorePartition, wanted: &Wanted, sql: &str) -> Result<(), StepError> {
    match cx.execute(sql, &[], LIMIT).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_uncertain() && shows(cx, action, &wanted.ident).await? => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a restore shows of which the server did not say that it has begun.
async fn shows(cx: &Context<'_>, action: &RestorePartition, ident: &str) -> Result<bool, StepError> {
    match appears(cx, &action.table, ident).await {
        Ok(_) => Ok(true),
        Err(StepError::TimedOut { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The identity of the index that the partition gets.
async fn appears(cx: &Context<'_>, table: &TableName, ident: &str) -> Result<String, StepError> {
    let mut pace = cx.settle(SHOW);
    loop {
        if let Some(index) = index_of(cx, table, ident).await? {
            return Ok(index);
        }
        pace.pause(|| "the partition is not there".to_owned()).await?;
    }
}

/// The identity of the partition's index; `None` where the table has no such partition.
pub(super) async fn index_of(cx: &Context<'_>, table: &TableName, ident: &str) -> Result<Option<String>, StepError> {
    let shards = cx.look(&cx.step.cluster, &lookup::shards([table]), catalog::read_shards).await?;
    Ok(shards.into_iter().find(|((_, partition, _), _)| partition == ident).and_then(|(_, index)| index))
}

/// Waits until the restore has ended and every shard of the partition is there.
async fn watch(cx: &Context<'_>, action: &RestorePartition, ident: &str) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    let mut pace = cx.pace(action.timeout.as_duration());
    let mut ended: Option<Duration> = None;
    loop {
        let running = cx.query(cluster, &action.running).await?.rows.len();
        let missing = cx.look(cluster, &action.missing, read_missing).await?.get(ident).copied();
        if running == 0 && missing == Some(0) {
            return Ok(());
        }
        let since = if running == 0 { *ended.get_or_insert(pace.now()) } else { pace.now() };
        if running > 0 {
            ended = None;
        }
        let state = missing
            .map_or_else(|| "the partition is not there".to_owned(), |left| format!("{left} shards are missing"));
        if pace.now().saturating_sub(since) > TAKE_UP {
            return Err(StepError::RestoreFailed { table: action.table.clone(), state });
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state.clone());
        }
        pace.pause(|| state).await?;
    }
}

/// Every shard has at least the operations that the source had before; and no fewer rows, where it stood still: others may
/// write into the table at any time.
async fn compare(cx: &Context<'_>, action: &RestorePartition, wanted: &Wanted, rows: u64) -> Result<(), StepError> {
    let found = marks::read(cx, &cx.step.cluster, &action.reached, std::slice::from_ref(&action.table)).await?;
    let found = found.get(&action.table).cloned().unwrap_or_default();
    for (shard, (_, highest)) in &wanted.marks {
        if found.get(shard).is_none_or(|(_, has)| has < highest) {
            let state = format!("shard {shard} has not all operations that the source had");
            return Err(StepError::RestoreFailed { table: action.table.clone(), state });
        }
    }
    if wanted.stood_still && rows < wanted.rows {
        return Err(StepError::CountDiffers { table: action.table.clone(), found: rows, written: wanted.rows });
    }
    Ok(())
}
