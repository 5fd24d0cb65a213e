//! Whether a replication that says `r` is alive: by the source's retention leases and both sides' sequence numbers.

use transship_model::observed::{Observed, RelationState, Shard, Table};
use transship_model::spec::ReplicationMode;
use transship_model::{TableName, TimeSpan};

use super::context::Context;
use super::takedown;
use crate::wanted::ShardId;

/// A healthy lease is renewed every 60 seconds even while nothing is written (75 after a restart); an older one belongs to a subscriber
/// that is down or cut off.
const LEASE_STALE: jiff::SignedDuration =
    jiff::SignedDuration::from_secs(UNUSED_AFTER.as_duration().as_secs().cast_signed());

/// The same as a wait on the source needs it.
pub(super) const UNUSED_AFTER: TimeSpan = TimeSpan::seconds(90);

/// Why tables that say `r` do not follow the source any more, and never will again by themselves. A missing lease alone
/// proves nothing: partitions have none for a moment after they were made.
pub(super) fn stopped(context: &Context<'_>) -> Vec<String> {
    let (source, target) = (context.source_name, context.target_name);
    let lost = monitored(context).filter(|name| context.is_stalled(name) && !has_lease(context, name));
    lost.map(|name| {
        format!("table {target}.{name} says `r`, but {source} keeps no operations for it: it has stopped following")
    })
    .collect()
}

/// Tables of which a part was copied, and nobody goes on with the rest; or that nobody begins to copy.
pub(super) fn abandoned(context: &Context<'_>) -> Vec<String> {
    let target = context.target_name;
    let tables = context.subscription.into_iter().flat_map(|subscription| subscription.tables.keys());
    let left = tables.filter(|name| context.is_abandoned(name));
    left.map(|name| {
        let is_there = context.target.tables.contains_key(name);
        let what =
            if is_there { "was copied in part, and CrateDB does not go on" } else { "is not begun to be copied" };
        format!("table {target}.{name} {what}: was {target} restarted meanwhile?")
    })
    .collect()
}

/// Tables that say `r` and ask for operations, but never get on: a shard that cannot apply what it receives tries the
/// same again and again.
pub(super) fn stuck(context: &Context<'_>) -> Vec<String> {
    let (source, target) = (context.source_name, context.target_name);
    let stalled = |name: &&TableName| context.is_stalled(name) && is_renewed(context, name);
    monitored(context)
        .filter(stalled)
        .map(|name| {
            format!("table {target}.{name} says `r`, but gets nothing of what {source} has for it: it is stuck")
        })
        .collect()
}

/// The shards of followed tables on the target that lack operations, with the highest sequence number at the source. Those
/// of tables that are said to be copied are among them: they may be followed all the same.
pub(super) fn behind_shards(context: &Context<'_>) -> Vec<(ShardId, i64)> {
    let mut behind = Vec::new();
    let failed = |name: &TableName| {
        let listed = context.subscription.and_then(|subscription| subscription.tables.get(name));
        listed.is_none_or(|table| table.state == RelationState::Failed)
    };
    for name in context.published().iter().filter(|name| !failed(name)) {
        let Some((source, target)) = context.source.tables.get(name).zip(context.target.tables.get(name)) else {
            continue;
        };
        let late = source.primaries.iter().filter(|shard| shard_behind(shard, target).is_some_and(|count| count > 0));
        behind.extend(
            late.filter_map(|shard| Some(((name.clone(), shard.partition.clone(), shard.id), shard.max_seq_no?))),
        );
    }
    behind
}

/// Tables that never were in sync, and for which the target does not ask any more. Nothing is lost by copying them again,
/// and waiting may be for nothing: through a tunnel a subscriber never comes back from a restart of the source (6.4.0).
/// None where it has got a part: the leases of such a subscriber stay when it is dropped, and a new one begins before them.
pub(super) fn never_filled(context: &Context<'_>) -> Vec<String> {
    let (source, target) = (context.source_name, context.target_name);
    let got_a_part = |name: &TableName| {
        let shards = context.source.tables.get(name).map(|table| table.primaries.as_slice()).unwrap_or_default();
        shards.iter().any(|shard| own_leases(context, shard).any(|lease| lease.retaining > 0))
    };
    if context.settings.mode != ReplicationMode::Tunnel || context.chosen.keys().any(got_a_part) {
        return Vec::new();
    }
    let silent =
        cut_off_tables(context).filter(|name| context.arriving.contains_key(*name) && context.is_stalled(name));
    silent
        .map(|name| format!("table {target}.{name} was never in sync, and {target} does not ask {source} for the rest"))
        .collect()
}

/// Whether a new subscription must not begin while the source keeps operations for the target's cluster name: somebody
/// renews that, or has just dropped it, or it is for a later operation than the first.
pub(super) fn collides(context: &Context<'_>) -> bool {
    let tables = context.chosen.keys().filter_map(|name| context.source.tables.get(name));
    let mut leases = tables.flat_map(|table| &table.primaries).flat_map(|shard| own_leases(context, shard));
    leases.any(|lease| lease.retaining > 0 || context.source.now.duration_since(lease.renewed) <= LEASE_STALE)
}

