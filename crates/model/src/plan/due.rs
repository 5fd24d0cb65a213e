//! Work that merely fell due, and how it goes with the rest of a plan.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Basis, Blocked, Note, Plan, Record, Step, StepId};
use crate::name::FlowId;

/// A flow that is as declared, and of which the work is due again: no part of what was reviewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DueFlow {
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// SHA-256 in hexadecimal over everything of it but estimates and `depends_on` of other flows' steps, with the
    /// clusters that it touches.
    pub digest: String,
    /// The facts that its steps rely on.
    pub basis: Vec<Basis>,
    /// The ledger row that the run writes.
    pub record: Record,
    /// What is done, each step after those it depends on.
    pub steps: Vec<Step>,
    /// What a reviewer should know.
    pub warnings: Vec<Note>,
    /// Why the steps may not be applied as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
}

impl Plan {
    /// Every step, those that fell due included, each after those that it depends on; among those that are free, in the
    /// order in which they stand, what fell due last. Steps that wait for each other come at the end.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        let steps: Vec<&Step> = self.steps.iter().chain(self.due.iter().flat_map(|due| &due.steps)).collect();
        let order = if self.due.is_empty() { (0..steps.len()).collect() } else { in_order(&steps) };
        order.into_iter().map(move |index| steps[index])
    }

    /// Every ledger row that the run writes.
    pub fn all_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().chain(self.due.iter().map(|due| &due.record))
    }

    /// Every fact that the run relies on.
    pub fn all_basis(&self) -> impl Iterator<Item = &Basis> {
        self.basis.iter().chain(self.due.iter().flat_map(|due| &due.basis))
    }

    /// Everything that a reviewer should know.
    pub fn all_warnings(&self) -> impl Iterator<Item = &Note> {
        self.warnings.iter().chain(self.due.iter().flat_map(|due| &due.warnings))
    }

    /// Everything that stands against applying it.
    pub fn all_blocked(&self) -> impl Iterator<Item = &Blocked> {
        self.blocked.iter().chain(self.due.iter().flat_map(|due| &due.blocked))
    }

    /// Whether anything does.
    pub fn is_blocked(&self) -> bool {
        self.all_blocked().next().is_some()
    }

    /// The same plan with those flows alone that fell due and that `keep` names; nothing waits for the others.
    #[must_use]
    pub fn with_due(mut self, keep: impl Fn(&DueFlow) -> bool) -> Self {
        let (kept, mut left): (Vec<DueFlow>, Vec<DueFlow>) = self.due.into_iter().partition(|due| keep(due));
        // Who restores a snapshot that nobody makes any more is left to the next plan with it.
        let made = made_snapshots(self.steps.iter().chain(kept.iter().flat_map(|due| &due.steps)));
        let (kept, orphaned): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .partition(|due| due.steps.iter().filter_map(restored_snapshot).all(|it| made.contains(&it)));
        left.extend(orphaned);
        self.due = kept;
        let gone: BTreeSet<&StepId> = left.iter().flat_map(|due| &due.steps).map(|step| &step.id).collect();
        for step in self.steps.iter_mut().chain(self.due.iter_mut().flat_map(|due| &mut due.steps)) {
            step.depends_on.retain(|id| !gone.contains(id));
        }
        self
    }
}

/// The snapshots that steps make: repository and name.
fn made_snapshots<'a>(steps: impl Iterator<Item = &'a Step>) -> BTreeSet<(String, String)> {
    let made = |step: &Step| match &step.action {
        Some(Action::CreateSnapshot(made)) => Some((made.repository.clone(), made.snapshot.clone())),
        _ => None,
    };
    steps.filter_map(made).collect()
}

/// The snapshot that a step restores something of.
fn restored_snapshot(step: &Step) -> Option<(String, String)> {
    match &step.action {
        Some(Action::RestoreTable(it)) => Some((it.repository.clone(), it.snapshot.clone())),
        Some(Action::RestorePartition(it)) => Some((it.repository.clone(), it.snapshot.clone())),
        _ => None,
    }
}

/// The places of steps in an order in which each comes after those that it depends on; among those that are free, as they
/// came. Steps that wait for each other are not left out: they come at the end.
pub fn in_order(steps: &[&Step]) -> Vec<usize> {
    let position: BTreeMap<&StepId, usize> = steps.iter().enumerate().map(|(index, step)| (&step.id, index)).collect();
    let mut waits: Vec<usize> = vec![0; steps.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (index, step) in steps.iter().enumerate() {
        for before in step.depends_on.iter().filter_map(|id| position.get(id)) {
            waits[index] += 1;
            followers[*before].push(index);
        }
    }
    let mut ready: BTreeSet<usize> = (0..steps.len()).filter(|index| waits[*index] == 0).collect();
    let mut left: BTreeSet<usize> = (0..steps.len()).collect();
    let mut ordered = Vec::with_capacity(steps.len());
    while let Some(index) = ready.pop_first() {
        left.remove(&index);
        ordered.push(index);
        for follower in &followers[index] {
            waits[*follower] -= 1;
            if waits[*follower] == 0 {
                ready.insert(*follower);
            }
        }
    }
    ordered.extend(left);
    ordered
}
