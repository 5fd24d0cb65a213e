//! What rows are changed by on the way that no plan holds: the keys of masks, and the files of look-ups.

use std::collections::BTreeMap;

use transship_apply::Materials;
use transship_model::plan::{Action, Plan, Transform, Verb};
use transship_model::spec::Secret;
use transship_model::{FlowId, SpecPath};
use transship_spec::{ProcessVariables, Resolved, resolve_secret};

use super::Workspace;
use crate::error::CommandError;

/// The keys of masks that a plan needs, each with a flow that does.
pub(super) fn keys(plan: &Plan) -> BTreeMap<&Secret, Option<&FlowId>> {
    let copies = plan.all_steps().filter_map(|step| match &step.action {
        Some(Action::CopyRows(rows)) => rows.transform.as_deref().map(|transform| (transform, step.flow.as_ref())),
        _ => None,
    });
    copies.flat_map(|(transform, flow)| of_transform(transform).map(move |key| (key, flow))).collect()
}

/// The keys of masks of one copy.
pub(super) fn of_transform(transform: &Transform) -> impl Iterator<Item = &Secret> {
    transform.columns.iter().flat_map(|column| &column.verbs).filter_map(|verb| match verb {
        Verb::Mask(secret) => Some(secret),
        _ => None,
    })
}

/// All of it; an error where one of `keys` cannot be had.
pub(super) fn of(
    workspace: &Workspace,
    resolved: &Resolved,
    keys: BTreeMap<&Secret, Option<&FlowId>>,
) -> Result<Materials, CommandError> {
    let missing = keys.into_iter().filter(|(key, _)| !resolved.keys.contains_key(*key));
    let findings: Vec<_> = missing
        .filter_map(|(key, flow)| {
            let path = flow.map(|flow| SpecPath::of("flows", &flow.flow)).unwrap_or_default();
            resolve_secret(key, &path, &workspace.options, &ProcessVariables).err()
        })
        .collect();
    if !findings.is_empty() {
        return Err(CommandError::workspace(findings, workspace.sources()));
    }
    Ok(Materials { keys: resolved.keys.clone(), files: workspace.loaded.lookups.clone() })
}
