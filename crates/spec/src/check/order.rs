//! Flows that wait for each other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use transship_model::spec::{ColumnRule, Columns, Instance, Lookup, Table, TableEntry};
use transship_model::{Finding, Name, SpecPath};

use super::writers::written;
use super::{Context, tables_with_settings};
use crate::report::Report;

/// Why one flow waits for another.
#[derive(Clone, Debug)]
struct Why {
    path: SpecPath,
    text: String,
}

/// An edge goes from the flow that waits to the flow that it waits for.
type Waits<'a> = DiGraph<&'a Name, Why>;

/// Reports a loop of every group of flows that wait for each other.
pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let waits = graph(context);
    let mut loops: Vec<Vec<NodeIndex>> = tarjan_scc(&waits)
        .into_iter()
        .filter_map(|group| shortest_loop(&waits, *group.iter().min_by_key(|node| waits[**node])?))
        .collect();
    loops.sort_by_key(|nodes| waits[nodes[0]]);
    for nodes in loops {
        report.push(finding(&waits, &nodes));
    }
}

fn graph<'a>(context: &Context<'a>) -> Waits<'a> {
    let mut waits = Waits::new();
    let nodes: BTreeMap<&Name, NodeIndex> =
        context.spec.flows.keys().map(|name| (name, waits.add_node(name))).collect();
    for (name, flow) in &context.spec.flows {
        for (i, before) in flow.depends_on.iter().enumerate() {
            if let Some(node) = nodes.get(before) {
                let path = SpecPath::of("flows", name).key("depends_on").item(i);
                waits.add_edge(nodes[name], *node, Why { path, text: format!("`{name}` depends on `{before}`") });
            }
        }
    }
    add_reads(context, &nodes, &mut waits);
    waits
}

/// A flow that reads what another writes waits for it.
fn add_reads<'a>(context: &Context<'a>, nodes: &BTreeMap<&'a Name, NodeIndex>, waits: &mut Waits<'a>) {
    let instances = context.spec.instances();
    let mut writers: BTreeMap<(&Name, &str), NodeIndex> = BTreeMap::new();
    for instance in &instances {
        let Some(to) = instance.to else { continue };
        for (table, _) in written(instance.flow, &instance.path) {
            writers.insert((to, table), nodes[&instance.id.flow]);
        }
    }
    for instance in &instances {
        let name = &instance.id.flow;
        for (cluster, table, path) in read(instance) {
            let Some(writer) = writers.get(&(cluster, table)) else { continue };
            if waits.find_edge(nodes[name], *writer).is_none() {
                let text = format!("`{name}` reads `{table}` of `{cluster}`, which `{}` writes", waits[*writer]);
                waits.add_edge(nodes[name], *writer, Why { path, text });
            }
        }
    }
}

/// The literal tables that a flow reads, with their clusters and places; look-ups are read at the target.
fn read<'a>(instance: &Instance<'a>) -> Vec<(&'a Name, &'a str, SpecPath)> {
    let path = instance.path.key("tables");
    let literal = |(i, entry): (usize, &'a TableEntry)| {
        let path = match entry {
            TableEntry::Pattern(_) => path.item(i),
            TableEntry::Table(_) => path.item(i).key("from"),
        };
        Some((instance.from?, entry.from().0.as_str(), path)).filter(|_| entry.from().is_literal())
    };
    // A flow from a cluster to itself is an error of its own.
    let tables = instance.flow.tables.iter().filter(|_| instance.from != instance.to);
    let tables = tables.enumerate().filter_map(literal);
    let lookups = tables_with_settings(instance.flow, &instance.path)
        .into_iter()
        .flat_map(|(path, table)| lookups(table, &path))
        .filter_map(|(table, path)| Some((instance.to?, table, path)));
    tables.chain(lookups).collect()
}

fn lookups<'a>(table: &'a Table, path: &SpecPath) -> Vec<(&'a str, SpecPath)> {
    let Some(Columns::Rules(rules)) = &table.columns else { return Vec::new() };
    let lookup = |(column, rule): (&'a String, &'a ColumnRule)| match rule {
        ColumnRule::Rule(rule) => match &rule.lookup {
            Some(Lookup::Table(lookup)) => {
                Some((lookup.table.as_str(), path.key("columns").key(column).key("lookup").key("table")))
            }
            _ => None,
        },
        ColumnRule::Sql(_) => None,
    };
    rules.iter().filter_map(lookup).collect()
}

/// The shortest way from `start` back to it; `None` if there is none.
fn shortest_loop(waits: &Waits<'_>, start: NodeIndex) -> Option<Vec<NodeIndex>> {
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut next: Vec<NodeIndex> = waits.neighbors(node).collect();
        next.sort_by_key(|node| waits[*node]);
        for next in next {
            if next == start {
                let mut nodes: Vec<NodeIndex> =
                    std::iter::successors(Some(node), |node| came_from.get(node).copied()).collect();
                nodes.reverse();
                return Some(nodes);
            }
            if let Entry::Vacant(vacant) = came_from.entry(next) {
                vacant.insert(node);
                queue.push_back(next);
            }
        }
    }
    None
}

fn finding(waits: &Waits<'_>, nodes: &[NodeIndex]) -> Finding {
    let around = || nodes.iter().chain(nodes.first());
    let names: Vec<String> = around().map(|node| format!("`{}`", waits[*node])).collect();
    let mut reasons = nodes
        .iter()
        .zip(around().skip(1))
        .filter_map(|(node, next)| waits.edges_connecting(*node, *next).next().map(|edge| edge.weight().clone()));
    let message = format!("these flows wait for each other: {}", names.join(" → "));
    let mut finding = Finding::error("spec::cycle", message)
        .help("break the loop: remove a `depends_on`, or let one of the flows write another table");
    if let Some(first) = reasons.next() {
        finding = finding.at(first.path.clone()).related(first.path, first.text);
    }
    reasons.fold(finding, |finding, why| finding.related(why.path, why.text))
}
