//! Looks for the manifest of an export, and whether the files are there that it names.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use transship_model::manifest::{LATEST, MANIFEST, Manifest, Pointer, Unreadable};
use transship_model::store::{SeenExport, SeenManifest, path_in};

use crate::error::{ErrorKind, StoreError};
use crate::store::Store;

/// What is found at a place: a manifest, or the newest one by the pointer there. At the store itself where it has
/// neither, the only export that lies where flows have theirs, `WORKSPACE[@ENVIRONMENT]/FLOW`.
pub async fn look_for_export(store: &Store, place: &str) -> Result<SeenExport, StoreError> {
    let found = at(store, place).await?;
    if found != SeenExport::Absent || !place.is_empty() {
        return Ok(found);
    }
    let mut places = Vec::new();
    for workspace in store.folders("").await? {
        for flow in store.folders(&workspace).await? {
            if store.exists(&path_in(&flow, LATEST)).await? {
                places.push(flow);
            }
        }
    }
    match places.as_slice() {
        [] => Ok(SeenExport::Absent),
        [only] => at(store, only).await,
        _ => Ok(SeenExport::Several(places)),
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn checksum(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn at(store: &Store, place: &str) -> Result<SeenExport, StoreError> {
    let path = path_in(place, LATEST);
    let Some(text) = get(store, &path).await? else {
        return manifest(store, place, None).await;
    };
    let pointer = match Pointer::read(&text) {
        Ok(pointer) => pointer,
        Err(error) => return Ok(unreadable(path, &error)),
    };
    let directory = pointer.manifest.rsplit_once('/').map_or("", |(directory, _)| directory);
    manifest(store, &path_in(place, directory), Some(&pointer)).await
}

async fn manifest(store: &Store, directory: &str, pointer: Option<&Pointer>) -> Result<SeenExport, StoreError> {
    let path = path_in(directory, MANIFEST);
    let Some(text) = get(store, &path).await? else {
        let missing = Unreadable::Broken(format!("{LATEST} names it, and it is not there"));
        return Ok(if pointer.is_some() { unreadable(path, &missing) } else { SeenExport::Absent });
    };
    let sha256 = checksum(&text);
    if pointer.is_some_and(|pointer| pointer.sha256 != sha256) {
        return Ok(unreadable(path, &Unreadable::Broken(format!("it is not the one that {LATEST} names"))));
    }
    match Manifest::read(&text) {
        Ok(manifest) => {
            let damaged = damaged(store, directory, &manifest).await?;
            Ok(SeenExport::Found(Box::new(SeenManifest { directory: directory.to_owned(), sha256, manifest, damaged })))
        }
        Err(error) => Ok(unreadable(path, &error)),
    }
}

fn unreadable(path: String, error: &Unreadable) -> SeenExport {
    SeenExport::Unreadable { path, reason: error.to_string() }
}

async fn get(store: &Store, path: &str) -> Result<Option<bytes::Bytes>, StoreError> {
    match store.get(path).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files of a manifest that are not there, or of another size.
async fn damaged(store: &Store, directory: &str, manifest: &Manifest) -> Result<BTreeMap<String, String>, StoreError> {
    let files: Vec<_> = manifest.tables.iter().flat_map(|table| &table.files).collect();
    let folder = |path: &str| path_in(directory, path.rsplit_once('/').map_or("", |(folder, _)| folder));
    let folders: BTreeSet<String> = files.iter().map(|file| folder(&file.path)).collect();
    let mut sizes = BTreeMap::new();
    for folder in folders {
        sizes.extend(store.list(&folder).await?.into_iter().map(|object| (object.key, object.size)));
    }
    let problem = |path: &str, size: u64| match sizes.get(&path_in(directory, path)) {
        None => Some("it is not there".to_owned()),
        Some(found) if *found != size => Some(format!("it has {found} bytes instead of {size}")),
        Some(_) => None,
    };
    Ok(files.into_iter().filter_map(|file| Some((file.path.clone(), problem(&file.path, file.size)?))).collect())
}
