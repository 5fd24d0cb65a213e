//! What tables of the step's cluster have, as far as their shards tell.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::Subscription;
use transship_model::{Contents, TableName};
use transship_sql::{lookup, replication};

use super::context::Context;
use super::error::StepError;
use crate::catalog;

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
    had: BTreeMap<TableName, Contents>,
}

impl HalfCopies {
    /// Those of `tables` that the ledger has as half copies.
    pub(super) async fn of(cx: &Context<'_>, tables: &[TableName]) -> Self {
        let known = cx.ledger.arriving(cx.step).await;
        let tables = tables.iter().filter(|table| known.contains_key(*table)).cloned().collect();
        Self { tables, had: BTreeMap::new() }
    }

    /// What they have.
    pub(super) async fn look(&self, cx: &Context<'_>) -> Result<BTreeMap<TableName, Contents>, StepError> {
        if self.tables.is_empty() { Ok(BTreeMap::new()) } else { of(cx, &self.tables).await }
    }

    /// Keeps what those had that the subscription had afterwards. One that was in its way is somebody else's.
    pub(super) fn keep(&mut self, contents: BTreeMap<TableName, Contents>, subscription: &Subscription) {
        let is_followed = |table: &TableName| subscription.tables.get(table).is_some_and(|it| !it.is_in_the_way());
        self.had.extend(contents.into_iter().filter(|(table, _)| is_followed(table)));
    }

    /// The tables of which something was kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &TableName> {
        self.had.keys()
    }

    /// Writes down what was kept.
    pub(super) async fn note(self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.had.is_empty() { Ok(()) } else { cx.ledger.note_arriving(cx.step, self.had).await }
    }
}
