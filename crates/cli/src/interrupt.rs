//! Interruptions: Ctrl-C, and the signal by which CI and init systems end a process.

use transship_model::Finding;

use crate::error::CommandError;
use crate::exit::Exit;

/// Ends when the process is asked to stop.
pub async fn interrupted() {
    let control_c = tokio::signal::ctrl_c();
    tokio::select! {
        Ok(()) = control_c => {}
        () = terminated() => {}
    }
}

/// `work`, unless it is interrupted before its end.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    tokio::select! {
        result = work => result,
        () = interrupted() => Err(cancelled("nothing was changed")),
    }
}

/// The error of a command that was interrupted.
pub fn cancelled(text: &str) -> CommandError {
    CommandError::new(Exit::Cancelled, Finding::error("cli::cancelled", format!("cancelled; {text}")))
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
