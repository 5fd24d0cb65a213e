//! Whether a saved plan is still what would be planned, and what changed where it is not.

use std::collections::BTreeMap;
use std::path::Path;

use similar::TextDiff;
use transship_model::Finding;
use transship_model::plan::{ObjectRef, Plan};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::view::facts::step_lines;

/// So many changed objects are named.
const NAMED: usize = 10;

/// Refuses a saved plan when planning again gives another one.
pub(super) fn check(saved: &Plan, fresh: &Plan) -> Result<(), CommandError> {
    if saved.digest == fresh.digest {
        return Ok(());
    }
    let mut findings = vec![first(saved, fresh)];
    let moved = moved(saved, fresh);
    for object in moved.iter().take(NAMED) {
        findings.push(Finding::warning("apply::changed", format!("{object} changed since the plan was made")));
    }
    if moved.len() > NAMED {
        let rest = format!("{} more objects changed since the plan was made", moved.len() - NAMED);
        findings.push(Finding::warning("apply::changed", rest));
    }
    Err(CommandError { exit: Exit::Stale, findings, sources: Box::default() })
}

/// A plan whose digest is not that of its content.
pub(super) fn edited(path: &Path) -> CommandError {
    let message = format!("{} was changed after it was made: its digest does not match", path.display());
    let finding = Finding::error("apply::plan-edited", message);
    CommandError::new(Exit::Error, finding.help("plans are not edited: change the spec and plan again"))
}

fn first(saved: &Plan, fresh: &Plan) -> Finding {
    let message = match (saved.is_empty(), fresh.is_empty()) {
        (false, true) => {
            "the plan was used already, or somebody else did what it says: nothing is left to do".to_owned()
        }
        _ => format!("the plan is stale: planning again gives another one{}", differences(saved, fresh)),
    };
    let finding = Finding::error("apply::stale", message);
    let finding = if saved.spec.files == fresh.spec.files {
        finding
    } else {
        finding.related(transship_model::SpecPath::default(), "the spec changed since the plan was made")
    };
    finding.help("nothing was changed; plan again and review what is planned now")
}

/// What the new plan does that the saved one does not, and the other way round.
fn differences(saved: &Plan, fresh: &Plan) -> String {
    let (before, after) = (step_lines(saved), step_lines(fresh));
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(&before, &after);
    format!(":\n{}", diff.unified_diff().context_radius(0).header("saved", "planned now"))
}

/// The objects that are not what they were, or that only one of the plans relies on.
fn moved(saved: &Plan, fresh: &Plan) -> Vec<ObjectRef> {
    let of = |plan: &Plan| -> BTreeMap<ObjectRef, String> {
        plan.basis.iter().map(|basis| (basis.object.clone(), basis.fingerprint.clone())).collect()
    };
    let (before, after) = (of(saved), of(fresh));
    before.into_iter().filter(|(object, is)| after.get(object).is_some_and(|now| now != is)).map(|(o, _)| o).collect()
}
