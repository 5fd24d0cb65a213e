//! What has to hold just before a step, looked up at that moment.

use std::collections::{BTreeMap, BTreeSet};

use transship_cluster::ClusterError;
use transship_model::observed::{OBSERVATION_FORMAT, Observation, Observed, Writable};
use transship_model::plan::{ObjectKind, ObjectRef, Precondition};
use transship_model::{Name, TableName};
use transship_sql::{ledger, lookup};

use crate::catalog;

use crate::servers::Scope;
use crate::step::{Context, StepError, repositories, servers};

/// Checks every precondition of the step; fails with the first that does not hold.
pub(crate) async fn check(cx: &Context<'_>) -> Result<(), StepError> {
    let preconditions = &cx.step.preconditions;
    let observation = observe(cx, preconditions).await?;
    for precondition in preconditions {
        let holds = match precondition {
            Precondition::Absent(object) => !exists(cx, object).await?,
            Precondition::Present(object) => exists(cx, object).await?,
            Precondition::Unchanged(object) => is_unchanged(cx, &observation, object)?,
            Precondition::Writable(object) => is_writable(&observation, object)?,
        };
        if !holds {
            return Err(StepError::Precondition { precondition: precondition.clone() });
        }
    }
    Ok(())
}

/// Reads the catalogs of the clusters on which something has to be unchanged or writable.
async fn observe(cx: &Context<'_>, preconditions: &[Precondition]) -> Result<Observation, StepError> {
    let mut wanted = BTreeMap::<&Name, BTreeSet<TableName>>::new();
    for precondition in preconditions {
        match precondition {
            Precondition::Unchanged(object) => drop(wanted.entry(&object.cluster).or_default()),
            Precondition::Writable(object) => wanted.entry(&object.cluster).or_default().extend(table(object)),
            Precondition::Absent(_) | Precondition::Present(_) => {}
        }
    }
    let mut clusters = BTreeMap::new();
    for (cluster, writable) in wanted {
        clusters.insert(cluster.clone(), look(cx, cluster, &writable).await?);
    }
    Ok(Observation { format_version: OBSERVATION_FORMAT, taken: cx.clock.now(), clusters, stores: BTreeMap::new() })
}

async fn look(cx: &Context<'_>, cluster: &Name, writable: &BTreeSet<TableName>) -> Result<Observed, ClusterError> {
    let scope = Scope { workspace: &cx.plan.workspace, environment: cx.plan.env.as_ref() };
    cx.servers.observe(cluster, scope, writable).await
}

/// Those of `tables` on the step's cluster that still belong to a subscription.
pub(crate) async fn subscribed(
    cx: &Context<'_>,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeSet<TableName>, StepError> {
    let observed = look(cx, &cx.step.cluster, tables).await?;
    let subscribed = |table: &&TableName| {
        observed.tables.get(table).is_some_and(|found| found.writable == Some(Writable::Subscribed))
    };
    Ok(tables.iter().filter(subscribed).cloned().collect())
}

async fn exists(cx: &Context<'_>, object: &ObjectRef) -> Result<bool, StepError> {
    let cluster = &object.cluster;
    Ok(match object.kind {
        ObjectKind::Cluster => true,
        // A ledger of which a table is missing is one that is still to be made.
        ObjectKind::Ledger => cx.existing(cluster, &ledger_tables()).await?.len() == ledger::TABLES.len(),
        ObjectKind::Indices | ObjectKind::Arrival | ObjectKind::Privileges => {
            return Err(cx.wrong("what is known of a table is there or not with the table"));
        }
        ObjectKind::Table => !cx.existing(cluster, &table(object).into_iter().collect()).await?.is_empty(),
        ObjectKind::Partition => {
            let (table, ident) = object.as_partition().ok_or_else(|| cx.wrong("a partition has no name"))?;
            let shards = cx.look(cluster, &lookup::shards([&table]), catalog::read_shards).await?;
            shards.keys().any(|(_, partition, _)| partition == ident)
        }
        ObjectKind::Publication | ObjectKind::PublishedTables => {
            cx.publications(cluster).await?.contains_key(&object.name)
        }
        ObjectKind::Subscription | ObjectKind::SubscribedTables => {
            cx.subscriptions(cluster).await?.contains_key(&object.name)
        }
        ObjectKind::Server => servers(cx, cluster).await?.contains_key(&object.name),
        ObjectKind::Repository => repositories(cx, cluster).await?.contains_key(&object.name),
        ObjectKind::Export => return Err(cx.wrong("an export is no precondition"))?,
        ObjectKind::Flow => return Err(cx.wrong("the row of a flow is no precondition"))?,
    })
}

fn is_unchanged(cx: &Context<'_>, observation: &Observation, object: &ObjectRef) -> Result<bool, StepError> {
    let planned = cx.plan.all_basis().find(|basis| basis.object == *object);
    let planned = planned.ok_or_else(|| cx.wrong(format!("the plan has no fingerprint of {object}")))?;
    Ok(transship_plan::fingerprint(observation, object) == planned.fingerprint)
}

/// A table that is gone cannot be written either.
fn is_writable(observation: &Observation, object: &ObjectRef) -> Result<bool, StepError> {
    let found =
        table(object).and_then(|name| observation.clusters.get(&object.cluster)?.tables.get(&name)?.writable.clone());
    match found {
        Some(Writable::Yes) => Ok(true),
        Some(Writable::Subscribed) => Ok(false),
        Some(Writable::Unknown(reason)) => Err(StepError::WritableUnknown { table: object.clone(), reason }),
        None => Err(StepError::WritableUnknown { table: object.clone(), reason: "it cannot be seen".to_owned() }),
    }
}

fn table(object: &ObjectRef) -> Option<TableName> {
    if object.kind == ObjectKind::Table { object.name.parse().ok() } else { None }
}

/// The tables that a whole ledger has.
pub(crate) fn ledger_tables() -> BTreeSet<TableName> {
    ledger::TABLES.map(|table| TableName::new(ledger::SCHEMA, table)).into()
}
