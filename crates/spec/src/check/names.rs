//! Adopted names: each belongs to one flow.

use std::collections::BTreeMap;

use transship_model::spec::{Instance, To};
use transship_model::{Finding, Name, SpecPath};

use super::Context;
use crate::report::Report;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut owners: BTreeMap<(&Name, &str, &str), (String, SpecPath)> = BTreeMap::new();
    for instance in context.spec.instances() {
        for (cluster, kind, name) in adopted(&instance) {
            let path = instance.path.key("names").key(kind);
            let id = instance.id.to_string();
            let Some((owner, first)) = owners.insert((cluster, kind, name), (id.clone(), path.clone())) else {
                continue;
            };
            report.push(
                Finding::error(
                    "spec::name-of-two-flows",
                    format!("{kind} `{name}` of `{cluster}` belongs to two flows"),
                )
                .at(path)
                .related(first, format!("adopted by `{owner}` here"))
                .help(format!("`{id}` and `{owner}` need one of their own each: each would change the other's")),
            );
        }
        check_empty(&instance, report);
    }
}

/// The publication and the subscription that a flow adopts, with their clusters.
fn adopted<'a>(instance: &Instance<'a>) -> Vec<(&'a Name, &'static str, &'a str)> {
    let Some(names) = &instance.flow.names else { return Vec::new() };
    let publication = instance.from.zip(names.publication.as_deref());
    let subscription = instance.to.zip(names.subscription.as_deref());
    let publication = publication.map(|(cluster, name)| (cluster, "publication", name));
    publication.into_iter().chain(subscription.map(|(cluster, name)| (cluster, "subscription", name))).collect()
}

fn check_empty(instance: &Instance<'_>, report: &mut Report) {
    // A flow with several targets is looked at once.
    let is_first = match &instance.flow.to {
        To::Clusters(clusters) => clusters.first() == instance.to,
        To::Cluster(_) | To::Store(_) => true,
    };
    let Some(names) = instance.flow.names.as_ref().filter(|_| is_first) else { return };
    let all =
        [("publication", &names.publication), ("subscription", &names.subscription), ("repository", &names.repository)];
    for (kind, _) in all.into_iter().filter(|(_, name)| name.as_ref().is_some_and(|name| name.trim().is_empty())) {
        report.push(
            Finding::error("spec::empty-value", format!("the name of the {kind} is empty"))
                .at(instance.path.key("names").key(kind))
                .help("write the name as it is stored, or remove the key"),
        );
    }
}
