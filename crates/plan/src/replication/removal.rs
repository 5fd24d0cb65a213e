//! Takes down a flow that is gone from the spec: the subscription, then the publication; the tables stay.

use std::collections::BTreeSet;

use transship_model::consent::DropKind;
use transship_model::ledger::{FlowRow, FlowState};
use transship_model::observed::{Observed, RelationState};
use transship_model::plan::{Action, Afterwards, ObjectRef, Precondition, Record, StepKind};
use transship_model::{Finding, FlowId, Name, SpecPath, TableName};
use transship_sql::replication as sql;

use super::takedown::{self, Takedown};
use super::{observable, steps};
use crate::consent::Consents;
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;
use crate::report::{FlowReport, FlowStatus};
use crate::stage::FlowOutcome;

/// A flow that only the ledger knows.
struct Gone<'a> {
    input: &'a PlanInput,
    flow: &'a FlowId,
    row: &'a FlowRow,
    source_name: &'a Name,
    source: &'a Observed,
    target_name: &'a Name,
    target: &'a Observed,
    consents: Consents<'a>,
}

/// Plans the removal of `flow`, whose row stands in the ledger of `target_name`.
pub(crate) fn remove(
    input: &PlanInput,
    target_name: &Name,
    flow: &FlowId,
    row: &FlowRow,
) -> Result<FlowOutcome, Vec<Finding>> {
    let gone = Gone {
        input,
        flow,
        row,
        source_name: &row.from,
        source: cluster_of(input, &row.from, flow)?,
        target_name,
        target: cluster_of(input, target_name, flow)?,
        consents: consents(input, row),
    };
    same_cluster(&gone)?;
    let source = (gone.source_name, gone.source);
    if let Err(reason) = observable::owners(row, source, (target_name, gone.target)) {
        return Ok(FlowOutcome::unseen(flow, reason, Vec::new()));
    }
    let mut draft = FlowDraft::new(flow.clone(), None);
    write(&gone, &mut draft);
    let mut report = FlowReport::new(FlowStatus::Removed);
    report.differences.push("the flow is gone from the spec".to_owned());
    Ok(FlowOutcome::of(draft, report))
}

/// A flow that was to drop its subscription and publication anyway has consented to that.
fn consents<'a>(input: &'a PlanInput, row: &FlowRow) -> Consents<'a> {
    let consents = Consents::new(input, &[]);
    if row.detach.is_some() { consents.detaching() } else { consents }
}

fn cluster_of<'a>(input: &'a PlanInput, cluster: &Name, flow: &FlowId) -> Result<&'a Observed, Vec<Finding>> {
    input.observed(cluster).ok_or_else(|| {
        let message = format!("cluster {cluster} is gone from the spec, but the ledger knows flow {flow} on it");
        let help = format!("declare {cluster} again, take the flow down with a plan, then take the cluster out");
        vec![Finding::error("plan::cluster-gone", message).at(SpecPath::default()).help(help)]
    })
}

fn same_cluster(gone: &Gone<'_>) -> Result<(), Vec<Finding>> {
    if gone.row.from_id == gone.source.id {
        return Ok(());
    }
    let message = format!(
        "flow {} was made for another cluster than {} is now (sys.cluster.id {}, now {})",
        gone.flow, gone.source_name, gone.row.from_id, gone.source.id
    );
    let help = "declare the cluster that it was made for, or drop its subscription and its ledger row by hand";
    Err(vec![
        Finding::error("plan::another-cluster", message).at_key(SpecPath::of("clusters", gone.source_name)).help(help),
    ])
}

fn write(gone: &Gone<'_>, draft: &mut FlowDraft) {
    let because = "the flow is gone from the spec";
    drop_subscription(gone, because, draft);
    drop_publication(gone, because, draft);
    warn_about_halves(gone, draft);
    if draft.steps.is_empty() {
        let because = "the flow is gone from the spec, and so are its objects";
        draft.push(NewStep::new(gone.target_name, StepKind::RecordFlow, because).action(Action::Record));
    }
    draft.record = Some(Record {
        flow: gone.flow.clone(),
        cluster: gone.target_name.clone(),
        row: FlowRow { state: FlowState::Removing, ..gone.row.clone() },
        then: Afterwards::Forget,
    });
    draft.basis.extend([
        ObjectRef::cluster(gone.source_name),
        ObjectRef::cluster(gone.target_name),
        ObjectRef::ledger(gone.target_name),
        ObjectRef::flow(gone.target_name, gone.flow),
    ]);
}

