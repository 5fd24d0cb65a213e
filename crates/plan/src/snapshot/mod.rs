//! `snapshot`: one-time copies as files, through a repository in a store that both clusters reach.
//!
//! [`place`] says where a flow's snapshots lie and what they are called, [`repositories`] compares the repositories at both
//! ends with that, [`steps`] writes down what to do around what [`crate::copies`] plans for every one-time copy.

mod available;
mod place;
mod removal;
mod repositories;
mod steps;

use transship_model::Finding;
use transship_model::spec::{Instance, StrategyChoice};

use crate::copies;
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;

pub(crate) use place::is_snapshot;
pub(crate) use removal::remove;

/// Plans one flow beside `others`.
pub(crate) fn plan(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Result<FlowOutcome, Vec<Finding>> {
    let StrategyChoice::Snapshot(settings) = &instance.flow.strategy else {
        unreachable!("this plans flows by snapshot")
    };
    available::check(instance)?;
    let place = place::Place::of(input, instance, settings)?;
    copies::plan(input, instance, others, &steps::Files { place, settings })
}

/// Adds what has to be looked at before the flow can be judged.
pub(crate) fn want(input: &PlanInput, instance: &Instance<'_>, wanted: &mut WantedByCluster) {
    copies::want(input, instance, wanted);
    let repository = place::repository_name(&input.spec, instance);
    if let Some(source) = instance.from {
        wanted.entry(source.clone()).or_default().snapshots.insert(repository);
    }
}
