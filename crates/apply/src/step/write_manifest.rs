//! Makes an export of what was written to a store: every file is read back, the rows have to be those that were exported,
//! then the manifest is written, and at last the pointer that names it. Both may be written twice.

use std::collections::BTreeMap;

use bytes::Bytes;
use transship_model::manifest::{LATEST, MANIFEST, MANIFEST_FORMAT, Manifest, ManifestFile, ManifestTable, Pointer};
use transship_model::plan::{CopyNote, WriteManifest};
use transship_model::spec::Format;
use transship_model::store::path_in;
use transship_store::{Object, Store, checksum};

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use super::read_back::{self, Kind};
use crate::ledger::Filled;

/// Writes it.
pub(super) async fn write(cx: &Context<'_>, action: &WriteManifest) -> Result<Done, StepError> {
    let store = cx.store(&action.store)?;
    let limit = action.timeout.as_duration();
    let read = tokio::time::timeout(limit, read_back(cx, &store, action)).await;
    let manifest = read.map_err(|_| StepError::TimedOut { limit, state: "files are read back".to_owned() })??;
    let text = json(&manifest);
    cx.may_change()?;
    store.put(&path_in(&action.path, MANIFEST), text.clone()).await?;
    let (place, number) = action.path.rsplit_once('/').unwrap_or(("", &action.path));
    let pointer =
        Pointer { format_version: MANIFEST_FORMAT, manifest: path_in(number, MANIFEST), sha256: checksum(&text) };
    cx.may_change()?;
    store.put(&path_in(place, LATEST), json(&pointer)).await?;
    let files: usize = manifest.tables.iter().map(|table| table.files.len()).sum();
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    Ok(Done { already: false, note: Some(format!("{rows} rows in {files} files")) })
}

/// The manifest, with what only the files tell.
async fn read_back(cx: &Context<'_>, store: &Store, action: &WriteManifest) -> Result<Manifest, StepError> {
    let mut manifest = action.manifest.clone();
    let kind = Kind { format: manifest.format, compression: manifest.compression };
    for (table, note) in manifest.tables.iter_mut().zip(&action.done) {
        fill(cx, (store, kind), action, (table, note)).await?;
    }
    if let Some(exported) = &mut manifest.exported {
        exported.run = Some(cx.ledger.run().to_owned());
        exported.written = Some(cx.clock.now());
    }
    Ok(manifest)
}

async fn fill(
    cx: &Context<'_>,
    (store, kind): (&Store, Kind),
    action: &WriteManifest,
    (table, note): (&mut ManifestTable, &CopyNote),
) -> Result<(), StepError> {
    let place = format!("{}/{}", action.path, note.from);
    let Some(exported) = cx.ledger.exported(cx.step, (&place, &note.from)).await else {
        return Err(cx.wrong("its files were not exported by this run"));
    };
    let below = format!("{}/", action.path);
    let objects: BTreeMap<String, Object> =
        store.list(&place).await?.into_iter().map(|object| (object.key.clone(), object)).collect();
    for (key, object) in objects {
        let name = key.rsplit('/').next().unwrap_or_default();
        let is_rest = exported.rest.contains(name);
        if !is_rest && !exported.files.contains(name) {
            return Err(StepError::FileBroken { file: key, problem: "this export did not write it".to_owned() });
        }
        let format = is_rest.then_some(Format::Json);
        let kind = Kind { format: format.unwrap_or(kind.format), ..kind };
        let facts = read_back::facts(cx, store, object, kind).await?;
        let path = key.strip_prefix(&below).unwrap_or(&key).to_owned();
        table.files.push(ManifestFile { path, size: facts.size, sha256: facts.sha256, format, rows: Some(facts.rows) });
    }
    table.rows = table.files.iter().filter_map(|file| file.rows).sum();
    if table.rows != exported.rows {
        let (table, exported, found) = (note.from.clone(), exported.rows, table.rows);
        return Err(StepError::FilesDiffer { table, exported, found });
    }
    let filled = Filled { rows: table.rows, marks: exported.marks, ..Filled::default() };
    cx.ledger.fill(cx.step, &note.table, filled).await;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec_pretty(value).expect("the types of the model have text keys only");
    text.push(b'\n');
    text.into()
}
