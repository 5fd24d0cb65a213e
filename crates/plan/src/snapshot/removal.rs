//! Takes down a flow that is gone from the spec: its repositories are dropped where that is permitted; its tables stay, and
//! so do its snapshots where they lie.

use transship_model::ledger::{FlowRow, FlowState};
use transship_model::plan::{Afterwards, ObjectRef, Precondition, Record, StepKind};
use transship_model::{DropKind, FlowId, Name};
use transship_sql::repository;

use crate::consent::Consents;
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;
use crate::names;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::FlowOutcome;

/// Plans it for `flow`, whose row stands in the ledger of `target`.
pub(crate) fn remove(input: &PlanInput, target: &Name, flow: &FlowId, row: &FlowRow) -> FlowOutcome {
    let mut draft = FlowDraft::new(flow.clone(), None);
    let consents = Consents::new(input, &[]);
    let name = row.repository.clone().unwrap_or_default();
    // Of targets that go together, the first drops what they share.
    let others = input.observation.clusters.values().flat_map(|seen| seen.ledger.rows());
    let is_declared = |id: &FlowId| input.spec.instances().iter().any(|instance| instance.id == *id);
    let shared = others.into_iter().any(|(id, _)| id.flow == flow.flow && id != flow && (is_declared(id) || id < flow));
    let adopted = name != names::of_flow(&input.spec, &super::place::of_all_targets(flow));
    for cluster in [&row.to, &row.from] {
        let there = input.observed(cluster).is_some_and(|seen| seen.repositories.contains_key(&name));
        // What was adopted was somebody's before, and has what is theirs.
        if !there || adopted || shared && *cluster == row.from {
            continue;
        }
        let object = ObjectRef::repository(cluster, &name);
        draft.push(
            NewStep::new(
                cluster,
                StepKind::DropRepository,
                "the flow is gone from the spec; its snapshots stay where they lie",
            )
            .sql(repository::drop_repository(&name))
            .requires(Precondition::Unchanged(object.clone()))
            .drops(consents.ask(DropKind::Repository, format!("{cluster}.{name}"))),
        );
        if row.prevent_destroy {
            draft.prevent_destroy(
                &format!("drops repository {cluster}.{name}"),
                "declare the flow again without it first",
            );
        }
        draft.basis.insert(object);
    }
    if draft.steps.is_empty() {
        return crate::copies::forget(input, target, flow, row);
    }
    draft.record = Some(Record {
        flow: flow.clone(),
        cluster: target.clone(),
        row: FlowRow { state: FlowState::Removing, ..row.clone() },
        then: Afterwards::Forget,
    });
    draft.basis.extend([
        ObjectRef::cluster(target),
        ObjectRef::cluster(&row.from),
        ObjectRef::ledger(target),
        ObjectRef::flow(target, flow),
    ]);
    let mut report = FlowReport::new(FlowStatus::Removed);
    report.differences.push("the flow is gone from the spec".to_owned());
    FlowOutcome::of(draft, report)
}
