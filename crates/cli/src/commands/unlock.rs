//! `transship unlock`: takes flows away from a run that holds their locks.

use std::sync::Arc;

use transship_apply::{Connections, HeldLease, Scope, SystemClock, Unlocker};
use transship_model::{Finding, FlowId};

use super::apply::locked::holder;
use super::json_out;
use crate::args::{BasicFormat, UnlockArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::pipeline::Workspace;
use crate::term::Term;
use crate::view::unlocked::Released;
use crate::view::{Human, Json, View as _};

/// Looks for the locks on every cluster of the workspace, asks, and takes them away.
pub async fn run(args: &UnlockArgs, term: &Term) -> Result<Exit, CommandError> {
    if !args.auto_approve && !term.can_ask() {
        return Err(CommandError::usage("nobody is there to be asked", "give --auto-approve"));
    }
    let workspace = Workspace::load(&args.workspace.workspace, &args.workspace.environment, term)?;
    let resolved = workspace.resolve(term)?;
    let (clock, spec) = (SystemClock::new(), &workspace.loaded.spec);
    let servers = Connections::new(&resolved.access, Arc::new(resolved.redactor.clone()));
    let scope = Scope { workspace: &spec.workspace, environment: spec.environment.as_ref() };
    let unlocker = Unlocker::new(&servers, &clock, scope, &holder());
    let mut held = Vec::new();
    for cluster in resolved.access.keys() {
        held.extend(unlocker.held(cluster).await?);
    }
    check(&workspace, &held, &args.flows)?;
    held.retain(|lease| args.all || args.flows.iter().any(|flow| is_meant(flow, &lease.flow)));
    if !held.is_empty() && !args.auto_approve && !approved(&held, term).await {
        term.note("Nothing was changed.");
        return Ok(Exit::Cancelled);
    }
    let mut released = Released::default();
    for lease in held {
        let outcome = unlocker.unlock(&lease).await?;
        released.add(&lease, outcome);
    }
    match args.format {
        BasicFormat::Human => {
            let human = Human { width: term.width(), verbose: term.verbose(), explain: false };
            term.result(&human.render(&released));
        }
        BasicFormat::Json => term.result(&Json.render(&released)),
    }
    json_out(args.json_out.as_deref(), &Json.render(&released), term)?;
    Ok(Exit::Done)
}

/// A flow stands for all of its targets.
fn is_meant(given: &FlowId, flow: &FlowId) -> bool {
    given == flow || (given.target.is_none() && given.flow == flow.flow)
}

/// A name that nothing has is a typing mistake. A flow that is gone from the spec may still be locked.
fn check(workspace: &Workspace, leases: &[HeldLease], flows: &[FlowId]) -> Result<(), CommandError> {
    let declared = workspace.loaded.spec.instances();
    let known: Vec<&FlowId> =
        declared.iter().map(|instance| &instance.id).chain(leases.iter().map(|lease| &lease.flow)).collect();
    let Some(unknown) = flows.iter().find(|flow| !known.iter().any(|known| is_meant(flow, known))) else {
        return Ok(());
    };
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let help = transship_spec::did_you_mean(&unknown.to_string(), "flows", names.iter().map(String::as_str));
    let finding = Finding::error("plan::no-such-flow", format!("there is no flow `{unknown}`")).help(help);
    Err(CommandError::workspace(vec![finding], workspace.sources()))
}

async fn approved(held: &[HeldLease], term: &Term) -> bool {
    for lease in held {
        term.note(&format!("Flow {} on {} is held by {}.", lease.flow, lease.cluster, lease.told()));
    }
    let flows = if let [_] = held { "this flow".to_owned() } else { format!("these {} flows", held.len()) };
    term.ask(&format!("Take {flows} away? Whoever holds a lock stops at once, with half of its work done.")).await
}
