//! Takes the locks of flows, keeps them while something is done, and lets go of them whatever came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use transship_apply::{
    ApplyError, Canceller, Connections, HeldLease, LockRequest, Locks, Scope, SystemClock, cancellation,
};
use transship_model::plan::PlannedCluster;
use transship_model::{FlowId, Name};
use transship_spec::Resolved;

use crate::error::CommandError;
use crate::interrupt::{cancelled, interrupted};
use crate::pipeline::{Workspace, finding};
use crate::term::Term;

/// Which locks, and how they are reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) resolved: &'a Resolved,
    pub(super) clusters: &'a BTreeMap<Name, PlannedCluster>,
    pub(super) flows: &'a BTreeSet<(Name, FlowId)>,
    /// How long to wait for others.
    pub(super) timeout: Duration,
    /// The run of which this is one round of many.
    pub(super) round_of: Option<&'a str>,
}

/// Does `work` while the locks are held.
pub(super) async fn locked<T>(
    wanted: Wanted<'_>,
    term: &Term,
    work: impl AsyncFnOnce(&Locks<'_>, SystemClock) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let (clock, spec) = (SystemClock::new(), &wanted.workspace.loaded.spec);
    let servers = Connections::new(&wanted.resolved.access, Arc::new(wanted.resolved.redactor.clone()));
    let (canceller, cancel) = cancellation();
    let waiting = |lease: &HeldLease| term.note(&format!("Waiting for flow {}: {}.", lease.flow, lease.told()));
    let request = LockRequest {
        servers: &servers,
        clock: &clock,
        scope: Scope { workspace: &spec.workspace, environment: spec.environment.as_ref() },
        flows: wanted.flows,
        clusters: wanted.clusters,
        holder: &holder(),
        timeout: wanted.timeout,
        round_of: wanted.round_of,
        cancel: &cancel,
        waiting: &waiting,
    };
    let locks = take(request, &canceller, wanted.workspace).await?;
    let done = locks.keep(Box::pin(work(&locks, clock))).await;
    for problem in locks.release().await {
        term.note(&format!(
            "The locks on {} could not be released: they end by themselves. {problem}",
            problem.cluster
        ));
    }
    done
}

/// Takes them. Who is interrupted meanwhile keeps none.
async fn take<'a>(
    request: LockRequest<'a>,
    canceller: &Canceller,
    workspace: &Workspace,
) -> Result<Locks<'a>, CommandError> {
    let mut taking = pin!(Locks::take(request));
    tokio::select! {
        biased;
        taken = &mut taking => return taken.map_err(|error| refused(error, workspace)),
        () = interrupted() => canceller.cancel(),
    }
    let give_up = async {
        if let Ok(locks) = taking.await {
            locks.release().await;
        }
    };
    tokio::select! {
        () = give_up => {}
        () = interrupted() => {}
    }
    Err(cancelled("nothing was changed"))
}

/// An error of a cluster is placed where the spec can change it.
fn refused(error: ApplyError, workspace: &Workspace) -> CommandError {
    match error {
        ApplyError::Cluster(error) => CommandError::workspace(vec![finding(&error)], workspace.sources()),
        error => error.into(),
    }
}

/// Who this is, to people who have to wait: user and machine.
pub(crate) fn holder() -> String {
    let user = whoami::username().unwrap_or_else(|_| "somebody".to_owned());
    let machine = whoami::hostname().unwrap_or_else(|_| "an unknown machine".to_owned());
    format!("{user}@{machine}")
}
