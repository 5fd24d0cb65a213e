//! Checks of meaning: one file per subject, each finding with a code, a place and a next step.

mod auto;
mod clusters;
mod columns;
mod consent;
mod ends;
mod existing;
mod matrix;
mod names;
mod order;
mod sql;
mod stores;
mod tables;
mod target;
mod writers;

use transship_model::spec::{Flow, Spec, Table, TableEntry};
use transship_model::{Finding, SpecPath};

use crate::decode::Declared;
use crate::node::{Kind, Node};
use crate::report::Report;

/// What the checks look at.
pub(crate) struct Context<'a> {
    /// What could be decoded.
    pub(crate) spec: &'a Spec,
    /// Every declared name.
    pub(crate) declared: &'a Declared,
    /// The whole tree, to mask parts of it.
    pub(crate) root: &'a Node,
}

/// Runs every check.
pub(crate) fn check(context: &Context<'_>, report: &mut Report) {
    check_not_empty(context, report);
    clusters::check(context, report);
    stores::check(context, report);
    consent::check(context, report);
    for (name, flow) in &context.spec.flows {
        let path = SpecPath::of("flows", name);
        ends::check(context, flow, &path, report);
        auto::check(flow, &path, report);
        matrix::check(flow, &path, report);
        existing::check(flow, &path, report);
        tables::check(flow, &path, report);
        columns::check(flow, &path, report);
        target::check(flow, &path, report);
    }
    existing::check_protected(context, report);
    names::check(context, report);
    writers::check(context, report);
    order::check(context, report);
}

/// A workspace without clusters would neither make nor remove anything, and look clean.
fn check_not_empty(context: &Context<'_>, report: &mut Report) {
    if context.root.get("clusters").is_none_or(|clusters| clusters.kind == Kind::Map(Vec::new())) {
        report.push(
            Finding::error("spec::empty-workspace", "the workspace declares no cluster")
                .at_key(SpecPath("clusters".to_owned()))
                .help("declare the clusters under `clusters:`, each with its `url`"),
        );
    }
}

/// The tables of a flow that have settings, with their places.
fn tables_with_settings<'a>(flow: &'a Flow, path: &SpecPath) -> Vec<(SpecPath, &'a Table)> {
    let path = path.key("tables");
    let with_settings = |(i, entry): (usize, &'a TableEntry)| match entry {
        TableEntry::Table(table) => Some((path.item(i), &**table)),
        TableEntry::Pattern(_) => None,
    };
    flow.tables.iter().enumerate().filter_map(with_settings).collect()
}

/// The findings about a workspace of one file.
#[cfg(test)]
fn findings_of(text: &str) -> Vec<Finding> {
    let mut report = Report::default();
    let file = report.file("a.yaml");
    let source = crate::files::Source { file, name: "a.yaml".to_owned(), text: text.to_owned() };
    let sources = crate::files::Sources { base: vec![source], ..crate::files::Sources::default() };
    crate::understand(&sources, None, &mut report);
    report.findings
}
