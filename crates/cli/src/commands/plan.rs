//! `transship plan`: shows what would change, and why. Changes nothing.

use anstream::adapter::strip_str;
use transship_model::plan::Plan;
use transship_plan::Planned;

use super::json_out;
use crate::args::{PlanArgs, PlanFormat};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::pipeline::{self, Seen, Workspace};
use crate::term::Term;
use crate::view::preview::Previews;
use crate::view::{Human, Json, Markdown, PlanShown, View};

/// Plans, saves what is to be saved, shows the plan.
pub async fn run(args: &PlanArgs, term: &Term) -> Result<Exit, CommandError> {
    let seen = look(args, term).await?;
    let Planned { plan, report } = seen.plan()?;
    let shown = PlanShown { plan: &plan, report: Some(&report), observation: Some(&seen.input.observation) };
    let previews = match args.preview {
        Some(most) => Some(seen.preview(most.into()).await?),
        None => None,
    };
    if previews.is_none() || args.format != PlanFormat::Json {
        term.result(&view(args.format, args.explain, term).render(&shown));
    }
    if let Some(previews) = &previews {
        term.result(&preview(args.format, previews, term));
    }
    json_out(args.json_out.as_deref(), &Json.render(&shown), term)?;
    if let Some(path) = &args.out {
        file::write(path, &file::json(&plan))?;
        term.note(&saved(&plan, &path.display().to_string()));
    }
    Ok(exit(&plan, args.detailed_exitcode))
}

async fn look(args: &PlanArgs, term: &Term) -> Result<Seen, CommandError> {
    let workspace = Workspace::load(&args.workspace.workspace, &args.workspace.environment, term)?;
    let options = pipeline::plan_options(&args.scope);
    if let Some(path) = &args.observed {
        return pipeline::saved_observation(workspace, path, options, term);
    }
    let seen = pipeline::live(workspace, options, term).await?;
    if let Some(path) = &args.save_observed {
        file::write(path, &file::json(&seen.input.observation))?;
    }
    Ok(seen)
}

/// Sample rows, behind the plan or in its place.
fn preview(format: PlanFormat, previews: &Previews, term: &Term) -> String {
    let human = Human { width: term.width(), verbose: term.verbose(), explain: false };
    match format {
        PlanFormat::Human => format!("\n{}", human.render(previews)),
        PlanFormat::Json => Json.render(previews),
        PlanFormat::Markdown => {
            let text = strip_str(&human.render(previews)).to_string();
            format!("\n```text\n{}```\n", text.replace("```", "'''"))
        }
    }
}

/// The view for a format of plans.
pub(super) fn view(format: PlanFormat, explain: bool, term: &Term) -> Box<dyn for<'a> View<PlanShown<'a>>> {
    match format {
        PlanFormat::Human => Box::new(Human { width: term.width(), verbose: term.verbose(), explain }),
        PlanFormat::Json => Box::new(Json),
        PlanFormat::Markdown => Box::new(Markdown { explain }),
    }
}

fn saved(plan: &Plan, path: &str) -> String {
    if plan.is_empty() || plan.is_blocked() {
        return format!("Saved to {path}.");
    }
    format!("Saved to {path}. To do exactly this: transship apply {path}")
}

/// How a plan ends: blocked, not fully judged, with changes, or without.
fn exit(plan: &Plan, detailed: bool) -> Exit {
    Exit::Blocked
        .when(plan.is_blocked())
        .and(Exit::Error.when(!plan.unseen.is_empty()))
        .and(Exit::Changes.when(detailed && !plan.is_empty()))
}
