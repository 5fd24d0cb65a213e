//! `logical-replication`, continuous: a publication on the source, a subscription on the target.
//!
//! [`context`] gathers what is declared and seen, [`standing`] says how a table stands by that, [`observable`] asks whether it can be judged, [`refuse`] finds what
//! forbids it, [`assess`] compares, [`steps`] writes down what to do, [`removal`] undoes a flow that is gone, [`takedown`]
//! is how either gets rid of a subscription, [`once`] has all of it for tables that are followed only until they are whole.

mod assess;
mod context;
mod health;
mod lacking;
mod observable;
mod once;
mod record;
mod refuse;
mod removal;
mod standing;
mod steps;
mod takedown;

use transship_model::Finding;
use transship_model::spec::{Instance, LogicalReplication};

use crate::draft::FlowDraft;
use crate::input::PlanInput;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::FlowOutcome;

pub(crate) use health::is_asked_for;
pub(crate) use observable::readable as readable_ledger;
pub(crate) use once::Once;
pub(crate) use removal::remove;
pub use takedown::LEFT_FOLLOWED;

/// Plans one flow.
pub(crate) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &LogicalReplication,
) -> Result<FlowOutcome, Vec<Finding>> {
    let context = context::Context::gather(input, instance, settings)?;
    if let Err(reason) = observable::check(&context) {
        return Ok(FlowOutcome::unseen(&context.instance.id, reason, observable::evidence(&context)));
    }
    let assessment = assess::assess(&context);
    refuse::check(&context, &assessment)?;
    let mut draft = FlowDraft::new(instance.id.clone(), input.index.place(&instance.path));
    steps::write(&context, &assessment, &mut draft);
    let mut report = FlowReport::new(FlowStatus::of(&draft));
    report.differences.clone_from(&assessment.differences);
    report.unhealthy = [health::untracked(&context), health::cut_off(&context), health::closed(&context)].concat();
    report.notes = health::notes(&context);
    Ok(FlowOutcome { reads: context.reads(), writes: context.writes(), ..FlowOutcome::of(draft, report) })
}

/// Adds what has to be looked at before the flow can be judged; nothing where its tables cannot be resolved.
pub(crate) fn want(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &LogicalReplication,
    wanted: &mut crate::wanted::WantedByCluster,
) {
    if let Ok(context) = context::Context::gather(input, instance, settings) {
        context.want(wanted);
    }
}
