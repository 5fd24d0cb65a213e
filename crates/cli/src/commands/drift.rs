//! `transship drift`: reports what differs from the workspace. Changes nothing.

use transship_plan::PlanOptions;

use super::json_out;
use crate::args::{DriftArgs, DriftFormat};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::pipeline::{self, Workspace};
use crate::term::Term;
use crate::view::drift::Drift;
use crate::view::{Github, Human, Json, Markdown, View as _};

/// Plans everything without any consent, and reports what the plan would change.
pub async fn run(args: &DriftArgs, term: &Term) -> Result<Exit, CommandError> {
    let workspace = Workspace::load(&args.workspace.workspace, &args.workspace.environment, term)?;
    let seen = pipeline::live(workspace, PlanOptions::default(), term).await?;
    let planned = seen.plan()?;
    let drift = Drift::new(&planned.plan, &planned.report, &seen.input.observation, &seen.input.index);
    let sources = seen.workspace.sources();
    term.result(&match args.format {
        DriftFormat::Human => Human { width: term.width(), verbose: term.verbose(), explain: false }.render(&drift),
        DriftFormat::Json => Json.render(&drift),
        DriftFormat::Markdown => Markdown { explain: false }.render(&drift),
        DriftFormat::Github => Github { sources: &sources }.render(&drift),
    });
    json_out(args.json_out.as_deref(), &Json.render(&drift), term)?;
    Ok(drift.exit())
}
