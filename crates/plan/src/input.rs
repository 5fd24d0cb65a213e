//! Everything that the planner may know, as one value.

use transship_model::access::Endpoint;
use transship_model::observed::{Observation, Observed};
use transship_model::plan::{PlanOptions, SpecFiles};
use transship_model::spec::Spec;
use transship_model::store::StoreLocation;
use transship_model::{Name, SpanIndex};

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
    /// Where the stores are: those that flows in use name, and others that could be resolved.
    pub stores: BTreeMap<Name, StoreLocation>,
    /// What was seen on every cluster of the spec.
    pub observation: Observation,
    /// The time at which consents and repetitions are judged.
    pub now: Timestamp,
    /// The version of transship.
    pub tool_version: String,
    /// What the command line says.
    pub options: PlanOptions,
}

impl PlanInput {
    /// What was seen on a cluster.
    pub(crate) fn observed(&self, cluster: &Name) -> Option<&Observed> {
        self.observation.clusters.get(cluster)
    }
}
