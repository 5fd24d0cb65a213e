//! `strategy: auto`: one strategy for each flow, chosen by what the flow asks for, what its own planners would refuse, and
//! what is known of the network and the stores.
//!
//! [`candidates`] lists what there is to choose from and rules out what the declaration does not go with, [`evidence`]
//! tells what is known of what no catalog tells, [`judge`] asks the planners, [`rule`] has the order of preference,
//! [`explain`] says all of it for one flow. The choice is made once: a flow that has a row in the ledger stays with the
//! strategy that made it.

mod candidates;
mod evidence;
mod explain;
mod judge;
mod requirements;
mod rule;

use std::collections::BTreeMap;

use transship_model::ledger::FlowRow;
use transship_model::spec::way::Way;
use transship_model::spec::{Instance, StrategyChoice};
use transship_model::{Finding, FlowId, Name, SpecPath};

use crate::check::HOW_TO_MOVE;
use crate::input::PlanInput;
use crate::wanted::WantedByCluster;
use candidates::Candidate;
use judge::Neighbours;

pub use explain::{Considered, Explanation, Verdict, explain, wanted_to_explain};
pub use requirements::{Requirement, State, Subject};

/// What `auto` chose for a flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    /// The strategy.
    pub(crate) strategy: StrategyChoice,
    /// Whether it is the one by which the flow was made, rather than chosen now.
    pub(crate) kept: bool,
    /// Why, for reviewers.
    pub(crate) text: String,
}

/// What `auto` chose, and for which flows there is nothing to choose.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// The input with the chosen strategies in place of `auto`; `None` where no flow asks for a choice.
    pub(crate) input: Option<PlanInput>,
    /// The choices by flow.
    pub(crate) made: BTreeMap<Name, Choice>,
    /// What forbids a choice, by flow.
    pub(crate) refused: BTreeMap<Name, Vec<Finding>>,
}

/// Chooses for every flow in use that asks for it. The choice of a flow that is planned for some of its targets only is the
/// same as for all of them.
pub(crate) fn choose(input: &PlanInput) -> Choices {
    let asking = asking(input);
    if asking.is_empty() {
        return Choices::default();
    }
    let mut trial = input.clone();
    let neighbours = Neighbours::of(input);
    let mut choices = Choices::default();
    for flow in asking {
        match one(&mut trial, flow, &neighbours) {
            Ok(choice) => {
                set(&mut trial, flow, &choice.strategy);
                choices.made.insert(flow.clone(), choice);
            }
            Err(findings) => {
                set(&mut trial, flow, &StrategyChoice::Auto);
                choices.refused.insert(flow.clone(), findings);
            }
        }
    }
    choices.input = Some(trial);
    choices
}

/// Adds what has to be looked at before a strategy can be chosen.
pub(crate) fn want(input: &PlanInput, wanted: &mut WantedByCluster) {
    let asking = asking(input);
    if asking.is_empty() {
        return;
    }
    let mut trial = input.clone();
    for flow in asking {
        for strategy in to_judge(input, flow) {
            set(&mut trial, flow, &strategy);
            for instance in instances(&trial, flow) {
                crate::wanted::add(&trial, &instance, wanted);
            }
        }
    }
}

/// The flows in use whose strategy is to be chosen.
fn asking(input: &PlanInput) -> Vec<&Name> {
    let selected = |instance: &Instance<'_>| instance.flow.enabled && input.options.selects(&instance.id);
    let auto = |instance: &Instance<'_>| instance.flow.strategy == StrategyChoice::Auto;
    let mut flows: Vec<&Name> = Vec::new();
    for instance in input.spec.instances().iter().filter(|it| selected(it) && auto(it)) {
        let name = input.spec.flows.get_key_value(&instance.id.flow).map(|(name, _)| name);
        flows.extend(name.filter(|name| !flows.contains(name)));
    }
    flows
}

fn set(trial: &mut PlanInput, flow: &Name, strategy: &StrategyChoice) {
    if let Some(flow) = trial.spec.flows.get_mut(flow) {
        flow.strategy = strategy.clone();
    }
}

