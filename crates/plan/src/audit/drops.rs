//! Rules about what is dropped: marked, permitted, guarded, and ours.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::consent::DropKind;
use transship_model::plan::{Action, ObjectKind, ObjectRef, Plan, Precondition, Record, Step, StepKind};
use transship_sql::replication;

use super::{Flows, Found, Rule};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, found: &mut Found) {
    let basis: BTreeSet<&ObjectRef> = plan.basis.iter().map(|basis| &basis.object).collect();
    let blocked: BTreeSet<_> = plan.blocked.iter().filter_map(|blocked| blocked.step.as_ref()).collect();
    for step in plan.all_steps() {
        let unguarded = guards(step).into_iter().any(|object| !basis.contains(object));
        if unguarded {
            found.step(Rule::BasisCovers, step, "relies on an object that is not in the basis");
        }
        let Some(kind) = dropped_kind(step.kind) else {
            if step.destructive || step.consent.is_some() {
                found.step(Rule::DropsMarked, step, "is marked as dropping something, and drops nothing");
            }
            continue;
        };
        if !step.destructive || step.consent.as_ref().is_none_or(|consent| consent.kind != kind) {
            found.step(Rule::DropsMarked, step, "drops something without being marked so");
        }
        let permitted = step.consent.as_ref().is_some_and(|consent| consent.given.is_some());
        if !permitted && !blocked.contains(&step.id) {
            found.step(Rule::ConsentOrBlocked, step, "drops something without consent, and does not block the plan");
        }
        if !is_guarded(step, flows.steps(step)) {
            found.step(Rule::DropsGuarded, step, "does not check just before what it drops");
        }
        if !is_own(flows.record(step), step) {
            found.step(Rule::DropsOwn, step, "drops something that does not belong to its flow");
        }
    }
}

const fn dropped_kind(kind: StepKind) -> Option<DropKind> {
    match kind {
        StepKind::DropTable => Some(DropKind::Table),
        StepKind::DropSubscription => Some(DropKind::Subscription),
        StepKind::DropPublication => Some(DropKind::Publication),
        StepKind::CreateLedger
        | StepKind::RecordFlow
        | StepKind::CreatePublication
        | StepKind::PublishTables
        | StepKind::UnpublishTables
        | StepKind::WaitReleased
        | StepKind::CreateSubscription
        | StepKind::WaitSynced
        | StepKind::WaitLeasesGone => None,
    }
}

fn guards(step: &Step) -> Vec<&ObjectRef> {
    step.preconditions
        .iter()
        .filter_map(|precondition| match precondition {
            Precondition::Unchanged(object) => Some(object),
            Precondition::Absent(_) | Precondition::Present(_) | Precondition::Writable(_) => None,
        })
        .collect()
}

/// The step checks that the very object of its statement and its consent is unchanged, and for a table that nobody
/// replicates into it and that no partition came from elsewhere: the indices are the same, or it just left a
/// publication of `of_flow`, whose subscription kept others from writing.
fn is_guarded(step: &Step, of_flow: &[&Step]) -> bool {
    let (wanted, statement): (ObjectKind, fn(&str) -> Option<String>) = match step.kind {
        StepKind::DropTable => {
            (ObjectKind::Table, |name| Some(transship_sql::table::drop_table(&name.parse::<TableName>().ok()?)))
        }
        StepKind::DropSubscription => (ObjectKind::Subscription, |name| Some(replication::drop_subscription(name))),
        _ => (ObjectKind::Publication, |name| Some(replication::drop_publication(name))),
    };
    let named = |object: &ObjectRef| {
        let full = format!("{}.{}", object.cluster, object.name);
        object.kind == wanted
            && object.cluster == step.cluster
            && statement(&object.name).as_ref() == step.sql.first()
            && step.consent.as_ref().is_some_and(|consent| consent.name == full)
    };
    let writable = |object: &&ObjectRef| step.preconditions.contains(&Precondition::Writable((*object).clone()));
    let guarded = guards(step).into_iter().find(|object| named(object));
    let same_indices = |object: &ObjectRef| {
        let indices = ObjectRef { kind: ObjectKind::Indices, ..object.clone() };
        step.preconditions.contains(&Precondition::Unchanged(indices))
    };
    let before: Vec<&&Step> = of_flow.iter().take_while(|other| other.id != step.id).collect();
    let withdrawn = |object: &ObjectRef| {
        before.iter().any(|other| match &other.action {
            Some(Action::ChangeTables(change)) if other.kind == StepKind::UnpublishTables => {
                change.before.difference(&change.after).any(|table| table.to_string() == object.name)
            }
            _ => false,
        })
    };
    let dropped = before.iter().any(|other| other.kind == StepKind::DropSubscription);
    let held = |object: &ObjectRef| dropped && withdrawn(object);
    guarded.is_some_and(|object| {
        step.kind != StepKind::DropTable || (writable(&object) && (held(object) || same_indices(object)))
    })
}

/// A flow drops its own publication and subscription, and tables that it writes itself.
fn is_own(record: Option<&Record>, step: &Step) -> bool {
    let Some((record, object)) = record.zip(guards(step).into_iter().next()) else { return false };
    match step.kind {
        StepKind::DropTable => is_own_table(record, object),
        StepKind::DropSubscription => {
            record.row.to == object.cluster
                && record.row.subscription.as_ref().is_some_and(|owned| owned.name == object.name)
        }
        _ => {
            record.row.from == object.cluster
                && record.row.publication.as_ref().is_some_and(|owned| owned.name == object.name)
        }
    }
}

fn is_own_table(record: &Record, object: &ObjectRef) -> bool {
    let name = object.name.parse::<TableName>();
    record.row.to == object.cluster && name.is_ok_and(|name| !name.is_reserved() && record.row.tables.contains(&name))
}
