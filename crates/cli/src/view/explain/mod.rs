//! Everything that is known of one flow and every strategy: the document of `explain`, and how it is shown.

mod human;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transship_model::plan::PlannedCluster;
use transship_model::spec::{Need, StrategyChoice};
use transship_model::{FlowId, Name, Place, SpecPath};
use transship_plan::{Considered, Explanation, PlanInput};

use crate::diagnostics::{Diagnostic, Diagnostics, Sources};
use crate::exit::Exit;

/// The format of an [`Explained`].
pub const EXPLANATION_FORMAT: u32 = 1;

/// Everything that is known of one flow and every strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship explanation, format 1")]
pub struct Explained {
    /// 1.
    #[schemars(extend("const" = 1))]
    pub format_version: u32,
    /// The version of transship that made it.
    pub tool_version: String,
    /// The workspace.
    #[schemars(with = "String")]
    pub workspace: Name,
    /// The environment.
    #[schemars(with = "Option<String>")]
    pub env: Option<Name>,
    /// The flow.
    #[schemars(with = "String")]
    pub flow: Name,
    /// The flow towards each of its targets.
    #[schemars(with = "Vec<String>")]
    pub instances: Vec<FlowId>,
    /// Where it is declared.
    pub at: Option<Place>,
    /// The source cluster; null where it is a store.
    #[schemars(with = "Option<String>")]
    pub from: Option<Name>,
    /// The target clusters.
    #[schemars(with = "Vec<String>")]
    pub to: Vec<Name>,
    /// The clusters that were looked at, by their name in the spec.
    #[schemars(with = "BTreeMap<String, PlannedCluster>")]
    pub clusters: BTreeMap<Name, PlannedCluster>,
    /// The strategy that is declared.
    pub declared: StrategyChoice,
    /// What `auto` has to provide.
    pub needs: Vec<Need>,
    /// Why it is the strategy that it is.
    pub because: String,
    /// Every strategy, the one that is taken first.
    pub strategies: Vec<Explored>,
    /// What forbids the flow.
    pub findings: Vec<Diagnostic>,
}

/// One strategy for a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explored {
    /// How sentences name it.
    pub name: String,
    /// The strategy with its settings; null where it cannot be written down.
    pub strategy: Option<StrategyChoice>,
    /// Whether it is the one that is taken.
    pub taken: bool,
    /// Whether it could be.
    pub verdict: Verdict,
    /// What it needs.
    pub requirements: Vec<Needed>,
}

/// Whether a strategy can do what a flow asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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

/// One thing that a strategy needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needed {
    /// What it is about: `declaration`, `history`, `network`, `store`, `versions`, `privileges`, `source`, `columns`,
    /// `target`, `objects`, `flows` or `else`.
    pub subject: String,
    /// Whether it holds.
    pub state: State,
    /// What was seen, or what is wrong.
    pub text: String,
    /// The code of what is wrong.
    pub code: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Whether something that is needed holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// Nothing that can be read tells: it is still to be shown.
    Open,
    /// It was not looked at.
    Unjudged,
}

impl Explained {
    /// The document of an explanation.
    pub fn new(input: &PlanInput, explanation: &Explanation, sources: &Sources) -> Self {
        let path = SpecPath::of("flows", &explanation.flow);
        let ends = explanation.from.iter().chain(&explanation.to);
        let clusters = super::clusters(&input.observation);
        Self {
            format_version: EXPLANATION_FORMAT,
            tool_version: input.tool_version.clone(),
            workspace: input.spec.workspace.clone(),
            env: input.spec.environment.clone(),
            flow: explanation.flow.clone(),
            instances: explanation.instances.clone(),
            at: input.index.keys.contains_key(&path).then(|| input.index.place(&path)).flatten(),
            clusters: ends.filter_map(|name| Some((name.clone(), clusters.get(name)?.clone()))).collect(),
            from: explanation.from.clone(),
            to: explanation.to.clone(),
            declared: explanation.declared.clone(),
            needs: explanation.needs.clone(),
            because: explanation.because.clone(),
            strategies: explanation.considered.iter().map(Explored::new).collect(),
            findings: Diagnostics::new(&explanation.findings, sources).findings,
        }
    }

    /// How `explain` ends: with an error where the flow cannot be planned as it stands, or not be judged.
    pub fn exit(&self) -> Exit {
        let taken = self.strategies.iter().find(|it| it.taken);
        let possible = taken.is_some_and(|it| it.verdict == Verdict::Possible) && self.findings.is_empty();
        Exit::Error.when(!possible)
    }
}

impl Explored {
    fn new(considered: &Considered) -> Self {
        let verdict = match considered.verdict {
            transship_plan::Verdict::Possible => Verdict::Possible,
            transship_plan::Verdict::NotObservable => Verdict::NotObservable,
            transship_plan::Verdict::Refused => Verdict::Refused,
            transship_plan::Verdict::Unfit => Verdict::Unfit,
        };
        Self {
            name: considered.words.clone(),
            strategy: considered.strategy.clone(),
            taken: considered.taken,
            verdict,
            requirements: considered.requirements.iter().map(Needed::new).collect(),
        }
    }
}

impl Needed {
    fn new(requirement: &transship_plan::Requirement) -> Self {
        let state = match requirement.state {
            transship_plan::State::Holds => State::Holds,
            transship_plan::State::Fails => State::Fails,
            transship_plan::State::Open => State::Open,
            transship_plan::State::Unjudged => State::Unjudged,
        };
        Self {
            subject: requirement.subject.as_str().to_owned(),
            state,
            text: requirement.text.clone(),
            code: requirement.code.map(str::to_owned),
            help: requirement.help.clone(),
        }
    }
}
