//! Whether a saved plan is still what would be planned, and what changed where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use similar::{ChangeTag, TextDiff};
use transship_model::Finding;
use transship_model::plan::{ObjectRef, Plan};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::view::facts::step_lines;

/// So many changed objects are named, and so many lines of a difference shown.
const SHOWN: usize = 20;

/// Refuses a saved plan when planning again gives another one.
pub(super) fn check(saved: &Plan, fresh: &Plan) -> Result<(), CommandError> {
    if saved.digest == fresh.digest {
        return Ok(());
    }
    let message = if fresh.is_empty() && !saved.is_empty() {
        "the plan was used already, or somebody else did what it says: nothing is left to do".to_owned()
    } else {
        format!("the plan is stale: planning again gives another one{}", difference(saved, fresh))
    };
    let mut findings = vec![stale(message)];
    findings.extend(changed("objects", &moved(saved, fresh)));
    findings.extend(changed("files", &edited_files(saved, fresh)));
    Err(CommandError { exit: Exit::Stale, findings, sources: Box::default() })
}

/// Planning again is refused: what was planned then cannot be planned any more.
pub(super) fn refused(error: CommandError) -> CommandError {
    let mut findings = vec![stale("the plan is stale: planning again is refused, for what follows".to_owned())];
    findings.extend(error.findings);
    CommandError { exit: Exit::Stale.and(error.exit), findings, sources: error.sources }
}

/// A plan whose digest is not that of its content.
pub(super) fn edited(path: &Path) -> CommandError {
    let message = format!("{} was changed after it was made: its digest does not match", path.display());
    let finding = Finding::error("apply::plan-edited", message);
    CommandError::new(Exit::Error, finding.help("plans are not edited: change the spec and plan again"))
}

fn stale(message: String) -> Finding {
    Finding::error("apply::stale", message).help("nothing was changed; plan again and review what is planned now")
}

/// What is planned now and not in the saved plan, and the other way round.
fn difference(saved: &Plan, fresh: &Plan) -> String {
    let (before, after) = (step_lines(saved), step_lines(fresh));
    let diff = TextDiff::from_lines(&before, &after);
    let changes = diff.iter_all_changes().filter_map(|change| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => Some(format!("- {}", change.value().trim_end())),
        ChangeTag::Insert => Some(format!("+ {}", change.value().trim_end())),
    });
    let lines: Vec<String> = changes.collect();
    match lines.len() {
        0 => String::new(),
        n if n > SHOWN => format!(":\n{}\n… and {} more lines", lines[..SHOWN].join("\n"), n - SHOWN),
        _ => format!(":\n{}", lines.join("\n")),
    }
}

/// The objects that both plans rely on and that are not what they were.
fn moved(saved: &Plan, fresh: &Plan) -> Vec<String> {
    let now: BTreeMap<&ObjectRef, &String> =
        fresh.basis.iter().map(|basis| (&basis.object, &basis.fingerprint)).collect();
    let differs = |object: &ObjectRef, was: &String| now.get(object).is_some_and(|is| *is != was);
    let moved = saved.basis.iter().filter(|basis| differs(&basis.object, &basis.fingerprint));
    moved.map(|basis| basis.object.to_string()).collect()
}

fn edited_files(saved: &Plan, fresh: &Plan) -> Vec<String> {
    let (before, after) = (&saved.spec.files, &fresh.spec.files);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn changed(what: &str, names: &[String]) -> Option<Finding> {
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let text = format!("{what} that changed since the plan was made: {listed}{more}");
    (!names.is_empty()).then(|| Finding::warning("apply::changed", text))
}
