//! Where the snapshots of a flow lie, and what they are called: in a repository of the flow's own, which all of its targets
//! read, below a path that no other flow has.

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

/// The name of a flow's snapshot: `FLOW-NUMBER`, or `FLOW-at-TARGET-NUMBER` of one that has several targets, each of which
/// has a snapshot of its own.
pub(super) fn snapshot_name(id: &FlowId, number: u64) -> String {
    format!("{}-{number}", stem(id))
}

fn stem(id: &FlowId) -> String {
    match &id.target {
        None => id.flow.to_string(),
        Some(target) => format!("{}-at-{target}", id.flow),
    }
}

/// The number of a snapshot of a flow; `None` for any other.
pub(super) fn number(id: &FlowId, snapshot: &str) -> Option<u64> {
    snapshot.strip_prefix(&stem(id))?.strip_prefix('-')?.parse().ok()
}

/// Whether a snapshot has a name that a flow gives.
pub(crate) fn is_snapshot(id: &FlowId, snapshot: &str) -> bool {
    number(id, snapshot).is_some()
}
