//! Rules about order: what has to have happened before what.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::plan::{Action, Afterwards, Plan, Step, StepKind};
use transship_model::{FlowId, Name};

use super::{Ancestors, Flows, Found, Rule, detach};

pub(super) fn check(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    ledger(plan, flows, ancestors, found);
    unseen(plan, found);
    drops_lead_on(plan, flows, ancestors, found);
    let steps: Vec<&Step> = plan.all_steps().collect();
    let may_have_failed =
        |it: &&Step| it.kind == StepKind::DropSubscription && !detach::is_after_note(it, flows.steps(it), ancestors);
    let dropped: Vec<&Step> = steps.iter().copied().filter(may_have_failed).collect();
    for step in &steps {
        let of_flow = flows.steps(step);
        publish_subscribe_wait(step, of_flow, ancestors, found);
        match step.kind {
            StepKind::CreateSubscription => {
                let drops: Vec<&Step> = of_flow.iter().copied().filter(|it| !is_aside(it)).collect();
                all_before(Rule::RoomFirst, step, &drops, StepKind::DropTable, ancestors, found);
                let on_cluster: Vec<&Step> = dropped.iter().copied().filter(|it| it.cluster == step.cluster).collect();
                all_before(Rule::DropsApart, step, &on_cluster, StepKind::DropSubscription, ancestors, found);
            }
            StepKind::DropPublication => {
                let rule = Rule::SubscriptionGoesFirst;
                all_before(rule, step, of_flow, StepKind::DropSubscription, ancestors, found);
            }
            _ => {}
        }
    }
    if plan.partial && plan.records.iter().any(|record| record.then == Afterwards::Forget) {
        found.plan(Rule::PartialRemovesNothing, "a partial plan takes down a flow");
    }
}

/// Every step of `kind` among `others` has to have succeeded before `step`.
fn all_before(rule: Rule, step: &Step, others: &[&Step], kind: StepKind, ancestors: &Ancestors<'_>, found: &mut Found) {
    let late = others.iter().find(|other| other.kind == kind && !ancestors.precedes(other, step));
    if let Some(late) = late {
        found.step(rule, step, format!("does not wait for {}", late.id));
    }
}

fn publish_subscribe_wait(step: &Step, of_flow: &[&Step], ancestors: &Ancestors<'_>, found: &mut Found) {
    let rule = Rule::PublishSubscribeWait;
    match step.kind {
        StepKind::CreateSubscription => {
            all_before(rule, step, of_flow, StepKind::CreatePublication, ancestors, found);
            all_before(rule, step, of_flow, StepKind::PublishTables, ancestors, found);
        }
        StepKind::PublishTables => all_before(rule, step, of_flow, StepKind::CreatePublication, ancestors, found),
        _ => {}
    }
    if matches!(step.kind, StepKind::CreateSubscription | StepKind::PublishTables) {
        let waited = of_flow.iter().any(|other| other.kind == StepKind::WaitSynced && ancestors.precedes(step, other));
        if !waited {
            found.step(rule, step, "is not followed by a wait");
        }
    }
}

fn ledger(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    let is_ledger = |step: &&Step| step.kind == StepKind::CreateLedger;
    let made: BTreeMap<&Name, &Step> = plan.all_steps().filter(is_ledger).map(|step| (&step.cluster, step)).collect();
    for step in plan.all_steps() {
        if step.flow.is_none() {
            continue;
        }
        let Some(record) = flows.record(step) else {
            found.step(Rule::LedgerFirst, step, "its flow has no ledger row");
            continue;
        };
        let made = made.get(&record.cluster).copied();
        if made.is_some_and(|made| !ancestors.precedes(made, step)) {
            found.step(Rule::LedgerFirst, step, "does not wait for the ledger");
        }
    }
}

fn drops_lead_on(plan: &Plan, flows: &Flows<'_>, ancestors: &Ancestors<'_>, found: &mut Found) {
    let stays = |step: &&Step| {
        step.kind.takes_down() && flows.record(step).is_some_and(|record| record.then == Afterwards::Done)
    };
    for step in plan.all_steps().filter(stays) {
        let then = |kind| flows.steps(step).iter().any(|later| later.kind == kind && ancestors.precedes(step, later));
        let detaches = flows.record(step).is_some_and(|record| record.row.detach.is_some());
        let leads_on = match step.kind {
            // Whether they may go is for another rule to say.
            StepKind::DropSubscription
            | StepKind::DropPublication
            | StepKind::UnpublishTables
            | StepKind::DropTable
                if detaches =>
            {
                true
            }
            StepKind::DropSubscription => then(StepKind::CreateSubscription) && then(StepKind::WaitSynced),
            StepKind::DropTable => then(StepKind::WaitSynced) || is_aside(step),
            StepKind::DropPublication => false,
            StepKind::WaitReleased => is_required(step) || then(StepKind::DropSubscription),
            StepKind::UnpublishTables => {
                !then(StepKind::DropSubscription) || comes_back(step, flows.steps(step), ancestors)
            }
            _ => true,
        };
        if !leads_on {
            found.step(Rule::DropsLeadOn, step, "drops something of a flow that stays, and does not make it again");
        }
    }
}

/// Whether the step drops a copy that was made aside.
fn is_aside(step: &Step) -> bool {
    matches!(&step.action, Some(Action::DropTable(dropped)) if dropped.table.is_aside())
}

/// Whether a wait fails the run when it comes to nothing.
fn is_required(step: &Step) -> bool {
    !matches!(&step.action, Some(Action::WaitReleased(wait)) if !wait.required)
}

/// Whether what leaves the publication for the sake of the subscription is published again, as far as it is waited for.
fn comes_back(step: &Step, of_flow: &[&Step], ancestors: &Ancestors<'_>) -> bool {
    let Some(Action::ChangeTables(left)) = &step.action else { return false };
    let (mut synced, mut published) = (BTreeSet::new(), BTreeSet::new());
    for other in of_flow.iter().filter(|other| ancestors.precedes(step, other)) {
        match &other.action {
            Some(Action::WaitSynced(wait)) => synced.extend(&wait.tables),
            Some(Action::ChangeTables(change)) if other.kind == StepKind::PublishTables => {
                published.extend(&change.after);
            }
            _ => {}
        }
    }
    left.before.difference(&left.after).all(|table| !synced.contains(table) || published.contains(table))
}

fn unseen(plan: &Plan, found: &mut Found) {
    let unseen: BTreeSet<&FlowId> = plan.unseen.iter().filter_map(|note| note.flow.as_ref()).collect();
    for step in plan.all_steps().filter(|step| step.flow.as_ref().is_some_and(|flow| unseen.contains(flow))) {
        found.step(Rule::UnseenUntouched, step, "does something for a flow that could not be judged");
    }
}
