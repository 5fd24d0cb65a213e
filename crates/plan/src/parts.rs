//! A plan of one part of the flows: all of them are planned, so that every part sees the same order; those of other parts
//! are left out again, and who comes after one of them that has work waits until its job has done it.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{FlowState, LedgerView};
use transship_model::plan::{Action, AwaitedFlow, Blocked, Part, Step, StepId, StepKind, WaitFlows};
use transship_model::spec::Instance;
use transship_model::{FlowId, Name};
use transship_sql::ledger;

use crate::input::PlanInput;
use crate::order::FlowEdges;
use crate::report::FlowStatus;
use crate::stage::FlowOutcome;

/// The flows of a plan, as they stand in the spec and with what they came to.
pub(crate) type Outcomes = [(FlowId, FlowOutcome)];

/// Whether a flow belongs to another part, and cannot be planned just now since its job is in the middle of it. One that is
/// refused while nobody is at it is refused here, too: who would come after it is not known then.
pub(crate) fn is_under_way(input: &PlanInput, instance: &Instance<'_>) -> bool {
    !input.options.in_part(&instance.id) && is_begun(input, instance)
}

/// Whether a run has begun it, and has not ended well.
fn is_begun(input: &PlanInput, instance: &Instance<'_>) -> bool {
    let row = instance.home().and_then(|home| input.observed(home)?.ledger.row(&instance.id));
    row.is_some_and(|row| row.state != FlowState::Done)
}

/// A flow that is under way in another part: what it writes is what the ledger has of it.
pub(crate) fn stand_in(input: &PlanInput, instance: &Instance<'_>) -> FlowOutcome {
    let row = instance.home().and_then(|home| input.observed(home)?.ledger.row(&instance.id));
    let writes = row.map(|row| row.tables.iter().map(|table| (row.to.clone(), table.clone())).collect());
    FlowOutcome { writes: writes.unwrap_or_default(), ..FlowOutcome::idle(&instance.id, FlowStatus::LeftOut) }
}

