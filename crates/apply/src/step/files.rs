//! The URIs of files in a store, as they are bound: they may hold secrets.

use secrecy::SecretString;
use transship_model::Name;
use transship_model::plan::{Param, ParamRef};
use transship_model::store::{StoreAccess, StoreLocation, path_in, uri};

use super::context::Context;
use super::error::StepError;
use crate::ledger::Exported;

/// The URI of the place that the step's value names, if it is the one that was reviewed.
pub(super) fn place(cx: &Context<'_>) -> Result<SecretString, StepError> {
    match cx.step.params.as_slice() {
        [Param { reference: ParamRef::CopyTo { store, path }, shown }] => reviewed(cx, store, path, shown),
        _ => Err(cx.wrong("it has not exactly one value to bind, the URI of a place")),
    }
}

/// The URIs of what an export has written to the place that the step's value names, if it is the one that was reviewed:
/// of its files or, where some of them may not be there, a pattern. In a bucket a file that is not there fails the
/// whole statement.
pub(super) fn all(cx: &Context<'_>, exported: &Exported) -> Result<Vec<SecretString>, StepError> {
    let [Param { reference: ParamRef::CopyFrom { store, path }, shown }] = cx.step.params.as_slice() else {
        return Err(cx.wrong("it has not exactly one value to bind, the URIs of files"));
    };
    let pattern = reviewed(cx, store, &path_in(path, "*"), shown)?;
    let access = access(cx, store)?;
    if exported.is_chosen && matches!(access.location, StoreLocation::S3(_)) {
        return Ok(vec![pattern]);
    }
    let uri = |file: &String| uri::bound_file(access, path, file).map_err(|unfit| self::unfit(store, unfit));
    exported.files.iter().map(uri).collect()
}

/// The URIs of the rows of an export that have no exact form in CSV; none where there are none.
pub(super) fn rest(cx: &Context<'_>, exported: &Exported) -> Result<Vec<SecretString>, StepError> {
    let [Param { reference: ParamRef::CopyFrom { store, path }, .. }] = cx.step.params.as_slice() else {
        return Err(cx.wrong("it has not exactly one value to bind, the URIs of files"));
    };
    let access = access(cx, store)?;
    let uri = |file: &String| uri::bound_file(access, path, file).map_err(|unfit| self::unfit(store, unfit));
    exported.rest.iter().map(uri).collect()
}

/// How the store is reached, if what lies under `below` is where it was when it was reviewed.
pub(super) fn seen<'a>(cx: &Context<'a>, store: &Name, below: &str, shown: &str) -> Result<&'a StoreAccess, StepError> {
    reviewed(cx, store, below, shown)?;
    access(cx, store)
}

fn access<'a>(cx: &Context<'a>, store: &Name) -> Result<&'a StoreAccess, StepError> {
    cx.stores.get(store).ok_or_else(|| cx.wrong(format!("store {store} is not one of the workspace")))
}

fn reviewed(cx: &Context<'_>, store: &Name, below: &str, shown: &str) -> Result<SecretString, StepError> {
    let access = access(cx, store)?;
    let now = uri::shown(&access.location, below).map_err(|unfit| self::unfit(store, unfit))?;
    if now != shown {
        return Err(StepError::ParameterChanged { planned: shown.to_owned(), now });
    }
    uri::bound(access, below).map_err(|unfit| self::unfit(store, unfit))
}

fn unfit(store: &Name, unfit: uri::Unfit) -> StepError {
    let (reason, help) = unfit.reason();
    StepError::StoreUnfit { store: store.clone(), reason, help }
}
