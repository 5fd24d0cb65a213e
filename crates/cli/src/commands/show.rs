//! `transship show`: shows a saved plan.

use super::{json_out, plan::view};
use crate::args::ShowArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::pipeline;
use crate::term::Term;
use crate::view::style::alarm;
use crate::view::{Json, PlanShown, View as _};

/// Reads and shows.
pub fn run(args: &ShowArgs, term: &Term) -> Result<Exit, CommandError> {
    let saved = pipeline::read_plan(&args.plan)?;
    if !saved.intact {
        let text = "This plan was changed after it was made: its digest does not match, and apply refuses it.";
        term.error(&format!("{}\n", alarm(text)));
    }
    let shown = PlanShown { plan: &saved.plan, report: None, observation: None };
    term.result(&view(args.format, args.explain, term).render(&shown));
    json_out(args.json_out.as_deref(), &Json.render(&shown), term)?;
    Ok(Exit::Error.when(!saved.intact))
}
