//! `transship drift`: reports what differs from the workspace. Changes nothing.

use transship_model::Finding;
use transship_plan::{PlanOptions, Survey};

use super::json_out;
use crate::args::{DriftArgs, DriftFormat};
use crate::diagnostics::{Sources, github, graphical, markdown};
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
    let Survey { planned, findings } = seen.survey()?;
    let sources = seen.workspace.sources();
    let drift = Drift::new(&planned.plan, &planned.report, &seen.input.observation, &seen.input.index)
        .with_findings(&findings, &sources);
    term.result(&shown(args.format, &drift, &findings, &sources, term));
    json_out(args.json_out.as_deref(), &Json.render(&drift), term)?;
    if !findings.is_empty() {
        term.error(&graphical(&findings, &sources, term.width()));
    }
    if drift.is_blocked() && findings.is_empty() && args.format == DriftFormat::Human {
        let env = args.workspace.environment.env.as_ref().map(|env| format!(" --env {env}")).unwrap_or_default();
        let plan = format!("transship plan {}{env}", seen.workspace.directory().display());
        term.note(&format!("Next: `{plan}` shows what is blocked, and ends with the flags that permit the drops."));
    }
    Ok(drift.exit())
}

/// The report, and behind it what forbids planning some flows; people read that on stderr.
fn shown(format: DriftFormat, drift: &Drift, findings: &[Finding], sources: &Sources, term: &Term) -> String {
    match format {
        DriftFormat::Human => Human { width: term.width(), verbose: term.verbose(), explain: false }.render(drift),
        DriftFormat::Json => Json.render(drift),
        DriftFormat::Markdown => {
            let items: String = findings.iter().map(|finding| markdown::item(finding, sources)).collect();
            let items = if items.is_empty() { items } else { format!("\n### Refused\n\n{items}") };
            Markdown { explain: false }.render(drift) + &items
        }
        DriftFormat::Github => Github { sources }.render(drift) + &github::annotations(findings, sources),
    }
}
