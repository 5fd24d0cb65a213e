//! Asks the planners: a strategy is possible if its own planner, and what is checked between flows, would not refuse it.

use transship_model::spec::{Instance, StrategyChoice};
use transship_model::{Finding, Name};

use super::instances;
use crate::check::{self, Judged};
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::{assemble, order};

/// The flows whose strategy is declared, with what they came to.
pub(super) struct Neighbours<'a>(Vec<(Instance<'a>, FlowOutcome)>);

impl<'a> Neighbours<'a> {
    /// Plans every flow in use whose strategy is declared.
    pub(super) fn of(input: &'a PlanInput) -> Self {
        let declared = |instance: &Instance<'_>| {
            instance.flow.strategy != StrategyChoice::Auto
                && instance.flow.enabled
                && input.options.selects(&instance.id)
        };
        let outcome = |instance: Instance<'a>| {
            let outcome = assemble::by_strategy(input, &instance, &Others::default()).ok()?;
            Some((instance, outcome))
        };
        Self(input.spec.instances().into_iter().filter(declared).filter_map(outcome).collect())
    }
}

/// What forbids the flow as it stands in `trial`, towards any of its targets.
pub(super) fn judge(trial: &PlanInput, flow: &Name, neighbours: &Neighbours<'_>) -> Result<(), Vec<Finding>> {
    let instances = instances(trial, flow);
    let mut findings = Vec::new();
    let mut outcomes: Vec<(&Instance<'_>, FlowOutcome)> = Vec::new();
    for instance in &instances {
        match assemble::by_strategy(trial, instance, &Others::default()) {
            Ok(outcome) => outcomes.push((instance, outcome)),
            Err(problems) => add(&mut findings, problems),
        }
    }
    add(&mut findings, beside(trial, flow, &outcomes, neighbours));
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// What forbids the flow beside the others.
fn beside(
    trial: &PlanInput,
    flow: &Name,
    outcomes: &[(&Instance<'_>, FlowOutcome)],
    neighbours: &Neighbours<'_>,
) -> Vec<Finding> {
    let others = neighbours.0.iter().filter(|(instance, _)| instance.id.flow != *flow);
    let mut all: Vec<Judged<'_>> = others.map(|(instance, outcome)| (instance, outcome)).collect();
    let between = |all: &[Judged<'_>]| {
        let mut findings = check::writers(all);
        findings.extend(check::subscriber_names(trial, all));
        findings.extend(order::flows(&trial.spec, all).err().unwrap_or_default());
        findings
    };
    let before = between(&all);
    all.extend(outcomes.iter().map(|(instance, outcome)| (*instance, outcome)));
    between(&all).into_iter().filter(|finding| !before.contains(finding)).collect()
}

fn add(findings: &mut Vec<Finding>, more: Vec<Finding>) {
    for finding in more {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
}
