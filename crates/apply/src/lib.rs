//! Runs a serialised plan and chooses nothing: what happens stands in the plan.
//!
//! [`Run::apply`] checks the plan and the facts that it was made from, then runs its steps; each of them looks before
//! and after it acts, so that every step can run twice, and again after it was cut anywhere.

pub mod cancel;
mod catalog;
pub mod clock;
mod command;
mod emit;
mod error;
#[cfg(test)]
mod fake;
mod ledger;
mod lock;
mod making;
mod pace;
mod pools;
mod precondition;
mod retry;
mod run;
mod run_id;
mod runlog;
mod scheduler;
mod servers;
mod statement;
mod step;
#[cfg(test)]
mod tests;

pub use cancel::{Cancel, Canceller, cancellation};
pub use clock::{Clock, SystemClock};
pub use command::{CommandHost, guard};
pub use error::ApplyError;
pub use lock::{HeldLease, LockRequest, Locks, Lost, Unlocked, Unlocker};
pub use making::Materials;
pub use run::{Run, RunOutcome, read_plan};
pub use run_id::new_run_id;
pub use runlog::{KeptLog, RUN_LOG_FORMAT, RunLogHeader, kept_run_logs, read_run_log, run_log_path};
pub use servers::{AtATime, Connections, Moved, Part, Purpose, Scope, Servers};
pub use step::{FileProblem, StepError, YIELDED};
pub use transship_mover::{MOST_PREVIEWED, MoveError, PreviewRow};
