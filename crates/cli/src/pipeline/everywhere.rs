//! Asks every cluster of a workspace the same, all at once.

use std::sync::Arc;

use futures_util::future::join_all;
use transship_cluster::{ClusterError, RunsOf, Session};
use transship_model::Name;

use super::Workspace;
use crate::error::CommandError;
use crate::term::Term;

/// What every cluster answers about the runs of the workspace, by the names of the clusters.
pub(super) async fn ask_everywhere<T>(
    workspace: &Workspace,
    term: &Term,
    ask: impl AsyncFn(&Session, RunsOf<'_>) -> Result<T, ClusterError>,
) -> Result<Vec<(Name, Result<T, ClusterError>)>, CommandError> {
    let resolved = workspace.resolve(term)?;
    let redactor = Arc::new(resolved.redactor.clone());
    let spec = &workspace.loaded.spec;
    let scope = RunsOf { workspace: &spec.workspace, environment: spec.environment.as_ref() };
    let one = async |name: &Name, access| {
        let answer = match Session::open(name, access, Arc::clone(&redactor)).await {
            Ok(session) => ask(&session, scope).await,
            Err(error) => Err(error),
        };
        (name.clone(), answer)
    };
    Ok(join_all(resolved.access.iter().map(|(name, access)| one(name, access))).await)
}
