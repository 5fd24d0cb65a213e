//! Whether a replication that says `r` is alive: by the source's retention leases and both sides' sequence numbers.

use transship_model::observed::{RelationState, Shard, Table};
use transship_model::{TableName, TimeSpan};

use super::context::Context;

/// A lease that was not renewed for so long belongs to a subscriber that stopped.
pub(super) const LEASE_STALE: TimeSpan = TimeSpan::seconds(120);

/// Why tables that say `r` do not follow the source any more.
pub(super) fn stopped(context: &Context<'_>) -> Vec<String> {
    let Some(subscription) = context.subscription else { return Vec::new() };
    let followed = subscription.tables.iter().filter(|(_, table)| table.state == RelationState::Monitoring);
    followed.filter_map(|(name, _)| stopped_table(context, name)).collect()
}

/// No lease on any shard, or only stale ones while operations are missing, means that the tracker has stopped. One
/// shard alone proves nothing: a new partition has no lease for a moment.
fn stopped_table(context: &Context<'_>, name: &TableName) -> Option<String> {
    let (source, target) = (context.source_name, context.target_name);
    let shards = &context.source.tables.get(name)?.primaries;
    if shards.is_empty() || context.publication.is_none_or(|publication| !publication.tables.contains(name)) {
        return None;
    }
    if !has_lease(context, name) {
        return Some(format!(
            "table {target}.{name} says `r`, but {source} keeps no operations for it: it has stopped following"
        ));
    }
    let stale = shards.iter().all(|shard| !renewed(context, shard));
    (stale && behind(context, name).is_some_and(|behind| behind > 0))
        .then(|| format!("table {target}.{name} says `r`, but has stopped following {source}"))
}

fn renewed(context: &Context<'_>, shard: &Shard) -> bool {
    let age = |renewed| context.source.now.duration_since(renewed);
    let limit = jiff::SignedDuration::from_millis(i64::try_from(LEASE_STALE.as_milliseconds()).unwrap_or(i64::MAX));
    own_leases(context, shard).any(|lease| age(lease.renewed) <= limit)
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
    table.is_some_and(|table| table.primaries.iter().any(|shard| own_leases(context, shard).next().is_some()))
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
    if context.subscription.is_none() {
        return Vec::new();
    }
    let behind: Option<i64> = context.chosen.keys().map(|table| behind(context, table)).sum();
    match behind {
        Some(0) => vec!["every operation has arrived".to_owned()],
        Some(count) => vec![format!("{count} operations behind")],
        None => Vec::new(),
    }
}
