//! The sequence numbers of a source's shards, as the ledger notes them.

use std::collections::BTreeMap;

use transship_model::{Name, TableName};
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use crate::catalog;

/// The identity of the index and the highest sequence number of every primary shard, by `PARTITION/SHARD`.
pub(crate) type Marks = BTreeMap<String, (String, i64)>;

/// Reads those of `tables`, by `mark`, which is the statement that asks for their checkpoints. An operation that is under
/// way has a number and may not be visible yet: only those count that every copy of the shard has.
pub(super) async fn read(
    cx: &Context<'_>,
    cluster: &Name,
    mark: &str,
    tables: &[TableName],
) -> Result<BTreeMap<TableName, Marks>, StepError> {
    let primaries = cx.look(cluster, mark, catalog::read_checkpoints).await?;
    let shards = cx.look(cluster, &lookup::shards(tables), catalog::read_shards).await?;
    let mut found: BTreeMap<TableName, Marks> = tables.iter().map(|table| (table.clone(), Marks::new())).collect();
    for (key, progress) in primaries {
        let uuid = shards.get(&key).cloned().flatten().unwrap_or_default();
        let everywhere = progress.max_seq_no.zip(progress.global_checkpoint).map(|(highest, all)| highest.min(all));
        let (table, partition, shard) = key;
        found.entry(table).or_default().insert(format!("{partition}/{shard}"), (uuid, everywhere.unwrap_or(-1)));
    }
    Ok(found)
}
