//! A lease as a row tells it.

use std::time::Duration;

use jiff::Timestamp;
use transship_cluster::{Rows, ValueError};
use transship_model::{FlowId, Name};

/// A lease, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// The cluster whose ledger has the flow's row.
    pub cluster: Name,
    /// The flow.
    pub flow: FlowId,
    /// What is unique to who holds it.
    pub(crate) owner: String,
    /// Who holds it, as people know them: user and machine.
    pub holder: String,
    /// The run that holds it; empty where nobody does since it was unlocked.
    pub run: String,
    /// How often it changed hands.
    pub epoch: i64,
    /// How long ago it was taken.
    pub since: Duration,
    /// How long it is held unless it is renewed.
    pub left: Duration,
}

impl HeldLease {
    /// `ci@runner-7 (run 20261122T175600Z-4f1k, since 12 s, until 18 s from now unless renewed)`.
    pub fn told(&self) -> String {
        let (since, left) = (self.since.as_secs(), self.left.as_secs());
        format!("{} (run {}, since {since} s, until {left} s from now unless renewed)", self.holder, self.run)
    }

    /// The leases of an answer, in its order.
    pub(super) fn read(cluster: &Name, rows: &Rows) -> Result<Vec<Self>, ValueError> {
        (0..rows.len()).map(|row| Self::read_one(cluster, rows, row)).collect()
    }

    fn read_one(cluster: &Name, rows: &Rows, row: usize) -> Result<Self, ValueError> {
        let flow = transship_sql::lease::flow_awaited(rows.text(row, "flow")?);
        let is_none = |problem| ValueError { column: "flow".to_owned(), expected: "a flow", found: problem };
        let now = rows.time(row, "now")?;
        Ok(Self {
            cluster: cluster.clone(),
            flow: flow.parse().map_err(|_| is_none(flow.to_owned()))?,
            owner: rows.text(row, "owner")?.to_owned(),
            holder: rows.text(row, "holder")?.to_owned(),
            run: rows.text(row, "run")?.to_owned(),
            epoch: rows.int(row, "epoch")?,
            since: between(rows.time(row, "taken")?, now),
            left: between(now, rows.time(row, "expires")?),
        })
    }
}

/// How long the one is before the other; none where it is not.
fn between(before: Timestamp, after: Timestamp) -> Duration {
    Duration::try_from(after.duration_since(before)).unwrap_or_default()
}
