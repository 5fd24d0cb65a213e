//! The plan: plain data, complete, and exactly what runs.

mod action;
mod check_store;
mod chunks;
mod command;
mod cursor;
mod due;
mod export;
mod foreign;
mod manifest;
mod object;
mod part;
mod prune;
mod snapshot;
mod step;
mod transform;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::consent::AllowDrop;
use crate::ledger::FlowRow;
use crate::name::{FlowId, Glob, Name};
use crate::time::TimeSpan;
use crate::version::Version;

pub use action::*;
pub use check_store::*;
pub use chunks::*;
pub use command::*;
pub use cursor::*;
pub use due::*;
pub use export::*;
pub use foreign::*;
pub use manifest::*;
pub use object::*;
pub use part::*;
pub use prune::*;
pub use snapshot::*;
pub use step::*;
pub use transform::*;

/// The format of a saved [`Plan`].
pub const PLAN_FORMAT: u32 = 1;

/// Everything that one apply does, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship plan, format 1")]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format_version: u32,
    /// The version of transship that made it.
    pub tool_version: String,
    /// The workspace.
    #[schemars(with = "String")]
    pub workspace: Name,
    /// The environment.
    #[schemars(with = "Option<String>")]
    pub env: Option<Name>,
    /// The files it was made from.
    pub spec: SpecFiles,
    /// What the command line said; not part of the digest, which is of what came of it.
    pub options: PlanOptions,
    /// Whether flows were left out by `--target`, `--exclude` or `--only-flows`; a partial plan removes nothing for being absent.
    pub partial: bool,
    /// SHA-256 in hexadecimal over everything but estimates, times, the tool's version, `spec` and `due`: neither
    /// `depends_on` of steps that fell due counts, nor clusters that only those touch.
    pub digest: String,
    /// The clusters by their name in the spec.
    #[schemars(with = "BTreeMap<String, PlannedCluster>")]
    pub clusters: BTreeMap<Name, PlannedCluster>,
    /// The facts that the plan relies on.
    pub basis: Vec<Basis>,
    /// The ledger rows that the run writes: before the first step of a flow, and when its last step has succeeded.
    pub records: Vec<Record>,
    /// What is done, each step after those it depends on.
    pub steps: Vec<Step>,
    /// Why the plan may not be applied as it is.
    pub blocked: Vec<Blocked>,
    /// Flows of which the work merely fell due, with all that belongs to it.
    pub due: Vec<DueFlow>,
    /// What could not be judged: flows that stand here are neither planned nor clean.
    pub unseen: Vec<Note>,
    /// What a reviewer should know.
    pub warnings: Vec<Note>,
}

impl Plan {
    /// Whether applying it would do nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.due.is_empty()
    }

    /// The steps that drop something or overwrite what was there.
    pub fn destructive(&self) -> impl Iterator<Item = &Step> {
        self.all_steps().filter(|step| step.destructive)
    }
}

/// What the command line says about a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanOptions {
    /// Only flows whose id or name matches one of these; empty for all.
    pub targets: Vec<Glob>,
    /// No flow whose id or name matches one of these.
    pub exclude: Vec<Glob>,
    /// Flows that are done again from scratch.
    #[schemars(with = "Vec<String>")]
    pub resync: Vec<FlowId>,
    /// Consents to drop.
    pub allow_drop: Vec<AllowDrop>,
    /// Only the flows of this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// How long to wait for flows of other parts; as long as a step may take unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<TimeSpan>,
}

impl PlanOptions {
    /// Whether the plan covers every flow, so that absence from the spec means removal.
    pub fn is_full(&self) -> bool {
        self.targets.is_empty() && self.exclude.is_empty() && self.part.is_none()
    }

    /// Whether the flow belongs to the part that is planned.
    pub fn in_part(&self, flow: &FlowId) -> bool {
        self.part.is_none_or(|part| part.holds(flow))
    }

    /// Whether the flow is chosen, in whichever part.
    pub fn selects(&self, flow: &FlowId) -> bool {
        let matches = |globs: &[Glob]| {
            globs.iter().any(|glob| glob.matches(&flow.to_string()) || glob.matches(flow.flow.as_str()))
        };
        (self.targets.is_empty() || matches(&self.targets)) && !matches(&self.exclude)
    }
}

/// The files that a plan was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecFiles {
    /// The workspace's directory as it was given.
    pub path: String,
    /// File name to SHA-256 in hexadecimal.
    pub files: BTreeMap<String, String>,
}

/// A cluster that a plan touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedCluster {
    /// `sys.cluster.id`.
    pub id: String,
    /// The lowest version among its nodes.
    pub version: Version,
}

/// A ledger row that a run writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// The cluster whose ledger has the row.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// The row as it is written before the flow's first step.
    pub row: FlowRow,
    /// What becomes of it when the flow's last step has succeeded.
    pub then: Afterwards,
}

/// What becomes of a ledger row when the last step of its flow has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Afterwards {
    /// Its state becomes `done`.
    Done,
    /// It is deleted: the flow is gone.
    Forget,
}

/// Why a plan may not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    /// A stable code such as `plan::needs-consent`.
    pub code: String,
    /// The step, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The flow.
    #[schemars(with = "Option<String>")]
    pub flow: Option<FlowId>,
    /// What stands against it.
    pub reason: String,
    /// What would permit it.
    pub help: String,
}

/// Something to know about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// A stable code such as `plan::stays-writable`.
    pub code: String,
    /// The flow it is about.
    #[schemars(with = "Option<String>")]
    pub flow: Option<FlowId>,
    /// The text, one sentence or two.
    pub text: String,
}
