//! `transship validate`: checks a workspace without connecting to anything.

use transship_model::Finding;

use super::json_out;
use crate::args::{ValidateArgs, ValidateFormat};
use crate::diagnostics::{Diagnostics, Sources, count, github, graphical, sarif};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::pipeline::Workspace;
use crate::term::Term;
use crate::view::style::{Page, bold, counted};
use crate::view::{Json, View as _};

/// Reads, checks, and shows what is wrong or odd.
pub fn run(args: &ValidateArgs, term: &Term) -> Result<Exit, CommandError> {
    let read = Workspace::read(&args.workspace.workspace, &args.workspace.environment);
    let (findings, sources, workspace) = match &read {
        Ok(workspace) => (&workspace.loaded.warnings, workspace.sources(), Some(workspace)),
        Err(error) => (&error.findings, (*error.sources).clone(), None),
    };
    let json = Json.render(&Diagnostics::new(findings, &sources));
    match args.format {
        ValidateFormat::Human => term.result(&human(findings, &sources, workspace, term)),
        ValidateFormat::Json => term.result(&json),
        ValidateFormat::Github => term.result(&github::annotations(findings, &sources)),
        ValidateFormat::Sarif => term.result(&file::json(&sarif::log(findings, &sources))),
    }
    json_out(args.json_out.as_deref(), &json, term)?;
    Ok(read.map_or_else(|error| error.exit, |_| Exit::Done))
}

fn human(findings: &[Finding], sources: &Sources, workspace: Option<&Workspace>, term: &Term) -> String {
    let mut page = Page::new(term.width());
    page.block(&graphical(findings, sources, term.width()));
    let Some(workspace) = workspace else {
        page.line(&bold(&format!("{}.", count(findings))));
        return page.finish();
    };
    let spec = &workspace.loaded.spec;
    let clusters = counted(spec.clusters.len(), "cluster");
    let flows = counted(spec.flows.len(), "flow");
    let title = format!("Workspace {} is valid: {clusters}, {flows}, {}.", workspace.title(), count(findings));
    page.line(&bold(&title));
    page.finish()
}
