//! The linter of plans: what every plan must be, checked on the finished plan and without the planner's own reasoning.
//!
//! Runs after every plan and before every apply, so that neither a fault of the planner nor a hand-edited file reaches
//! a cluster.

mod commands;
mod copies;
mod cursor;
mod detach;
mod drops;
mod due;
mod exports;
mod foreign;
mod manifests;
mod partitions;
mod prune;
mod sequence;
mod shape;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use transship_model::FlowId;
use transship_model::plan::{Plan, Record, Step, StepId};

/// A rule that every plan keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The format is the one that this transship writes.
    Format,
    /// The digest is that of the content.
    Digest,
    /// No two steps have one id.
    UniqueIds,
    /// Ids are `FLOW/NN-KIND`, or `@CLUSTER/NN-KIND` for the ledger.
    DerivedIds,
    /// Steps depend on earlier steps only.
    DependenciesPrecede,
    /// Every cluster that is named is one of the plan's.
    KnownClusters,
    /// Every step says why.
    Because,
    /// What was chosen for a flow is the strategy that its row has.
    ChoiceMatches,
    /// Statements and actions are those of the step's kind.
    KindMatches,
    /// One statement is one statement.
    SingleStatement,
    /// As many values are bound as the statement takes.
    ParamsMatch,
    /// No text looks like a secret.
    NoSecret,
    /// What drops is marked so, with the consent it needs, and nothing else is.
    DropsMarked,
    /// A drop without consent blocks the plan.
    ConsentOrBlocked,
    /// A drop checks just before that the object is the one that was seen.
    DropsGuarded,
    /// What is dropped belongs to the flow: its own objects, tables that it writes.
    DropsOwn,
    /// What a step relies on is in the basis.
    BasisCovers,
    /// Objects are published before they are subscribed to, and what is made is waited for.
    PublishSubscribeWait,
    /// What stands in the way is gone before a subscription is made.
    RoomFirst,
    /// A subscription is dropped before its publication.
    SubscriptionGoesFirst,
    /// Every flow with steps has its ledger row, written into a ledger that exists by then.
    LedgerFirst,
    /// A partial plan takes down no flow.
    PartialRemovesNothing,
    /// Nothing is done for a flow that could not be judged.
    UnseenUntouched,
    /// What is dropped of a flow that stays is made again and waited for.
    DropsLeadOn,
    /// What fell due belongs to one flow each, and no other part of the plan has that flow.
    DueApart,
    /// What fell due copies again what is there: it makes no table, forgets no flow, and drops nothing but copies aside.
    DueCopiesAgain,
    /// Subscriptions are dropped before others are made on the same cluster.
    DropsApart,
    /// A copy is made and filled, every row accounted for, before it is put in place.
    CopyBeforePlace,
    /// A subscription that fills tables once is dropped after the ledger has it that they are whole.
    SyncedFirst,
    /// Files are written to the place that the flow's ledger row names, and only those of earlier exports are removed.
    FilesOwn,
    /// What is read by a cursor begins no higher than the ledger says that the table has come.
    CursorCovers,
    /// Rows are deleted only before the same rows of the source are written to the table by their key.
    PruneLeadsOn,
    /// What the target reads its source through is the flow's own, made before it is read and dropped after it.
    ForeignOwn,
    /// A manifest is written after all files that it names, and before others are removed.
    ManifestLast,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 34] = [
        Self::Format,
        Self::Digest,
        Self::UniqueIds,
        Self::DerivedIds,
        Self::DependenciesPrecede,
        Self::KnownClusters,
        Self::Because,
        Self::ChoiceMatches,
        Self::KindMatches,
        Self::SingleStatement,
        Self::ParamsMatch,
        Self::NoSecret,
        Self::DropsMarked,
        Self::ConsentOrBlocked,
        Self::DropsGuarded,
        Self::DropsOwn,
        Self::BasisCovers,
        Self::PublishSubscribeWait,
        Self::RoomFirst,
        Self::SubscriptionGoesFirst,
        Self::LedgerFirst,
        Self::PartialRemovesNothing,
        Self::UnseenUntouched,
        Self::DropsLeadOn,
        Self::DueApart,
        Self::DueCopiesAgain,
        Self::DropsApart,
        Self::CopyBeforePlace,
        Self::SyncedFirst,
        Self::FilesOwn,
        Self::ForeignOwn,
        Self::ManifestLast,
        Self::CursorCovers,
        Self::PruneLeadsOn,
    ];
}

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The step that breaks it, where it is one.
    pub step: Option<StepId>,
    /// How.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{step}: {} ({:?})", self.text, self.rule),
            None => write!(f, "{} ({:?})", self.text, self.rule),
        }
    }
}

