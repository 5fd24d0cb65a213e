//! Waits until the target follows every table and has what the source had when the wait began.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use transship_model::TableName;
use transship_model::observed::{RelationState, Subscription};
use transship_model::plan::WaitSynced;
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use crate::catalog::{self, ShardKey, ShardProgress};
use crate::pace::Pace;

/// The highest sequence number of each of the source's primary shards when the wait began; -1 without operations.
type Mark = BTreeMap<ShardKey, i64>;

/// How long tables may count as being copied after everything of them has arrived. They do for good when a partition
/// was dropped on the source while it was copied (seen on 6.4.0).
const ENDLESS: Duration = Duration::from_mins(2);

/// Waits.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitSynced) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let mut mark = read_mark(cx, wait, &mut pace).await?;
    reach(cx, wait, &mut mark, &mut pace).await?;
    cx.query(&cx.step.cluster, &wait.refresh).await?;
    let operations: i64 = mark.values().map(|highest| highest + 1).sum();
    let tables = count(wait.tables.len(), "table");
    Ok(Done { already: false, note: Some(format!("{tables} in sync, {}", count_of(operations, "operation"))) })
}

/// Reads the mark, again while a primary shard of the source is not started: then nobody knows what it has.
async fn read_mark(cx: &Context<'_>, wait: &WaitSynced, pace: &mut Pace<'_>) -> Result<Mark, StepError> {
    loop {
        let found = match look_for_mark(cx, wait).await {
            Ok(found) => found,
            Err(error) if error.is_uncertain() => None,
            Err(error) => return Err(error),
        };
        if let Some(mark) = found {
            return Ok(mark);
        }
        let state = || format!("a primary shard on cluster `{}` is not started", wait.source);
        pace.check_stall(state)?;
        pace.pause(state).await?;
    }
}

/// The mark; `None` while a primary shard of the source is not started, or is not listed at all.
async fn look_for_mark(cx: &Context<'_>, wait: &WaitSynced) -> Result<Option<Mark>, StepError> {
    let checkpoints = cx.look(&wait.source, &wait.mark, catalog::read_checkpoints).await?;
    let whole = cx.look(&wait.source, &lookup::unpartitioned_tables(&wait.tables), catalog::read_tables).await?;
    let red = cx.look(&wait.source, &lookup::red_tables(&wait.tables), catalog::read_tables).await?;
    let is_listed = |table: &TableName| checkpoints.keys().any(|(name, ..)| name == table);
    Ok(if red.is_empty() && whole.iter().all(is_listed) { mark(&checkpoints) } else { None })
}

fn mark(source: &BTreeMap<ShardKey, ShardProgress>) -> Option<Mark> {
    source.iter().map(|(shard, checkpoint)| Some((shard.clone(), checkpoint.max_seq_no?))).collect()
}

/// Polls until the mark is reached. A poll without an answer is one in which nothing changed.
async fn reach(cx: &Context<'_>, wait: &WaitSynced, mark: &mut Mark, pace: &mut Pace<'_>) -> Result<(), StepError> {
    let mut before: Option<Answer> = None;
    let mut progress = Progress::unknown(wait);
    let mut arrived = None;
    loop {
        match poll(cx, wait, mark).await {
            Ok(answer) => {
                progress = Progress::judge(wait, mark, &answer)?;
                if progress.is_done() {
                    return Ok(());
                }
                if before.as_ref() != Some(&answer) {
                    pace.changed();
                }
                before = Some(answer);
                arrived = if progress.has_arrived() { arrived.or_else(|| Some(pace.now())) } else { None };
                if arrived.is_some_and(|since| pace.now().saturating_sub(since) >= ENDLESS) {
                    return Err(StepError::EndlessCopy { after: ENDLESS, state: progress.text() });
                }
            }
            Err(error) if error.is_uncertain() => {}
            Err(error) => return Err(error),
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, progress.text());
        }
        pace.check_stall(|| progress.text())?;
        pace.pause(|| progress.text()).await?;
    }
}

/// Lowers the mark to what the source still has: a partition that was dropped there is no longer waited for, nor is
/// what one held that was made again under its name.
fn narrow(mark: &mut Mark, now: &Mark) {
    mark.retain(|shard, _| now.contains_key(shard));
    for (shard, highest) in mark {
        *highest = (*highest).min(now[shard]);
    }
}

/// The subscription of the wait (what others do is no progress of it), and how far the shards are.
type Answer = (Subscription, BTreeMap<ShardKey, ShardProgress>);

