//! Taking locks away from those who hold them.

use transship_model::Name;

use super::held::HeldLease;
use super::table::{Table, Who};
use crate::clock::Clock;
use crate::error::ApplyError;
use crate::run_id::new_run_id;
use crate::servers::{Scope, Servers};

/// Looks for locks, and takes them away.
pub struct Unlocker<'a> {
    table: Table<'a>,
}

/// What came of taking a lock away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// Who held it holds it no more, and can write nothing to the ledger.
    Done,
    /// Who held it did so no more: it was released, or somebody else has it.
    Gone,
}

impl<'a> Unlocker<'a> {
    /// One who unlocks flows of `scope`, known to people as `holder`.
    pub fn new(servers: &'a dyn Servers, clock: &'a dyn Clock, scope: Scope<'_>, holder: &str) -> Self {
        let owner = format!("unlock-{}-{:016x}", new_run_id(clock), getrandom::u64().unwrap_or_default());
        let who = Who { owner, holder: holder.to_owned(), run: String::new() };
        Self { table: Table::new(servers, clock, scope, who) }
    }

    /// The locks that anybody holds, by the flows' ledgers on `cluster`.
    pub async fn held(&self, cluster: &Name) -> Result<Vec<HeldLease>, ApplyError> {
        Ok(self.table.held(cluster).await?)
    }

    /// Takes one away. Its epoch goes up, and so does that of the flow's row: whoever held it is kept out of both.
    pub async fn unlock(&self, lease: &HeldLease) -> Result<Unlocked, ApplyError> {
        let now = self.table.revoke(lease).await?;
        if now.owner != self.table.who.owner {
            return Ok(Unlocked::Gone);
        }
        // There may be no ledger yet.
        let written = self.table.written(&lease.cluster, &[&lease.flow]).await?;
        if !written.is_empty() {
            self.table.raise(&lease.cluster, &(lease.flow.clone(), now.epoch)).await?;
        }
        Ok(Unlocked::Done)
    }
}
