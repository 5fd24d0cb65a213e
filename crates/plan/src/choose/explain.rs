//! Everything that is known of one flow and every strategy: what each needs, which of it holds, and which one is taken.

use transship_model::ledger::{FlowRow, LedgerView};
use transship_model::spec::way::Way;
use transship_model::spec::{Instance, Need, StrategyChoice};
use transship_model::{Finding, FlowId, Name};

use super::candidates::{self, Candidate};
use super::evidence;
use super::judge::{self, Neighbours};
use super::requirements::{self, Judgement, Requirement, State, Subject};
use super::{instances, one, row, set, way_of};
use crate::assemble;
use crate::input::PlanInput;
use crate::report::FlowStatus;
use crate::stage::Others;
use crate::wanted::{Wanted, WantedByCluster};

/// Everything that is known of one flow and every strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The flow.
    pub flow: Name,
    /// The flow towards each of its targets.
    pub instances: Vec<FlowId>,
    /// The source cluster; `None` where it is a store.
    pub from: Option<Name>,
    /// The target clusters.
    pub to: Vec<Name>,
    /// The strategy that is declared.
    pub declared: StrategyChoice,
    /// What `auto` has to provide.
    pub needs: Vec<Need>,
    /// Why it is the strategy that it is.
    pub because: String,
    /// What forbids the flow.
    pub findings: Vec<Finding>,
    /// Every strategy, the one that is taken first.
    pub considered: Vec<Considered>,
}

/// One strategy for a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    /// How sentences name it.
    pub words: String,
    /// The strategy with its settings; `None` where it cannot be written down.
    pub strategy: Option<StrategyChoice>,
    /// Whether it is the one that is taken.
    pub taken: bool,
    /// Whether it could be.
    pub verdict: Verdict,
    /// What it needs.
    pub requirements: Vec<Requirement>,
}

/// Whether a strategy can do what a flow asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It can, as far as can be told.
    Possible,
    /// The connected users see too little to tell.
    NotObservable,
    /// Something on the clusters stands against it.
    Refused,
    /// The declaration does not go with it.
    Unfit,
}

/// Adds what has to be looked at before every strategy of one flow can be judged, to what a plan wants.
pub fn wanted_to_explain(input: &PlanInput, flow: &Name, wanted: &mut WantedByCluster) {
    let mut trial = input.clone();
    for strategy in candidates::of(input, flow).into_iter().filter(Candidate::fits).filter_map(|it| it.strategy) {
        set(&mut trial, flow, &strategy);
        for instance in instances(&trial, flow) {
            crate::wanted::add(&trial, &instance, wanted);
        }
    }
    wanted.retain(|_, wanted| *wanted != Wanted::default());
}

/// Explains one flow of the spec, be it in use or not; `None` where there is no such flow. Changes nothing, and knows nothing
/// that `input` does not.
pub fn explain(input: &PlanInput, flow: &Name) -> Option<Explanation> {
    let declared = input.spec.flows.get(flow)?;
    let neighbours = Neighbours::of(input);
    let mut trial = input.clone();
    let chosen = match &declared.strategy {
        StrategyChoice::Auto => one(&mut trial, flow, &neighbours).map(|choice| (choice.strategy, choice.text)),
        declared => Ok((declared.clone(), "the flow declares it".to_owned())),
    };
    set(&mut trial, flow, &declared.strategy);
    let all = candidates::of(&trial, flow);
    let taken = chosen.as_ref().ok().map(|(strategy, _)| strategy.clone());
    let mut asking = Asking { input, anew: without_row(&trial, flow), trial, flow, neighbours: &neighbours };
    let mut considered: Vec<Considered> = all.iter().map(|it| asking.considered(it, taken.as_ref())).collect();
    considered.sort_by_key(|it| (!it.taken, it.verdict));
    let instances = instances(input, flow);
    let (because, findings) = match chosen {
        Ok((_, text)) => (text, asking.findings(taken.as_ref())),
        Err(findings) => ("there is none to choose".to_owned(), findings),
    };
    Some(Explanation {
        flow: flow.clone(),
        from: instances.iter().find_map(|it| it.from.cloned()),
        to: instances.iter().filter_map(|it| it.to.cloned()).collect(),
        instances: instances.into_iter().map(|it| it.id).collect(),
        declared: declared.strategy.clone(),
        needs: declared.needs.clone(),
        because,
        findings,
        considered,
    })
}

