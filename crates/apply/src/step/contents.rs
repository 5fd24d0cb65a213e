//! What tables of the step's cluster have, as far as their shards tell.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::Subscription;
use transship_model::{Contents, TableName};
use transship_sql::{lookup, replication};

use super::context::Context;
use super::error::StepError;
use crate::{catalog, precondition};

/// What each of `tables` has that exists and has a shard.
pub(super) async fn of(
    cx: &Context<'_>,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, Contents>, StepError> {
    let cluster = &cx.step.cluster;
    let shards = cx.look(cluster, &lookup::shards(tables), catalog::read_shards).await?;
    let reached = cx.look(cluster, &replication::checkpoints(tables), catalog::read_checkpoints).await?;
    let mut found = BTreeMap::<TableName, Vec<(String, i64, Option<i64>)>>::new();
    for (shard, index) in shards {
        let max_seq_no = reached.get(&shard).and_then(|reached| reached.max_seq_no);
        let (table, _, id) = shard;
        found.entry(table).or_default().extend(index.map(|index| (index, id, max_seq_no)));
    }
    Ok(found.into_iter().map(|(table, shards)| (table, shards.into_iter().collect())).collect())
}

/// Half copies that a subscription is about to let go of. Nobody can write into them as long as it follows them, and what
/// they had then is all that tells them from tables into which somebody writes.
pub(super) struct HalfCopies {
    tables: BTreeSet<TableName>,
    /// Those of them that cannot be written: others of these names are somebody else's, although they are listed.
    held: BTreeSet<TableName>,
    had: BTreeMap<TableName, Contents>,
    noted: BTreeMap<TableName, Contents>,
}

impl HalfCopies {
    /// Those of the tables that the ledger has as half copies and that are `among` them.
    pub(super) async fn of(cx: &Context<'_>, among: impl Fn(&TableName) -> bool) -> Self {
        let known = cx.ledger.arriving(cx.step).await;
        let tables = known.into_keys().filter(among).collect();
        Self { tables, held: BTreeSet::new(), had: BTreeMap::new(), noted: BTreeMap::new() }
    }

    /// Keeps what they have that the subscription still follows; returns what it follows.
    pub(super) async fn look(&mut self, cx: &Context<'_>, states: &str, name: &str) -> Result<Subscription, StepError> {
        let contents = if self.tables.is_empty() { BTreeMap::new() } else { of(cx, &self.tables).await? };
        let new: BTreeSet<TableName> = contents.keys().filter(|table| !self.held.contains(*table)).cloned().collect();
        if !new.is_empty() {
            self.held.extend(precondition::subscribed(cx, &new).await?);
        }
        let mut subscriptions = cx.look(&cx.step.cluster, states, catalog::read_subscriptions).await?;
        let found = subscriptions.remove(name).unwrap_or_default();
        let is_followed = |table: &TableName| {
            self.held.contains(table) && found.tables.get(table).is_some_and(|it| !it.is_in_the_way())
        };
        self.had.extend(contents.into_iter().filter(|(table, _)| is_followed(table)));
        Ok(found)
    }

    /// The tables of which something was kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &TableName> {
        self.had.keys()
    }

    /// Writes down what was kept, if it says something else than before.
    pub(super) async fn note(&mut self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.had != self.noted {
            cx.ledger.note_arriving(cx.step, self.had.clone()).await?;
            self.noted.clone_from(&self.had);
        }
        Ok(())
    }
}
