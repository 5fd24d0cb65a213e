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
    let tables: BTreeSet<&TableName> = behind.keys().map(|(table, ..)| table).collect();
    let statement = replication::checkpoints(tables);
    let began = checkpoints_of(observed);
    let mut waiting = behind.clone();
    for _ in 0..LOOKS {
        if waiting.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
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
