//! Whether a table that is read shows all of its rows. CrateDB leaves partitions out that are closed, or of which a shard
//! is missing, and says nothing of it: what was read looks complete.

use std::collections::BTreeSet;

use transship_cluster::{Rows, ValueError};
use transship_model::plan::ObjectRef;
use transship_model::{Name, TableName};
use transship_sql::lookup::CLOSED;

use super::context::Context;
use super::error::StepError;

/// A table while it is read.
pub(super) struct WholeSource<'a> {
    cluster: &'a Name,
    table: &'a TableName,
    /// The statement that tells the partitions that give no rows.
    statement: &'a str,
    /// The identities of its indices before.
    indices: BTreeSet<String>,
}

impl<'a> WholeSource<'a> {
    /// Looks before it is read.
    pub(super) async fn begin(
        cx: &Context<'_>,
        (cluster, table): (&'a Name, &'a TableName),
        statement: &'a str,
    ) -> Result<Self, StepError> {
        shows_all(cx, (cluster, table), statement).await?;
        let indices = cx.indices(cluster, table).await?;
        Ok(Self { cluster, table, statement, indices })
    }

    /// Fails where not all of it may have been read: a partition gives no rows, or another table has taken the name, which
    /// shows too few rows, or none, while it does.
    pub(super) async fn check(&self, cx: &Context<'_>) -> Result<(), StepError> {
        shows_all(cx, (self.cluster, self.table), self.statement).await?;
        let mut retry = cx.retry();
        loop {
            let now = cx.indices(self.cluster, self.table).await?;
            if self.indices.is_empty() || !self.indices.is_disjoint(&now) {
                return Ok(());
            }
            // A shard that moves to another node is listed as none for a moment.
            if !now.is_empty() || !retry.again().await {
                let object = ObjectRef::table(self.cluster, self.table);
                return Err(StepError::Changed { object, how: "was made again, or replaced, while it was read" });
            }
        }
    }
}

/// Fails where a partition gives no rows. Shards that are missing are waited for as long as a lost connection is.
pub(super) async fn shows_all(
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