/// Tables whose subscriber does not ask for operations: it is down, or does not reach the source. That mends itself, but
/// for a tunnel.
pub(super) fn cut_off(context: &Context<'_>) -> Vec<String> {
    let (source, target) = (context.source_name, context.target_name);
    let id = &context.instance.id;
    let more = match context.settings.mode {
        ReplicationMode::Tunnel => format!(
            ". If {source} was restarted, that stays so until {target} is restarted, too, or the flow made again: --resync {id}"
        ),
        ReplicationMode::Sniff => String::new(),
    };
    let text = format!("is cut off: {target} has not asked {source} for operations for over a minute{more}");
    cut_off_tables(context).map(|name| format!("table {target}.{name} {text}")).collect()
}

fn cut_off_tables<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a TableName> {
    monitored(context).filter(|name| has_lease(context, name) && !is_renewed(context, name))
}

/// Tables that are followed, and to which new partitions do not come.
pub(super) fn untracked(context: &Context<'_>) -> Vec<String> {
    let (source, target) = (context.source_name, context.target_name);
    let lacks = |name: &&TableName| {
        let listed = context.subscription.and_then(|subscription| subscription.tables.get(*name));
        listed.is_some_and(|listed| listed.lacks_partitions)
    };
    let text = format!(
        "lacks partitions of {source}: {target} may have stopped to look for new partitions, tables and columns, as after a \
         restart of the whole cluster. It begins again when another node becomes master, or when no subscription is left \
         on it"
    );
    monitored(context).filter(lacks).map(|name| format!("table {target}.{name} {text}")).collect()
}

/// Tables that are closed at the source: they say `r`, and nothing arrives.
pub(super) fn closed(context: &Context<'_>) -> Vec<String> {
    let is_closed = |name: &&TableName| context.source.tables.get(*name).is_some_and(|table| table.closed);
    let closed = context.chosen.keys().filter(is_closed);
    closed.map(|name| format!("table {}.{name} is closed: nothing of it arrives", context.source_name)).collect()
}

/// Tables that are followed and published.
fn monitored<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a TableName> {
    let published = |name: &TableName| context.publication.is_some_and(|publication| publication.tables.contains(name));
    let tables = context.subscription.into_iter().flat_map(|subscription| &subscription.tables);
    tables.map(|(name, _)| name).filter(move |name| context.follows(name) && published(name))
}

/// One shard alone proves nothing: a new partition has no lease for a moment.
fn is_renewed(context: &Context<'_>, name: &TableName) -> bool {
    let shards = context.source.tables.get(name).map(|table| table.primaries.as_slice()).unwrap_or_default();
    let young = |renewed| context.source.now.duration_since(renewed) <= LEASE_STALE;
    shards.iter().any(|shard| own_leases(context, shard).any(|lease| young(lease.renewed)))
}

/// Whether a cluster of that name asked for operations of the table lately.
pub(crate) fn is_asked_for(source: &Observed, table: &TableName, subscriber: &str) -> bool {
    let shards = source.tables.get(table).map(|table| table.primaries.as_slice()).unwrap_or_default();
    let young = |renewed| source.now.duration_since(renewed) <= LEASE_STALE;
    let mut leases = shards.iter().flat_map(|shard| &shard.leases);
    leases.any(|lease| lease.subscriber == subscriber && young(lease.renewed))
}

fn own_leases<'a>(
    context: &'a Context<'_>,
    shard: &'a Shard,
) -> impl Iterator<Item = &'a transship_model::observed::Lease> {
    shard.leases.iter().filter(|lease| lease.subscriber == context.target.cluster_name)
}

/// Whether the source keeps operations of the table for the target's cluster name.
pub(super) fn has_lease(context: &Context<'_>, name: &TableName) -> bool {
    let table = context.source.tables.get(name);
    table.is_some_and(|table| takedown::is_leased(table, &context.target.cluster_name))
}

/// How many operations the target's primary shards lack; `None` where a shard cannot be compared.
pub(super) fn behind(context: &Context<'_>, name: &TableName) -> Option<i64> {
    let source = context.source.tables.get(name)?;
    let target = context.target.tables.get(name)?;
    source.primaries.iter().map(|shard| shard_behind(shard, target)).sum()
}

fn shard_behind(source: &Shard, target: &Table) -> Option<i64> {
    let same = |shard: &&Shard| shard.partition == source.partition && shard.id == source.id;
    let reached = target.primaries.iter().find(same).map_or(Some(-1), |shard| shard.global_checkpoint)?;
    Some((source.max_seq_no? - reached).max(0))
}

/// What is worth telling about a flow that is there: how far behind it is.
pub(super) fn notes(context: &Context<'_>) -> Vec<String> {
    let healthy: Vec<&TableName> = monitored(context).filter(|name| has_lease(context, name)).collect();
    if healthy.len() < context.chosen.len() {
        return Vec::new();
    }
    let behind: Option<i64> = context.chosen.keys().map(|table| behind(context, table)).sum();
    match behind {
        Some(0) => vec!["every operation has arrived".to_owned()],
        Some(count) => vec![format!("{count} operations behind")],
        None => Vec::new(),
    }
}
