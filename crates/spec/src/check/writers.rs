//! Two flows that write one table, as far as names are written out; patterns are judged once tables are known.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::spec::{Flow, TableEntry};
use transship_model::{Finding, FlowId, Name, SpecPath};

use super::Context;
use crate::report::Report;

/// The literal tables that a flow writes, each with its place.
pub(super) fn written<'a>(flow: &'a Flow, path: &SpecPath) -> Vec<(&'a str, SpecPath)> {
    let path = path.key("tables");
    let target = |(i, entry): (usize, &'a TableEntry)| match entry {
        TableEntry::Table(table) => match &table.to {
            Some(to) => Some((to.as_str(), path.item(i).key("to"))),
            None => table.from.is_literal().then(|| (table.from.0.as_str(), path.item(i).key("from"))),
        },
        TableEntry::Pattern(glob) => glob.is_literal().then(|| (glob.0.as_str(), path.item(i))),
    };
    flow.tables.iter().enumerate().filter_map(target).collect()
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut writers: BTreeMap<(&Name, &str), (FlowId, SpecPath)> = BTreeMap::new();
    let mut reported: BTreeSet<SpecPath> = BTreeSet::new();
    for instance in context.spec.instances() {
        let Some(to) = instance.to else { continue };
        for (table, path) in written(instance.flow, &instance.path) {
            let Some((other, first)) = writers.get(&(to, table)) else {
                writers.insert((to, table), (instance.id.clone(), path));
                continue;
            };
            let id = &instance.id;
            // The same for every target of the flow.
            if other == id && !reported.insert(path.clone()) {
                continue;
            }
            let message = if other == id {
                format!("`{}` writes `{table}` twice", id.flow)
            } else {
                format!("`{table}` on `{to}` is written by `{other}` and by `{id}`")
            };
            report.push(
                Finding::error("spec::two-writers", message)
                    .at(path)
                    .related(first.clone(), format!("written by `{other}` here"))
                    .help("leave the table to one of them, or rename it in one with `to`"),
            );
        }
    }
}
