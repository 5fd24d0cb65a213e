//! Looks again, for ten seconds, at what one look cannot judge: whether a replication that is behind gets on, and whether
//! a table that is said to be copied is.

mod copies;
mod shards;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::observed::{Observed, RelationState, Subscription};
use transship_model::{Name, TableName};
use transship_sql::{observe as catalog, replication};

use crate::error::ClusterError;
use crate::observe::objects::read_subscriptions;
use crate::session::Server;
use crate::value::{Rows, ValueError};
use copies::Copies;
use shards::{Checkpoints, ShardId, Shards};

/// How often it is looked, and how long after the look before. A batch of replicated operations takes a second or two at
/// most, and a stuck shard tries again once a minute. Between the states of a copy no restore runs, for less than a second
/// on a server that is not overloaded.
const LOOKS: u32 = 11;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Looks again at the shards that are `behind` the given sequence numbers, until each has reached its own or has moved, and
/// at the tables that subscriptions are said to be `copying`, until each is followed or failed, or a restore of its
/// subscription runs. Shards that have done neither for ten seconds are marked as stalled in `observed`, such tables as
/// abandoned; those that are followed by now as followed; those that are followed and got no shard of a partition that is
/// behind as lacking partitions. The shards of tables that were said to be copied are as they were
/// in the last look at them.
pub async fn watch(
    cluster: &Name,
    server: &dyn Server,
    observed: &mut Observed,
    behind: &BTreeMap<ShardId, i64>,
    copying: &BTreeMap<String, BTreeSet<TableName>>,
) -> Result<(), ClusterError> {
    look_again((cluster, server), observed, (behind, copying), BETWEEN_LOOKS).await
}

async fn look_again(
    (cluster, server): (&Name, &dyn Server),
    observed: &mut Observed,
    (behind, copying): (&BTreeMap<ShardId, i64>, &BTreeMap<String, BTreeSet<TableName>>),
    between_looks: Duration,
) -> Result<(), ClusterError> {
    let (mut shards, mut copies) = (Shards::of(observed, behind), Copies::of(copying));
    for look in 0..LOOKS {
        if shards.are_judged() && copies.are_judged() {
            return Ok(());
        }
        if look > 0 {
            tokio::time::sleep(between_looks).await;
        }
        let now = Look::at(cluster, server, (behind, copying)).await?;
        shards.look(&now);
        copies.look(&now, observed);
    }
    shards.mark(observed);
    copies.mark(observed);
    Ok(())
}

/// What is seen at one moment.
struct Look {
    /// The primary shards.
    checkpoints: Checkpoints,
    /// The repositories of the restores that run.
    restoring: BTreeSet<String>,
    /// The subscriptions.
    subscriptions: BTreeMap<String, Subscription>,
}

impl Look {
    /// Asks only for what there is to judge.
    async fn at(
        cluster: &Name,
        server: &dyn Server,
        (behind, copying): (&BTreeMap<ShardId, i64>, &BTreeMap<String, BTreeSet<TableName>>),
    ) -> Result<Self, ClusterError> {
        let (mut restoring, mut subscriptions) = (BTreeSet::new(), BTreeMap::new());
        if !copying.is_empty() {
            restoring = ask(cluster, server, &replication::restores(), read_restores).await?;
            subscriptions = ask(cluster, server, catalog::SUBSCRIPTIONS, read_subscriptions).await?;
        }
        let tables: BTreeSet<&TableName> =
            behind.keys().map(|(table, ..)| table).chain(copying.values().flatten()).collect();
        let checkpoints = ask(cluster, server, &replication::checkpoints(tables), shards::read).await?;
        Ok(Self { checkpoints, restoring, subscriptions })
    }

    /// What the subscription says of the table.
    fn state(&self, subscription: &str, table: &TableName) -> Option<RelationState> {
        Some(self.subscriptions.get(subscription)?.tables.get(table)?.state)
    }
}

async fn ask<T>(
    cluster: &Name,
    server: &dyn Server,
    statement: &str,
    read: fn(&Rows) -> Result<T, ValueError>,
) -> Result<T, ClusterError> {
    let rows = server.query(statement, &[]).await?;
    read(&rows).map_err(|error| ClusterError::answer(cluster, statement, &error))
}

fn read_restores(rows: &Rows) -> Result<BTreeSet<String>, ValueError> {
    (0..rows.rows.len()).map(|row| Ok(rows.text(row, "repository")?.to_owned())).collect()
}

#[cfg(test)]
mod tests;
