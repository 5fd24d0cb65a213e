//! Flows that end in a store: tables in files and a manifest, for other tools and other clusters. Every export is whole:
//! where one table is to be exported, all are.

use std::collections::BTreeMap;

use transship_model::TableName;
use transship_model::ledger::{CopyRow, FlowRow, StoreEnd};
use transship_model::plan::{Action, StepKind, WriteManifest};
use transship_model::spec::{ExportImport, Instance};
use transship_model::store::SeenExport;
use transship_model::{Finding, Name};

use super::files::Files;
use super::writer::Writer;
use super::{manifest, refuse, rows, stores};
use crate::copies::{self, Context, Deed, Due, Fill as _, Found, Wish};
use crate::digest;
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::{FlowOutcome, Others};

/// Plans one flow beside `others`.
pub(super) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &ExportImport,
    others: &Others,
) -> Result<FlowOutcome, Vec<Finding>> {
    let files = Files::of(input, instance, settings).map_err(|finding| vec![finding])?;
    let context = Context::gather(input, instance, others)?;
    if let Err(reason) = crate::replication::readable_ledger(context.target_name, context.target) {
        return Ok(copies::unseen(&context, reason));
    }
    copies::refuse_moved(&context)?;
    let place = stores::place_of_flow(input, instance);
    let at = instance.path.key("to").key("store");
    let seen = stores::looked(input, files.name, &place, &at).map_err(|finding| vec![finding])?;
    let wishes = wishes(&context, settings, &files)?;
    let difference = difference(&context, files.name, &wishes, seen);
    let due: Vec<Due> = wishes.iter().map(|wish| due(&context, wish)).filter(|_| difference.is_none()).collect();
    if let Some(reason) = due.iter().find_map(unknown) {
        return Ok(copies::unseen(&context, reason));
    }
    let found = found(wishes, difference.as_deref(), due);
    check(&context, &files, &found)?;
    let mut draft = FlowDraft::new(instance.id.clone(), input.index.place(&instance.path));
    write(&context, settings, &files, &found, &mut draft);
    let mut report = FlowReport::new(FlowStatus::of(&draft));
    let due: Vec<String> = found.iter().filter_map(|found| found.due.reason().map(str::to_owned)).collect();
    if draft.due {
        report.notes.extend(due);
    } else {
        report.differences.extend(difference.into_iter().chain(due));
    }
    Ok(FlowOutcome { reads: context.reads(), ..FlowOutcome::of(draft, report) })
}

/// What each table is to become. What makes another export is part of what was asked.
fn wishes<'a>(
    context: &'a Context<'a>,
    settings: &ExportImport,
    files: &Files<'_>,
) -> Result<Vec<Wish<'a>>, Vec<Finding>> {
    let mut wishes = context.wishes(files)?;
    for wish in &mut wishes {
        wish.asked = digest::of(&(&wish.asked, settings.format, settings.compression, files.name));
    }
    Ok(wishes)
}

/// Why the export that there is, if there is one, is not what is declared.
fn difference(context: &Context<'_>, store: &Name, wishes: &[Wish<'_>], seen: &SeenExport) -> Option<String> {
    let flow = &context.instance.id;
    let Some((row, last)) = context.row.and_then(|row| Some((row, newest(row)?))) else {
        return Some(format!("flow {flow} was never exported whole"));
    };
    if context.is_resync() {
        return Some(format!("--resync {flow}"));
    }
    let asked = |row: &FlowRow| row.copies.iter().map(|(table, note)| (table.clone(), note.asked.clone())).collect();
    let declared: BTreeMap<TableName, String> =
        wishes.iter().map(|wish| (wish.pair.to.clone(), wish.asked.clone())).collect();
    if declared != asked(row) {
        return Some(format!("what is declared for flow {flow} was edited since it was exported"));
    }
    match seen {
        SeenExport::Found(found) if found.directory != last => {
            Some(format!("the export in store {store} at {last} is not the newest any more: {} is", found.directory))
        }
        SeenExport::Found(found) => {
            let (file, problem) = found.damaged.first_key_value()?;
            Some(format!("the export in store {store} at {last} is not whole: {file}: {problem}"))
        }
        SeenExport::Absent | SeenExport::Several(_) => Some(format!("the export in store {store} at {last} is gone")),
        SeenExport::Unreadable { path, reason } => Some(format!("{path} in store {store} cannot be used: {reason}")),
    }
}

