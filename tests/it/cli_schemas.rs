//! The published schemas are those of the types, and what the program writes follows them.

use std::path::Path;

use serde_json::Value;
use transship::args::SchemaOf;
use transship::commands::schema::schema;
use transship::diagnostics::{Diagnostics, Sources};
use transship::view::drift::Drift;
use transship_model::{Finding, SpecPath};

use crate::views::golden;
use crate::views_plans::{blocked, blocked_report, change, create, empty, index, observation, unchanged_report};

#[test]
fn schemas_are_fresh() {
    for (document, file) in [
        (SchemaOf::Plan, "plan.json"),
        (SchemaOf::Observation, "observation.json"),
        (SchemaOf::Manifest, "manifest.json"),
        (SchemaOf::Pointer, "pointer.json"),
        (SchemaOf::Drift, "drift.json"),
        (SchemaOf::Explanation, "explanation.json"),
        (SchemaOf::Diagnostics, "diagnostics.json"),
        (SchemaOf::CommandInput, "command-input.json"),
        (SchemaOf::CommandResult, "command-result.json"),
    ] {
        golden(&format!("../../schemas/{file}"), &transship::file::json(&schema(document)));
    }
}

#[track_caller]
fn follows(document: SchemaOf, value: &impl serde::Serialize) {
    let validator = jsonschema::validator_for(&schema(document)).unwrap();
    let value = serde_json::to_value(value).unwrap();
    let problems: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn what_is_written_follows_its_schema() {
    for plan in [empty(), create(), change(), blocked()] {
        follows(SchemaOf::Plan, &plan);
    }
    follows(SchemaOf::Observation, &observation());
    follows(SchemaOf::Drift, &Drift::new(&blocked(), &blocked_report(), &observation(), &index()));
    follows(SchemaOf::Drift, &Drift::new(&empty(), &unchanged_report(), &observation(), &index()));
    let finding = Finding::error("a::b", "c").at(SpecPath("x".into())).related(SpecPath("y".into()), "d").help("e");
    follows(SchemaOf::Diagnostics, &Diagnostics::new(&[finding], &Sources::default()));
}

#[test]
fn golden_documents_follow_the_schemas() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let mut seen = 0;
    for entry in fs_err::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let document = match name.split('-').next() {
            Some("plan") if is_json => SchemaOf::Plan,
            Some("explanation.json") => SchemaOf::Explanation,
            Some("drift") if is_json => SchemaOf::Drift,
            _ => continue,
        };
        let value: Value = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
        follows(document, &value);
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}
