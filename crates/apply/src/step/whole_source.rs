//! Whether a table that is read shows all of its rows. CrateDB leaves partitions out that are closed, or of which a shard
//! is missing, and says nothing of it: what was read looks complete.

use transship_cluster::{Rows, ValueError};
use transship_model::{Name, TableName};
use transship_sql::lookup::CLOSED;

use super::context::Context;
use super::error::StepError;

/// Fails where a partition gives no rows. Shards that are missing are waited for as long as a lost connection is.
pub(super) async fn check(
    cx: &Context<'_>,
    (cluster, table): (&Name, &TableName),
    statement: &str,
) -> Result<(), StepError> {
    let mut retry = cx.retry();
    loop {
        let found = cx.look(cluster, statement, read).await?;
        if found.is_empty() {
            return Ok(());
        }
        let is_closed = found.iter().any(|part| part.is_closed);
        if is_closed || !retry.again().await {
            let parts = found.into_iter().map(|part| part.text).collect();
            return Err(StepError::Unreadable { cluster: cluster.clone(), table: table.clone(), parts });
        }
    }
}

struct Unreadable {
    text: String,
    is_closed: bool,
}

fn read(rows: &Rows) -> Result<Vec<Unreadable>, ValueError> {
    let part = |row: usize| {
        let (ident, why) = (rows.opt_text(row, "partition_ident")?.unwrap_or_default(), rows.text(row, "why")?);
        let text = if ident.is_empty() { why.to_owned() } else { format!("{ident} {why}") };
        Ok(Unreadable { text, is_closed: why == CLOSED })
    };
    (0..rows.len()).map(part).collect()
}
