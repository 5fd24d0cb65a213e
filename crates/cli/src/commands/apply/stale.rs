//! Whether a saved plan is still what would be planned, and what changed where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use similar::{ChangeTag, TextDiff};
use transship_model::Finding;
use transship_model::plan::{ObjectRef, Plan, Step, StepKind};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::view::facts::step_line;

/// So many changed objects are named, and so many lines of a difference shown.
const SHOWN: usize = 20;

/// Refuses a saved plan when planning again gives another one.
pub fn check(saved: &Plan, fresh: &Plan) -> Result<(), CommandError> {
    if saved.digest == fresh.digest {
        return Ok(());
    }
    if fresh.is_empty() && !saved.is_empty() {
        let used = "the plan was used already, or somebody else did what it says: nothing is left to do".to_owned();
        return Err(CommandError::new(Exit::Stale, stale(used)));
    }
    let message = ["the plan is stale: planning again gives another one".to_owned()].into_iter();
    let message = message
        .chain(changed("objects", &moved(saved, fresh)))
        .chain(changed("files", &edited_files(saved, fresh)))
        .chain(difference(saved, fresh));
    Err(CommandError::new(Exit::Stale, stale(message.collect::<Vec<_>>().join("\n"))))
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

/// What is planned now and not in the saved plan, and the other way round: the steps, and the statements of steps that
/// stayed and do something else.
fn difference(saved: &Plan, fresh: &Plan) -> Option<String> {
    let (before, after) = (titles(saved), titles(fresh));
    let diff = TextDiff::from_slices(&texts(&before), &texts(&after));
    let mut lines = Vec::new();
    for change in diff.iter_all_changes() {
        match (change.tag(), change.old_index(), change.new_index()) {
            (ChangeTag::Delete, ..) => lines.push(format!("- {}", change.value())),
            (ChangeTag::Insert, ..) => lines.push(format!("+ {}", change.value())),
            (ChangeTag::Equal, Some(old), Some(new)) => {
                lines.extend(restated(&before[old], &after[new]));
            }
            (ChangeTag::Equal, ..) => {}
        }
    }
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    lines.extend((more > 0).then(|| format!("… and {more} more lines")));
    (!lines.is_empty()).then(|| format!("steps that are planned no more (-), and now (+):\n{}", lines.join("\n")))
}

/// Every step with the line that names it.
fn titles(plan: &Plan) -> Vec<(String, &Step)> {
    plan.all_steps().map(|step| (step_line(step), step)).collect()
}

fn texts<'a>(titles: &'a [(String, &Step)]) -> Vec<&'a str> {
    titles.iter().map(|(title, _)| title.as_str()).collect()
}

/// What a step that stayed did and does, where that differs. Rows of the ledger differ whenever anything does.
fn restated((title, before): &(String, &Step), (_, after): &(String, &Step)) -> Vec<String> {
    if before.sql == after.sql || matches!(before.kind, StepKind::CreateLedger | StepKind::RecordFlow) {
        return Vec::new();
    }
    let was = before.sql.iter().map(|sql| format!("-     {sql}"));
    let is = after.sql.iter().map(|sql| format!("+     {sql}"));
    [format!("  {title}")].into_iter().chain(was).chain(is).collect()
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

fn changed(what: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("{what} that changed since: {listed}{more}"))
}
