//! Compares what a subscription has filled with the source, and writes down that it is whole, before anything of the
//! subscription is taken down: a table that nothing follows any more looks the same whether or not it is.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_model::observed::RelationState;
use transship_model::plan::NoteSynced;
use transship_model::{Name, TableName};
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use crate::catalog::{self, ShardKey, ShardProgress};
use crate::ledger::Filled;

/// How long the source is watched for a moment in which nothing is written to it.
const QUIET: Duration = Duration::from_secs(5);

type Progress = BTreeMap<ShardKey, ShardProgress>;

/// Compares and writes.
pub(super) async fn note(cx: &Context<'_>, synced: &NoteSynced) -> Result<Done, StepError> {
    check_followed(cx, synced).await?;
    let mut pace = cx.settle(QUIET);
    let seen = loop {
        let seen = look(cx, synced).await?;
        if seen.is_still() {
            break seen;
        }
        match pace.pause(String::new).await {
            Err(StepError::TimedOut { .. }) => break seen,
            pause => pause?,
        }
    };
    if seen.is_still() {
        seen.compare(synced)?;
    }
    check_followed(cx, synced).await?;
    let note = seen.text();
    write(cx, synced, seen).await?;
    Ok(Done { already: false, note: Some(note) })
}

/// Every table is followed still, and none has failed since it was waited for.
async fn check_followed(cx: &Context<'_>, synced: &NoteSynced) -> Result<(), StepError> {
    let mut subscriptions = cx.look(&cx.step.cluster, &synced.states, catalog::read_subscriptions).await?;
    let found = subscriptions.remove(&synced.subscription).unwrap_or_default();
    let tables = || synced.tables.iter().map(|table| &table.note.from);
    if let Some(missing) = tables().find(|table| !found.tables.contains_key(*table)) {
        return Err(cx.changed(missing, "does not belong to the subscription any more"));
    }
    let failed = tables().find(|table| found.tables[*table].state == RelationState::Failed);
    failed.map_or(Ok(()), |table| {
        let reason = found.tables[table].reason.clone().unwrap_or_else(|| "the server gives no reason".to_owned());
        Err(StepError::ReplicationFailed { table: table.clone(), reason })
    })
}

/// Both sides around a count of their rows.
struct Seen {
    before: Progress,
    uuids: BTreeMap<ShardKey, Option<String>>,
    reached: Progress,
    /// The rows of the source and of the target.
    rows: BTreeMap<TableName, (u64, u64)>,
    after: Progress,
}

async fn look(cx: &Context<'_>, synced: &NoteSynced) -> Result<Seen, StepError> {
    let target = &cx.step.cluster;
    let progress = |cluster| checkpoints(cx, cluster, &synced.mark);
    let before = progress(&synced.source).await?;
    let tables = synced.tables.iter().map(|table| &table.note.from);
    let uuids = cx.look(&synced.source, &lookup::shards(tables), catalog::read_shards).await?;
    let reached = progress(target).await?;
    let mut rows = BTreeMap::new();
    for cluster in [&synced.source, target] {
        cx.query(cluster, &synced.refresh).await?;
    }
    for table in &synced.tables {
        let source = cx.look(&synced.source, &table.count, catalog::read_count).await?;
        let copy = cx.look(target, &table.count, catalog::read_count).await?;
        rows.insert(table.note.from.clone(), (source, copy));
    }
    Ok(Seen { before, uuids, reached, rows, after: progress(&synced.source).await? })
}

async fn checkpoints(cx: &Context<'_>, cluster: &Name, statement: &str) -> Result<Progress, StepError> {
    cx.look(cluster, statement, catalog::read_checkpoints).await
}

impl Seen {
    /// Whether the source stood still while it was counted, and the target had all of it.
    fn is_still(&self) -> bool {
        let numbers = |progress: &Progress| -> BTreeMap<ShardKey, (Option<i64>, Option<i64>)> {
            progress.iter().map(|(key, it)| (key.clone(), (it.max_seq_no, it.global_checkpoint))).collect()
        };
        let everywhere = |it: &ShardProgress| it.max_seq_no.is_some() && it.max_seq_no == it.global_checkpoint;
        numbers(&self.before) == numbers(&self.after)
            && self.before.iter().all(|(key, source)| {
                let copy = self.reached.get(key).and_then(|it| it.global_checkpoint);
                everywhere(source) && copy == source.max_seq_no
            })
    }

