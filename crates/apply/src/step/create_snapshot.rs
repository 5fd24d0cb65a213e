//! Makes a snapshot and watches it until it is whole. What the source had before and after is noted, so that what is
//! restored can be compared with it.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_cluster::{Rows, Value, ValueError};
use transship_model::TableName;
use transship_model::plan::{CreateSnapshot, SnapshotPartition};

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::marks::{self, Marks};
use super::perform::Done;
use super::restore_partition::ident;
use crate::catalog;
use crate::ledger::Taken;

/// How long what was lost may take to show.
pub(super) const SHOW: Duration = Duration::from_secs(5);

/// Makes it. A statement that may have been lost is looked up by the snapshot's name, which no other snapshot has.
pub(super) async fn make(cx: &Context<'_>, action: &CreateSnapshot) -> Result<Done, StepError> {
    let cluster = &cx.step.cluster;
    let before = marks::read(cx, cluster, &action.mark, &action.tables).await?;
    cx.query(cluster, &action.refresh).await?;
    let counts = count(cx, action).await?;
    let partitions = count_partitions(cx, action).await?;
    if look(cx, action).await?.is_some() {
        cx.ledger.not_made(cx.step, &action.snapshot).await?;
        return Err(StepError::SnapshotTaken { snapshot: format!("{}.{}", action.repository, action.snapshot) });
    }
    if let Err(error) = cx.execute(&cx.step.sql[0], &[], LIMIT).await
        && !(error.is_uncertain() && shows(cx, action).await?)
    {
        return Err(error);
    }
    watch(cx, action).await?;
    let after = marks::read(cx, cluster, &action.mark, &action.tables).await?;
    for table in &action.tables {
        let of_part = partitions.get(table);
        let narrow = |marks: Option<&Marks>| chosen(marks.cloned().unwrap_or_default(), of_part);
        let (was, is) = (narrow(before.get(table)), narrow(after.get(table)));
        let rows = counts.get(table).copied().filter(|_| is == was);
        let key = (action.repository.clone(), action.snapshot.clone(), table.clone());
        let partitions = of_part.cloned().unwrap_or_default();
        let gone = was.keys().filter(|shard| !is.contains_key(*shard)).cloned().collect();
        cx.ledger.take(key, Taken { rows, marks: was, gone, partitions }).await;
    }
    Ok(Done { already: false, note: Some(note(&action.tables, &before, &after)) })
}

/// Whether a snapshot shows of which the server did not say that it is being made.
async fn shows(cx: &Context<'_>, action: &CreateSnapshot) -> Result<bool, StepError> {
    let mut pace = cx.settle(SHOW);
    while look(cx, action).await?.is_none() {
        match pace.pause(String::new).await {
            Err(StepError::TimedOut { .. }) => return Ok(false),
            pause => pause?,
        }
    }
    Ok(true)
}

async fn count(cx: &Context<'_>, action: &CreateSnapshot) -> Result<BTreeMap<TableName, u64>, StepError> {
    let mut counts = BTreeMap::new();
    for (table, sql) in action.tables.iter().zip(&action.counts) {
        counts.insert(table.clone(), cx.look(&cx.step.cluster, sql, catalog::read_count).await?);
    }
    Ok(counts)
}

/// The rows of the chosen partitions, by table and ident.
async fn count_partitions(
    cx: &Context<'_>,
    action: &CreateSnapshot,
) -> Result<BTreeMap<TableName, BTreeMap<String, u64>>, StepError> {
    let mut counts = BTreeMap::<TableName, BTreeMap<String, u64>>::new();
    for SnapshotPartition { table, partition, count } in &action.partitions {
        let rows = cx.look(&cx.step.cluster, count, catalog::read_count).await?;
        counts.entry(table.clone()).or_default().insert(ident(partition), rows);
    }
    Ok(counts)
}

/// The marks of the chosen partitions, of all where none are.
fn chosen(mut marks: Marks, partitions: Option<&BTreeMap<String, u64>>) -> Marks {
    if let Some(partitions) = partitions {
        marks.retain(|key, _| key.split_once('/').is_some_and(|(ident, _)| partitions.contains_key(ident)));
    }
    marks
}

/// Waits until it is whole; anything else that it can come to is a failure, a partial one too.
async fn watch(cx: &Context<'_>, action: &CreateSnapshot) -> Result<(), StepError> {
    let full = format!("{}.{}", action.repository, action.snapshot);
    let mut pace = cx.pace(action.timeout.as_duration());
    let mut seen = false;
    loop {
        let state = match look(cx, action).await? {
            Some((state, failures)) if state == "SUCCESS" && failures.is_empty() => return Ok(()),
            Some((state, _)) if state == "IN_PROGRESS" => state,
            Some((state, failures)) => {
                let state = format!("ended as {state}: {}", failures.join("; "));
                return Err(StepError::SnapshotFailed { snapshot: full, state });
            }
            None if seen => {
                let state = "is gone, or its repository cannot be read".to_owned();
                return Err(StepError::SnapshotFailed { snapshot: full, state });
            }
            None => "not to be seen yet".to_owned(),
        };
        seen |= state == "IN_PROGRESS";
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, format!("snapshot {full}: {state}"));
        }
        pace.check_stall_while(seen, || state.clone())?;
        pace.pause(|| state).await?;
    }
}

/// Its state and its failures; `None` where it is not to be seen.
async fn look(cx: &Context<'_>, action: &CreateSnapshot) -> Result<Option<(String, Vec<String>)>, StepError> {
    cx.look(&cx.step.cluster, &action.look, read).await
}

fn read(rows: &Rows) -> Result<Option<(String, Vec<String>)>, ValueError> {
    let row = |row: &Vec<Value>| Ok((catalog::text(row, 1)?, catalog::texts(row, 2)?));
    rows.rows.first().map(row).transpose()
}

fn note(tables: &[TableName], before: &BTreeMap<TableName, Marks>, after: &BTreeMap<TableName, Marks>) -> String {
    let moved = tables.iter().filter(|table| before.get(*table) != after.get(*table)).count();
    match moved {
        0 => format!("{} tables", tables.len()),
        moved => format!("{} tables, {moved} of them were written to meanwhile", tables.len()),
    }
}
