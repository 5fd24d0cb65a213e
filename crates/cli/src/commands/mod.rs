//! The commands, one file each: arguments in, exit code or error out.

pub mod apply;
pub mod completions;
pub mod demo;
pub mod drift;
pub mod explain;
mod guard;
pub mod plan;
pub mod runs;
pub mod sandbox;
pub mod schema;
pub mod show;
pub mod unlock;
pub mod validate;

use std::path::Path;

use crate::args::{
    ApplyArgs, BasicFormat, Command, DriftFormat, ExplainArgs, PlanArgs, PlanFormat, RunsArgs, RunsCommand, ShowArgs,
    UnlockArgs, ValidateFormat,
};
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
        Command::Explain(args) => unless_interrupted(explain::run(args, term)).await,
        Command::Runs(args) => unless_interrupted(runs::run(args, term)).await,
        Command::Unlock(args) => unless_interrupted(unlock::run(args, term)).await,
        Command::Demo => unless_interrupted(demo::run(term)).await,
        Command::Sandbox(args) => sandbox::run(args, term).await,
        Command::Schema(args) => schema::run(args, term),
        Command::Completions(args) => completions::run(args, term),
        Command::Guard(args) => guard::run(args),
    }
}

/// How errors are told on stdout, besides the report for people on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aloud {
    /// Not at all.
    Nothing,
    /// As JSON.
    Json,
    /// For a pull request.
    Markdown,
    /// As annotations of a GitHub workflow.
    Github,
}

/// How a command tells its errors to whatever reads its stdout: in the format that was asked for.
pub const fn aloud(command: &Command) -> Aloud {
    match command {
        Command::Validate(args) => match args.format {
            ValidateFormat::Json => Aloud::Json,
            ValidateFormat::Github => Aloud::Github,
            ValidateFormat::Human | ValidateFormat::Sarif => Aloud::Nothing,
        },
        Command::Plan(PlanArgs { format, .. }) | Command::Show(ShowArgs { format, .. }) => match format {
            PlanFormat::Json => Aloud::Json,
            PlanFormat::Markdown => Aloud::Markdown,
            PlanFormat::Human => Aloud::Nothing,
        },
        Command::Apply(ApplyArgs { format, .. })
        | Command::Explain(ExplainArgs { format, .. })
        | Command::Unlock(UnlockArgs { format, .. }) => match format {
            BasicFormat::Json => Aloud::Json,
            BasicFormat::Human => Aloud::Nothing,
        },
        Command::Runs(args) => match runs_format(args) {
            BasicFormat::Json => Aloud::Json,
            BasicFormat::Human => Aloud::Nothing,
        },
        Command::Drift(args) => match args.format {
            DriftFormat::Json => Aloud::Json,
            DriftFormat::Markdown => Aloud::Markdown,
            DriftFormat::Github => Aloud::Github,
            DriftFormat::Human => Aloud::Nothing,
        },
        Command::Demo | Command::Sandbox(_) | Command::Schema(_) | Command::Completions(_) | Command::Guard(_) => {
            Aloud::Nothing
        }
    }
}

const fn runs_format(args: &RunsArgs) -> BasicFormat {
    match &args.command {
        None => args.list.format,
        Some(RunsCommand::Show(args)) => args.format,
    }
}

/// Writes the JSON beside what is printed, where `--json-out` asks for it.
fn json_out(path: Option<&Path>, json: &str, term: &Term) -> Result<(), CommandError> {
    path.map_or(Ok(()), |path| file::write(path, &term.safe(json)))
}
