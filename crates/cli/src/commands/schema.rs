//! `transship schema`: prints the JSON Schema of a document.

use schemars::schema_for;
use serde_json::Value;
use transship_model::command::{CommandInput, CommandResult};
use transship_model::manifest::{Manifest, Pointer};
use transship_model::observed::Observation;
use transship_model::plan::Plan;

use crate::args::{SchemaArgs, SchemaOf};
use crate::diagnostics::Diagnostics;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::term::Term;
use crate::view::drift::Drift;
use crate::view::explain::Explained;

/// Prints.
pub fn run(args: &SchemaArgs, term: &Term) -> Result<Exit, CommandError> {
    term.result(&file::json(&schema(args.document)));
    Ok(Exit::Done)
}

/// The JSON Schema of a document.
pub fn schema(document: SchemaOf) -> Value {
    match document {
        SchemaOf::Workspace => transship_spec::workspace_schema(),
        SchemaOf::Plan => schema_for!(Plan).into(),
        SchemaOf::Observation => schema_for!(Observation).into(),
        SchemaOf::Manifest => schema_for!(Manifest).into(),
        SchemaOf::Pointer => schema_for!(Pointer).into(),
        SchemaOf::Drift => schema_for!(Drift).into(),
        SchemaOf::Explanation => schema_for!(Explained).into(),
        SchemaOf::CommandInput => schema_for!(CommandInput).into(),
        SchemaOf::CommandResult => schema_for!(CommandResult).into(),
        SchemaOf::Diagnostics => schema_for!(Diagnostics).into(),
    }
}