impl Explanation {
    /// The strategy that is taken.
    pub fn taken(&self) -> Option<&Considered> {
        self.considered.iter().find(|it| it.taken)
    }
}

/// The same without what the ledgers have of the flow: as if it were declared anew.
fn without_row(input: &PlanInput, flow: &Name) -> PlanInput {
    let mut anew = input.clone();
    for observed in anew.observation.clusters.values_mut() {
        if let LedgerView::Present(rows) = &mut observed.ledger {
            rows.retain(|id, _| id.flow != *flow);
        }
    }
    anew
}

/// Asks the planners about one flow.
struct Asking<'a> {
    input: &'a PlanInput,
    /// The input in which the strategy of the flow is exchanged.
    trial: PlanInput,
    /// The same without the flow's history.
    anew: PlanInput,
    flow: &'a Name,
    neighbours: &'a Neighbours<'a>,
}

impl Asking<'_> {
    fn considered(&mut self, candidate: &Candidate, taken: Option<&StrategyChoice>) -> Considered {
        let made = row(self.input, self.flow).map(|row: &FlowRow| way_of(row));
        let taken = taken.filter(|taken| candidate.is(taken));
        let is_taken = taken.is_some();
        let another = made.filter(|made| *made != candidate.way);
        let judgement = self.judgement(candidate, is_taken, another.is_some());
        let evidence =
            [evidence::of(self.input, self.flow, candidate), evidence::of_directory(self.input, self.flow, candidate)];
        let of = instances(self.input, self.flow);
        let mut requirements = requirements::of(self.input, &of, candidate, &judgement, &evidence);
        let known = requirements.iter().any(|it| it.subject == Subject::History);
        requirements.extend(another.filter(|_| !known).map(history));
        requirements.sort_by_key(|it| it.subject);
        let verdict = match judgement {
            Judgement::NotAsked => Verdict::Unfit,
            Judgement::Unseen(_) => Verdict::NotObservable,
            _ if requirements.iter().any(|it| it.state == State::Fails) => Verdict::Refused,
            Judgement::Refused(_) => Verdict::Refused,
            Judgement::Settled | Judgement::Possible => Verdict::Possible,
        };
        Considered {
            words: candidate.words(),
            strategy: taken.or(candidate.strategy.as_ref()).cloned(),
            taken: is_taken,
            verdict,
            requirements,
        }
    }

    /// Where the flow was made by another strategy, the planner is asked as if it were new.
    fn judgement(&mut self, candidate: &Candidate, is_taken: bool, another: bool) -> Judgement {
        let Some(strategy) = candidate.strategy.as_ref().filter(|_| candidate.fits() || is_taken) else {
            return Judgement::NotAsked;
        };
        let trial = if another && !is_taken { &mut self.anew } else { &mut self.trial };
        set(trial, self.flow, strategy);
        match judge::judge(trial, self.flow, self.neighbours) {
            Err(findings) => Judgement::Refused(findings),
            Ok(()) => settled(trial, &instances(trial, self.flow)),
        }
    }

    fn findings(&mut self, taken: Option<&StrategyChoice>) -> Vec<Finding> {
        let Some(strategy) = taken else { return Vec::new() };
        set(&mut self.trial, self.flow, strategy);
        judge::judge(&self.trial, self.flow, self.neighbours).err().unwrap_or_default()
    }
}

fn settled(trial: &PlanInput, instances: &[Instance<'_>]) -> Judgement {
    let outcomes = instances.iter().filter_map(|it| assemble::by_strategy(trial, it, &Others::default()).ok());
    let outcomes: Vec<_> = outcomes.collect();
    if let Some(note) = outcomes.iter().find_map(|outcome| outcome.unseen.as_ref()) {
        return Judgement::Unseen(note.text.clone());
    }
    let is_settled = !outcomes.is_empty() && outcomes.iter().all(|it| it.report.status == FlowStatus::UpToDate);
    if is_settled { Judgement::Settled } else { Judgement::Possible }
}

fn history(made: Way) -> Requirement {
    Requirement {
        subject: Subject::History,
        state: State::Fails,
        text: format!("the flow was made by {}, and never taken down", made.words()),
        code: Some("plan::moved"),
        help: Some(crate::check::HOW_TO_MOVE.to_owned()),
    }
}
