//! How far a wait has come, judged by one look at the target.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use transship_model::TableName;
use transship_model::observed::{RelationState, Subscription};
use transship_model::plan::WaitSynced;

use super::abandoned::Idle;
use super::aim::Aim;
use crate::catalog::{ShardKey, ShardProgress};
use crate::step::error::StepError;

/// The subscription of the wait (what others do is no progress of it), and how far the shards are.
pub(super) type Answer = (Subscription, BTreeMap<ShardKey, ShardProgress>);

/// How far a wait has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    tables: usize,
    in_sync: usize,
    /// Tables whose files are being copied or about to be.
    copying: usize,
    /// Those of them of which nothing is there yet.
    not_begun: usize,
    /// Those of them that have everything that is waited for.
    waiting: usize,
    /// Tables that the subscription has not got.
    missing: Vec<TableName>,
    /// Operations that the target has not got yet.
    behind: i64,
}

impl Progress {
    pub(super) fn unknown(wait: &WaitSynced) -> Self {
        Self {
            tables: wait.tables.len(),
            in_sync: 0,
            copying: 0,
            not_begun: 0,
            waiting: 0,
            missing: Vec::new(),
            behind: 0,
        }
    }

    /// Judges a poll; fails with the reason of the first table that failed, or of which nobody copies the rest.
    pub(super) fn judge(
        wait: &WaitSynced,
        aim: &Aim,
        (subscription, reached): &Answer,
        abandoned: &Idle,
    ) -> Result<Self, StepError> {
        let mut progress = Self::unknown(wait);
        for table in &wait.tables {
            let state = progress.state_of(subscription, table)?;
            let shards = || aim.shards(table);
            progress.behind += shards().map(|(shard, highest)| behind(reached.get(shard), highest)).sum::<i64>();
            let has_all = shards().all(|(shard, highest)| has_reached(reached.get(shard), highest));
            // New partitions put a table back into its first states; taking them over, it has passed what was there.
            let followed = match state {
                Some(RelationState::Monitoring) => true,
                // One that was left as it is, whole, is followed, whatever its state says.
                Some(_) => {
                    aim.is_passed(table, reached) || abandoned.begun.contains(table) && all_started(table, reached)
                }
                None => false,
            };
            progress.in_sync += usize::from(followed && has_all);
            let copying = state.is_some_and(|state| state != RelationState::Monitoring) && !(followed && has_all);
            progress.copying += usize::from(copying);
            progress.not_begun += usize::from(copying && !is_listed(table, reached));
            progress.waiting += usize::from(copying && has_all);
        }
        let lacks = |table: &&TableName| aim.shards(table).any(|(shard, _)| !is_started(reached.get(shard)));
        if let Some(table) = abandoned.begun.iter().find(lacks) {
            return Err(StepError::AbandonedCopy { table: table.clone(), state: progress.text() });
        }
        match abandoned.not_begun.first() {
            Some(table) => Err(StepError::NotBegun { table: table.clone(), state: progress.text() }),
            None => Ok(progress),
        }
    }

    /// The state of a table; fails with the reason of one that failed.
    fn state_of(&mut self, subscription: &Subscription, table: &TableName) -> Result<Option<RelationState>, StepError> {
        let Some(found) = subscription.tables.get(table) else {
            self.missing.push(table.clone());
            return Ok(None);
        };
        if found.state == RelationState::Failed {
            let reason = found.reason.clone().unwrap_or_else(|| "the server gives no reason".to_owned());
            return Err(StepError::ReplicationFailed { table: table.clone(), reason });
        }
        Ok(Some(found.state))
    }

    /// Whether nothing is missing but the word that the copy has ended.
    pub(super) fn has_arrived(&self) -> bool {
        self.waiting > 0 && self.in_sync + self.waiting == self.tables
    }

    /// Whether the files of any table are being copied, or about to be, or it is not known of yet.
    pub(super) const fn is_copying(&self) -> bool {
        self.copying > 0 || !self.missing.is_empty()
    }

    pub(super) fn is_done(&self) -> bool {
        self.in_sync == self.tables
    }

