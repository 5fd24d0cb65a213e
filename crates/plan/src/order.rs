//! The order of flows and steps: a graph, its cycles, and one stable way through it.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use transship_model::plan::{Step, StepId, StepKind, in_order};
use transship_model::spec::Spec;
use transship_model::{Finding, Name, SpecPath};

use crate::check::Judged;

/// Flows before flows, by their position in the list that they were made from.
pub(crate) type FlowEdges = BTreeSet<(usize, usize)>;

/// Who writes a table comes before who reads it; `depends_on` adds edges. A cycle is an error that names every flow
/// on the loop.
pub(crate) fn flows(spec: &Spec, flows: &[Judged<'_>]) -> Result<FlowEdges, Vec<Finding>> {
    let mut edges = FlowEdges::new();
    let mut writers = BTreeMap::new();
    let mut by_name = BTreeMap::<&Name, Vec<usize>>::new();
    for (index, (instance, outcome)) in flows.iter().enumerate() {
        writers.extend(outcome.writes.iter().map(|written| (written, index)));
        by_name.entry(&instance.id.flow).or_default().push(index);
    }
    for (index, (instance, outcome)) in flows.iter().enumerate() {
        let read = outcome.reads.iter().filter_map(|table| writers.get(table).copied());
        let declared =
            instance.flow.depends_on.iter().flat_map(|name| by_name.get(name).into_iter().flatten().copied());
        edges.extend(read.chain(declared).filter(|before| *before != index).map(|before| (before, index)));
    }
    cycles(spec, flows, &edges)?;
    Ok(edges)
}

fn cycles(spec: &Spec, flows: &[Judged<'_>], edges: &FlowEdges) -> Result<(), Vec<Finding>> {
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<NodeIndex> = (0..flows.len()).map(|index| graph.add_node(index)).collect();
    for (before, after) in edges {
        graph.add_edge(nodes[*before], nodes[*after], ());
    }
    let loops = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
    let findings: Vec<Finding> = loops.map(|component| cycle(spec, flows, &graph, &component)).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

fn cycle(spec: &Spec, flows: &[Judged<'_>], graph: &DiGraph<usize, ()>, component: &[NodeIndex]) -> Finding {
    let path = walk(graph, component);
    let ids: Vec<String> = path.iter().map(|index| flows[*index].0.id.to_string()).collect();
    let first = flows[path[0]].0;
    let message = format!("flows wait for each other: {} → {}", ids.join(" → "), ids[0]);
    let finding = Finding::error("plan::cycle", message).at_key(first.path.clone());
    let others = path[1..].iter().map(|index| SpecPath::of("flows", &flows[*index].0.id.flow));
    let help = format!("who writes a table comes before who reads it (workspace {})", spec.workspace);
    others.fold(finding, |finding, path| finding.related(path, "on the loop")).help(help)
}

/// A round trip through the component, from its lowest flow along the edges.
fn walk(graph: &DiGraph<usize, ()>, component: &[NodeIndex]) -> Vec<usize> {
    let inside: BTreeSet<NodeIndex> = component.iter().copied().collect();
    let start = *inside.first().expect("a component has a node");
    let mut parents = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut next: Vec<NodeIndex> = graph.neighbors_directed(node, Direction::Outgoing).collect();
        next.sort();
        for neighbour in next.into_iter().filter(|node| inside.contains(node)) {
            if neighbour == start {
                let back = std::iter::successors(Some(node), |node| parents.get(node).copied());
                let mut path: Vec<usize> = back.map(|node| graph[node]).collect();
                path.reverse();
                return path;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = parents.entry(neighbour) {
                entry.insert(node);
                queue.push_back(neighbour);
            }
        }
    }
    vec![graph[start]]
}

/// Adds what has to be kept apart on one cluster: a subscription is dropped before another one is made there, since
/// making one looks again at all, and a failed one can take the master down. One that its own plan has seen in sync has
/// not failed. Each group holds the steps of flows in their order: those that were reviewed, and each flow that fell due.
pub(crate) fn keep_apart(groups: &mut [&mut Vec<Step>]) {
    let noted = |of: &Step, before: &[Step]| {
        before.iter().any(|step| step.kind == StepKind::NoteSynced && step.flow == of.flow)
    };
    let mut drops: Vec<(StepId, Name)> = Vec::new();
    for steps in groups.iter() {
        let found = steps.iter().enumerate();
        let found = found.filter(|(at, step)| step.kind == StepKind::DropSubscription && !noted(step, &steps[..*at]));
        drops.extend(found.map(|(_, step)| (step.id.clone(), step.cluster.clone())));
    }
    let creates = groups.iter_mut().flat_map(|steps| steps.iter_mut());
    for step in creates.filter(|step| step.kind == StepKind::CreateSubscription) {
        for (id, cluster) in &drops {
            if *cluster == step.cluster && !step.depends_on.contains(id) {
                step.depends_on.push(id.clone());
            }
        }
        step.depends_on.sort();
    }
}

/// The steps, each after those that it depends on; among those that are free, in the order in which they came. Steps that
/// wait for each other are not left out: the audit refuses a plan whose steps precede what they wait for.
pub(crate) fn steps(steps: Vec<Step>) -> Vec<Step> {
    let order = in_order(&steps.iter().collect::<Vec<_>>());
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| slots[index].take()).collect()
}
