//! Everything that the planner may know, as one value.

use transship_model::access::Endpoint;
use transship_model::observed::{Observation, Observed};
use transship_model::plan::SpecFiles;
use transship_model::spec::Spec;
use transship_model::{AllowDrop, FlowId, Glob, Name, SpanIndex};

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Everything that the planner may know. The same input gives the same plan, byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanInput {
    /// What is declared.
    pub spec: Spec,
    /// Where it is declared.
    pub index: SpanIndex,
    /// The files it was read from.
    pub files: SpecFiles,
    /// The addresses and users of every cluster of the spec.
    pub endpoints: BTreeMap<Name, Endpoint>,
    /// What was seen on every cluster of the spec.
    pub observation: Observation,
    /// The time at which consents and repetitions are judged.
    pub now: Timestamp,
    /// The version of transship.
    pub tool_version: String,
    /// What the command line says.
    pub options: PlanOptions,
}

/// What the command line says about a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Only flows whose id or name matches one of these; empty for all.
    pub targets: Vec<Glob>,
    /// No flow whose id or name matches one of these.
    pub exclude: Vec<Glob>,
    /// Flows that are done again from scratch.
    pub resync: Vec<FlowId>,
    /// Consents to drop.
    pub allow_drop: Vec<AllowDrop>,
}

impl PlanOptions {
    /// Whether the plan covers every flow, so that absence from the spec means removal.
    pub fn is_full(&self) -> bool {
        self.targets.is_empty() && self.exclude.is_empty()
    }

    /// Whether the flow is chosen.
    pub fn selects(&self, flow: &FlowId) -> bool {
        let matches = |globs: &[Glob]| {
            globs.iter().any(|glob| glob.matches(&flow.to_string()) || glob.matches(flow.flow.as_str()))
        };
        (self.targets.is_empty() || matches(&self.targets)) && !matches(&self.exclude)
    }
}

impl PlanInput {
    /// What was seen on a cluster.
    pub(crate) fn observed(&self, cluster: &Name) -> Option<&Observed> {
        self.observation.clusters.get(cluster)
    }
}