fn drop_subscription(gone: &Gone<'_>, because: &str, draft: &mut FlowDraft) {
    let Some(owned) = &gone.row.subscription else { return };
    let Some(subscription) = gone.target.subscriptions.get(&owned.name) else { return };
    let publication_name = gone.row.publication.as_ref().map_or("", |owned| owned.name.as_str());
    let takedown = Takedown {
        input: gone.input,
        source_name: gone.source_name,
        source: gone.source,
        target_name: gone.target_name,
        target: gone.target,
        publication_name,
        publication: gone.source.publications.get(publication_name),
        subscription_name: &owned.name,
        subscription,
        consents: &gone.consents,
        halves: BTreeSet::new(),
        not_begun: BTreeSet::new(),
        because,
    };
    takedown.write(&takedown.withdrawn(false), draft);
    prevent_destroy(gone, draft, &format!("subscription {}.{}", gone.target_name, owned.name));
    warn_about_tables(gone, subscription, draft);
    takedown.warn_of_strangers(", and lose them if they read this publication", draft);
    let because = "the source keeps operations until it knows that the subscription is gone";
    let tables = subscription.tables.keys().cloned().collect();
    let source = (gone.source_name, gone.source);
    takedown::wait_leases_gone(source, &gone.target.cluster_name, &tables, false, because, draft);
}

fn warn_about_tables(gone: &Gone<'_>, subscription: &transship_model::observed::Subscription, draft: &mut FlowDraft) {
    if subscription.tables.is_empty() {
        return;
    }
    let own = || subscription.tables.iter().filter(|(_, table)| !table.is_in_the_way());
    let tables: Vec<TableName> = own().map(|(name, _)| name.clone()).collect();
    draft.warn("plan::stays-writable", steps::stays_writable(&tables, gone.target_name));
    let whole =
        |name: &TableName| gone.row.detach.is_none() || gone.row.placing.values().any(|note| note.from == *name);
    let is_whole = |name: &TableName, state| state == RelationState::Monitoring && whole(name);
    let copying = own().filter(|(name, table)| !is_whole(name, table.state));
    let copying = copying.map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(", ");
    if !copying.is_empty() {
        draft.warn(
            "plan::stays-incomplete",
            format!(
                "still being copied: {copying}; what stays of it on {} looks finished and is not",
                gone.target_name
            ),
        );
    }
}

/// What a run that was cut left, and nothing but the ledger's row knows of, which is forgotten now.
fn warn_about_halves(gone: &Gone<'_>, draft: &mut FlowDraft) {
    let (row, target) = (gone.row, gone.target);
    let subscription = row.subscription.as_ref().and_then(|owned| target.subscriptions.get(&owned.name));
    let is_known = |name: &TableName| {
        let in_place = row.copies.get(name).is_some_and(|note| note.from == *name);
        let is_whole = in_place || row.placing.values().any(|note| note.from == *name);
        is_whole || subscription.is_some_and(|it| it.tables.contains_key(name))
    };
    let arriving = row.arriving.keys().chain(row.detach.iter().flat_map(|detach| detach.arriving.keys()));
    let left = arriving.filter(|name| target.tables.contains_key(*name) && !is_known(name));
    let left = left.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !left.is_empty() {
        let target = gone.target_name;
        let text = format!(
            "a run that was cut may have left half copies: {left}; what stays of it on {target} may look finished and is not"
        );
        draft.warn("plan::stays-incomplete", text);
    }
}

fn drop_publication(gone: &Gone<'_>, because: &str, draft: &mut FlowDraft) {
    let Some(owned) = &gone.row.publication else { return };
    if !gone.source.publications.contains_key(&owned.name) {
        return;
    }
    let full = format!("{}.{}", gone.source_name, owned.name);
    let object = ObjectRef::publication(gone.source_name, &owned.name);
    draft.basis.extend([object.clone(), ObjectRef::published_tables(gone.source_name, &owned.name)]);
    draft.push(
        NewStep::new(gone.source_name, StepKind::DropPublication, because)
            .sql(sql::drop_publication(&owned.name))
            .requires(Precondition::Unchanged(object))
            .drops(gone.consents.ask(DropKind::Publication, full.clone())),
    );
    prevent_destroy(gone, draft, &format!("publication {full}"));
}

fn prevent_destroy(gone: &Gone<'_>, draft: &mut FlowDraft, what: &str) {
    if gone.row.prevent_destroy {
        let help = "declare the flow again without `prevent_destroy` and apply, then take it out";
        draft.prevent_destroy(&format!("drops {what}"), help);
    }
}