async fn poll(cx: &Context<'_>, wait: &WaitSynced, mark: &mut Mark) -> Result<Answer, StepError> {
    if let Some(now) = look_for_mark(cx, wait).await? {
        narrow(mark, &now);
    }
    let mut subscriptions = cx.look(&cx.step.cluster, &wait.states, catalog::read_subscriptions).await?;
    let reached = cx.look(&cx.step.cluster, &wait.reached, catalog::read_checkpoints).await?;
    Ok((subscriptions.remove(&wait.subscription).unwrap_or_default(), reached))
}

/// How far a wait has come.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Progress {
    tables: usize,
    in_sync: usize,
    /// Tables whose files are being copied or about to be.
    copying: usize,
    /// Tables that the subscription has not got.
    missing: Vec<TableName>,
    /// Operations that the target has not got yet.
    behind: i64,
}

impl Progress {
    fn unknown(wait: &WaitSynced) -> Self {
        Self { tables: wait.tables.len(), in_sync: 0, copying: 0, missing: Vec::new(), behind: 0 }
    }

    /// Judges a poll; fails with the reason of the first table that failed.
    fn judge(wait: &WaitSynced, mark: &Mark, (subscription, reached): &Answer) -> Result<Self, StepError> {
        let mut progress = Self::unknown(wait);
        for table in &wait.tables {
            let followed = progress.count_state(subscription, table)?;
            let shards = || mark.iter().filter(|((name, ..), _)| name == table);
            progress.behind += shards().map(|(shard, highest)| behind(reached.get(shard), *highest)).sum::<i64>();
            let has_all = shards().all(|(shard, highest)| has_reached(reached.get(shard), *highest));
            progress.in_sync += usize::from(followed && has_all);
        }
        Ok(progress)
    }

    /// Whether the table is followed.
    fn count_state(&mut self, subscription: &Subscription, table: &TableName) -> Result<bool, StepError> {
        let Some(found) = subscription.tables.get(table) else {
            self.missing.push(table.clone());
            return Ok(false);
        };
        match found.state {
            RelationState::Monitoring => return Ok(true),
            RelationState::Initializing | RelationState::Restoring => self.copying += 1,
            RelationState::Failed => {
                let reason = found.reason.clone().unwrap_or_else(|| "the server gives no reason".to_owned());
                return Err(StepError::ReplicationFailed { table: table.clone(), reason });
            }
        }
        Ok(false)
    }

    /// Whether nothing is missing but the word that the copy has ended.
    fn has_arrived(&self) -> bool {
        self.behind == 0 && self.copying > 0 && self.in_sync + self.copying == self.tables
    }

    fn is_done(&self) -> bool {
        self.in_sync == self.tables
    }

    fn text(&self) -> String {
        let tables = count(self.tables, "table");
        let mut text = format!("{} of {tables} in sync, {} behind", self.in_sync, count_of(self.behind, "operation"));
        if self.copying > 0 {
            write!(text, "; {} being copied", self.copying).expect("writing to a String cannot fail");
        }
        if let Some(table) = self.missing.first() {
            let more = self.missing.len() - 1;
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            write!(text, "; {table}{more} not in the subscription").expect("writing to a String cannot fail");
        }
        text
    }
}

/// Operations up to the mark that the target's shard has not got. A partition or shard that is not there yet has none.
fn behind(reached: Option<&ShardProgress>, highest: i64) -> i64 {
    let checkpoint = reached.and_then(|reached| reached.global_checkpoint).unwrap_or(-1);
    highest.saturating_sub(checkpoint).max(0)
}

/// A shard without operations has to be there, too.
fn has_reached(reached: Option<&ShardProgress>, highest: i64) -> bool {
    reached.and_then(|reached| reached.global_checkpoint).is_some_and(|checkpoint| checkpoint >= highest)
}

fn count(number: usize, thing: &str) -> String {
    count_of(i64::try_from(number).unwrap_or(i64::MAX), thing)
}

