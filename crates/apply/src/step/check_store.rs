//! Shows that two clusters see the same place in a store: one writes a marker, the other looks for it, and both forget it
//! again, whatever came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_cluster::{Bind, ClusterError, ErrorKind, Rows, StoreFault, ValueError};
use transship_model::Name;
use transship_model::plan::{CheckStore, ParamRef, RUN};
use transship_model::store::marker::{Marker, Seen};

use super::context::Context;
use super::create_repository::repositories;
use super::error::StepError;
use super::perform::Done;
use crate::catalog;

/// All nodes try to write there before the server answers.
const LIMIT: Duration = Duration::from_mins(5);

/// How long a marker may take to be whole.
const WHOLE: Duration = Duration::from_mins(1);

/// What the server calls a snapshot that is whole.
const WHOLE_STATE: &str = "SUCCESS";

/// Shows it; fails where they see different places. What goes away by itself is waited for: all of it may be done twice.
pub(super) async fn check(cx: &Context<'_>, action: &CheckStore) -> Result<Done, StepError> {
    let mut retry = cx.retry();
    loop {
        match once(cx, action).await {
            Err(error) if error.is_transient() && retry.again().await => {}
            checked => return checked,
        }
    }
}

async fn once(cx: &Context<'_>, action: &CheckStore) -> Result<Done, StepError> {
    // What a run that was cut has left.
    clear(cx, action).await?;
    let shown = show(cx, action).await;
    let cleared = clear(cx, action).await;
    match (shown, cleared) {
        (Err(StepError::Cluster(error)), Ok(())) if !action.required && is_not_allowed(&error) => {
            let note = format!("not shown before the copy: {} allows no repository there", error.cluster);
            return Ok(Done { already: false, note: Some(note) });
        }
        (shown, cleared) => shown.and(cleared)?,
    }
    let note = format!("{} and {} see the same store {}", action.writer, cx.step.cluster, action.store);
    Ok(Done { already: false, note: Some(note) })
}

fn is_not_allowed(error: &ClusterError) -> bool {
    error.kind == ErrorKind::Store(StoreFault::NotAllowed)
}

async fn show(cx: &Context<'_>, action: &CheckStore) -> Result<(), StepError> {
    let (writer, reader) = (&action.writer, &cx.step.cluster);
    let run = cx.ledger.run().to_ascii_lowercase();
    let named = |sql: &str| sql.replace(RUN, &run);
    make(cx, action, writer, &action.create_writer).await?;
    cx.execute_on(writer, &action.create_table, &[], LIMIT).await?;
    let marker = Marker { below: String::new(), snapshot: named(&action.marker) };
    if let Err(error) = cx.execute_on(writer, &named(&action.create_marker), &[], LIMIT).await
        && !error.is_uncertain()
    {
        return Err(error);
    }
    wait_whole(cx, action, &marker).await?;
    match make(cx, action, reader, &action.create_reader).await {
        Ok(()) => {}
        Err(StepError::Cluster(error)) if error.kind == ErrorKind::Store(StoreFault::Missing) => {
            return Err(differ(cx, action));
        }
        Err(error) => return Err(error),
    }
    match judge(&marker, &markers(cx, action, reader).await?) {
        Seen::Same => Ok(()),
        Seen::NotSeen => Err(differ(cx, action)),
    }
}

/// Waits until the writer has its marker; one that failed will never be whole.
async fn wait_whole(cx: &Context<'_>, action: &CheckStore, marker: &Marker) -> Result<(), StepError> {
    let mut pace = cx.settle(WHOLE);
    loop {
        let found = markers(cx, action, &action.writer).await?;
        match found.get(&marker.snapshot).map(String::as_str) {
            Some(WHOLE_STATE) => return Ok(()),
            Some(state @ ("FAILED" | "PARTIAL")) => {
                let snapshot = format!("{}.{}", action.repository, marker.snapshot);
                return Err(StepError::SnapshotFailed { snapshot, state: format!("ended as {state}") });
            }
            _ => pace.pause(|| "the marker is not whole yet".to_owned()).await?,
        }
    }
}

fn judge(marker: &Marker, found: &BTreeMap<String, String>) -> Seen {
    marker.judge(found.iter().filter(|(_, state)| *state == WHOLE_STATE).map(|(name, _)| name.as_str()))
}

fn differ(cx: &Context<'_>, action: &CheckStore) -> StepError {
    StepError::StoresDiffer {
        store: action.store.clone(),
        writer: action.writer.clone(),
        reader: cx.step.cluster.clone(),
    }
}

/// The markers that a cluster sees, each with its state.
async fn markers(cx: &Context<'_>, action: &CheckStore, cluster: &Name) -> Result<BTreeMap<String, String>, StepError> {
    let read = |rows: &Rows| -> Result<BTreeMap<String, String>, ValueError> {
        rows.rows.iter().map(|row| Ok((catalog::text(row, 0)?, catalog::text(row, 1)?))).collect()
    };
    cx.look(cluster, &action.look, read).await
}

async fn make(cx: &Context<'_>, action: &CheckStore, cluster: &Name, sql: &str) -> Result<(), StepError> {
    let secret = |reference: &ParamRef| match reference {
        ParamRef::StoreSecret { store, secret } => cx.stores.get(store)?.secret(*secret).cloned(),
        _ => None,
    };
    let bound = action.secrets.iter().map(|param| secret(&param.reference).map(Bind::Secret));
    let bound = bound.collect::<Option<Vec<_>>>().ok_or_else(|| cx.wrong("a secret of its store is not known"))?;
    match cx.execute_on(cluster, sql, &bound, LIMIT).await {
        Err(error) if !error.is_uncertain() || !is_there(cx, action, cluster).await? => Err(error),
        _ => Ok(()),
    }
}

async fn is_there(cx: &Context<'_>, action: &CheckStore, cluster: &Name) -> Result<bool, StepError> {
    Ok(repositories(cx, cluster).await?.contains_key(&action.repository))
}

/// Removes markers and repositories, as far as they are there.
async fn clear(cx: &Context<'_>, action: &CheckStore) -> Result<(), StepError> {
    let (writer, reader) = (&action.writer, &cx.step.cluster);
    if is_there(cx, action, writer).await? {
        let markers = markers(cx, action, writer).await?;
        for (marker, _) in markers.iter().filter(|(_, state)| *state != "IN_PROGRESS") {
            let sql = action.drop_marker.replace(&action.marker, marker);
            cx.execute_on(writer, &sql, &[], LIMIT).await?;
        }
    }
    for cluster in [reader, writer] {
        if is_there(cx, action, cluster).await?
            && let Err(error) = cx.execute_on(cluster, &action.drop_repository, &[], LIMIT).await
            && (!error.is_uncertain() || is_there(cx, action, cluster).await?)
        {
            return Err(error);
        }
    }
    Ok(())
}