/// Every rule that the plan breaks; empty for a sound plan.
pub fn audit(plan: &Plan) -> Vec<Violation> {
    let mut found = Found::default();
    let flows = Flows::of(plan);
    shape::check(plan, &flows, &mut found);
    due::check(plan, &mut found);
    drops::check(plan, &flows, &mut found);
    let ancestors = Ancestors::of(plan);
    sequence::check(plan, &flows, &ancestors, &mut found);
    copies::check(plan, &flows, &ancestors, &mut found);
    cursor::check(plan, &flows, &mut found);
    prune::check(plan, &flows, &ancestors, &mut found);
    snapshots::check(plan, &flows, &ancestors, &mut found);
    detach::check(plan, &flows, &ancestors, &mut found);
    exports::check(plan, &flows, &ancestors, &mut found);
    manifests::check(plan, &flows, &ancestors, &mut found);
    foreign::check(plan, &flows, &ancestors, &mut found);
    found.0.sort();
    found.0
}

/// The violations so far.
#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn plan(&mut self, rule: Rule, text: impl Into<String>) {
        self.0.push(Violation { rule, step: None, text: text.into() });
    }

    fn step(&mut self, rule: Rule, step: &Step, text: impl Into<String>) {
        self.0.push(Violation { rule, step: Some(step.id.clone()), text: text.into() });
    }
}

/// What a plan has of each flow.
struct Flows<'a> {
    records: BTreeMap<&'a FlowId, &'a Record>,
    steps: BTreeMap<Option<&'a FlowId>, Vec<&'a Step>>,
}

impl<'a> Flows<'a> {
    fn of(plan: &'a Plan) -> Self {
        let records = plan.all_records().map(|record| (&record.flow, record)).collect();
        let mut steps = BTreeMap::<_, Vec<_>>::new();
        for step in plan.all_steps() {
            steps.entry(step.flow.as_ref()).or_default().push(step);
        }
        Self { records, steps }
    }

    /// The ledger row of the step's flow.
    fn record(&self, step: &Step) -> Option<&'a Record> {
        self.records.get(step.flow.as_ref()?).copied()
    }

    /// The steps of the step's flow.
    fn steps(&self, step: &'a Step) -> &[&'a Step] {
        self.steps.get(&step.flow.as_ref()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// For each step, every step that has succeeded before it starts.
struct Ancestors<'a>(BTreeMap<&'a StepId, BTreeSet<&'a StepId>>);

impl<'a> Ancestors<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut all = BTreeMap::<&StepId, BTreeSet<&StepId>>::new();
        for step in plan.all_steps() {
            let mut before = BTreeSet::new();
            for id in &step.depends_on {
                before.insert(id);
                before.extend(all.get(id).into_iter().flatten().copied());
            }
            all.insert(&step.id, before);
        }
        Self(all)
    }

    /// Whether `before` has succeeded when `step` starts.
    fn precedes(&self, before: &Step, step: &Step) -> bool {
        self.0.get(&step.id).is_some_and(|ids| ids.contains(&before.id))
    }
}
