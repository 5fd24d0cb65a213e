//! What stands between transship and a program that it has started: another process of this executable.

use std::process;

use crate::args::GuardArgs;
use crate::error::CommandError;
use crate::exit::Exit;

/// Runs the program, and exits as it does.
#[expect(clippy::exit, reason = "what a program exits with is none of transship's own codes")]
pub(super) fn run(args: &GuardArgs) -> Result<Exit, CommandError> {
    match args.run.split_first() {
        Some((program, arguments)) => process::exit(transship_apply::guard(program, arguments)),
        None => Ok(Exit::Usage),
    }
}