/// The flow towards each of its targets.
fn instances<'a>(input: &'a PlanInput, flow: &Name) -> Vec<Instance<'a>> {
    input.spec.instances().into_iter().filter(|instance| instance.id.flow == *flow).collect()
}

/// The first of the flow's rows in the ledgers of its targets.
fn row<'a>(input: &'a PlanInput, flow: &Name) -> Option<&'a FlowRow> {
    instances(input, flow).iter().find_map(|it| row_of(input, it.to?, &it.id))
}

fn row_of<'a>(input: &'a PlanInput, to: &Name, id: &FlowId) -> Option<&'a FlowRow> {
    input.observed(to)?.ledger.row(id)
}

/// The way by which a flow was made.
fn way_of(row: &FlowRow) -> Way {
    use transship_model::spec::Strategy;
    match row.strategy {
        Strategy::LogicalReplication if row.detach.is_some() => Way::Detach,
        Strategy::LogicalReplication => Way::Replication,
        Strategy::Snapshot => Way::Snapshot,
        Strategy::ExportImport => Way::ExportImport,
        Strategy::Custom => Way::Stream,
        Strategy::Auto => Way::Auto,
    }
}

/// The strategies that have to be judged: that by which the flow was made, or all that its declaration goes with.
fn to_judge(input: &PlanInput, flow: &Name) -> Vec<StrategyChoice> {
    let all = candidates::of(input, flow);
    let judged = match row(input, flow) {
        Some(row) => kept(input, flow, row, &all).into_iter().collect(),
        None => all,
    };
    judged.into_iter().filter(Candidate::fits).filter_map(|candidate| candidate.strategy).collect()
}

fn one(trial: &mut PlanInput, flow: &Name, neighbours: &Neighbours<'_>) -> Result<Choice, Vec<Finding>> {
    let all = candidates::of(trial, flow);
    let Some(row) = row(trial, flow) else { return rule::choose(trial, flow, &all, neighbours) };
    let candidate = kept(trial, flow, row, &all);
    if let Some(candidate) = candidate.as_ref().filter(|candidate| candidate.fits())
        && let Some(strategy) = candidate.strategy.clone()
    {
        let text = format!("`auto` keeps {}, by which the flow was made", candidate.words());
        return Ok(Choice { strategy, kept: true, text });
    }
    Err(vec![moved(flow, row, candidate.as_ref())])
}

/// The candidate that is the strategy by which the flow was made, be it fit or not: with the very settings that were chosen
/// then, else with the store in which its files lie.
fn kept(input: &PlanInput, flow: &Name, row: &FlowRow, all: &[Candidate]) -> Option<Candidate> {
    let made = way_of(row);
    let same = || all.iter().filter(|candidate| candidate.way == made);
    if let Some(chosen) = row.auto.as_ref().filter(|chosen| Way::of(chosen) == made) {
        let candidate = same().find(|candidate| candidate.is(chosen))?;
        return Some(Candidate { strategy: Some(chosen.clone()), ..candidate.clone() });
    }
    let settled = same().find(|candidate| candidate.holds_files(input, flow, row));
    settled.or_else(|| same().find(|candidate| candidate.fits())).or_else(|| same().next()).cloned()
}

/// The flow was made by a strategy that it does not go with any more.
fn moved(flow: &Name, row: &FlowRow, kept: Option<&Candidate>) -> Finding {
    let gone = "the workspace does not declare the store that it goes through";
    let reason = kept.and_then(|candidate| candidate.unfit.first()).map_or(gone, String::as_str);
    let made = kept.map_or_else(|| way_of(row).words().to_owned(), Candidate::words);
    let message = format!("flow {flow} was made by {made}, which `auto` cannot keep: {reason}");
    let help = format!("undo the edit; or {HOW_TO_MOVE}; `transship explain {flow}` tells what else there is");
    Finding::error("plan::moved", message).at(SpecPath::of("flows", flow).key("strategy")).help(help)
}
