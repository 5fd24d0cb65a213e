//! What passes by itself, so that another round may do what this one could not.

use std::collections::BTreeSet;

use crate::error::CommandError;
use crate::view::applied::{Applied, Fate};

/// The codes of what passes.
const PASSING: [&str; 21] = [
    "apply::changed",
    "apply::ledger-write",
    "apply::lock-lost",
    "apply::locked",
    "apply::precondition",
    "apply::stale",
    "apply::timed-out",
    "apply::writable-unknown",
    "cluster::busy",
    "cluster::connection-lost",
    "cluster::killed",
    "cluster::store-unreachable",
    "cluster::timeout",
    "cluster::transient",
    "cluster::unreachable",
    "cluster::withheld",
    "mover::short",
    "mover::source",
    "mover::target",
    "mover::unknown",
    "plan::not-observable",
];

/// Whether all that is wrong passes by itself.
pub(super) fn passes(error: &CommandError) -> bool {
    let codes: BTreeSet<String> = error.findings.iter().map(|finding| finding.code.to_string()).collect();
    !codes.is_empty() && codes.iter().all(|code| PASSING.contains(&code.as_str()))
}

/// Whether all that failed in a round passes by itself.
pub(super) fn all_pass(applied: &Applied) -> bool {
    applied.steps.iter().all(|became| match &became.fate {
        Fate::Failed { code, .. } => PASSING.contains(&code.as_str()),
        _ => true,
    })
}
