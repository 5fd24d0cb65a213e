//! How results are shown: each view renders the subjects that it knows, and every renderer is a pure function of its
//! subject and a width.

pub mod applied;
pub mod columns;
pub mod consent;
pub mod drift;
pub mod event;
pub mod explain;
pub mod facts;
pub mod human;
pub mod json;
pub mod markdown;
pub mod object;
pub mod preview;
pub mod runs;
pub mod sent;
pub mod style;
pub mod unlocked;

use std::collections::BTreeMap;

use transship_model::Name;
use transship_model::observed::{Observation, Observed};
use transship_model::plan::{Plan, PlannedCluster};
use transship_plan::Report;

/// Something that shows subjects of one kind.
pub trait View<T> {
    /// The text, with styles, ending in a line break.
    fn render(&self, subject: &T) -> String;
}

/// For people at a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Human {
    /// The columns that text may take.
    pub width: usize,
    /// Whether to show more.
    pub verbose: bool,
    /// Whether to show the exact SQL.
    pub explain: bool,
}

/// For programs.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// For pull requests and issues.
#[derive(Clone, Copy, Debug)]
pub struct Markdown {
    /// Whether to show the exact SQL.
    pub explain: bool,
}

/// Annotations of a GitHub workflow.
#[derive(Clone, Debug)]
pub struct Github<'a> {
    /// The workspace's directory as it was given.
    pub sources: &'a crate::diagnostics::Sources,
}

/// A plan as views get it.
#[derive(Clone, Copy, Debug)]
pub struct PlanShown<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the planner found beside it; a saved plan has none.
    pub report: Option<&'a Report>,
    /// What it was made from; a saved plan has none.
    pub observation: Option<&'a Observation>,
}

impl PlanShown<'_> {
    /// The clusters of the plan, and those that were looked at and stay as they are.
    pub fn clusters(&self) -> BTreeMap<Name, PlannedCluster> {
        let mut clusters = self.observation.map(clusters).unwrap_or_default();
        clusters.extend(self.plan.clusters.clone());
        clusters
    }
}

/// The clusters of an observation.
pub fn clusters(observation: &Observation) -> BTreeMap<Name, PlannedCluster> {
    let cluster = |seen: &Observed| PlannedCluster { id: seen.id.clone(), version: seen.version };
    observation.clusters.iter().map(|(name, seen)| (name.clone(), cluster(seen))).collect()
}
