//! `snapshot`: one-time copies as files, through a repository in a store that both clusters reach.
//!
//! [`place`] says where a flow's snapshots lie and what they are called, [`repositories`] compares the repositories at both
//! ends with that, [`partitions`] restores chosen partitions into a table that is there, [`steps`] writes down what to do around what
//! [`crate::copies`] plans for every one-time copy.

mod partitions;
mod place;
mod removal;
mod repositories;
mod steps;

use transship_model::Finding;
use transship_model::spec::{Instance, StrategyChoice, Verify};

use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;
use crate::{available, copies};

pub(crate) use place::is_snapshot;
pub(crate) use removal::remove;
pub(crate) use repositories::lies_in;

/// Plans one flow beside `others`.
pub(crate) fn plan(input: &PlanInput, instance: &Instance<'_>, others: &Others) -> Result<FlowOutcome, Vec<Finding>> {
    let StrategyChoice::Snapshot(settings) = &instance.flow.strategy else {
        unreachable!("this plans flows by snapshot")
    };
    let flow = instance.flow;
    let keys =
        [("`verify: full`", flow.verify == Some(Verify::Full)), ("`on_new_column`", flow.on_new_column.is_some())];
    available::check(instance, "a `snapshot` flow", &keys)?;
    let place = place::Place::of(input, instance, settings)?;
    let next = place::next(input, instance, &place);
    copies::plan(input, instance, others, &steps::Files { place, settings, next })
}

/// Adds what has to be looked at before the flow can be judged.
pub(crate) fn want(input: &PlanInput, instance: &Instance<'_>, wanted: &mut WantedByCluster) {
    copies::want(input, instance, wanted);
    let others = Others::default();
    let Ok(context) = copies::Context::gather(input, instance, &others) else { return };
    let source = wanted.entry(context.source_name.clone()).or_default();
    source.snapshots.insert(place::repository_name(&input.spec, instance));
    // A table that follows another cluster is refused, whoever made the subscription.
    source.writable.extend(context.pairs.iter().map(|pair| pair.from.clone()));
}
