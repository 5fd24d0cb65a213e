//! `transship apply --resume`: the options of the run that is gone on with.

use transship_plan::PlanOptions;

use crate::args::ApplyArgs;
use crate::error::CommandError;
use crate::pipeline::{self, Workspace};
use crate::term::Term;

/// The options of the command line, beside those of the run that is resumed.
pub(super) async fn options(args: &ApplyArgs, term: &Term) -> Result<PlanOptions, CommandError> {
    let given = pipeline::plan_options(&args.scope);
    let Some(run) = &args.resume else { return Ok(given) };
    let workspace = Workspace::read(&args.path, &args.environment)?;
    let runs = pipeline::unfinished_runs(&workspace, term).await?;
    let Some((run, left)) = pipeline::chosen(runs, Some(run.as_str()).filter(|run| !run.is_empty()))? else {
        term.note("No run has left anything to be done: planning as ever.");
        return Ok(given);
    };
    let flows: Vec<String> = left.flows.iter().map(ToString::to_string).collect();
    term.note(&format!("Going on where run {run} stopped, in {}.", flows.join(", ")));
    Ok(pipeline::joined(&left.options, &given))
}
