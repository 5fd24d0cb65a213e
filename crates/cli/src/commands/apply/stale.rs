//! Whether a saved plan is still what would be planned, and what changed where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use similar::{ChangeTag, TextDiff};
use transship_model::plan::{ObjectRef, Plan, Step, StepId, StepKind};
use transship_model::{Finding, FlowId};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::view::facts::step_line;

/// So many changed objects are named, and so many lines of a difference shown.
const SHOWN: usize = 20;

/// What runs of a saved plan: everything, but for work that fell due then and is not due now as it was. What fell due
/// since is left to the next plan: nobody has seen it. Refused when planning again gives another plan.
pub fn check(saved: &Plan, fresh: &Plan) -> Result<Plan, CommandError> {
    if saved.digest == fresh.digest {
        let due: BTreeSet<&String> = fresh.due.iter().map(|due| &due.digest).collect();
        let runs = ordered_as(saved.clone().with_due(|was| due.contains(&was.digest)), fresh);
        return if runs.is_empty() && !saved.is_empty() { Err(used()) } else { Ok(runs) };
    }
    if fresh.is_empty() && !saved.is_empty() {
        return Err(used());
    }
    let message = ["the plan is stale: planning again gives another one".to_owned()].into_iter();
    let message = message
        .chain(changed("objects", &moved(saved, fresh)))
        .chain(changed("files", &edited_files(saved, fresh)))
        .chain(difference(saved, fresh));
    Err(CommandError::new(Exit::Stale, stale(message.collect::<Vec<_>>().join("\n"))))
}

/// No digest has the order between flows that fell due and others: it is that of the plan made now.
fn ordered_as(mut plan: Plan, fresh: &Plan) -> Plan {
    let due: BTreeSet<StepId> = plan.due.iter().flat_map(|due| &due.steps).map(|step| step.id.clone()).collect();
    let kept: BTreeSet<StepId> = plan.all_steps().map(|step| step.id.clone()).collect();
    let order: BTreeMap<&StepId, &Step> = fresh.all_steps().map(|step| (&step.id, step)).collect();
    let between = |of: &Option<FlowId>, own: bool, before: &StepId| {
        let same = of.as_ref().is_some_and(|flow| before.0.starts_with(&format!("{flow}/")));
        if own { due.contains(before) } else { !same }
    };
    let steps = plan.steps.iter_mut().map(|step| (true, step));
    for (main, step) in steps.chain(plan.due.iter_mut().flat_map(|due| &mut due.steps).map(|step| (false, step))) {
        let flow = step.flow.clone();
        step.depends_on.retain(|before| !between(&flow, main, before));
        let now = order.get(&step.id).into_iter().flat_map(|step| &step.depends_on);
        step.depends_on.extend(now.filter(|before| between(&flow, main, before) && kept.contains(*before)).cloned());
        step.depends_on.sort();
    }
    plan
}

fn used() -> CommandError {
    let message = "the plan was used already, or somebody else did what it says: nothing is left to do".to_owned();
    CommandError::new(Exit::Stale, stale(message))
}

/// What is told of work that fell due where it is not what the saved plan has.
pub(super) fn due_since(saved: &Plan, runs: &Plan, fresh: &Plan) -> Vec<String> {
    let runs: BTreeSet<&FlowId> = runs.due.iter().map(|due| &due.flow).collect();
    let planned: BTreeSet<&FlowId> = saved.due.iter().map(|due| &due.flow).collect();
    let now: BTreeSet<&FlowId> = fresh.due.iter().map(|due| &due.flow).collect();
    let left = planned.difference(&runs).map(|flow| {
        if now.contains(flow) {
            format!("Flow {flow} is due, but not as it was planned: it is left to the next plan.")
        } else {
            format!("Flow {flow} was due when this was planned, and is no longer: it is left out.")
        }
    });
    let new = now.difference(&planned).map(|flow| format!("Flow {flow} fell due since: it is left to the next plan."));
    left.chain(new).collect()
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
        fresh.all_basis().map(|basis| (&basis.object, &basis.fingerprint)).collect();
    let differs = |object: &ObjectRef, was: &String| now.get(object).is_some_and(|is| *is != was);
    let moved = saved.all_basis().filter(|basis| differs(&basis.object, &basis.fingerprint));
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
