//! `export-import`: tables copied through files in a store, by COPY TO and COPY FROM.
//!
//! [`available`] refuses keys whose turn has not come, [`files`] says where files lie, [`writer`] who writes them, [`rows`]
//! writes the steps, [`refuse`] finds what forbids them, [`retention`] says which files go,
//! [`shown`] whether both clusters are still to be shown to see the same store. With a store at one end,
//! [`to_store`] exports alone and [`manifest`] says what is written about it, [`from_store`] imports what a manifest
//! describes, and [`stores`] says where stores are looked at.

mod available;
mod files;
mod from_store;
mod manifest;
mod refuse;
mod retention;
mod rows;
mod shown;
mod stores;
mod to_store;
mod writer;

use transship_model::Finding;
use transship_model::spec::{ExportImport, From, Instance, To};

use crate::copies;
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};
use crate::wanted::WantedByCluster;

/// Plans one flow beside `others`.
pub(crate) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &ExportImport,
    others: &Others,
) -> Result<FlowOutcome, Vec<Finding>> {
    available::check(instance)?;
    match (&instance.flow.from, &instance.flow.to) {
        (From::Store(source), _) => return from_store::plan(input, instance, (settings, source), others),
        (_, To::Store(_)) => return to_store::plan(input, instance, settings, others),
        _ => {}
    }
    let files = files::Files::of(input, instance, settings).map_err(|finding| vec![finding])?;
    copies::plan(input, instance, others, &files)
}

/// Adds what has to be looked at before the flow can be judged.
pub(crate) fn want(input: &PlanInput, instance: &Instance<'_>, wanted: &mut WantedByCluster) {
    match &instance.flow.from {
        From::Store(source) => from_store::want(input, instance, source, wanted),
        From::Cluster(_) => copies::want(input, instance, wanted),
    }
}

pub(crate) use files::{path, place};
pub(crate) use stores::{directory, wanted as wanted_stores};
