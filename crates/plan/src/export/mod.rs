//! `export-import`: tables copied through files in a store, by COPY TO and COPY FROM.
//!
//! [`available`] refuses keys whose turn has not come, [`files`] says where files lie, [`writer`] who writes them, [`rows`]
//! writes the steps, [`refuse`] finds what forbids them, [`retention`] says which files go.

mod available;
mod files;
mod refuse;
mod retention;
mod rows;
mod writer;

use transship_model::Finding;
use transship_model::spec::{ExportImport, Instance};

use crate::copies;
use crate::input::PlanInput;
use crate::stage::{FlowOutcome, Others};

/// Plans one flow beside `others`.
pub(crate) fn plan(
    input: &PlanInput,
    instance: &Instance<'_>,
    settings: &ExportImport,
    others: &Others,
) -> Result<FlowOutcome, Vec<Finding>> {
    available::check(instance)?;
    let files = files::Files::of(input, instance, settings).map_err(|finding| vec![finding])?;
    copies::plan(input, instance, others, &files)
}

pub(crate) use files::{path, place};
