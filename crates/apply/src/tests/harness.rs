//! Runs plans against the fake world.

use std::path::Path;

use secrecy::SecretString;
use tokio::sync::mpsc;
use transship_model::event::{Event, Happened};
use transship_model::plan::Plan;
use transship_model::redact::Redactor;

use crate::clock::manual::ManualClock;
use crate::fake::{FakeServers, Fault, access};
use crate::servers::Scope;
use crate::{ApplyError, Cancel, Locks, Lost, Run, RunOutcome, cancellation};

/// How a run ended and what it told.
pub(super) struct Ran {
    pub(super) outcome: RunOutcome,
    pub(super) events: Vec<Event>,
}

impl Ran {
    /// The events as short lines; progress left out.
    pub(super) fn lines(&self) -> Vec<String> {
        self.events.iter().filter_map(|event| line(&event.what)).collect()
    }

    /// The progress that was told.
    pub(super) fn progress(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                Happened::StepProgress { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Code and message of the first step that failed.
    pub(super) fn failure(&self) -> (String, String) {
        let failed = self.events.iter().find_map(|event| match &event.what {
            Happened::StepFailed { code, message, .. } => Some((code.clone(), message.clone())),
            _ => None,
        });
        failed.expect("a step failed")
    }
}

fn line(what: &Happened) -> Option<String> {
    Some(match what {
        Happened::RunStarted { steps, .. } => format!("run of {steps} steps"),
        Happened::StepStarted { step, .. } => format!("start {step}"),
        Happened::StepProgress { .. } => return None,
        Happened::StepDone { step, already: true, .. } => format!("there {step}"),
        Happened::StepDone { step, note: Some(note), .. } => format!("done {step}: {note}"),
        Happened::StepDone { step, .. } => format!("done {step}"),
        Happened::StepFailed { step, code, .. } => format!("failed {step}: {code}"),
        Happened::StepSkipped { step, because_of } => format!("skipped {step} because of {because_of}"),
        Happened::FlowDone { flow } => format!("flow {flow} done"),
        Happened::StepOutput { step, text, .. } => format!("{step} prints {text}"),
        Happened::RunFinished { done, failed, skipped } => format!("{done} done, {failed} failed, {skipped} skipped"),
    })
}

/// What a test decides about a run.
#[derive(Clone, Copy, Default)]
pub(super) struct Options<'a> {
    pub(super) cancel: Option<&'a Cancel>,
    pub(super) workspace: Option<&'a Path>,
    /// The locks are lost from the beginning.
    pub(super) lost: Option<&'a Lost>,
}

/// A whole run, from the checks on.
pub(super) async fn apply(servers: &FakeServers, plan: &Plan, options: Options<'_>) -> Result<Ran, ApplyError> {
    let clock = ManualClock::new();
    with_run(servers, plan, options, &clock, async |run| run.apply().await).await
}

/// A run without the check of the basis, as one that goes on after a cut.
pub(super) async fn execute(servers: &FakeServers, plan: &Plan) -> Ran {
    execute_at(servers, plan, &ManualClock::new()).await
}

/// The same by a given clock.
pub(super) async fn execute_at(servers: &FakeServers, plan: &Plan, clock: &ManualClock) -> Ran {
    let ran = with_run(servers, plan, Options::default(), clock, async |run| Ok(run.execute().await)).await;
    ran.expect("a run that is not checked is not refused")
}

/// A whole run that loses its locks as soon as a statement with this text was sent.
pub(super) async fn lost_when(servers: &FakeServers, plan: &Plan, part: &'static str, lost: &Lost) -> Ran {
    let clock = ManualClock::new();
    let ran = with_run(servers, plan, Options::default(), &clock, async |run| {
        servers.set_fault(Some(Fault::LoseLocks(part, run.locks.guard(), lost.clone())));
        run.apply().await
    });
    ran.await.expect("it begins")
}

async fn with_run(
    servers: &FakeServers,
    plan: &Plan,
    options: Options<'_>,
    clock: &ManualClock,
    work: impl AsyncFnOnce(Run<'_>) -> Result<RunOutcome, ApplyError>,
) -> Result<Ran, ApplyError> {
    let access = access();
    let redactor = Redactor::new(&[SecretString::from("canary&1")]);
    let (sender, mut receiver) = mpsc::channel(10_000);
    let (_canceller, never) = cancellation();
    let locks = Locks::none(servers, clock, Scope { workspace: &plan.workspace, environment: plan.env.as_ref() });
    if let Some(lost) = options.lost {
        locks.lose(lost.clone());
    }
    let run = Run {
        plan,
        access: &access,
        stores: &std::collections::BTreeMap::new(),
        servers,
        host: None,
        redactor: &redactor,
        clock,
        tool_version: "0.0.0",
        workspace: options.workspace,
        locks: &locks,
        cancel: options.cancel.cloned().unwrap_or(never),
        events: sender,
    };
    let outcome = work(run).await?;
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    Ok(Ran { outcome, events })
}