    fn compare(&self, synced: &NoteSynced) -> Result<(), StepError> {
        let differs = synced.tables.iter().find_map(|table| {
            let (written, found) = *self.rows.get(&table.note.from)?;
            (written != found).then(|| (table.note.from.clone(), found, written))
        });
        differs.map_or(Ok(()), |(table, found, written)| Err(StepError::CountDiffers { table, found, written }))
    }

    /// The source's shards as far as the target has them: what comes later counts as a change.
    fn marks(&self, table: &TableName) -> BTreeMap<String, (String, i64)> {
        let of_table = self.before.iter().filter(|((name, ..), _)| name == table);
        let mark = |(key, source): (&ShardKey, &ShardProgress)| {
            let uuid = self.uuids.get(key).cloned().flatten().unwrap_or_default();
            let copy = self.reached.get(key).and_then(|it| it.global_checkpoint);
            let all = [source.max_seq_no, source.global_checkpoint, copy].into_iter().map(|it| it.unwrap_or(-1)).min();
            (format!("{}/{}", key.1, key.2), (uuid, all.unwrap_or(-1)))
        };
        of_table.map(mark).collect()
    }

    fn text(&self) -> String {
        let rows: u64 = self.rows.values().map(|(_, copy)| copy).sum();
        if self.is_still() {
            format!("{rows} rows, as many as the source has")
        } else {
            format!("{rows} rows by now; the source is being written to, so they were not compared with it")
        }
    }
}

async fn write(cx: &Context<'_>, synced: &NoteSynced, seen: Seen) -> Result<(), StepError> {
    let mut noted = Vec::new();
    for table in &synced.tables {
        let from = &table.note.from;
        let indices = cx.indices(&cx.step.cluster, from).await?;
        let rows = seen.rows.get(from).map_or(0, |(_, copy)| *copy);
        noted.push((&table.note, Filled { rows, indices, marks: seen.marks(from), began: None, cursor: None }));
    }
    cx.ledger.note_synced(cx.step, noted).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(highest: i64, everywhere: i64) -> Progress {
        let it = ShardProgress { max_seq_no: Some(highest), global_checkpoint: Some(everywhere), recovered: None };
        BTreeMap::from([((TableName::new("s", "t"), String::new(), 0), it)])
    }

    fn seen(before: Progress, reached: Progress, after: Progress) -> Seen {
        let table = TableName::new("s", "t");
        Seen { before, uuids: BTreeMap::new(), reached, rows: BTreeMap::from([(table, (5, 4))]), after }
    }

    #[test]
    fn rows_are_compared_only_where_the_source_stood_still() {
        assert!(seen(progress(4, 4), progress(4, 4), progress(4, 4)).is_still());
        assert!(!seen(progress(4, 4), progress(4, 4), progress(5, 5)).is_still(), "written meanwhile");
        assert!(!seen(progress(4, 3), progress(4, 4), progress(4, 3)).is_still(), "an operation is under way");
        assert!(!seen(progress(4, 4), progress(3, 3), progress(4, 4)).is_still(), "the copy lacks one");
        assert!(!seen(progress(4, 4), BTreeMap::new(), progress(4, 4)).is_still(), "the copy lacks the shard");
    }

    #[test]
    fn marks_are_what_the_copy_has_for_sure() {
        let table = TableName::new("s", "t");
        let mark = |before, reached| seen(before, reached, progress(9, 9)).marks(&table)["/0"].1;
        assert_eq!(mark(progress(7, 7), progress(9, 9)), 7);
        assert_eq!(mark(progress(9, 8), progress(9, 9)), 8);
        assert_eq!(mark(progress(9, 9), progress(6, 6)), 6);
        assert_eq!(mark(progress(9, 9), BTreeMap::new()), -1);
    }
}
