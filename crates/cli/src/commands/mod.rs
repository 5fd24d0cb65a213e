//! The commands, one file each: arguments in, exit code or error out.

pub mod apply;
pub mod completions;
pub mod drift;
pub mod plan;
pub mod schema;
pub mod show;
pub mod validate;

use std::path::Path;

use crate::args::{BasicFormat, Command, DriftFormat, PlanFormat, ValidateFormat};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::interrupt::unless_interrupted;
use crate::term::Term;

/// Runs a command.
pub async fn run(command: &Command, term: &Term) -> Result<Exit, CommandError> {
    match command {
        Command::Validate(args) => validate::run(args, term),
        Command::Plan(args) => unless_interrupted(plan::run(args, term)).await,
        Command::Show(args) => show::run(args, term),
        Command::Apply(args) => apply::run(args, term).await,
        Command::Drift(args) => unless_interrupted(drift::run(args, term)).await,
        Command::Schema(args) => schema::run(args, term),
        Command::Completions(args) => completions::run(args, term),
    }
}

/// Whether programs read what the command prints, so that errors too are to be JSON.
pub const fn speaks_json(command: &Command) -> bool {
    match command {
        Command::Validate(args) => matches!(args.format, ValidateFormat::Json),
        Command::Plan(args) => matches!(args.format, PlanFormat::Json),
        Command::Show(args) => matches!(args.format, PlanFormat::Json),
        Command::Apply(args) => matches!(args.format, BasicFormat::Json),
        Command::Drift(args) => matches!(args.format, DriftFormat::Json),
        Command::Schema(_) | Command::Completions(_) => false,
    }
}

/// Writes the JSON beside what is printed, where `--json-out` asks for it.
fn json_out(path: Option<&Path>, json: &str, term: &Term) -> Result<(), CommandError> {
    path.map_or(Ok(()), |path| file::write(path, &term.safe(json)))
}
