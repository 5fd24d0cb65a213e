//! What differs from the workspace: the report of `drift`, and how it is shown.

mod github;
mod human;
mod markdown;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transship_model::observed::Observation;
use transship_model::plan::{Plan, PlannedCluster};
use transship_model::{Finding, FlowId, Name, Place, Severity, SpanIndex, SpecPath};

use super::facts::Sign;
use super::object::object;
use super::style::counted;
use crate::diagnostics::{Diagnostic, Diagnostics, Sources};
use crate::exit::Exit;
use transship_plan::{FlowReport, FlowStatus, Report};

/// The format of a [`Drift`].
pub const DRIFT_FORMAT: u32 = 1;

/// What differs from the workspace, and what could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship drift report, format 1")]
pub struct Drift {
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
    /// Whether anything differs.
    pub drift: bool,
    /// Whether everything could be judged.
    pub complete: bool,
    /// The clusters by their name in the spec.
    #[schemars(with = "BTreeMap<String, PlannedCluster>")]
    pub clusters: BTreeMap<Name, PlannedCluster>,
    /// Every flow, those that are gone from the spec included.
    #[schemars(with = "BTreeMap<String, FlowDrift>")]
    pub flows: BTreeMap<FlowId, FlowDrift>,
    /// Objects with a name of this workspace that no flow knows; never touched.
    pub unmanaged: Vec<String>,
    /// What could not be seen, by cluster.
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub unseen: BTreeMap<Name, Vec<String>>,
    /// What forbids planning the flows that are not among `flows`.
    pub findings: Vec<Diagnostic>,
}

/// How one flow stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowDrift {
    /// How it stands.
    pub status: DriftStatus,
    /// Where it is declared.
    pub at: Option<Place>,
    /// What differs, one sentence each.
    pub differences: Vec<String>,
    /// What is wrong without differing from the spec, and is not a plan's to mend.
    pub unhealthy: Vec<String>,
    /// What a plan would do about it, one line for each step.
    pub remedies: Vec<String>,
    /// What stands against doing it.
    pub blocked: Vec<String>,
    /// What else is worth telling, or why it could not be judged.
    pub notes: Vec<String>,
}

/// How a flow stands against its declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftStatus {
    /// As declared.
    Clean,
    /// Not as declared.
    Differs,
    /// As declared, and its work is due again: no drift.
    Due,
    /// As declared, but unhealthy.
    Unhealthy,
    /// The user cannot see enough of it.
    NotObservable,
    /// `enabled: false`.
    Disabled,
}

impl Drift {
    /// The report for a plan that was made without options.
    pub fn new(plan: &Plan, report: &Report, observation: &Observation, index: &SpanIndex) -> Self {
        let flows: BTreeMap<FlowId, FlowDrift> =
            report.flows.iter().map(|(id, flow)| (id.clone(), FlowDrift::new(id, plan, flow, index))).collect();
        let ledger = plan.steps.iter().any(|step| step.flow.is_none());
        Self {
            format_version: DRIFT_FORMAT,
            tool_version: plan.tool_version.clone(),
            workspace: plan.workspace.clone(),
            env: plan.env.clone(),
            drift: ledger
                || flows.values().any(|flow| matches!(flow.status, DriftStatus::Differs | DriftStatus::Unhealthy)),
            complete: plan.unseen.is_empty() && flows.values().all(|flow| flow.status != DriftStatus::NotObservable),
            clusters: super::clusters(observation),
            flows,
            unmanaged: report.unmanaged.clone(),
            unseen: report.unseen.clone(),
            findings: Vec::new(),
        }
    }

    /// The same with what forbids planning some flows.
    #[must_use]
    pub fn with_findings(self, findings: &[Finding], sources: &Sources) -> Self {
        let complete = self.complete && findings.iter().all(|finding| finding.severity != Severity::Error);
        Self { complete, findings: Diagnostics::new(findings, sources).findings, ..self }
    }

    /// How `drift` ends.
    pub fn exit(&self) -> Exit {
        Exit::Drift.when(self.drift).and(Exit::Error.when(!self.complete))
    }

