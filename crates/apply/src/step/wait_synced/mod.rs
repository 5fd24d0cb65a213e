//! Waits until the target follows every table and has what the source had when the wait began.

mod abandoned;
mod aim;
mod progress;

use std::collections::BTreeSet;
use std::time::Duration;

use transship_model::plan::WaitSynced;
use transship_model::{Name, TableName};
use transship_sql::{lookup, replication};

use super::contents::HalfCopies;
use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use crate::catalog::{self, ShardKey};
use crate::pace::Pace;
use abandoned::{Idle, Watch};
use aim::{Aim, Shards};
use progress::{Answer, Progress, count, count_of, is_listed};

/// How long a partition that the source no longer has may lie on the target without a started shard. One that is dropped
/// while it is copied stays so, and with it the whole table counts as being copied for good (seen on 6.4.0).
const ENDLESS: Duration = Duration::from_mins(2);

/// How long tables that are followed may get nothing of what they lack. A batch takes a second or two, and a shard that
/// cannot apply one tries again once a minute; what does not move in this time will not.
const FOLLOWING: Duration = Duration::from_mins(2);

/// Waits.
pub(super) async fn wait(cx: &Context<'_>, wait: &WaitSynced) -> Result<Done, StepError> {
    let mut pace = cx.pace(wait.timeout.as_duration());
    let mut aim = read_aim(cx, wait, &mut pace).await?;
    reach(cx, wait, &mut aim, &mut pace).await?;
    cx.query(&cx.step.cluster, &wait.refresh).await?;
    let tables = count(wait.tables.len(), "table");
    Ok(Done { already: false, note: Some(format!("{tables} in sync, {}", count_of(aim.operations(), "operation"))) })
}

/// Reads the mark, again while a primary shard of the source is not started: then nobody knows what it has.
async fn read_aim(cx: &Context<'_>, wait: &WaitSynced, pace: &mut Pace<'_>) -> Result<Aim, StepError> {
    loop {
        let found = match look_for_aim(cx, wait).await {
            Ok(found) => found,
            Err(error) if error.is_uncertain() => None,
            Err(error) => return Err(error),
        };
        if let Some(aim) = found {
            return Ok(aim);
        }
        let state = || format!("a primary shard on cluster `{}` is not started", wait.source);
        pace.check_stall(state)?;
        pace.pause(state).await?;
    }
}

/// The mark; `None` while a primary shard of the source is not started, or is not listed at all.
async fn look_for_aim(cx: &Context<'_>, wait: &WaitSynced) -> Result<Option<Aim>, StepError> {
    let primaries = cx.look(&wait.source, &wait.mark, catalog::read_checkpoints).await?;
    let shards = look_for_shards(cx, &wait.source, wait).await?;
    let whole = cx.look(&wait.source, &lookup::unpartitioned_tables(&wait.tables), catalog::read_tables).await?;
    let red = cx.look(&wait.source, &lookup::red_tables(&wait.tables), catalog::read_tables).await?;
    let is_listed = |table: &TableName| primaries.keys().any(|(name, ..)| name == table);
    Ok(if red.is_empty() && whole.iter().all(is_listed) { Aim::of(&primaries, shards) } else { None })
}

async fn look_for_shards(cx: &Context<'_>, cluster: &Name, wait: &WaitSynced) -> Result<Shards, StepError> {
    cx.look(cluster, &lookup::shards(&wait.tables), catalog::read_shards).await
}

/// What holds since some look, with no look in between that got no answer.
#[derive(Debug, Default)]
struct Looks {
    /// That some partitions, which the source has dropped, have no started shard.
    broken: Option<(BTreeSet<ShardKey>, Duration)>,
    /// That tables are said to be copied, and are not.
    copies: Watch,
    /// That tables which are followed get nothing.
    idle: Option<Duration>,
}

impl Looks {
    /// Fails where tables that are followed have got nothing of what they lack for [`FOLLOWING`].
    fn check_following(&mut self, is_same: bool, progress: &Progress, pace: &Pace<'_>) -> Result<(), StepError> {
        if !is_same || progress.is_copying() {
            self.idle = None;
            return Ok(());
        }
        let after = pace.now().saturating_sub(*self.idle.get_or_insert(pace.now()));
        if after < FOLLOWING { Ok(()) } else { Err(StepError::Stalled { after, state: progress.text() }) }
    }
}