fn count_of(number: i64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use transship_cluster::{Rows, Value};
    use transship_model::TimeSpan;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn wait_for(tables: &[&str]) -> WaitSynced {
        WaitSynced {
            source: "a".parse().unwrap(),
            subscription: "sub".to_owned(),
            tables: tables.iter().map(|name| TableName::new("shop", *name)).collect(),
            timeout: TimeSpan::seconds(60),
            mark: String::new(),
            states: String::new(),
            reached: String::new(),
            refresh: String::new(),
        }
    }

    fn states(tables: &[(&str, &str)]) -> Rows {
        let row = |(table, state): &(&str, &str)| {
            let publications = Value::List(vec![text("pub")]);
            vec![text("sub"), text("crate://"), publications, text(&format!("shop.{table}")), text(state), text("why")]
        };
        rows(tables.iter().map(row).collect())
    }

    fn shards(shards: &[(&str, &str, i64, Option<i64>)]) -> Rows {
        let row = |(table, partition, shard, number): &(&str, &str, i64, Option<i64>)| {
            let number = || number.map_or(Value::Null, Value::Int);
            vec![text("shop"), text(table), text(partition), Value::Int(*shard), number(), number(), Value::Null]
        };
        rows(shards.iter().map(row).collect())
    }

    fn rows(rows: Vec<Vec<Value>>) -> Rows {
        Rows { rows, ..Rows::default() }
    }

    fn answer(states: &Rows, reached: &Rows) -> Answer {
        let mut subscriptions = catalog::read_subscriptions(states).unwrap();
        (subscriptions.remove("sub").unwrap_or_default(), catalog::read_checkpoints(reached).unwrap())
    }

    fn check(states: &Rows, source: &Rows, reached: &Rows, expected: &str) {
        let mark = mark(&catalog::read_checkpoints(source).unwrap()).unwrap();
        let answer = answer(states, reached);
        let progress = Progress::judge(&wait_for(&["t", "p"]), &mark, &answer).unwrap();
        let done = if progress.is_done() { "done: " } else { "" };
        assert_eq!(format!("{done}{}", progress.text()), expected);
    }

    #[test]
    fn the_mark_is_reached_shard_by_shard() {
        let source = shards(&[("t", "", 0, Some(9)), ("t", "", 1, Some(-1)), ("p", "x", 0, Some(4))]);
        let both = states(&[("t", "r"), ("p", "r")]);
        let equal = shards(&[("t", "", 0, Some(9)), ("t", "", 1, Some(-1)), ("p", "x", 0, Some(4))]);
        check(&both, &source, &equal, "done: 2 of 2 tables in sync, 0 operations behind");
        let ahead = shards(&[("t", "", 0, Some(50)), ("t", "", 1, Some(3)), ("p", "x", 0, Some(4))]);
        check(&both, &source, &ahead, "done: 2 of 2 tables in sync, 0 operations behind");
        let lagging = shards(&[("t", "", 0, Some(6)), ("t", "", 1, Some(-1)), ("p", "x", 0, Some(4))]);
        check(&both, &source, &lagging, "1 of 2 tables in sync, 3 operations behind");
        let no_partition = shards(&[("t", "", 0, Some(9)), ("t", "", 1, Some(-1))]);
        check(&both, &source, &no_partition, "1 of 2 tables in sync, 5 operations behind");
        let no_empty_shard = shards(&[("t", "", 0, Some(9)), ("p", "x", 0, Some(4))]);
        check(&both, &source, &no_empty_shard, "1 of 2 tables in sync, 0 operations behind");
        let starting = shards(&[("t", "", 0, None), ("t", "", 1, None), ("p", "x", 0, Some(4))]);
        check(&both, &source, &starting, "1 of 2 tables in sync, 10 operations behind");
    }

    #[test]
    fn what_the_source_has_dropped_is_not_waited_for() {
        let shard = |partition: &str| (TableName::new("shop", "t"), partition.to_owned(), 0);
        let mut found = Mark::from([(shard("dropped"), 4), (shard("made again"), 9), (shard("written"), 2)]);
        narrow(&mut found, &Mark::from([(shard("made again"), 1), (shard("written"), 5), (shard("new"), 0)]));
        assert_eq!(found, Mark::from([(shard("made again"), 1), (shard("written"), 2)]));
    }

    #[test]
    fn checkpoints_alone_are_not_enough() {
        let source = shards(&[("t", "", 0, Some(9))]);
        check(
            &states(&[("t", "d"), ("p", "r")]),
            &source,
            &source,
            "1 of 2 tables in sync, 0 operations behind; 1 being copied",
        );
        check(
            &states(&[("t", "r")]),
            &source,
            &source,
            "1 of 2 tables in sync, 0 operations behind; shop.p not in the subscription",
        );
        let other = rows(Vec::new());
        check(
            &other,
            &source,
            &source,
            "0 of 2 tables in sync, 0 operations behind; shop.t and 1 more not in the subscription",
        );
    }

    #[test]
    fn a_failed_table_ends_the_wait_with_its_reason() {
        let answer = answer(&states(&[("t", "r"), ("p", "e")]), &Rows::default());
        let error = Progress::judge(&wait_for(&["t", "p"]), &Mark::new(), &answer).unwrap_err();
        assert_eq!(error.to_string(), "replication of shop.p failed: why");
    }

    #[test]
    fn a_shard_that_is_not_started_gives_no_mark() {
        assert_eq!(mark(&catalog::read_checkpoints(&shards(&[("t", "", 0, None)])).unwrap()), None);
    }
}
