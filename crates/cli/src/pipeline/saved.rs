//! Saved plans: reading them, and planning again as they were planned.

use std::collections::BTreeSet;
use std::path::Path;

use transship_model::plan::{ConsentBy, PLAN_FORMAT, Plan};
use transship_model::{FlowId, Glob};
use transship_plan::PlanOptions;

use crate::error::CommandError;
use crate::file;

/// A plan from a file.
#[derive(Debug)]
pub struct SavedPlan {
    /// The text of the file.
    pub text: String,
    /// The plan.
    pub plan: Plan,
    /// Whether the digest is that of the content.
    pub intact: bool,
}

/// Whether the file at `path` looks like a plan.
pub(super) fn is_plan(path: &Path) -> bool {
    let document = fs_err::read(path).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    document.is_some_and(|document| document.get("digest").is_some() && document.get("steps").is_some())
}

/// Reads a plan that was saved.
pub fn read_plan(path: &Path) -> Result<SavedPlan, CommandError> {
    if path.is_dir() {
        let message = format!("{} is a directory, not a saved plan", path.display());
        let help = format!(
            "give the file that `transship plan -o FILE` saved; to see what would change now: `transship plan {}`",
            path.display()
        );
        return Err(CommandError::usage(message, help));
    }
    let text = file::read(path)?;
    let plan: Plan = file::parse(path, &text, "a plan", PLAN_FORMAT)?;
    let intact = transship_plan::digest(&plan) == plan.digest;
    Ok(SavedPlan { text, plan, intact })
}

/// The options that a plan was made with, as far as they shaped it, and `given` beside them.
///
/// A plan does not list its options. What it holds of them is enough to plan the same again: the flows of a partial
/// plan, the consents that it used, and the flows that were done again from scratch.
pub fn options_of(plan: &Plan, given: &PlanOptions) -> PlanOptions {
    let mut options = given.clone();
    for flow in resynced(plan) {
        if !options.resync.contains(&flow) {
            options.resync.push(flow);
        }
    }
    for step in plan.all_steps() {
        if let Some(ConsentBy::Flag(flag)) = step.consent.as_ref().and_then(|consent| consent.given.as_ref())
            && let Ok(consent) = flag.parse()
            && !options.allow_drop.contains(&consent)
        {
            options.allow_drop.push(consent);
        }
    }
    if plan.partial {
        options.targets = flows(plan).into_iter().map(|flow| Glob(flow.to_string())).collect();
        options.exclude.clear();
    }
    options
}

/// Every flow that the plan says something about.
fn flows(plan: &Plan) -> BTreeSet<&FlowId> {
    let steps = plan.all_steps().filter_map(|step| step.flow.as_ref());
    let notes = plan.unseen.iter().chain(&plan.warnings).filter_map(|note| note.flow.as_ref());
    let blocked = plan.blocked.iter().filter_map(|blocked| blocked.flow.as_ref());
    steps.chain(notes).chain(blocked).chain(plan.due.keys()).collect()
}

/// The flows whose steps are there because of `--resync`.
fn resynced(plan: &Plan) -> BTreeSet<FlowId> {
    let of = |because: &str| because.strip_prefix("--resync ")?.split_whitespace().next()?.parse().ok();
    plan.all_steps().filter_map(|step| of(&step.because)).collect()
}
