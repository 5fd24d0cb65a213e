//! Runs a plan and shows what happens meanwhile.

use std::sync::Arc;

use tokio::sync::mpsc;
use transship_apply::{Clock as _, CommandHost, Connections, Locks, Run, SystemClock, cancellation};
use transship_model::TimeSpan;
use transship_model::event::Event;
use transship_model::plan::Plan;

use crate::args::GUARD;
use crate::error::CommandError;
use crate::interrupt::{cancelled, interrupted};
use crate::pipeline::Seen;
use crate::progress::Progress;
use crate::term::Term;
use crate::view::applied::Applied;

/// So many events may wait to be shown.
const WAITING: usize = 256;

/// Runs `plan` to its end, or to the end of what was running when it was interrupted, its time was over, or its locks were
/// lost. They were taken by `clock`.
pub(super) async fn execute(
    plan: &Plan,
    seen: &Seen,
    (locks, clock): (&Locks<'_>, SystemClock),
    limit: Option<TimeSpan>,
    (term, shows): (&Term, bool),
) -> Result<Applied, CommandError> {
    let access = &seen.resolved.access;
    let servers = Connections::new(access, Arc::new(seen.redactor().clone()));
    let servers = servers.gated(locks.gate(clock)).with(seen.materials(plan)?);
    let (canceller, cancel) = cancellation();
    let (sender, receiver) = mpsc::channel(WAITING);
    let host = host(seen);
    let run = Run {
        plan,
        access,
        stores: &seen.resolved.stores,
        servers: &servers,
        host: Some(&host),
        redactor: seen.redactor(),
        clock: &clock,
        tool_version: env!("CARGO_PKG_VERSION"),
        workspace: Some(seen.workspace.directory()),
        locks,
        cancel,
        events: sender,
    };
    let work = async { tokio::join!(run.apply(), listen(plan, receiver, (term, shows))) };
    let stop = async {
        let why = asked_to_stop(clock, limit).await;
        canceller.cancel();
        term.note(&format!("{why}: what runs is finished, nothing new is started. Interrupt to stop at once."));
        interrupted().await;
    };
    tokio::select! {
        (outcome, applied) = work => Ok(applied.with(outcome?)),
        () = stop => Err(cancelled("what had begun may or may not have taken effect: plan again to see")),
    }
}

/// Programs are started by way of this very executable.
fn host(seen: &Seen) -> CommandHost {
    CommandHost {
        guard: std::env::current_exe().unwrap_or_else(|_| "transship".into()),
        arguments: vec![GUARD.to_owned()],
        directory: seen.workspace.directory().to_owned(),
    }
}

/// Ends once the run is interrupted or has taken as long as it may, and says which.
async fn asked_to_stop(clock: SystemClock, limit: Option<TimeSpan>) -> String {
    let out_of_time = async {
        match limit {
            Some(limit) => clock.sleep(limit.as_duration()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupted() => "Stopping".to_owned(),
        () = out_of_time => {
            let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
            format!("The run has taken {limit}, as long as --timeout allows")
        }
    }
}

/// Shows every event, and gathers what became of each step.
async fn listen(plan: &Plan, mut events: mpsc::Receiver<Event>, (term, shows): (&Term, bool)) -> Applied {
    let mut progress = Progress::new(term);
    let mut applied = Applied::new(plan);
    while let Some(event) = events.recv().await {
        if shows {
            progress.show(&event);
        }
        applied.take(event.what);
    }
    applied
}