/// Polls until the mark is reached. A poll without an answer is one in which nothing changed.
async fn reach(cx: &Context<'_>, wait: &WaitSynced, aim: &mut Aim, pace: &mut Pace<'_>) -> Result<(), StepError> {
    let mut before: Option<Answer> = None;
    let mut progress = Progress::unknown(wait);
    let mut looks = Looks::default();
    let mut arriving = BTreeSet::new();
    loop {
        let seen = async {
            let answer = poll(cx, wait, aim).await?;
            note_arriving(cx, wait, &mut arriving).await?;
            let abandoned = look_for_abandoned(cx, wait, &answer, &mut looks.copies, pace).await?;
            Ok::<_, StepError>((answer, abandoned))
        };
        match seen.await {
            Ok((answer, abandoned)) => {
                progress = Progress::judge(wait, aim, &answer, &abandoned)?;
                if progress.is_done() {
                    return Ok(());
                }
                let is_same = before.as_ref() == Some(&answer);
                if !is_same {
                    pace.changed();
                }
                looks.check_following(is_same, &progress, pace)?;
                check_endless(cx, wait, &progress, &answer, &mut looks.broken, pace).await?;
                before = Some(answer);
            }
            Err(error) if error.is_uncertain() => looks = Looks::default(),
            Err(error) => return Err(error),
        }
        if pace.may_tell() {
            cx.emitter.progress(&cx.step.id, progress.text());
        }
        pace.check_stall(|| progress.text())?;
        pace.pause(|| progress.text()).await?;
    }
}

/// Writes down what tables have that a subscription fills which is dropped once they are whole, as soon as they show: half
/// of one is not known by anything else when nothing follows it any more.
async fn note_arriving(cx: &Context<'_>, wait: &WaitSynced, noted: &mut BTreeSet<TableName>) -> Result<(), StepError> {
    if cx.record()?.row.detach.is_none() || wait.tables.iter().all(|table| noted.contains(table)) {
        return Ok(());
    }
    let mut halves = HalfCopies::of(cx, |table| wait.tables.contains(table)).await;
    halves.look(cx, &wait.states, &wait.subscription).await?;
    let shown: BTreeSet<TableName> = halves.kept().cloned().collect();
    if !shown.is_subset(noted) {
        halves.note(cx).await?;
        noted.extend(shown);
    }
    Ok(())
}

async fn poll(cx: &Context<'_>, wait: &WaitSynced, aim: &mut Aim) -> Result<Answer, StepError> {
    aim.narrow(&look_for_shards(cx, &wait.source, wait).await?);
    let mut subscriptions = cx.look(&cx.step.cluster, &wait.states, catalog::read_subscriptions).await?;
    let reached = cx.look(&cx.step.cluster, &wait.reached, catalog::read_checkpoints).await?;
    Ok((subscriptions.remove(&wait.subscription).unwrap_or_default(), reached))
}

/// The tables that are said to be copied, and are not, for long enough.
async fn look_for_abandoned(
    cx: &Context<'_>,
    wait: &WaitSynced,
    (subscription, reached): &Answer,
    watch: &mut Watch,
    pace: &Pace<'_>,
) -> Result<Idle, StepError> {
    let is_copying = |name: &&TableName| subscription.tables.get(*name).is_some_and(|table| table.state.is_copying());
    let (begun, not_begun) = wait.tables.iter().filter(is_copying).cloned().partition(|name| is_listed(name, reached));
    let idle = Idle { begun, not_begun };
    if idle == Idle::default() {
        return Ok(watch.look(&idle, pace.now()));
    }
    let restores = cx.look(&cx.step.cluster, &replication::restores(), catalog::read_restores).await?;
    let is_restoring = restores.contains(&replication::repository_of(&wait.subscription));
    let idle = if is_restoring { Idle::default() } else { idle };
    Ok(watch.look(&idle, pace.now()))
}

/// Fails where a copy will not end: everything else has arrived, and for [`ENDLESS`] the same partitions, which the
/// source has dropped, have had no started shard on the target.
async fn check_endless(
    cx: &Context<'_>,
    wait: &WaitSynced,
    progress: &Progress,
    answer: &Answer,
    broken: &mut Option<(BTreeSet<ShardKey>, Duration)>,
    pace: &Pace<'_>,
) -> Result<(), StepError> {
    if !progress.has_arrived() {
        *broken = None;
        return Ok(());
    }
    let (source, target) =
        (look_for_shards(cx, &wait.source, wait).await?, look_for_shards(cx, &cx.step.cluster, wait).await?);
    let dead = target.into_keys().filter(|shard| !source.contains_key(shard) && !answer.1.contains_key(shard));
    let dead: BTreeSet<ShardKey> = dead.collect();
    let since = match broken.take() {
        Some((before, since)) if before.intersection(&dead).next().is_some() => since,
        _ => pace.now(),
    };
    if dead.is_empty() {
        return Ok(());
    }
    let after = pace.now().saturating_sub(since);
    if after >= ENDLESS {
        return Err(StepError::EndlessCopy { partitions: dead.len(), after, state: progress.text() });
    }
    *broken = Some((dead, since));
    Ok(())
}