/// Leaves out the flows of other parts, and has those that come after them wait.
pub(crate) fn leave_out(input: &PlanInput, instances: &[&Instance<'_>], outcomes: &mut Outcomes, edges: &FlowEdges) {
    let Some(part) = input.options.part else { return };
    keep_apart(part, outcomes);
    for (after, awaited) in waits(input, part, instances, outcomes, edges) {
        block(part, outcomes, after, &awaited);
        let flows = awaited.iter().filter_map(|before| awaited_flow(input, part, instances[*before])).collect();
        wait(input, instances[after], &mut outcomes[after].1, flows);
    }
    for (flow, outcome) in outcomes.iter_mut().filter(|(flow, _)| !part.holds(flow)) {
        *outcome = FlowOutcome::idle(flow, FlowStatus::LeftOut);
    }
}

/// Who waits for whom: flows of this part that have work, for flows of others that have.
fn waits(
    input: &PlanInput,
    part: Part,
    instances: &[&Instance<'_>],
    outcomes: &Outcomes,
    edges: &FlowEdges,
) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut waits = BTreeMap::<usize, BTreeSet<usize>>::new();
    for (before, after) in edges {
        let has_work = !outcomes[*after].1.draft.steps.is_empty();
        let crosses = part.holds(&outcomes[*after].0) && !part.holds(&outcomes[*before].0);
        if crosses && has_work && is_at_work(input, instances[*before], &outcomes[*before].1) {
            waits.entry(*after).or_default().insert(*before);
        }
    }
    waits
}

/// Whether a flow has work by what was seen: of its own, or of a run that has not ended well.
fn is_at_work(input: &PlanInput, instance: &Instance<'_>, outcome: &FlowOutcome) -> bool {
    let is_chosen = instance.flow.enabled && input.options.selects(&instance.id);
    is_chosen && (is_begun(input, instance) || !outcome.draft.steps.is_empty())
}

fn awaited_flow(input: &PlanInput, part: Part, instance: &Instance<'_>) -> Option<AwaitedFlow> {
    let home = instance.home()?;
    let entry = match &input.observed(home)?.ledger {
        LedgerView::Present(rows) => rows.get(&instance.id),
        LedgerView::Absent | LedgerView::Newer(_) | LedgerView::Unreadable(_) => None,
    };
    Some(AwaitedFlow {
        flow: instance.id.clone(),
        part: part.with(&instance.id),
        cluster: home.clone(),
        seen: entry.map(|entry| entry.run.clone()),
        was_done: entry.is_some_and(|entry| entry.row.state == FlowState::Done),
    })
}

/// Puts the wait before what the flow makes; what it takes down first waits for nobody.
fn wait(input: &PlanInput, instance: &Instance<'_>, outcome: &mut FlowOutcome, flows: Vec<AwaitedFlow>) {
    let Some(cluster) = instance.home() else { return };
    let names: Vec<String> = flows.iter().map(|it| format!("{} (part {})", it.flow, it.part)).collect();
    let names = names.join(", ");
    outcome.report.notes.push(format!("waits for {names}"));
    let (id, steps) = (wait_id(&instance.id), &mut outcome.draft.steps);
    for at in waiting(&instance.id, steps) {
        steps[at].depends_on.push(id.clone());
        steps[at].depends_on.sort();
    }
    let timeout = input.options.wait_timeout.unwrap_or_else(|| instance.flow.timeout());
    let action = WaitFlows { flows, look: ledger::read_flow_state(), run: ledger::read_run(), timeout };
    let step = Step {
        id,
        flow: Some(instance.id.clone()),
        cluster: cluster.clone(),
        kind: StepKind::WaitFlows,
        sql: Vec::new(),
        params: Vec::new(),
        action: Some(Action::WaitFlows(action)),
        preconditions: Vec::new(),
        because: format!("it comes after {names}, which another job does"),
        at: input.index.place(&instance.path),
        depends_on: Vec::new(),
        destructive: false,
        consent: None,
        estimate: None,
    };
    steps.insert(0, step);
}

/// The steps that wait for flows before: the first one that makes something, and those that wait for none of their own.
fn waiting(flow: &FlowId, steps: &[Step]) -> BTreeSet<usize> {
    let own = format!("{flow}/");
    let is_free = |step: &Step| !step.depends_on.iter().any(|id| id.0.starts_with(&own));
    let first = steps.iter().position(|step| !step.kind.takes_down());
    let free = steps.iter().enumerate().filter(|(_, step)| is_free(step) && !step.kind.takes_down());
    free.map(|(at, _)| at).chain(first).collect()
}

fn wait_id(flow: &FlowId) -> StepId {
    StepId(format!("{flow}/00-{}", StepKind::WaitFlows))
}

/// Whoever waits for a flow that may not be applied would wait in vain.
fn block(part: Part, outcomes: &mut Outcomes, after: usize, awaited: &BTreeSet<usize>) {
    let flow = outcomes[after].0.clone();
    let of = |before: &FlowId, blocked: &Blocked| Blocked {
        code: "plan::awaits-blocked".to_owned(),
        step: Some(wait_id(&flow)),
        flow: Some(flow.clone()),
        reason: format!("comes after {before} of part {}, which is blocked: {}", part.with(before), blocked.reason),
        help: blocked.help.clone(),
    };
    let all = awaited.iter().map(|before| &outcomes[*before]);
    let found = all.filter_map(|(before, outcome)| Some(of(before, outcome.draft.blocked.first()?)));
    let blocked: Vec<Blocked> = found.collect();
    outcomes[after].1.draft.blocked.extend(blocked);
}

/// A subscription is dropped before another one is made on its cluster. No job can wait for a step of another one.
fn keep_apart(part: Part, outcomes: &mut Outcomes) {
    let on = |outcome: &FlowOutcome, kind: StepKind| -> BTreeMap<Name, StepId> {
        let steps = outcome.draft.steps.iter().filter(|step| step.kind == kind);
        steps.map(|step| (step.cluster.clone(), step.id.clone())).collect()
    };
    let others = outcomes.iter().filter(|(flow, _)| !part.holds(flow));
    let dropped: Vec<(FlowId, Name)> = others
        .flat_map(|(flow, outcome)| on(outcome, StepKind::DropSubscription).into_keys().map(|it| (flow.clone(), it)))
        .collect();
    for (flow, outcome) in outcomes.iter_mut().filter(|(flow, _)| part.holds(flow)) {
        let makes = on(outcome, StepKind::CreateSubscription);
        for (other, cluster) in &dropped {
            let Some(step) = makes.get(cluster) else { continue };
            outcome.draft.blocked.push(Blocked {
                code: "plan::drops-apart".to_owned(),
                step: Some(step.clone()),
                flow: Some(flow.clone()),
                reason: format!(
                    "makes a subscription on {cluster}, where {other} of part {} has to drop one before",
                    part.with(other)
                ),
                help: format!("apply them in one job first: without --only-flows, or with --target {other}"),
            });
        }
    }
}
