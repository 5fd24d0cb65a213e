//! What forbids a plan across flows: clusters, writers, readers.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::ledger::{FlowRow, LedgerView};
use transship_model::observed::RelationState;
use transship_model::plan::{Plan, Step, StepKind};
use transship_model::spec::{From, Instance, Repeat, StrategyChoice, To};
use transship_model::store::place_of;
use transship_model::{Finding, FlowId, Name, SpecPath, TableName};

use transship_sql::ident::ident;

use crate::export;
use crate::input::PlanInput;
use crate::stage::FlowOutcome;

/// Two names for one cluster, and clusters that are not the pinned ones.
pub(crate) fn clusters(input: &PlanInput) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeMap::<&str, &Name>::new();
    for name in input.spec.clusters.keys() {
        let Some(observed) = input.observed(name) else { continue };
        if let Some(first) = seen.insert(&observed.id, name) {
            let message = format!("{first} and {name} are one cluster (sys.cluster.id {})", observed.id);
            findings.push(
                Finding::error("plan::same-cluster", message)
                    .at(SpecPath::of("clusters", name).key("url"))
                    .related(SpecPath::of("clusters", first).key("url"), "the same cluster")
                    .help("give each cluster one name"),
            );
        }
        let pinned = input.endpoints.get(name).and_then(|endpoint| endpoint.id.as_deref());
        if let Some(pinned) = pinned.filter(|pinned| *pinned != observed.id) {
            let message = format!("{name} is not the pinned cluster: sys.cluster.id is {}, not {pinned}", observed.id);
            let help = "check the URL; when the cluster really is another one, change the pin";
            let at = SpecPath::of("clusters", name).key("id");
            findings.push(Finding::error("plan::another-cluster", message).at(at).help(help));
        }
    }
    findings
}

/// Ledgers that a newer transship writes: nothing of their clusters can be judged.
pub(crate) fn newer_ledgers(input: &PlanInput) -> Vec<Finding> {
    let clusters = input.observation.clusters.iter();
    let newer = clusters.filter_map(|(name, seen)| match seen.ledger {
        LedgerView::Newer(format) => Some((name, format)),
        LedgerView::Absent | LedgerView::Unreadable(_) | LedgerView::Present(_) => None,
    });
    let finding = |(name, format): (&Name, u32)| {
        let message = format!("the ledger on {name} has format {format}, written by a newer transship");
        Finding::error("plan::ledger-newer", message)
            .at_key(SpecPath::of("clusters", name))
            .help("use the newer transship")
    };
    newer.map(finding).collect()
}

/// Flows whose target, or whose spelling of it, was changed: the ledger still has what they were, under names that the
/// new ones would take. A partial plan judges them too.
pub(crate) fn moved(input: &PlanInput, instances: &[Instance<'_>]) -> BTreeMap<FlowId, Finding> {
    let mut moved = BTreeMap::new();
    for (cluster, observed) in &input.observation.clusters {
        for (was, row) in observed.ledger.rows() {
            let elsewhere = instances.iter().find(|is| is.id == *was && is.home() != Some(cluster));
            let other_name =
                instances.iter().find(|is| is.id.flow == was.flow && is.home() == Some(cluster) && is.id != *was);
            if let Some(now) = elsewhere.or(other_name) {
                moved.insert(now.id.clone(), has_moved(was, cluster, now));
            }
            let here = instances.iter().find(|is| is.id == *was && is.home() == Some(cluster));
            if let Some(now) = here.filter(|now| takes_from_another(input, row, now)) {
                let message = format!("flow {was} took its tables from {} when it was made", row.from);
                moved.insert(
                    was.clone(),
                    Finding::error("plan::moved", message).at(now.path.key("from")).help(HOW_TO_MOVE),
                );
            }
        }
    }
    moved
}

/// How a flow gets to another cluster.
pub(crate) const HOW_TO_MOVE: &str =
    "apply once with the flow left out, which takes it down and keeps its tables; then declare it anew";

/// Another name for the same cluster, or another cluster under the same name, is not another source.
fn takes_from_another(input: &PlanInput, row: &FlowRow, now: &Instance<'_>) -> bool {
    let Some(from) = now.from.filter(|from| **from != row.from) else { return false };
    input.observed(from).is_some_and(|seen| seen.id != row.from_id)
}

fn has_moved(was: &FlowId, cluster: &Name, now: &Instance<'_>) -> Finding {
    let message = if now.id == *was {
        format!("flow {was} goes elsewhere now, and was never taken down on {cluster}")
    } else {
        format!("flow {was} on {cluster} is called {} now, and was never taken down", now.id)
    };
    Finding::error("plan::moved", message).at(now.to_path.clone()).help(HOW_TO_MOVE)
}

/// One flow by its place in the spec and what it came to.
pub(crate) type Judged<'a> = (&'a Instance<'a>, &'a FlowOutcome);

