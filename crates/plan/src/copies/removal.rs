//! Forgets a flow that is gone from the spec: whatever it made stays, copies aside included, since a view may read them.
//! What a cut run left of foreign servers and tables goes.

use transship_model::ledger::{FlowRow, FlowState};
use transship_model::plan::{Action, Afterwards, ObjectRef, Record, StepKind};
use transship_model::{FlowId, Name};

use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::FlowOutcome;

/// Plans it for `flow`, whose row stands in the ledger of `target_name`.
pub(crate) fn forget(input: &PlanInput, target_name: &Name, flow: &FlowId, row: &FlowRow) -> FlowOutcome {
    let mut draft = FlowDraft::new(flow.clone(), None);
    let because = "the flow is gone from the spec; what it copied stays";
    if let Some(seen) = input.observed(target_name) {
        let spec = &input.spec;
        let identity = (&spec.workspace, spec.environment.as_ref());
        let tables: Vec<_> = row.tables.iter().collect();
        let server = crate::names::of_flow(spec, flow);
        crate::custom::left_of((target_name, seen), (identity, flow), &tables, &server, &mut draft);
    }
    if draft.steps.is_empty() {
        draft.push(NewStep::new(target_name, StepKind::RecordFlow, because).action(Action::Record));
    }
    draft.record = Some(Record {
        flow: flow.clone(),
        cluster: target_name.clone(),
        row: FlowRow { state: FlowState::Removing, ..row.clone() },
        then: Afterwards::Forget,
    });
    draft.basis.extend([
        ObjectRef::cluster(target_name),
        ObjectRef::ledger(target_name),
        ObjectRef::flow(target_name, flow),
    ]);
    let mut report = FlowReport::new(FlowStatus::Removed);
    report.differences.push("the flow is gone from the spec".to_owned());
    FlowOutcome::of(draft, report)
}
