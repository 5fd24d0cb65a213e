//! What forbids a plan across flows: clusters, writers, readers.

use std::collections::BTreeMap;

use transship_model::ledger::LedgerView;
use transship_model::spec::{Instance, StrategyChoice};
use transship_model::{Finding, FlowId, Name, SpecPath, TableName};

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

/// Whether this transship can plan the flow's strategy.
pub(crate) fn available(instance: &Instance<'_>) -> Result<(), Finding> {
    let (what, key) = match &instance.flow.strategy {
        StrategyChoice::LogicalReplication(settings) if settings.then.is_none() => return Ok(()),
        StrategyChoice::LogicalReplication(_) => ("`then: detach`".to_owned(), "strategy"),
        other => (format!("strategy `{}`", other.strategy()), "strategy"),
    };
    let message = format!("{what} is not available yet");
    let help = "it is part of the language and validates; set `enabled: false` to plan the other flows";
    Err(Finding::error("plan::not-available-yet", message).at(instance.path.key(key)).help(help))
}

/// Flows whose target, or whose spelling of it, was changed: the ledger still has what they were, under names that the
/// new ones would take. A partial plan judges them too.
pub(crate) fn moved(input: &PlanInput, instances: &[Instance<'_>]) -> BTreeMap<FlowId, Finding> {
    let mut moved = BTreeMap::new();
    for (cluster, observed) in &input.observation.clusters {
        for was in observed.ledger.rows().into_iter().flat_map(BTreeMap::keys) {
            let elsewhere = instances.iter().find(|is| is.id == *was && is.to != Some(cluster));
            let other_name =
                instances.iter().find(|is| is.id.flow == was.flow && is.to == Some(cluster) && is.id != *was);
            if let Some(now) = elsewhere.or(other_name) {
                moved.insert(now.id.clone(), has_moved(was, cluster, now));
            }
        }
    }
    moved
}

fn has_moved(was: &FlowId, cluster: &Name, now: &Instance<'_>) -> Finding {
    let message = if now.id == *was {
        format!("flow {was} goes elsewhere now, and was never taken down on {cluster}")
    } else {
        format!("flow {was} on {cluster} is called {} now, and was never taken down", now.id)
    };
    let help = format!(
        "apply once with the flow left out, which takes it down on {cluster} and keeps its tables; then declare it anew"
    );
    Finding::error("plan::moved", message).at(now.to_path.clone()).help(help)
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

/// Two subscribers of one table whose clusters have one name: their leases on the source would collide.
pub(crate) fn subscriber_names(input: &PlanInput, flows: &[Judged<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut subscribers = BTreeMap::<(&Name, &TableName, &str), &Instance<'_>>::new();
    for (instance, outcome) in flows {
        let replicates = matches!(instance.flow.strategy, StrategyChoice::LogicalReplication(_));
        let target = instance.to.and_then(|to| input.observed(to));
        let Some(target) = target.filter(|_| replicates) else { continue };
        let collision = outcome.reads.iter().find_map(|(source, table)| {
            let key = (source, table, target.cluster_name.as_str());
            subscribers.insert(key, instance).filter(|first| first.to != instance.to).map(|first| (table, first))
        });
        if let Some((table, first)) = collision {
            let message = format!(
                "{} and {} subscribe to {table} from two clusters that are both named `{}`",
                first.id, instance.id, target.cluster_name
            );
            findings.push(
                Finding::error("plan::same-cluster-name", message)
                    .at(instance.to_path.clone())
                    .related(first.to_path.clone(), "the other subscriber")
                    .help("the source tells subscribers apart by cluster.name alone: give one of them another cluster.name"),
            );
        }
    }
    findings
}