/// Two flows that write one table, found by the tables that their patterns matched.
pub(crate) fn writers(flows: &[Judged<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut writers = BTreeMap::<&(Name, TableName), &Instance<'_>>::new();
    for (instance, outcome) in flows {
        for written in &outcome.writes {
            let Some(first) = writers.insert(written, instance) else { continue };
            let (cluster, table) = written;
            let message = format!("{} and {} both write table {cluster}.{table}", first.id, instance.id);
            findings.push(
                Finding::error("plan::two-writers", message)
                    .at(instance.path.key("tables"))
                    .related(first.path.key("tables"), "the other writer")
                    .help("exclude the table from one of them"),
            );
        }
    }
    findings
}

/// Flows that import what another flow of the same plan exports anew: what they import would not be what was planned with.
pub(crate) fn own_exports(input: &PlanInput, flows: &[Judged<'_>]) -> Vec<Finding> {
    let spec = &input.spec;
    let mut findings = Vec::new();
    for (import, outcome) in flows {
        let From::Store(source) = &import.flow.from else { continue };
        let is_planned = import.flow.enabled && input.options.selects(&import.id);
        let reads = !outcome.draft.steps.is_empty() || import.flow.repeat == Some(Repeat::OnChange);
        let Some(directory) = export::directory(input, source).filter(|_| is_planned && reads) else { continue };
        let writer = flows.iter().find(|(other, outcome)| {
            let place = place_of(&spec.workspace, spec.environment.as_ref(), &other.id);
            let is_below = directory == place || directory.starts_with(&format!("{place}/"));
            let is_same = matches!(&other.flow.to, To::Store(end) if end.store == source.store);
            is_same && is_below && !outcome.draft.steps.is_empty()
        });
        if let Some((writer, _)) = writer {
            let message = format!("{} imports what {} exports anew in the same plan", import.id, writer.id);
            findings.push(
                Finding::error("plan::export-comes-first", message)
                    .at(import.path.key("from"))
                    .related(writer.path.key("to"), "exported by this flow")
                    .help(format!(
                        "apply with `--target {}` first; or copy from cluster to cluster in one flow",
                        writer.id
                    )),
            );
        }
    }
    findings
}

/// Two subscribers of one table whose clusters have one name: their leases on the source would collide. Flows that are
/// left out, and those that only the ledgers know, count as well.
pub(crate) fn subscriber_names(input: &PlanInput, flows: &[Judged<'_>]) -> Vec<Finding> {
    let mut subscribers = known_subscribers(input);
    let mut findings = Vec::new();
    for (instance, outcome) in flows {
        let replicates = matches!(instance.flow.strategy, StrategyChoice::LogicalReplication(_));
        let ends = instance.to.and_then(|to| Some((to, input.observed(to)?)));
        let Some((to, target)) = ends.filter(|_| replicates) else { continue };
        let collision = outcome.reads.iter().find_map(|(source, table)| {
            let key = (input.observed(source)?.id.as_str(), table, target.cluster_name.as_str());
            let subscriber = Subscriber { cluster: to, path: Some(&instance.to_path), flow: instance.id.clone() };
            let first = subscribers.entry(key).or_insert(subscriber);
            (first.cluster != to).then(|| (table, first.clone()))
        });
        if let Some((table, first)) = collision {
            findings.push(same_name(instance, &target.cluster_name, table, &first));
        }
    }
    findings
}

/// Who subscribes to a table.
#[derive(Clone)]
struct Subscriber<'a> {
    cluster: &'a Name,
    path: Option<&'a SpecPath>,
    flow: FlowId,
}

/// The source's id, the table and the subscriber's cluster name: what a lease is told apart by.
type LeaseKey<'a> = (&'a str, &'a TableName, &'a str);

fn known_subscribers(input: &PlanInput) -> BTreeMap<LeaseKey<'_>, Subscriber<'_>> {
    let mut known = BTreeMap::new();
    for (cluster, seen) in &input.observation.clusters {
        for (flow, row) in seen.ledger.rows() {
            for table in &row.tables {
                let subscriber = Subscriber { cluster, path: None, flow: flow.clone() };
                known.insert((row.from_id.as_str(), table, seen.cluster_name.as_str()), subscriber);
            }
        }
    }
    known
}

fn same_name(instance: &Instance<'_>, name: &str, table: &TableName, first: &Subscriber<'_>) -> Finding {
    let message = format!(
        "{} (on {}) and {} subscribe to {table} from two clusters that are both named `{name}`",
        first.flow, first.cluster, instance.id
    );
    let finding = Finding::error("plan::same-cluster-name", message).at(instance.to_path.clone());
    let finding =
        first.path.cloned().into_iter().fold(finding, |finding, path| finding.related(path, "the other subscriber"));
    finding.help("the source tells subscribers apart by cluster.name alone: give one of them another cluster.name")
}

/// Failed subscriptions beside which another one is made: making one looks again at all, and a failed one can then take
/// the master down. Only one that the same plan drops is none.
pub(crate) fn failed_neighbours(input: &PlanInput, plan: &Plan) -> Vec<Finding> {
    let dropped: BTreeSet<(&Name, &str)> = plan
        .all_records()
        .filter_map(|record| {
            let drops =
                |step: &Step| step.kind == StepKind::DropSubscription && step.flow.as_ref() == Some(&record.flow);
            let name = record.row.subscription.as_ref()?.name.as_str();
            plan.all_steps().any(drops).then_some((&record.row.to, name))
        })
        .collect();
    let makes: BTreeSet<&Name> =
        plan.all_steps().filter(|step| step.kind == StepKind::CreateSubscription).map(|step| &step.cluster).collect();
    let mut findings = Vec::new();
    for cluster in makes {
        let subscriptions = input.observed(cluster).into_iter().flat_map(|seen| &seen.subscriptions);
        let failed =
            subscriptions.filter(|(_, is)| is.tables.values().any(|table| table.state == RelationState::Failed));
        let left = failed.filter(|(name, _)| !dropped.contains(&(cluster, name.as_str())));
        findings.extend(left.map(|(name, _)| failed_neighbour(input, cluster, name)));
    }
    findings
}

fn failed_neighbour(input: &PlanInput, cluster: &Name, name: &str) -> Finding {
    let mut rows = input.observed(cluster).into_iter().flat_map(|seen| seen.ledger.rows());
    let owner = rows.find(|(_, row)| row.subscription.as_ref().is_some_and(|owned| owned.name == name));
    let help = match owner {
        Some((flow, _)) => format!("it is that of flow {flow}: repair it in the same plan, or first"),
        None if name.starts_with(crate::names::PREFIX) => {
            "it is that of a flow of another workspace or environment: repair it there".to_owned()
        }
        None => format!("no flow manages it: on {cluster}, DROP SUBSCRIPTION {}", ident(name)),
    };
    let message =
        format!("subscription {cluster}.{name} has failed, and can take every other one down when another is made");
    Finding::error("plan::failed-subscription", message).at_key(SpecPath::of("clusters", cluster)).help(help)
}
