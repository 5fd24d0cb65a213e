//! `transship explain`: which strategy a flow has or could have, what each needs, and what of it holds. Changes nothing.

use transship_model::{Finding, FlowId};
use transship_plan::{PlanInput, PlanOptions};

use super::json_out;
use crate::args::{BasicFormat, ExplainArgs};
use crate::diagnostics::graphical;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::pipeline::{self, Seen, Workspace};
use crate::term::Term;
use crate::view::explain::Explained;
use crate::view::{Human, Json, View as _};

/// Looks, explains, and shows what forbids the flow.
pub async fn run(args: &ExplainArgs, term: &Term) -> Result<Exit, CommandError> {
    let workspace = Workspace::load(&args.workspace.workspace, &args.workspace.environment, term)?;
    check(&workspace, &args.flow)?;
    let seen = look(workspace, args, term).await?;
    let explanation = transship_plan::explain(&seen.input, &args.flow.flow).expect("the flow was looked up before");
    let sources = seen.workspace.sources();
    let explained = Explained::new(&seen.input, &explanation, &sources);
    let human = Human { width: term.width(), verbose: term.verbose(), explain: false };
    term.result(&match args.format {
        BasicFormat::Human => human.render(&explained),
        BasicFormat::Json => Json.render(&explained),
    });
    json_out(args.json_out.as_deref(), &Json.render(&explained), term)?;
    if !explanation.findings.is_empty() {
        term.error(&graphical(&explanation.findings, &sources, term.width()));
    }
    Ok(explained.exit())
}

/// A typing mistake is told before any cluster is asked.
fn check(workspace: &Workspace, flow: &FlowId) -> Result<(), CommandError> {
    let instances = workspace.loaded.spec.instances();
    let is_meant = |id: &FlowId| id == flow || (flow.target.is_none() && id.flow == flow.flow);
    if instances.iter().any(|instance| is_meant(&instance.id)) {
        return Ok(());
    }
    let names: Vec<String> = instances.iter().map(|instance| instance.id.to_string()).collect();
    let help = transship_spec::did_you_mean(&flow.to_string(), "flows", names.iter().map(String::as_str));
    let finding = Finding::error("plan::no-such-flow", format!("there is no flow `{flow}`")).help(help);
    Err(CommandError::workspace(vec![finding], workspace.sources()))
}

async fn look(workspace: Workspace, args: &ExplainArgs, term: &Term) -> Result<Seen, CommandError> {
    if let Some(path) = &args.observed {
        return pipeline::saved_observation(workspace, path, PlanOptions::default(), term);
    }
    let flow = args.flow.flow.clone();
    let wanted = move |input: &PlanInput| {
        let mut wanted = transship_plan::wanted(input);
        transship_plan::wanted_to_explain(input, &flow, &mut wanted);
        wanted
    };
    pipeline::live_for(workspace, PlanOptions::default(), term, &wanted).await
}
