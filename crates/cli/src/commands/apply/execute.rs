//! Runs a plan and shows what happens meanwhile.

use std::sync::Arc;

use tokio::sync::mpsc;
use transship_apply::{Connections, Locks, Run, SystemClock, cancellation};
use transship_model::event::Event;
use transship_model::plan::Plan;

use crate::error::CommandError;
use crate::interrupt::{cancelled, interrupted};
use crate::pipeline::Seen;
use crate::progress::Progress;
use crate::term::Term;
use crate::view::applied::Applied;

/// So many events may wait to be shown.
const WAITING: usize = 256;

/// Runs `plan` to its end, or to the end of what was running when it was interrupted or its locks were lost. They were
/// taken by `clock`.
pub(super) async fn execute(
    plan: &Plan,
    seen: &Seen,
    (locks, clock): (&Locks<'_>, SystemClock),
    term: &Term,
) -> Result<Applied, CommandError> {
    let access = &seen.resolved.access;
    let servers = Connections::new(access, Arc::new(seen.redactor().clone())).gated(locks.gate(clock));
    let (canceller, cancel) = cancellation();
    let (sender, receiver) = mpsc::channel(WAITING);
    let run = Run {
        plan,
        access,
        stores: &seen.resolved.stores,
        servers: &servers,
        redactor: seen.redactor(),
        clock: &clock,
        tool_version: env!("CARGO_PKG_VERSION"),
        workspace: Some(seen.workspace.directory()),
        locks,
        cancel,
        events: sender,
    };
    let work = async { tokio::join!(run.apply(), listen(plan, receiver, term)) };
    let stop = async {
        interrupted().await;
        canceller.cancel();
        term.note("Stopping: what runs is finished, nothing new is started. Interrupt again to stop at once.");
        interrupted().await;
    };
    tokio::select! {
        (outcome, applied) = work => Ok(applied.with(outcome?)),
        () = stop => Err(cancelled("what had begun may or may not have taken effect: plan again to see")),
    }
}

/// Shows every event, and gathers what became of each step.
async fn listen(plan: &Plan, mut events: mpsc::Receiver<Event>, term: &Term) -> Applied {
    let mut progress = Progress::new(term);
    let mut applied = Applied::new(plan);
    while let Some(event) = events.recv().await {
        progress.show(&event);
        applied.take(event.what);
    }
    applied
}
