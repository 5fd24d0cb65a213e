//! What the planner found about every flow, beside the plan: for people and for `drift`.

use std::collections::BTreeMap;

use serde::Serialize;
use transship_model::{FlowId, Name};

/// What the planner found, flow by flow. May hold numbers that change from moment to moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[must_use = "an unread report is not actionable"]
pub struct Report {
    /// Every flow of the spec and every flow that only the ledger knows.
    pub flows: BTreeMap<FlowId, FlowReport>,
    /// Objects with a name of this workspace that the ledger does not know: `publication shop.transship__…`.
    pub unmanaged: Vec<String>,
    /// What could not be seen, by cluster.
    pub unseen: BTreeMap<Name, Vec<String>>,
}

/// What the planner found about one flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowReport {
    /// How it stands.
    pub status: FlowStatus,
    /// What differs from the spec, one sentence each.
    pub differences: Vec<String>,
    /// What is wrong without differing from the spec, and is not the plan's to mend: a link that is cut.
    pub unhealthy: Vec<String>,
    /// What else is worth telling.
    pub notes: Vec<String>,
}

/// How a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowStatus {
    /// As declared.
    UpToDate,
    /// The plan changes it.
    Changes,
    /// As declared, and its work is due again.
    Due,
    /// The plan would change it, and may not.
    Blocked,
    /// The user cannot see enough of it to judge.
    NotObservable,
    /// `enabled: false`.
    Disabled,
    /// Left out by `--target` or `--exclude`.
    LeftOut,
    /// Gone from the spec, known to the ledger.
    Removed,
}

impl FlowStatus {
    /// The words that views use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::Changes => "changes",
            Self::Due => "due",
            Self::Blocked => "blocked",
            Self::NotObservable => "not observable",
            Self::Disabled => "disabled",
            Self::LeftOut => "left out",
            Self::Removed => "removed",
        }
    }
}

impl FlowReport {
    /// A report with a status alone.
    pub(crate) const fn new(status: FlowStatus) -> Self {
        Self { status, differences: Vec::new(), unhealthy: Vec::new(), notes: Vec::new() }
    }
}
