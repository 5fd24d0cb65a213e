//! What planning one flow yields.

use std::collections::BTreeSet;

use transship_model::plan::Note;
use transship_model::{FlowId, Name, TableName};

use crate::draft::FlowDraft;
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
            (false, true) => Self::Changes,
            (false, false) => Self::Blocked,
        }
    }
}
