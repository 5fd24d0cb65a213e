//! What steps about manifests make of stores.

use transship_model::TableName;
use transship_model::observed::Observation;
use transship_model::plan::{Action, Plan, Record, Step, WriteManifest};
use transship_model::store::{SeenExport, SeenManifest};

use super::Marks;

/// The manifest lies in its place, and the flow's pointer names it.
pub(super) fn appear(world: &mut Observation, manifest: &WriteManifest) {
    let place = manifest.path.rsplit_once('/').map_or("", |(place, _)| place);
    let seen = SeenManifest {
        directory: manifest.path.clone(),
        sha256: "projected".to_owned(),
        manifest: manifest.manifest.clone(),
        damaged: std::collections::BTreeMap::new(),
    };
    let exports = &mut world.stores.entry(manifest.store.clone()).or_default().exports;
    exports.insert(place.to_owned(), SeenExport::Found(Box::new(seen)));
}

/// Where the steps of a flow write files.
pub(super) fn paths(plan: &Plan, record: &Record) -> Vec<String> {
    let steps = plan.all_steps().filter(|step| step.flow.as_ref() == Some(&record.flow));
    let written = steps.filter_map(|step| match &step.action {
        Some(Action::ExportRows(rows)) => Some(rows.path.clone()),
        Some(Action::WriteFiles(rows)) => Some(rows.path.clone()),
        _ => None,
    });
    written.collect()
}

/// What the ledger notes of a table of a manifest, by the step of the flow that compares its files.
pub(super) fn marks(plan: &Plan, step: &Step, table: &TableName) -> Marks {
    let mut of_flow = plan.all_steps().filter(|other| other.flow == step.flow);
    let mark = of_flow.find_map(|other| match &other.action {
        Some(Action::CheckFiles(check)) => check.tables.iter().find(|it| it.table == *table).map(|it| it.mark.clone()),
        _ => None,
    });
    mark.map(|mark| ("/0".to_owned(), (mark, 0))).into_iter().collect()
}
