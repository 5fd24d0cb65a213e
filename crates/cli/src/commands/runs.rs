//! `transship runs`: the runs of a workspace, and what happened in one of them. Changes nothing.

use transship_model::{Finding, Severity};

use super::json_out;
use crate::args::{BasicFormat, RunsArgs, RunsCommand};
use crate::diagnostics::graphical;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::pipeline::{KnownRuns, Workspace, known_runs};
use crate::term::Term;
use crate::view::runs::{RunShown, RunsShown};
use crate::view::{Human, Json, View};

/// Lists the runs, or shows one.
pub async fn run(args: &RunsArgs, term: &Term) -> Result<Exit, CommandError> {
    match &args.command {
        None => {
            let workspace = Workspace::load(&args.list.workspace.workspace, &args.list.workspace.environment, term)?;
            let known = known_runs(&workspace, None, term).await?;
            let shown = RunsShown::new(&known.runs);
            show(&shown, (args.list.format, args.list.json_out.as_deref()), term)?;
            Ok(ended(&known, &workspace, term))
        }
        Some(RunsCommand::Show(args)) => {
            let workspace = Workspace::load(&args.workspace.workspace, &args.workspace.environment, term)?;
            let known = known_runs(&workspace, Some(&args.run), term).await?;
            let Some(run) = known.runs.first() else {
                ended(&known, &workspace, term);
                return Err(no_such_run(&args.run));
            };
            show(&RunShown::new(run), (args.format, args.json_out.as_deref()), term)?;
            Ok(ended(&known, &workspace, term))
        }
    }
}

fn show<T>(shown: &T, (format, out): (BasicFormat, Option<&std::path::Path>), term: &Term) -> Result<(), CommandError>
where
    Human: View<T>,
    Json: View<T>,
{
    term.result(&match format {
        BasicFormat::Human => Human { width: term.width(), verbose: term.verbose(), explain: false }.render(shown),
        BasicFormat::Json => Json.render(shown),
    });
    json_out(out, &Json.render(shown), term)
}

/// Tells which clusters could not be asked: what is shown may not be all.
fn ended(known: &KnownRuns, workspace: &Workspace, term: &Term) -> Exit {
    if !known.findings.is_empty() {
        term.error(&graphical(&known.findings, &workspace.sources(), term.width()));
    }
    Exit::Error.when(known.findings.iter().any(|it| it.severity == Severity::Error))
}

fn no_such_run(run: &str) -> CommandError {
    let message = format!("no cluster of the workspace and no log beside it knows a run `{run}`");
    let finding = Finding::error("cli::no-such-run", message);
    CommandError::new(Exit::Error, finding.help("`transship runs` lists those that are known"))
}
