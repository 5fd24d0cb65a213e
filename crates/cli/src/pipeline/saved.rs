//! Saved plans: reading them, and planning again as they were planned.

use std::path::Path;

use transship_model::plan::{PLAN_FORMAT, Plan};
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
    /// Whether its digests are those of the content.
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
    let intact = transship_plan::edited(&plan).is_none();
    Ok(SavedPlan { text, plan, intact })
}

/// The options that a plan was made with, and `given` beside them.
pub fn options_of(plan: &Plan, given: &PlanOptions) -> PlanOptions {
    joined(&plan.options, given)
}

/// Options, and `given` beside them.
pub fn joined(made: &PlanOptions, given: &PlanOptions) -> PlanOptions {
    PlanOptions {
        targets: with(&made.targets, &given.targets),
        exclude: with(&made.exclude, &given.exclude),
        resync: with(&made.resync, &given.resync),
        allow_drop: with(&made.allow_drop, &given.allow_drop),
        part: given.part.or(made.part),
        wait_timeout: given.wait_timeout.or(made.wait_timeout),
    }
}

fn with<T: Clone + PartialEq>(made: &[T], given: &[T]) -> Vec<T> {
    let more = given.iter().filter(|given| !made.contains(given));
    made.iter().chain(more).cloned().collect()
}
