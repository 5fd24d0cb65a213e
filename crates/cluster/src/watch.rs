//! Tells replications that are behind and catching up from those that stand still, by looking again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::observed::Observed;
use transship_model::{Name, TableName};
use transship_sql::replication;

use crate::error::ClusterError;
use crate::session::Server;
use crate::value::{Rows, ValueError};

/// A primary shard: its table, its partition's ident, its number.
type ShardId = (TableName, String, i32);

/// How often it is looked again, and how long after the look before. A batch of replicated operations takes a second
/// or two at most; a stuck shard tries again once a minute.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Looks again at the shards that are `behind` the given sequence numbers, until each has reached its own or has moved.
/// Those that have done neither for ten seconds are marked as stalled in `observed`.
pub async fn watch(
    cluster: &Name,
    server: &dyn Server,
    observed: &mut Observed,
    behind: &BTreeMap<ShardId, i64>,
) -> Result<(), ClusterError> {
    look_again(cluster, server, observed, behind, BETWEEN_LOOKS).await
}

async fn look_again(
    cluster: &Name,
    server: &dyn Server,
    observed: &mut Observed,
    behind: &BTreeMap<ShardId, i64>,
    between_looks: Duration,
) -> Result<(), ClusterError> {
    let tables: BTreeSet<&TableName> = behind.keys().map(|(table, ..)| table).collect();
    let statement = replication::checkpoints(tables);
    let began = checkpoints_of(observed);
    let mut waiting = behind.clone();
    for _ in 0..LOOKS {
        if waiting.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(between_looks).await;
        let rows = server.query(&statement, &[]).await?;
        let now = read(&rows).map_err(|error| ClusterError::answer(cluster, &statement, &error))?;
        waiting.retain(|shard, mark| match now.get(shard) {
            Some(reached) => reached < mark && began.get(shard).is_none_or(|before| reached <= before),
            // A shard that is gone, or is starting, tells nothing.
            None => false,
        });
    }
    for (table, partition, id) in waiting.into_keys() {
        let shards = observed.tables.get_mut(&table).into_iter().flat_map(|table| &mut table.primaries);
        for shard in shards.filter(|shard| shard.partition == partition && shard.id == id) {
            shard.stalled = true;
        }
    }
    Ok(())
}

fn checkpoints_of(observed: &Observed) -> BTreeMap<ShardId, i64> {
    let shards =
        observed.tables.iter().flat_map(|(name, table)| table.primaries.iter().map(move |shard| (name, shard)));
    shards
        .filter_map(|(name, shard)| Some(((name.clone(), shard.partition.clone(), shard.id), shard.global_checkpoint?)))
        .collect()
}

fn read(rows: &Rows) -> Result<BTreeMap<ShardId, i64>, ValueError> {
    let mut found = BTreeMap::new();
    for row in 0..rows.rows.len() {
        let table = TableName::new(rows.text(row, "schema_name")?, rows.text(row, "table_name")?);
        let id = i32::try_from(rows.int(row, "id")?).unwrap_or(i32::MAX);
        if let Some(checkpoint) = rows.opt_int(row, "global_checkpoint")? {
            found.insert((table, rows.text(row, "partition_ident")?.to_owned(), id), checkpoint);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::future::BoxFuture;
    use transship_model::observed::Shard;

    use super::*;
    use crate::recorded::Replay;
    use crate::value::{Bind, Value};

    /// A cluster with two shards at 5: one never moves, the other gets on with every look.
    struct TwoShards {
        name: Name,
        looks: AtomicI64,
    }

    impl Server for TwoShards {
        fn name(&self) -> &Name {
            &self.name
        }

        fn query<'a>(&'a self, _: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed);
            let text = |text: &str| Value::Text(text.to_owned());
            let row = |id, checkpoint| {
                vec![text("s"), text("t"), text(""), Value::Int(id), Value::Int(9), Value::Int(checkpoint)]
            };
            let columns = ["schema_name", "table_name", "partition_ident", "id", "max_seq_no", "global_checkpoint"];
            let rows = vec![row(0, 5), row(1, 5 + looks)];
            Box::pin(async move { Ok(Rows { columns: columns.map(str::to_owned).to_vec(), rows }) })
        }

        fn execute<'a>(&'a self, _: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
            unreachable!("watching changes nothing")
        }
    }

    #[tokio::test]
    async fn a_shard_that_never_moves_is_told_from_one_that_catches_up() {
        let recorded = Replay::of(include_str!("../recordings/subscriber.json"));
        let workspace = "shop-sync".parse().expect("a name");
        let mut observed = crate::observe(&recorded, &workspace, None).await.expect("an observation");
        let name = TableName::new("s", "t");
        let some = observed.tables.values().find(|table| !table.primaries.is_empty()).expect("a table").clone();
        let shard =
            |id| Shard { id, partition: String::new(), global_checkpoint: Some(5), ..some.primaries[0].clone() };
        let table = transship_model::observed::Table { primaries: vec![shard(0), shard(1)], ..some };
        observed.tables.insert(name.clone(), table);
        let behind = [0, 1].map(|id| ((name.clone(), String::new(), id), 8)).into();
        let server = TwoShards { name: "b".parse().expect("a name"), looks: AtomicI64::new(0) };
        let cluster = server.name.clone();
        look_again(&cluster, &server, &mut observed, &behind, Duration::ZERO).await.expect("looks");
        let stalled: Vec<bool> = observed.tables[&name].primaries.iter().map(|shard| shard.stalled).collect();
        assert_eq!(stalled, [true, false]);
        assert_eq!(server.looks.load(Ordering::Relaxed), i64::from(LOOKS));
    }
}