    fn of(&self, status: DriftStatus) -> impl Iterator<Item = (&FlowId, &FlowDrift)> {
        self.flows.iter().filter(move |(_, flow)| flow.status == status)
    }

    /// `Drift: 2 of 5 flows differ, 1 is unhealthy, 1 could not be judged.`
    fn summary(&self) -> String {
        let sorts = [
            (DriftStatus::Differs, "differs", "differ"),
            (DriftStatus::Unhealthy, "is unhealthy", "are unhealthy"),
            (DriftStatus::NotObservable, "could not be judged", "could not be judged"),
        ];
        let counts = sorts.map(|(status, one, many)| (self.of(status).count(), one, many));
        let mut parts = Vec::new();
        for (n, one, many) in counts.into_iter().filter(|(n, ..)| *n > 0) {
            let verb = if n == 1 { one } else { many };
            let of =
                if parts.is_empty() { format!(" of {}", counted(self.flows.len(), "flow")) } else { String::new() };
            parts.push(if self.flows.len() == 1 { format!("the one flow {verb}") } else { format!("{n}{of} {verb}") });
        }
        let problems = self.findings.len();
        if problems > 0 {
            let keep = if problems == 1 { "keeps" } else { "keep" };
            parts.push(format!("{} {keep} flows from being judged", counted(problems, "problem")));
        }
        let flows = counted(self.flows.len(), "flow");
        let due = match self.of(DriftStatus::Due).count() {
            0 => String::new(),
            due => format!("; {} due", counted(due, "flow")),
        };
        match (self.drift, parts.is_empty()) {
            (false, true) => format!("No drift: {flows} as declared{due}."),
            (false, false) => format!("No drift was seen, but {}{due}.", parts.join(", ")),
            (true, true) => format!("Drift: the ledger is not there; {flows} as declared{due}."),
            (true, false) => format!("Drift: {}{due}.", parts.join(", ")),
        }
    }

    /// Whether a plan against the drift is blocked.
    pub fn is_blocked(&self) -> bool {
        self.flows.values().any(|flow| !flow.blocked.is_empty())
    }
}

impl FlowDrift {
    fn new(id: &FlowId, plan: &Plan, report: &FlowReport, index: &SpanIndex) -> Self {
        let steps: Vec<_> = plan.all_steps().filter(|step| step.flow.as_ref() == Some(id)).collect();
        let blocked: Vec<_> =
            plan.all_blocked().filter(|b| b.flow.as_ref() == Some(id)).map(|b| b.reason.clone()).collect();
        let unseen = plan.unseen.iter().filter(|note| note.flow.as_ref() == Some(id)).map(|note| note.text.clone());
        let as_declared = steps.is_empty() && blocked.is_empty() && report.differences.is_empty();
        let status = match report.status {
            FlowStatus::NotObservable => DriftStatus::NotObservable,
            FlowStatus::Disabled | FlowStatus::LeftOut => DriftStatus::Disabled,
            _ if plan.due.iter().any(|due| due.flow == *id) => DriftStatus::Due,
            _ if !as_declared => DriftStatus::Differs,
            _ if !report.unhealthy.is_empty() => DriftStatus::Unhealthy,
            _ => DriftStatus::Clean,
        };
        let mut differences = report.differences.clone();
        if differences.is_empty() && status == DriftStatus::Differs {
            differences = steps.iter().map(|step| step.because.clone()).collect();
            differences.dedup();
        }
        let mut notes: Vec<_> = unseen.collect();
        notes.extend(report.notes.iter().filter(|note| !notes.contains(note)).cloned().collect::<Vec<_>>());
        Self {
            status,
            at: declared_at(id, index),
            differences,
            unhealthy: report.unhealthy.clone(),
            remedies: steps
                .iter()
                .map(|step| format!("{} {}", Sign::of(step.kind).character(), object(step)))
                .collect(),
            blocked,
            notes,
        }
    }
}

/// Where the flow is declared; nowhere when it is gone from the spec.
fn declared_at(id: &FlowId, index: &SpanIndex) -> Option<Place> {
    let path = SpecPath::of("flows", &id.flow);
    index.keys.contains_key(&path).then(|| index.place(&path)).flatten()
}
