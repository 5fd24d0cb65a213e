//! Rules about manifests: one is written after all files that it names and before old ones go, and what is imported from
//! one was compared with it before.

use transship_model::ledger::StoreEnd;
use transship_model::plan::{Action, CheckFiles, ImportRows, ObjectKind, Plan, Step, StepKind, WriteManifest};

use transship_model::{Name, TableName};

use super::{Ancestors, Flows, Found, Rule};
use crate::export;

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        let of_flow = flows.steps(step);
        match &step.action {
            Some(Action::WriteManifest(manifest)) => {
                if !is_own(flows, step, manifest) {
                    found.step(
                        Rule::FilesOwn,
                        step,
                        "writes a manifest to a place that its flow's ledger row does not name",
                    );
                }
                if !is_last(step, manifest, of_flow, ancestors) {
                    found.step(Rule::ManifestLast, step, "is not written after exactly the files that it names");
                }
            }
            Some(Action::ExportRows(_) | Action::WriteFiles(_)) if ends_in_store(flows, step) => {
                let has_manifest =
                    |other: &&Step| other.kind == StepKind::WriteManifest && ancestors.precedes(step, other);
                if !of_flow.iter().any(has_manifest) {
                    found.step(Rule::ManifestLast, step, "exports files that no manifest will name");
                }
            }
            Some(Action::RemoveFiles(_)) if ends_in_store(flows, step) => {
                let is_before =
                    |other: &&Step| other.kind == StepKind::WriteManifest && ancestors.precedes(other, step);
                if !of_flow.iter().any(is_before) {
                    found.step(Rule::ManifestLast, step, "removes exports before there is a new one");
                }
            }
            Some(Action::CheckFiles(check)) if !is_in_basis(plan, step, check) => {
                found.step(Rule::BasisCovers, step, "relies on a manifest that is not in the basis");
            }
            _ => {}
        }
    }
}

fn ends_in_store(flows: &Flows<'_>, step: &Step) -> bool {
    flows.record(step).is_some_and(|record| matches!(record.row.end, Some(StoreEnd::To(_))))
}

/// The manifest lies in the newest export of the flow, on its source, and the ledger notes exactly its tables.
fn is_own(flows: &Flows<'_>, step: &Step, manifest: &WriteManifest) -> bool {
    let Some(record) = flows.record(step) else { return false };
    let Some((number, row)) = record.row.exports.last_key_value() else { return false };
    let exported = manifest.manifest.exported.as_ref();
    step.cluster == record.row.from
        && record.row.end == Some(StoreEnd::To(manifest.store.clone()))
        && row.path == manifest.path
        && row.store == manifest.store
        && !row.whole
        && exported.is_some_and(|it| it.flow == record.flow && it.number == *number && it.cluster == step.cluster)
}

/// Every table was exported before, no other is, and nothing is known yet of what only the run finds.
fn is_last(step: &Step, manifest: &WriteManifest, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    let exports: Vec<(&Step, (&Name, &String, &TableName))> = of_flow
        .iter()
        .filter_map(|other| match &other.action {
            Some(Action::ExportRows(rows)) => Some((*other, (&rows.store, &rows.path, &rows.from))),
            Some(Action::WriteFiles(rows)) => Some((*other, (&rows.store, &rows.path, &rows.from))),
            _ => None,
        })
        .collect();
    let (tables, notes) = (&manifest.manifest.tables, &manifest.done);
    let named = tables.iter().zip(notes).all(|(table, note)| {
        let place = export::place(&manifest.path, &note.from);
        let is_it = |(other, what): &(&Step, (&Name, &String, &TableName))| {
            *what == (&manifest.store, &place, &note.from) && ancestors.precedes(other, step)
        };
        table.table == note.table && table.rows == 0 && table.files.is_empty() && exports.iter().any(is_it)
    });
    named && tables.len() == notes.len() && tables.len() == exports.len()
}

/// Whether a step before has compared the files of an import with its manifest.
pub(super) fn is_checked(step: &Step, rows: &ImportRows, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        let checks = matches!(&other.action, Some(Action::CheckFiles(check))
            if check.store == rows.store && check.directory == rows.path && other.cluster == step.cluster
                && check.tables.iter().any(|table| table.table == rows.from));
        checks && rows.source.is_none() && ancestors.precedes(other, step)
    })
}

fn is_in_basis(plan: &Plan, step: &Step, check: &CheckFiles) -> bool {
    let due = plan.due.iter().find(|due| Some(&due.flow) == step.flow.as_ref());
    let basis = due.map_or(&plan.basis, |due| &due.basis);
    basis.iter().any(|basis| basis.object.kind == ObjectKind::Export && basis.object.cluster == check.store)
}

/// Both are done by this machine alone.
pub(super) fn matches_kind(step: &Step) -> bool {
    let is_its = match (step.kind, &step.action) {
        (StepKind::WriteManifest, Some(Action::WriteManifest(manifest))) => !manifest.done.is_empty(),
        (StepKind::CheckFiles, Some(Action::CheckFiles(check))) => !check.tables.is_empty(),
        _ => false,
    };
    is_its && step.sql.is_empty() && step.params.is_empty()
}
