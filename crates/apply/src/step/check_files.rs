//! Compares the files of an export with its manifest, before anything is changed.

use std::collections::BTreeMap;

use transship_model::manifest::{MANIFEST, ManifestFile};
use transship_model::plan::{CheckFiles, CheckedTable};
use transship_model::store::path_in;
use transship_store::{Object, Store, checksum};

use super::context::Context;
use super::error::StepError;
use super::perform::Done;
use super::read_back;
use crate::ledger::Exported;

/// Compares. What is imported later counts as exported here.
pub(super) async fn check(cx: &Context<'_>, action: &CheckFiles) -> Result<Done, StepError> {
    let store = cx.store(&action.store)?;
    let path = path_in(&action.directory, MANIFEST);
    if checksum(&store.get(&path).await?) != action.sha256 {
        let problem = "the manifest is another one than was planned with".to_owned();
        return Err(StepError::FileBroken { file: path, problem });
    }
    let limit = action.timeout.as_duration();
    let read = tokio::time::timeout(limit, compare(cx, &store, action)).await;
    let bytes = read.map_err(|_| StepError::TimedOut { limit, state: "files are compared".to_owned() })??;
    for table in &action.tables {
        cx.ledger.export(cx.step, (&action.directory, &table.table), exported(table)).await;
    }
    let files: usize = action.tables.iter().map(|table| table.files.len()).sum();
    Ok(Done { already: false, note: Some(format!("{files} files, {bytes} bytes")) })
}

async fn compare(cx: &Context<'_>, store: &Store, action: &CheckFiles) -> Result<u64, StepError> {
    let mut bytes = 0;
    for file in action.tables.iter().flat_map(|table| &table.files) {
        one(cx, store, &action.directory, file).await?;
        bytes += file.size;
    }
    Ok(bytes)
}

async fn one(cx: &Context<'_>, store: &Store, directory: &str, file: &ManifestFile) -> Result<(), StepError> {
    let key = path_in(directory, &file.path);
    let broken = |problem: String| StepError::FileBroken { file: key.clone(), problem };
    if file.size == 0 {
        // An empty piece cannot be asked for.
        let is_there = store.exists(&key).await?;
        return if is_there { Ok(()) } else { Err(broken("it is not there".to_owned())) };
    }
    let found = read_back::checksum(cx, store, Object { key: key.clone(), size: file.size }).await?;
    if found == file.sha256 { Ok(()) } else { Err(broken("its checksum is not that of the manifest".to_owned())) }
}

fn exported(table: &CheckedTable) -> Exported {
    let paths = |is_rest: bool| {
        let files = table.files.iter().filter(|file| file.format.is_some() == is_rest);
        files.map(|file| file.path.clone()).collect()
    };
    Exported {
        rows: table.rows,
        files: paths(false),
        rest: paths(true),
        is_chosen: false,
        marks: BTreeMap::from([("/0".to_owned(), (table.mark.clone(), 0))]),
    }
}