/// Where the newest export of a run that ended well lies.
fn newest(row: &FlowRow) -> Option<&str> {
    row.exports.values().rev().find(|export| export.whole).map(|export| export.path.as_str())
}

fn due(context: &Context<'_>, wish: &Wish<'_>) -> Due {
    let note: Option<&CopyRow> = context.row.and_then(|row| row.copies.get(&wish.pair.to));
    match (note, &context.instance.flow.repeat) {
        (Some(note), Some(repeat)) => copies::judge(context, wish, note, repeat),
        _ => Due::No,
    }
}

fn unknown(due: &Due) -> Option<String> {
    match due {
        Due::Unknown(why) => Some(why.clone()),
        Due::No | Due::Yes(_) => None,
    }
}

/// Every table with what is to happen: all are exported, or none.
fn found<'a>(wishes: Vec<Wish<'a>>, difference: Option<&str>, due: Vec<Due>) -> Vec<Found<'a>> {
    let first = due.iter().find_map(Due::reason).map(str::to_owned);
    let deed = if difference.is_some() || first.is_some() { Deed::Create } else { Deed::Nothing };
    let because = difference.map(str::to_owned);
    let mut due = due.into_iter();
    let found = |wish| {
        let own = due.next().unwrap_or(Due::No);
        // A table that has not changed is exported with those that have.
        let due = match (&own, &first) {
            (Due::No, Some(why)) => Due::Yes(why.clone()),
            _ => own,
        };
        let (difference, notes) = (because.clone(), Vec::new());
        let (keeps, all, parts) = (false, false, Vec::new());
        Found {
            wish,
            there: None,
            note: None,
            adopted: false,
            deed,
            difference,
            due,
            notes,
            keeps,
            all,
            parts,
            added: Vec::new(),
            since: None,
        }
    };
    wishes.into_iter().map(found).collect()
}

/// Everything that forbids the flow, in one go.
fn check(context: &Context<'_>, files: &Files<'_>, found: &[Found<'_>]) -> Result<(), Vec<Finding>> {
    let mut findings = Vec::new();
    for found in found {
        findings.extend(refuse::exported(files, found));
        findings.extend(copies::sensitive::check(found));
    }
    let by_source = |found: &Found<'_>| found.deed == Deed::Create && !Writer::of(files, found).is_here();
    if files.is_directory() && found.iter().any(by_source) {
        findings.extend(refuse::directory(context));
    }
    findings.extend(copies::lacking_privileges(context, found));
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// Exports every table, writes the manifest, and removes exports that are not kept any longer.
fn write(
    context: &Context<'_>,
    settings: &ExportImport,
    files: &Files<'_>,
    found: &[Found<'_>],
    draft: &mut FlowDraft,
) {
    if found.iter().any(|found| found.deed == Deed::Create) {
        for found in found {
            files.export(context, found, draft);
        }
        let (number, path) = rows::export(context);
        let manifest = WriteManifest {
            store: files.name.clone(),
            path,
            manifest: manifest::planned(context, settings, (files, found), number),
            timeout: context.instance.flow.timeout(),
            done: found.iter().map(|found| copies::note(found, None)).collect(),
        };
        let because = "the files are read back, and the manifest makes an export of them";
        let step = NewStep::new(context.source_name, StepKind::WriteManifest, because);
        draft.push(step.action(Action::WriteManifest(manifest)));
        files.end(context, draft);
    }
    draft.due = found.iter().any(|found| found.due.reason().is_some()) && copies::is_due(context, found, files, draft);
    copies::finish(context, found, files, draft);
}

/// The row of such a flow has what the newest export has, and nothing else.
pub(super) fn row(context: &Context<'_>, found: &[Found<'_>], mut row: FlowRow) -> FlowRow {
    if matches!(context.end, Some(StoreEnd::To(_))) {
        row.copies.retain(|table, _| found.iter().any(|found| found.wish.pair.to == *table));
    }
    row
}
