//! The wait until readers of what was put in place see all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_model::TableName;
use transship_model::plan::PutInPlace;
use transship_sql::{lookup, place, replication, table as table_sql};

use super::context::Context;
use super::error::StepError;
use crate::catalog::{self, ShardKey};

/// How long the statement may take, and then how long the shards may take to be there again.
pub(super) const SWAP: Duration = Duration::from_mins(10);

/// How many rows were counted the last time, and how far the shards had come.
type Seen = (u64, BTreeMap<ShardKey, Option<i64>>);

/// Waits until every shard of what has the name now is there and readers see all of its rows. Others may add rows by
/// now, or delete some. Fewer than were written are taken for all only if the same are counted again while every shard
/// is there, and operations that the copy had not, or partitions that are gone, account for it.
pub(super) async fn wait(cx: &Context<'_>, put: &PutInPlace) -> Result<(), StepError> {
    let (name, holder) = (&put.table, put.done.holds.as_ref().unwrap_or(&put.table));
    let expected = cx.ledger.whole(cx.step, put).await.map(|whole| whole.rows);
    let mut before: Option<Seen> = None;
    let mut pace = cx.settle(SWAP);
    loop {
        let state = match look(cx, name, holder).await {
            Ok(Some((found, _))) if expected.is_none_or(|expected| found >= expected) => return Ok(()),
            Ok(Some(seen)) if before.as_ref() == Some(&seen) && is_deleted_from(cx, put, &seen).await? => return Ok(()),
            Ok(Some(seen)) => {
                let state = format!("readers of {name} see {} rows", seen.0);
                before = Some(seen);
                state
            }
            Ok(None) => format!("a primary shard of {name} is missing"),
            Err(error) => format!("{name} cannot be read: {error}"),
        };
        pace.pause(|| state).await?;
    }
}

async fn is_deleted_from(cx: &Context<'_>, put: &PutInPlace, seen: &Seen) -> Result<bool, StepError> {
    let Some(whole) = cx.ledger.whole(cx.step, put).await else { return Ok(false) };
    let found = cx.indices(&cx.step.cluster, put.done.holds.as_ref().unwrap_or(&put.table)).await?;
    Ok(has_deletions(seen, whole.rows) || whole.indices.difference(&found).next().is_some())
}

/// A copy that was only written to has one operation for each of its rows; every deletion is one more.
fn has_deletions((found, shards): &Seen, expected: u64) -> bool {
    let operations = |max: &Option<i64>| max.and_then(|max| u64::try_from(max + 1).ok());
    let all: Option<Vec<u64>> = shards.values().map(operations).collect();
    let sum = all.map(|all| all.iter().sum::<u64>());
    sum.is_some_and(|operations| operations >= expected + expected.saturating_sub(*found))
}

/// The rows that readers see, and the highest operation of every primary shard; `None` while one is missing.
async fn look(cx: &Context<'_>, name: &TableName, holder: &TableName) -> Result<Option<Seen>, StepError> {
    let cluster = &cx.step.cluster;
    let red = cx.look(cluster, &lookup::red_tables([holder]), catalog::read_tables).await?;
    if !red.is_empty() {
        return Ok(None);
    }
    cx.query(cluster, &table_sql::refresh([holder])).await?;
    let shards = cx.look(cluster, &replication::checkpoints([holder]), catalog::read_checkpoints).await?;
    let found = cx.look(cluster, &place::count_rows(name), catalog::read_count).await?;
    Ok(Some((found, shards.into_iter().map(|(key, progress)| (key, progress.max_seq_no)).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(found: u64, max: &[Option<i64>]) -> Seen {
        let key = |id| (TableName::new("s", "t"), String::new(), id);
        (found, max.iter().zip(0..).map(|(max, id)| (key(id), *max)).collect())
    }

    #[test]
    fn fewer_rows_are_all_only_when_somebody_deleted_the_others() {
        assert!(!has_deletions(&seen(60, &[Some(49), Some(49)]), 100), "a shard that shows nothing yet");
        assert!(!has_deletions(&seen(60, &[Some(49), None]), 100), "a shard that has not started");
        assert!(has_deletions(&seen(60, &[Some(69), Some(69)]), 100), "40 deletions");
        assert!(!has_deletions(&seen(0, &[]), 100));
    }
}
