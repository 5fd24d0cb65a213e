//! Rules about exports and imports: what is sent, where files lie, and that what is imported was exported before.

use transship_model::plan::{Action, ExportRows, ImportRows, Param, ParamRef, Plan, Step, StepKind, WriteFiles};
use transship_model::store::uri;
use transship_model::{Name, TableName};
use transship_sql::bulk::Bulk;
use transship_sql::repository::RepositoryKind;
use transship_sql::transfer::{self, Export, FileFormat, Import};
use transship_sql::{ident, lookup, place, replication, table};

use super::{Ancestors, Flows, Found, Rule, manifests};
use crate::export;

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    for step in plan.all_steps() {
        match &step.action {
            Some(Action::ExportRows(rows)) if !is_placed(plan, flows, step, (&rows.store, &rows.path, &rows.from)) => {
                found.step(Rule::FilesOwn, step, "exports to a place that its flow's ledger row does not name");
            }
            Some(Action::WriteFiles(rows)) if !is_placed(plan, flows, step, (&rows.store, &rows.path, &rows.from)) => {
                found.step(Rule::FilesOwn, step, "writes to a place that its flow's ledger row does not name");
            }
            Some(Action::ImportRows(rows))
                if !is_exported(step, rows, flows.steps(step), ancestors)
                    && !manifests::is_checked(step, rows, flows.steps(step), ancestors) =>
            {
                let text = "imports what no step before has exported, or compared with a manifest";
                found.step(Rule::CopyBeforePlace, step, text);
            }
            Some(Action::RemoveFiles(files)) => {
                let row = flows.record(step).map(|record| &record.row.exports);
                let last = row.and_then(|row| row.keys().last());
                let is_old = |number: &u32| row.is_some_and(|row| row.get(number) == files.exports.get(number));
                if !files.exports.keys().all(|number| is_old(number) && Some(number) != last) {
                    found.step(Rule::FilesOwn, step, "removes files that are not those of an earlier export");
                }
            }
            _ => {}
        }
    }
}

/// The files lie where the ledger will have it: in the newest export of the flow, under the table's own name.
fn is_placed(plan: &Plan, flows: &Flows<'_>, step: &Step, (store, path, from): (&Name, &String, &TableName)) -> bool {
    let Some(record) = flows.record(step) else { return false };
    let Some((number, row)) = record.row.exports.last_key_value() else { return false };
    let identity = (&plan.workspace, plan.env.as_ref());
    step.cluster == record.row.from
        && row.store == *store
        && !row.whole
        && row.path == export::path(identity, &record.flow, *number)
        && *path == export::place(&row.path, from)
}

/// A step before has exported the very table to the very place.
fn is_exported(step: &Step, rows: &ImportRows, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    of_flow.iter().any(|other| {
        let (store, path, from) = match &other.action {
            Some(Action::ExportRows(export)) => (&export.store, &export.path, &export.from),
            Some(Action::WriteFiles(export)) => (&export.store, &export.path, &export.from),
            _ => return false,
        };
        let is_it = *path == rows.path && *store == rows.store && *from == rows.from;
        is_it && Some(&other.cluster) == rows.source.as_ref() && ancestors.precedes(other, step)
    })
}

/// Statements and actions are those that the builders make of the plan's own facts, to the letter.
pub(super) fn matches_kind(step: &Step) -> bool {
    match (step.kind, &step.action) {
        (StepKind::ExportRows, Some(Action::ExportRows(rows))) => match only(step) {
            Some(Bulk::CopyTo(export)) => exports(step, rows, &export),
            _ => false,
        },
        (StepKind::WriteFiles, Some(Action::WriteFiles(rows))) => writes(step, rows),
        (StepKind::ImportRows, Some(Action::ImportRows(rows))) => match only(step) {
            Some(Bulk::CopyFrom(import)) => imports(step, rows, &import),
            _ => false,
        },
        (StepKind::RemoveFiles, Some(Action::RemoveFiles(_))) => step.sql.is_empty(),
        _ => false,
    }
}

fn only(step: &Step) -> Option<Bulk> {
    match step.sql.as_slice() {
        [sql] => Bulk::read(sql),
        _ => None,
    }
}

fn exports(step: &Step, rows: &ExportRows, export: &Export) -> bool {
    let (store, path) = (rows.store.clone(), rows.path.clone());
    export.table == rows.from
        && !export.columns.is_empty()
        && rows.count == transfer::count(export)
        && rows.mark == replication::checkpoints([&rows.from])
        && lookup::is_unreadable(&rows.unreadable, &rows.from)
        && rows.refresh == table::refresh([&rows.from])
        && references(step, &ParamRef::CopyTo { store, path })
        && makes_its_directory(rows)
}

/// Only what reads the table is sent, and the place is the one that is named.
fn writes(step: &Step, rows: &WriteFiles) -> bool {
    let [select] = step.sql.as_slice() else { return false };
    let from = [&rows.from];
    let reads = format!(" FROM {}", ident::table(&rows.from));
    select.starts_with("SELECT ")
        && select.contains(&reads)
        && step.params.is_empty()
        && !rows.columns.is_empty()
        && rows.place.ends_with(&format!("/{}", uri::encode_path(&rows.path)))
        && rows.mark == replication::checkpoints(from)
        && lookup::is_unreadable(&rows.unreadable, &rows.from)
        && rows.refresh == table::refresh(from)
}

/// The directory that is made, and forgotten, is that of the files.
fn makes_its_directory(rows: &ExportRows) -> bool {
    let Some(directory) = &rows.directory else { return true };
    let makes = match Bulk::read(&directory.create) {
        Some(Bulk::CreateRepository { repository, settings }) => {
            let location = settings.literals.get("location");
            repository == directory.repository
                && settings.kind == RepositoryKind::Fs
                && settings.bound.is_empty()
                && settings.literals.len() == 1
                && location.is_some_and(|it| {
                    it.ends_with(&format!("/{}", rows.path)) && it.starts_with(&format!("{}/", directory.below))
                })
        }
        _ => false,
    };
    makes && Bulk::read(&directory.drop) == Some(Bulk::DropRepository { repository: directory.repository.clone() })
}

fn imports(step: &Step, rows: &ImportRows, import: &Import) -> bool {
    let (store, path) = (rows.store.clone(), rows.path.clone());
    import.table == rows.into
        && import.overwrite == rows.overwrites
        && rows.rest.as_ref().is_none_or(|rest| reads_rest(rest, import))
        && rows.refresh == table::refresh([&rows.into])
        && rows.count.as_ref().is_none_or(|count| *count == place::count_rows(&rows.into))
        && rows.done.as_ref().map_or(rows.into.is_aside() && !rows.overwrites, |done| {
            done.table == rows.into && !rows.into.is_reserved()
        })
        && references(step, &ParamRef::CopyFrom { store, path })
}

/// The same into the same table, from JSON beside CSV.
fn reads_rest(rest: &str, import: &Import) -> bool {
    let json = Import { format: FileFormat::Json, ..import.clone() };
    matches!(import.format, FileFormat::Csv { .. }) && rest == transfer::copy_from(&json)
}

/// The first bound value is what the action says.
fn references(step: &Step, reference: &ParamRef) -> bool {
    matches!(step.params.as_slice(), [Param { reference: found, .. }] if found == reference)
}
