//! What the planner needs to know beyond the catalogs.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::plan::{Action, Step};
use transship_model::spec::{Instance, StrategyChoice};
use transship_model::{Name, TableName};

use crate::input::PlanInput;
use crate::{choose, copies, detach, export, replication, snapshot};

/// What has to be looked at on one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Tables whose SHOW CREATE TABLE the plan uses.
    pub definitions: BTreeSet<TableName>,
    /// Tables of which the plan has to know whether they can be written.
    pub writable: BTreeSet<TableName>,
    /// Statements to be prepared and never executed, for the types of their columns.
    pub described: BTreeSet<String>,
    /// Repositories whose snapshots the plan has to know.
    pub snapshots: BTreeSet<String>,
    /// Primary shards that are behind their source, with the sequence number that the source had: a healthy one
    /// reaches it, or at least moves, within seconds.
    pub behind: BTreeMap<ShardId, i64>,
    /// Tables that a subscription is said to copy, by the subscription: the plan has to know whether it does.
    pub copying: BTreeMap<String, BTreeSet<TableName>>,
}

/// A primary shard: its table, its partition's ident (empty without partitions), its number.
pub type ShardId = (TableName, String, i32);

/// What has to be looked at, by cluster.
pub type WantedByCluster = BTreeMap<Name, Wanted>;

/// The stores that the machine that runs transship has to reach for what there is to do, as far as that is known: those
/// to which it writes files itself. Whoever plans looks at them first, and says what it saw.
pub fn stores_wanted(input: &PlanInput) -> BTreeSet<Name> {
    let through_files =
        |choice: &StrategyChoice| matches!(choice, StrategyChoice::ExportImport(_) | StrategyChoice::Auto);
    if !input.spec.instances().iter().any(|instance| through_files(&instance.flow.strategy)) {
        return BTreeSet::new();
    }
    let plan = crate::survey(input).planned.plan;
    let store = |step: &Step| match &step.action {
        Some(Action::WriteFiles(rows)) => Some(rows.store.clone()),
        _ => None,
    };
    plan.all_steps().filter_map(store).collect()
}

/// The places of stores that have to be looked at before [`wanted()`] is asked, by store.
pub fn wanted_stores(input: &PlanInput) -> BTreeMap<Name, BTreeSet<String>> {
    let mut wanted = BTreeMap::<Name, BTreeSet<String>>::new();
    for instance in input.spec.instances() {
        if instance.flow.enabled && input.options.selects(&instance.id) {
            for (store, place) in export::wanted_stores(input, &instance) {
                wanted.entry(store).or_default().insert(place);
            }
        }
    }
    wanted
}

/// What has to be looked at before [`crate::plan()`] can judge the chosen flows.
pub fn wanted(input: &PlanInput) -> WantedByCluster {
    let mut wanted = WantedByCluster::new();
    choose::want(input, &mut wanted);
    for instance in input.spec.instances() {
        if !instance.flow.enabled || !input.options.selects(&instance.id) {
            continue;
        }
        add(input, &instance, &mut wanted);
    }
    wanted.retain(|_, wanted| *wanted != Wanted::default());
    wanted
}

/// Adds what has to be looked at for one flow, by its strategy.
pub(crate) fn add(input: &PlanInput, instance: &Instance<'_>, wanted: &mut WantedByCluster) {
    match &instance.flow.strategy {
        StrategyChoice::LogicalReplication(settings) if settings.then.is_some() => {
            detach::want(input, instance, settings, wanted);
        }
        StrategyChoice::LogicalReplication(settings) => replication::want(input, instance, settings, wanted),
        StrategyChoice::Custom(_) => copies::want(input, instance, wanted),
        StrategyChoice::ExportImport(_) => export::want(input, instance, wanted),
        StrategyChoice::Snapshot(_) => snapshot::want(input, instance, wanted),
        StrategyChoice::Auto => {}
    }
}
