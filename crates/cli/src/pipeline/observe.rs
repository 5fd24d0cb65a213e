//! Looks at every cluster of a workspace, all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use transship_apply::clock::{Clock as _, SystemClock};
use transship_cluster::{ClusterError, Server, Session};
use transship_model::observed::{OBSERVATION_FORMAT, Observation, Observed};
use transship_model::redact::Redactor;
use transship_model::{Finding, Name, SpecPath};
use transship_plan::{PlanInput, PlanOptions, Wanted, WantedByCluster};
use transship_spec::Resolved;

use super::{Seen, Workspace, stores};
use crate::error::CommandError;
use crate::term::Term;

type Looked = (Name, Session, Observed);

/// Connects to every cluster and reads what the planner needs.
pub async fn live(workspace: Workspace, options: PlanOptions, term: &Term) -> Result<Seen, CommandError> {
    live_for(workspace, options, term, &transship_plan::wanted).await
}

/// The same where something else is `wanted` than for a plan.
pub async fn live_for(
    workspace: Workspace,
    options: PlanOptions,
    term: &Term,
    wanted: &(dyn Fn(&PlanInput) -> WantedByCluster + Send + Sync),
) -> Result<Seen, CommandError> {
    let resolved = workspace.resolve(term)?;
    let watching = term.busy(&format!("looking at {} clusters", resolved.access.len()));
    let taken = SystemClock::new().now();
    let looked = look_at_all(&workspace, &resolved).await?;
    let mut sessions = BTreeMap::new();
    let mut clusters = BTreeMap::new();
    for (name, session, observed) in looked {
        sessions.insert(name.clone(), session);
        clusters.insert(name, observed);
    }
    let observation = Observation { format_version: OBSERVATION_FORMAT, taken, clusters, stores: BTreeMap::default() };
    let mut input = input(&workspace, &resolved, observation, options);
    stores::look(&resolved, &mut input).await;
    let wanted = wanted(&input);
    define_all(&workspace, sessions, &mut input, wanted).await?;
    stores::look_where_written(&resolved, &mut input).await;
    drop(watching);
    Ok(Seen { workspace, resolved, input })
}

/// Everything that the planner may know.
pub(super) fn input(
    workspace: &Workspace,
    resolved: &Resolved,
    observation: Observation,
    options: PlanOptions,
) -> PlanInput {
    let loaded = &workspace.loaded;
    PlanInput {
        spec: loaded.spec.clone(),
        index: loaded.index.clone(),
        files: loaded.files.clone(),
        endpoints: resolved.access.iter().map(|(name, access)| (name.clone(), access.endpoint.clone())).collect(),
        stores: resolved.stores.iter().map(|(name, access)| (name.clone(), access.location.clone())).collect(),
        now: observation.taken,
        observation,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        options,
    }
}

async fn look_at_all(workspace: &Workspace, resolved: &Resolved) -> Result<Vec<Looked>, CommandError> {
    let redactor = Arc::new(resolved.redactor.clone());
    let spec = &workspace.loaded.spec;
    let mut tasks = JoinSet::new();
    for (name, access) in &resolved.access {
        let (name, access, redactor) = (name.clone(), access.clone(), Arc::clone(&redactor));
        let (of, environment) = (spec.workspace.clone(), spec.environment.clone());
        tasks.spawn(async move {
            let session = Session::open(&name, &access, redactor).await?;
            let observed = transship_cluster::observe(&session as &dyn Server, &of, environment.as_ref()).await?;
            Ok((name, session, observed))
        });
    }
    gather(tasks, workspace, &resolved.redactor).await
}

/// Asks for what the catalogs do not tell: definitions, and whether tables can be written.
async fn define_all(
    workspace: &Workspace,
    mut sessions: BTreeMap<Name, Session>,
    input: &mut PlanInput,
    wanted: WantedByCluster,
) -> Result<(), CommandError> {
    let mut tasks = JoinSet::new();
    for (name, wanted) in wanted {
        let (session, observed) = (sessions.remove(&name), input.observation.clusters.get(&name).cloned());
        let Some((session, mut observed)) = session.zip(observed) else { continue };
        tasks.spawn(async move {
            let Wanted { definitions, writable, described, snapshots, behind, copying } = wanted;
            let server = &session as &dyn Server;
            transship_cluster::define(server, &mut observed, &definitions, &writable).await?;
            transship_cluster::describe(server, &mut observed, &described).await?;
            transship_cluster::snapshots(server, &mut observed, &snapshots).await?;
            transship_cluster::watch(&name, server, &mut observed, &behind, &copying).await?;
            Ok((name, session, observed))
        });
    }
    for (name, _, observed) in gather(tasks, workspace, &Redactor::default()).await? {
        input.observation.clusters.insert(name, observed);
    }
    Ok(())
}

/// What every task found, or everything that went wrong.
async fn gather(
    mut tasks: JoinSet<Result<Looked, ClusterError>>,
    workspace: &Workspace,
    redactor: &Redactor,
) -> Result<Vec<Looked>, CommandError> {
    let (mut found, mut findings) = (Vec::new(), Vec::new());
    while let Some(result) = tasks.join_next().await {
        match result {
            Ok(Ok(looked)) => found.push(looked),
            Ok(Err(error)) => findings.push(finding(&error)),
            Err(error) => findings.push(broken(&error, redactor)),
        }
    }
    if findings.is_empty() {
        return Ok(found);
    }
    findings.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.message.cmp(&b.message)));
    Err(CommandError::workspace(findings, workspace.sources()))
}

/// An error of a cluster, placed where the spec can change it.
pub(crate) fn finding(error: &ClusterError) -> Finding {
    let path = error.spec_key().map_or_else(|| SpecPath::of("clusters", &error.cluster), SpecPath);
    let finding = Finding::error(error.code(), error.to_string());
    let finding = if error.spec_key().is_some() { finding.at(path) } else { finding.at_key(path) };
    match error.help() {
        Some(help) => finding.help(help),
        None => finding,
    }
}

fn broken(error: &JoinError, redactor: &Redactor) -> Finding {
    Finding::error("cli::broken", redactor.redact(&format!("looking at a cluster broke off: {error}")))
}