    pub(super) fn text(&self) -> String {
        let tables = count(self.tables, "table");
        let mut text = format!("{} of {tables} in sync, {} behind", self.in_sync, count_of(self.behind, "operation"));
        let begun = self.copying - self.not_begun;
        for (tables, what) in [(begun, "being copied"), (self.not_begun, "not begun")] {
            if tables > 0 {
                write!(text, "; {tables} {what}").expect("writing to a String cannot fail");
            }
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

fn is_started(reached: Option<&ShardProgress>) -> bool {
    reached.is_some_and(|reached| reached.global_checkpoint.is_some())
}

/// Whether the target lists a shard of the table, started or not.
pub(super) fn is_listed(table: &TableName, reached: &BTreeMap<ShardKey, ShardProgress>) -> bool {
    let first = (table.clone(), String::new(), i64::MIN);
    reached.range(first..).next().is_some_and(|((name, ..), _)| name == table)
}

fn all_started(table: &TableName, reached: &BTreeMap<ShardKey, ShardProgress>) -> bool {
    reached.iter().filter(|((name, ..), _)| name == table).all(|(_, progress)| is_started(Some(progress)))
}

/// A shard without operations has to be there, too.
fn has_reached(reached: Option<&ShardProgress>, highest: i64) -> bool {
    reached.and_then(|reached| reached.global_checkpoint).is_some_and(|checkpoint| checkpoint >= highest)
}

pub(super) fn count(number: usize, thing: &str) -> String {
    count_of(i64::try_from(number).unwrap_or(i64::MAX), thing)
}

pub(super) fn count_of(number: i64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use transship_cluster::{Rows, Value};
    use transship_model::TimeSpan;

    use super::*;
    use crate::catalog;

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

    fn judge(answer: &Answer, aim: &Aim, abandoned: &[&str]) -> Result<Progress, StepError> {
        let names = abandoned.iter().map(|name| TableName::new("shop", *name));
        let (begun, not_begun) = names.partition(|name| is_listed(name, &answer.1));
        let abandoned = Idle { begun, not_begun };
        Progress::judge(&wait_for(&["t", "p"]), aim, answer, &abandoned)
    }

    fn check(states: &Rows, source: &Rows, reached: &Rows, expected: &str) {
        let primaries = catalog::read_checkpoints(source).unwrap();
        let shards = primaries.keys().map(|shard| (shard.clone(), None)).collect();
        let aim = Aim::of(&primaries, shards).unwrap();
        let answer = answer(states, reached);
        let progress = judge(&answer, &aim, &[]).unwrap();
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
    fn a_table_that_takes_new_partitions_over_has_passed_the_mark() {
        let source = shards(&[("p", "x", 0, Some(4))]);
        let copying = states(&[("t", "r"), ("p", "d")]);
        check(&copying, &source, &source, "1 of 2 tables in sync, 0 operations behind; 1 being copied");
        let newer = shards(&[("p", "x", 0, Some(4)), ("p", "y", 0, Some(0))]);
        check(&copying, &source, &newer, "done: 2 of 2 tables in sync, 0 operations behind");
        let waiting = shards(&[("p", "x", 0, Some(3)), ("p", "y", 0, Some(0))]);
        check(&copying, &source, &waiting, "1 of 2 tables in sync, 1 operation behind; 1 being copied");
        let not_started = shards(&[("p", "x", 0, Some(4)), ("p", "y", 0, None)]);
        check(&copying, &source, &not_started, "1 of 2 tables in sync, 0 operations behind; 1 being copied");
    }

    #[test]
    fn a_copy_that_nobody_goes_on_with_is_whole_or_fails() {
        let source = shards(&[("t", "", 0, Some(9)), ("p", "x", 0, Some(4))]);
        let primaries = catalog::read_checkpoints(&source).unwrap();
        let aim = Aim::of(&primaries, primaries.keys().map(|shard| (shard.clone(), None)).collect()).unwrap();
        let copying = states(&[("t", "r"), ("p", "d")]);
        assert!(!judge(&answer(&copying, &source), &aim, &[]).unwrap().is_done());
        assert!(judge(&answer(&copying, &source), &aim, &["p"]).unwrap().is_done());
        let late = shards(&[("t", "", 0, Some(9)), ("p", "x", 0, Some(3))]);
        assert!(!judge(&answer(&copying, &late), &aim, &["p"]).unwrap().is_done(), "it is followed, and not there yet");
        let part = shards(&[("t", "", 0, Some(9)), ("p", "x", 0, None)]);
        let error = judge(&answer(&copying, &part), &aim, &["p"]).unwrap_err();
        assert_eq!(error.code(), "apply::abandoned-copy");
    }

    #[test]
    fn a_copy_that_nobody_begins_fails() {
        let source = shards(&[("t", "", 0, Some(9)), ("p", "x", 0, Some(4))]);
        let primaries = catalog::read_checkpoints(&source).unwrap();
        let aim = Aim::of(&primaries, primaries.keys().map(|shard| (shard.clone(), None)).collect()).unwrap();
        let answer = answer(&states(&[("t", "r"), ("p", "i")]), &shards(&[("t", "", 0, Some(9))]));
        let text = judge(&answer, &aim, &[]).unwrap().text();
        assert_eq!(text, "1 of 2 tables in sync, 5 operations behind; 1 not begun");
        let error = judge(&answer, &aim, &["p"]).unwrap_err();
        assert_eq!(error.code(), "apply::not-begun");
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
        let error = judge(&answer, &Aim::of(&BTreeMap::new(), BTreeMap::new()).unwrap(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "replication of shop.p failed: why");
    }
}
