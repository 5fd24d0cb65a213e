//! Reads a workspace of YAML files into a checked [`Spec`] with the place of every value.
//!
//! Reading goes through stages that each report everything they find: files → YAML → one merged tree → the shape that
//! the JSON Schema describes → the model's types → checks of meaning. Nothing here knows clusters. References to secrets
//! stay references in the [`Spec`]; [`resolve`] turns them into values, on demand.

mod check;
#[cfg(test)]
mod corpus;
mod csv;
mod decode;
#[cfg(test)]
mod examples;
mod files;
mod lookups;
mod mask;
mod merge;
mod node;
mod overlay;
mod report;
mod resolve;
#[cfg(test)]
mod robust;
mod schema;
mod shape;
mod suggest;
mod url;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use transship_model::plan::SpecFiles;
use transship_model::span::Span;
use transship_model::spec::{LookupFile, Spec};
use transship_model::{Finding, Name, Severity, SpanIndex, SpecPath};

use crate::decode::Declared;
use crate::files::Sources;
use crate::node::Node;
use crate::report::Report;

pub use files::{FILE_MAX, FILES_MAX};
pub use lookups::LookupValues;
pub use resolve::{ProcessVariables, Resolved, Variables, resolve, resolve_secret, resolve_text};
pub use schema::workspace_schema;
pub use suggest::help as did_you_mean;

/// Which workspace to read, and how.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The directory of the workspace.
    pub directory: PathBuf,
    /// The chosen environment.
    pub environment: Option<Name>,
    /// Directories outside of the workspace from which files may be read.
    pub allow_roots: Vec<PathBuf>,
}

/// A workspace without errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is declared.
    pub spec: Spec,
    /// Where it is declared.
    pub index: SpanIndex,
    /// The files and their digests, those of look-ups among them.
    pub files: SpecFiles,
    /// What the files of look-ups hold.
    pub lookups: BTreeMap<LookupFile, LookupValues>,
    /// The text of each file, to show around findings; secrets are starred out, byte for byte.
    pub sources: BTreeMap<String, String>,
    /// The stretches that are starred out.
    pub masked: Vec<Span>,
    /// What is odd, but no error.
    pub warnings: Vec<Finding>,
}

/// Everything that is wrong with a workspace.
#[derive(Clone, Debug)]
pub struct LoadError {
    /// The findings in the order of their places: errors, and the warnings among them.
    pub findings: Vec<Finding>,
    /// The places that the findings' paths stand for.
    pub index: SpanIndex,
    /// The text of each file that is text, to show around findings; secrets are starred out, byte for byte.
    pub sources: BTreeMap<String, String>,
    /// The stretches that are starred out.
    pub masked: Vec<Span>,
}

/// Reads and checks a workspace; an error holds every problem at once.
pub fn load(options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut report = Report::default();
    let mut sources = files::read(options, &mut report);
    let (root, spec) = understand(&sources, options.environment.clone(), &mut report);
    let lookups = lookups::read(&spec, options, &mut sources.files, &mut report);
    finish(sources, &root, (spec, lookups), report)
}

/// The merged tree and what could be decoded of it.
fn understand(sources: &Sources, environment: Option<Name>, report: &mut Report) -> (Node, Spec) {
    let readable = !report.has_errors();
    let documents: Vec<(u32, Node)> =
        sources.base.iter().filter_map(|source| Some((source.file, yaml::parse(source, report)?))).collect();
    if documents.is_empty() {
        let root = Node::empty();
        let spec = decode::decode(&root, environment, report);
        return (root, spec);
    }
    // What stands in a file that cannot be read is not missing elsewhere.
    let mut complete = readable && documents.len() == sources.base.len();
    let mut root = merge::merge(documents, complete, report);
    if let Some(source) = &sources.overlay {
        match yaml::parse(source, report) {
            Some(document) => root = overlay::apply(root, source.file, document, report),
            None => complete = false,
        }
    }
    shape::check(&root, shape::workspace(), &SpecPath::default(), report);
    shape::settle(&mut root, &SpecPath::default(), report);
    let spec = decode::decode(&root, environment, report);
    if complete {
        check::check(&check::Context { spec: &spec, declared: &Declared::of(&root), root: &root }, report);
    }
    (root, spec)
}

fn finish(
    sources: Sources,
    root: &Node,
    (spec, lookups): (Spec, BTreeMap<LookupFile, LookupValues>),
    mut report: Report,
) -> Result<Loaded, LoadError> {
    let mut index = node::index(root, &report);
    index.values.extend(std::mem::take(&mut report.places));
    report.sort(&index);
    for source in sources.base.iter().chain(&sources.overlay) {
        report.masked.extend(mask::suspicious(source));
    }
    let texts = sources.masked_texts(&report);
    let masked = report.masked.iter().map(|at| report.span(*at)).collect();
    if report.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(LoadError { findings: report.findings, index, sources: texts, masked });
    }
    Ok(Loaded { spec, index, files: sources.files, lookups, sources: texts, masked, warnings: report.findings })
}
