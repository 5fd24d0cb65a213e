//! Removes files of earlier exports, as far as this machine reaches their store. What stays is told, and tried again
//! with the next export: the run has done its work without it.

use std::collections::BTreeSet;

use transship_model::ledger::ExportRow;
use transship_model::manifest::MANIFEST;
use transship_model::plan::RemoveFiles;
use transship_model::store::path_in;
use transship_store::{Store, StoreError};

use super::context::Context;
use super::error::StepError;
use super::perform::Done;

/// Removes them.
pub(super) async fn remove(cx: &Context<'_>, files: &RemoveFiles) -> Result<Done, StepError> {
    let (mut removed, mut stay) = (BTreeSet::new(), Vec::new());
    let mut count = 0;
    for (number, export) in &files.exports {
        cx.may_change()?;
        match remove_one(cx, export).await {
            Ok(files) => {
                removed.insert(*number);
                count += files;
            }
            Err(reason) => stay.push(format!("those under {} stay: {reason}", export.path)),
        }
    }
    cx.ledger.removed(cx.step, removed).await;
    let mut note = format!("{count} files");
    for reason in stay {
        note = format!("{note}; {reason}");
    }
    Ok(Done { already: false, note: Some(note) })
}

async fn remove_one(cx: &Context<'_>, export: &ExportRow) -> Result<usize, String> {
    let Some(access) = cx.stores.get(&export.store) else {
        return Err(format!("store {} is not one of the workspace any more", export.store));
    };
    let store = Store::open(&export.store, access, cx.redactor).map_err(|error| told(&error))?;
    // Without a manifest, what is left of it is no export.
    store.delete(&path_in(&export.path, MANIFEST)).await.map_err(|error| told(&error))?;
    store.remove_below(&export.path).await.map_err(|error| told(&error))
}

fn told(error: &StoreError) -> String {
    error.to_string()
}
