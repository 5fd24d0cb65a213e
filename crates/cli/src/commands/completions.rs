//! `transship completions`: prints the completion script for a shell.

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::term::Term;

/// Prints.
pub fn run(args: &CompletionsArgs, term: &Term) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "transship", &mut script);
    term.result(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
