//! What was unlocked, and who held it.

use serde::Serialize;
use transship_apply::{HeldLease, Unlocked};
use transship_model::{FlowId, Name};

use super::style::{Page, bold, dim, green, yellow};
use super::{Human, Json, View};
use crate::file;

/// The format of a [`Released`].
pub const UNLOCKED_FORMAT: u32 = 1;

/// What became of the locks that somebody held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Released {
    /// 1.
    pub format_version: u32,
    /// Each lock.
    pub locks: Vec<ReleasedLock>,
}

/// A lock that somebody held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleasedLock {
    /// The flow.
    pub flow: FlowId,
    /// The cluster whose ledger has the flow's row.
    pub cluster: Name,
    /// Who held it: user and machine.
    pub holder: String,
    /// The run.
    pub run: String,
    /// For how many seconds.
    pub seconds: u64,
    /// Whether it was taken away; otherwise it was released by itself meanwhile, or taken by another run.
    pub unlocked: bool,
}

impl Default for Released {
    fn default() -> Self {
        Self { format_version: UNLOCKED_FORMAT, locks: Vec::new() }
    }
}

impl Released {
    /// One more.
    pub fn add(&mut self, lease: &HeldLease, unlocked: Unlocked) {
        self.locks.push(ReleasedLock {
            flow: lease.flow.clone(),
            cluster: lease.cluster.clone(),
            holder: lease.holder.clone(),
            run: lease.run.clone(),
            seconds: lease.since.as_secs(),
            unlocked: unlocked == Unlocked::Done,
        });
    }
}

impl View<Released> for Json {
    fn render(&self, released: &Released) -> String {
        file::json(released)
    }
}

impl View<Released> for Human {
    fn render(&self, released: &Released) -> String {
        let mut page = Page::new(self.width);
        if released.locks.is_empty() {
            page.line(&bold("Nothing is locked."));
        }
        for ReleasedLock { flow, holder, run, seconds, unlocked, .. } in &released.locks {
            let what = if *unlocked { green("unlocked") } else { yellow("not held by them any more") };
            let held = format!("held by {holder} (run {run}) for {seconds} s");
            page.line(&format!("{}  {what}  {}", bold(&flow.to_string()), dim(&held)));
        }
        page.finish()
    }
}
