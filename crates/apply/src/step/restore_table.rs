//! Restores one table of a snapshot aside and watches it until no shard is missing; then compares it with what the source
//! had when the snapshot was made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_cluster::{Rows, Value, ValueError};
use transship_model::plan::{PlannedPartition, RestoreTable};

use super::context::{Context, LIMIT};
use super::create_snapshot::SHOW;
use super::error::StepError;
use super::marks::{self, Marks};
use super::perform::Done;
use super::restore_partition::ident;
use crate::catalog;
use crate::ledger::{Filled, Taken};

/// How long shards may be missing after the restore has ended: it is then that the server takes them up.
pub(super) const TAKE_UP: Duration = Duration::from_mins(2);

/// Restores it.
pub(super) async fn restore(cx: &Context<'_>, action: &RestoreTable) -> Result<Done, StepError> {
    let (rows, indices, marks) = fill(cx, action).await?;
    cx.ledger.fill(cx.step, &action.copy, Filled { rows, indices, marks, began: None, cursor: None }).await;
    Ok(Done { already: false, note: Some(format!("{rows} rows")) })
}

/// Restores it, and drops it again: the very table that it made.
pub(super) async fn try_out(cx: &Context<'_>, action: &RestoreTable) -> Result<Done, StepError> {
    let (rows, indices, _) = fill(cx, action).await?;
    let cluster = &cx.step.cluster;
    if cx.indices(cluster, &action.copy).await? != indices {
        return Err(cx.changed(&action.copy, "was made again since, or by somebody else"));
    }
    if let Err(error) = cx.execute(&cx.step.sql[1], &[], LIMIT).await
        && !error.is_uncertain()
    {
        return Err(error);
    }
    let mut pace = cx.settle(SHOW);
    while !cx.existing(cluster, &[action.copy.clone()].into()).await?.is_empty() {
        pace.pause(|| format!("{} is still there", action.copy)).await?;
    }
    Ok(Done { already: false, note: Some(format!("{rows} rows can be restored")) })
}

/// Restores and compares; the rows, the identities of the indices, and what the source had before.
async fn fill(cx: &Context<'_>, action: &RestoreTable) -> Result<(u64, BTreeSet<String>, Marks), StepError> {
    let cluster = &cx.step.cluster;
    let key = (action.repository.clone(), action.snapshot.clone(), action.from.clone());
    let Some(mut taken) = cx.ledger.taken(&key).await else {
        return Err(cx.wrong("its snapshot was not made by this run"));
    };
    narrow(&mut taken, &action.partitions);
    if let Err(error) = cx.execute(&cx.step.sql[0], &[], LIMIT).await
        && !(error.is_uncertain() && shows(cx, action).await?)
    {
        return Err(error);
    }
    watch(cx, action).await?;
    cx.query(cluster, &action.refresh).await?;
    let rows = cx.look(cluster, &action.count, catalog::read_count).await?;
    compare(cx, action, &taken, rows).await?;
    let indices = cx.indices(cluster, &action.copy).await?;
    Ok((rows, indices, taken.marks))
}

/// Only some of the partitions in the snapshot may be restored.
fn narrow(taken: &mut Taken, partitions: &[PlannedPartition]) {
    let idents: BTreeSet<String> = partitions.iter().map(ident).collect();
    if idents.is_empty() {
        return;
    }
    taken.marks.retain(|key, _| key.split_once('/').is_some_and(|(ident, _)| idents.contains(ident)));
    let rows = taken.partitions.iter().filter(|(ident, _)| idents.contains(*ident)).map(|(_, rows)| rows).sum();
    taken.rows = taken.rows.map(|_| rows);
}

/// Whether a restore shows of which the server did not say that it has begun.
async fn shows(cx: &Context<'_>, action: &RestoreTable) -> Result<bool, StepError> {
    let mut pace = cx.settle(SHOW);
    while cx.existing(&cx.step.cluster, &[action.copy.clone()].into()).await?.is_empty() {
        match pace.pause(String::new).await {
            Err(StepError::TimedOut { .. }) => return Ok(false),
            pause => pause?,
        }
    }
    Ok(true)
}

/// Waits until the restore has ended and every shard is there. One that failed leaves shards behind that never start.
async fn watch(cx: &Context<'_>, action: &RestoreTable) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    let mut pace = cx.pace(action.timeout.as_duration());
    let mut ended: Option<Duration> = None;
    loop {
        let running = cx.query(cluster, &action.running).await?.rows.len();
        let missing = cx.look(cluster, &action.missing, read_missing).await?;
        let there = !cx.existing(cluster, &[action.copy.clone()].into()).await?.is_empty();
        if running == 0 && there && missing.values().all(|missing| *missing == 0) {
            return Ok(());
        }
        let since = if running == 0 { *ended.get_or_insert(pace.now()) } else { pace.now() };
        if running > 0 {
            ended = None;
        }
        let left: i64 = missing.values().sum();
        let state = if there { format!("{left} shards are missing") } else { "the table is not there".to_owned() };
        if pace.now().saturating_sub(since) > TAKE_UP {
            return Err(StepError::RestoreFailed { table: action.copy.clone(), state });
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, state.clone());
        }
        pace.pause(|| state).await?;
    }
}

/// The missing shards of each partition.
pub(super) fn read_missing(rows: &Rows) -> Result<BTreeMap<String, i64>, ValueError> {
    let row = |row: &Vec<Value>| {
        Ok((catalog::opt_text(row, 2)?.unwrap_or_default(), catalog::opt_integer(row, 3)?.unwrap_or(0)))
    };
    rows.rows.iter().map(row).collect()
}

/// Every shard has at least the operations that the source had before; and as many rows, where it stood still.
async fn compare(cx: &Context<'_>, action: &RestoreTable, taken: &Taken, rows: u64) -> Result<(), StepError> {
    let cluster = &cx.step.cluster;
    let found = marks::read(cx, cluster, &action.reached, std::slice::from_ref(&action.copy)).await?;
    let found = found.get(&action.copy).cloned().unwrap_or_default();
    for (shard, (_, wanted)) in &taken.marks {
        let has = found.get(shard).map(|(_, highest)| *highest);
        let is_lost = has.is_none() && !taken.gone.contains(shard);
        if is_lost || has.is_some_and(|has| has < *wanted) {
            let state = format!("shard {shard} has not all operations that the source had");
            return Err(StepError::RestoreFailed { table: action.copy.clone(), state });
        }
    }
    match taken.rows {
        Some(expected) if expected != rows => {
            Err(StepError::CountDiffers { table: action.copy.clone(), found: rows, written: expected })
        }
        Some(_) | None => Ok(()),
    }
}
