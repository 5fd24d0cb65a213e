//! What planning one flow yields.

use std::collections::BTreeSet;

use transship_model::plan::Note;
use transship_model::{FlowId, Name, TableName};

use crate::draft::{FlowDraft, rewritten};
use crate::report::{FlowReport, FlowStatus};

/// What planning one flow yields.
#[derive(Debug)]
pub(crate) struct FlowOutcome {
    /// Its steps and what goes with them.
    pub(crate) draft: FlowDraft,
    /// How it stands.
    pub(crate) report: FlowReport,
    /// The tables that it reads, by cluster.
    pub(crate) reads: BTreeSet<(Name, TableName)>,
    /// The tables that it writes, by cluster.
    pub(crate) writes: BTreeSet<(Name, TableName)>,
    /// Why it could not be judged.
    pub(crate) unseen: Option<Note>,
}

/// What the other flows of a workspace do to tables, by cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// Tables that one of them writes, whenever it does.
    pub(crate) written: BTreeSet<(Name, TableName)>,
    /// Those that one of them writes anew in the same plan.
    pub(crate) rewritten: BTreeSet<(Name, TableName)>,
}

impl Others {
    /// What the outcomes of all flows come to.
    pub(crate) fn of<'a>(outcomes: impl Iterator<Item = &'a FlowOutcome>) -> Self {
        let mut others = Self::default();
        for outcome in outcomes {
            others.written.extend(outcome.writes.iter().cloned());
            others.rewritten.extend(rewritten(&outcome.draft.steps));
        }
        others
    }

    /// Whether a flow reads what these say something about, and `before` did not.
    pub(crate) fn tell_more(&self, before: &Self, flow: &FlowOutcome) -> bool {
        let new = |now: &BTreeSet<(Name, TableName)>, then: &BTreeSet<(Name, TableName)>| {
            flow.reads.iter().any(|table| now.contains(table) && !then.contains(table))
        };
        new(&self.written, &before.written) || new(&self.rewritten, &before.rewritten)
    }
}

impl FlowOutcome {
    /// A flow that touches no table of its own.
    pub(crate) fn of(draft: FlowDraft, report: FlowReport) -> Self {
        Self { draft, report, reads: BTreeSet::new(), writes: BTreeSet::new(), unseen: None }
    }

    /// A flow that is left alone.
    pub(crate) fn idle(flow: &FlowId, status: FlowStatus) -> Self {
        Self::of(FlowDraft::new(flow.clone(), None), FlowReport::new(status))
    }

    /// A flow that the connected users cannot judge: nothing is planned for it, and it is not called clean. The
    /// evidence stands in the report alone, since it changes from moment to moment.
    pub(crate) fn unseen(flow: &FlowId, reason: String, evidence: Vec<String>) -> Self {
        let mut outcome = Self::idle(flow, FlowStatus::NotObservable);
        outcome.report.notes = evidence;
        outcome.unseen = Some(Note { code: "plan::not-observable".to_owned(), flow: Some(flow.clone()), text: reason });
        outcome
    }
}

impl FlowStatus {
    /// The status of a flow by what is drafted for it.
    pub(crate) fn of(draft: &FlowDraft) -> Self {
        match (draft.steps.is_empty(), draft.blocked.is_empty()) {
            (true, _) => Self::UpToDate,
            (false, true) if draft.due => Self::Due,
            (false, true) => Self::Changes,
            (false, false) => Self::Blocked,
        }
    }
}
