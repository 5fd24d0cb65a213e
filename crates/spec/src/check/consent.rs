//! Consents to drop: patterns that can match something.

use transship_model::{AllowDrop, DropKind, Finding, SpecPath};

use super::Context;
use crate::report::Report;
use crate::suggest;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    check_list(context, &context.spec.allow_drop, &SpecPath("allow_drop".to_owned()), report);
    for (name, flow) in &context.spec.flows {
        check_list(context, &flow.allow_drop, &SpecPath::of("flows", name).key("allow_drop"), report);
    }
}

fn check_list(context: &Context<'_>, consents: &[AllowDrop], path: &SpecPath, report: &mut Report) {
    for (i, consent) in consents.iter().enumerate() {
        check_one(context, consent, path.item(i).key("name"), report);
    }
}

fn check_one(context: &Context<'_>, consent: &AllowDrop, path: SpecPath, report: &mut Report) {
    let (parts, form) = match consent.kind {
        DropKind::Table | DropKind::Rows => (3, "CLUSTER.SCHEMA.TABLE"),
        DropKind::Snapshot => (3, "CLUSTER.REPOSITORY.SNAPSHOT"),
        DropKind::Publication | DropKind::Subscription | DropKind::Repository => (2, "CLUSTER.NAME"),
    };
    let written: Vec<&str> = consent.name.0.split('.').collect();
    // A star also matches dots, so only a literal has a known number of parts.
    if consent.name.is_literal() && written.len() != parts || consent.name.0.is_empty() {
        report.push(
            Finding::error("spec::bad-consent", format!("this matches no {}", consent.kind))
                .at(path)
                .help(format!("write `{form}`, with `*` and `?` for patterns")),
        );
        return;
    }
    let cluster = written[0];
    let clusters = &context.declared.clusters;
    if !cluster.contains(['*', '?']) && !clusters.contains(cluster) {
        report.push(Finding::error("spec::unknown-cluster", format!("there is no cluster `{cluster}`")).at(path).help(
            format!("write `{form}`; {}", suggest::help(cluster, "clusters", clusters.iter().map(String::as_str))),
        ));
    }
}
