//! Where the snapshots of a flow lie, and what they are called: in a repository of the flow's own, which all of its targets
//! read, below a path that no other flow has.

use std::collections::BTreeSet;

use transship_model::spec::{Instance, Snapshot, Spec};
use transship_model::store::{StoreLocation, place_of};
use transship_model::{Finding, FlowId, Name};

use crate::input::PlanInput;
use crate::{ends, names};

/// Where the snapshots of a flow lie.
pub(super) struct Place<'a> {
    /// The store's name in the spec.
    pub(super) store: &'a Name,
    pub(super) location: &'a StoreLocation,
    /// The name of the repository, on every cluster.
    pub(super) repository: String,
    /// The path below the store's own, made of parts joined by `/`.
    pub(super) below: String,
    /// Whether the repository is somebody else's, named by the spec: it is used, and neither made nor dropped.
    pub(super) adopted: bool,
}

impl<'a> Place<'a> {
    /// The place of a flow; an error where nothing is known of the store.
    pub(super) fn of(
        input: &'a PlanInput,
        instance: &Instance<'_>,
        settings: &'a Snapshot,
    ) -> Result<Self, Vec<Finding>> {
        let store = &settings.store;
        let location = ends::store(input, store, &instance.path.key("strategy")).map_err(|finding| vec![finding])?;
        let spec = &input.spec;
        Ok(Self {
            store,
            location,
            repository: repository_name(spec, instance),
            below: place_of(&spec.workspace, spec.environment.as_ref(), &of_all_targets(&instance.id)),
            adopted: adopted(instance).is_some(),
        })
    }
}

fn adopted<'a>(instance: &Instance<'a>) -> Option<&'a String> {
    instance.flow.names.as_ref()?.repository.as_ref()
}

/// The name of a flow's repository: one for all of its targets.
pub(super) fn repository_name(spec: &Spec, instance: &Instance<'_>) -> String {
    adopted(instance).cloned().unwrap_or_else(|| names::of_flow(spec, &of_all_targets(&instance.id)))
}

/// The flow without its target.
pub(super) fn of_all_targets(id: &FlowId) -> FlowId {
    FlowId { flow: id.flow.clone(), target: None }
}

/// The name of a flow's snapshot, which all of its targets restore: `FLOW-NUMBER`.
fn snapshot_name(id: &FlowId, number: u64) -> String {
    format!("{}-{number}", id.flow)
}

/// The name of the snapshot of a table that needs one of its own, beside the one of a run that all others share:
/// `FLOW-NUMBER.INDEX`.
pub(super) fn alone(shared: &str, index: usize) -> String {
    format!("{shared}.{index}")
}

/// The number of a snapshot of a flow, the same for all of one run; `None` for any other. Before all targets shared one, each had
/// `FLOW-at-TARGET-NUMBER` of its own.
pub(super) fn number(id: &FlowId, snapshot: &str) -> Option<u64> {
    let of = |stem: &str| {
        let rest = snapshot.strip_prefix(stem)?.strip_prefix('-')?;
        let (number, index) = rest.split_once('.').unwrap_or((rest, "1"));
        index.parse::<usize>().ok().and(number.parse().ok())
    };
    let alone = || of(&format!("{}-at-{}", id.flow, id.target.as_ref()?));
    of(id.flow.as_str()).or_else(alone)
}

/// Whether a snapshot has a name that a flow gives.
pub(crate) fn is_snapshot(id: &FlowId, snapshot: &str) -> bool {
    number(id, snapshot).is_some()
}

/// The flow's snapshots that the ledgers of its targets know: a row has them before they are made. What else has such a
/// name in the repository may be somebody else's, of another environment for one.
pub(super) fn known(input: &PlanInput, instance: &Instance<'_>) -> BTreeSet<String> {
    let rows = input.observation.clusters.values().flat_map(|seen| seen.ledger.rows());
    let of_flow = rows.filter(|(other, _)| other.flow == instance.id.flow);
    of_flow.flat_map(|(other, row)| row.snapshots.iter().filter(|name| is_snapshot(other, name)).cloned()).collect()
}

/// The flow's snapshots that are in the repository, where it could be read.
pub(super) fn seen(input: &PlanInput, instance: &Instance<'_>, place: &Place<'_>) -> Option<BTreeSet<String>> {
    let source = input.observed(instance.from?)?;
    let seen = source.repositories.get(&place.repository)?.snapshots.as_ref()?;
    Some(seen.keys().filter(|name| is_snapshot(&instance.id, name)).cloned().collect())
}

/// The name of the next snapshot: above every number that is known, whatever target it was for.
pub(super) fn next(input: &PlanInput, instance: &Instance<'_>, place: &Place<'_>) -> String {
    let rows = input.observation.clusters.values().flat_map(|seen| seen.ledger.rows());
    let of_flow = rows.filter(|(other, _)| other.flow == instance.id.flow);
    let noted = of_flow.flat_map(|(other, row)| row.snapshots.iter().filter_map(|name| number(other, name)));
    let seen = seen(input, instance, place).unwrap_or_default();
    let highest = noted.chain(seen.iter().filter_map(|name| number(&instance.id, name))).max();
    snapshot_name(&instance.id, highest.unwrap_or(0) + 1)
}
