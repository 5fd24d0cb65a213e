//! Writes down what to do about an assessment, in the one safe order.

use std::collections::BTreeSet;

use transship_model::consent::DropKind;
use transship_model::ledger::FlowState;
use transship_model::plan::{
    Action, ChangeTables, ObjectRef, Param, ParamRef, Precondition, StepKind, WaitReleased, WaitSynced,
};
use transship_model::spec::ReplicationMode;
use transship_model::{Name, TableName};
use transship_sql::{connection, replication as sql, table as table_sql};

use super::assess::{Assessment, Fate};
use super::context::Context;
use super::takedown::{self, Takedown};
use super::{health, record};
use crate::draft::{FlowDraft, LIFT_PREVENT_DESTROY, NewStep};

/// Writes the steps: take down what cannot stay, make room, publish, subscribe, wait.
pub(super) fn write(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let because = found.differences.first().cloned().unwrap_or_default();
    if found.subscription == Fate::Remake {
        take_down(context, found, &because, draft);
    }
    warn_of_copies(context, found, draft);
    warn_of_halves(context, draft);
    // Nobody may find a half copy that can be written; what somebody consented to drop stays until there is room for more.
    let (halves, others): (Vec<_>, Vec<_>) =
        found.stale.iter().partition(|table| context.arriving.contains_key(*table));
    for table in halves {
        drop_table(context, table, found, draft);
    }
    if found.subscribes() {
        wait_leases_gone(context, found, draft);
    }
    for table in others {
        drop_table(context, table, found, draft);
    }
    publication(context, found, &because, draft);
    if found.subscribes() {
        create_subscription(context, found, draft);
    }
    if !found.sync.is_empty() {
        wait_synced(context, found, &because, draft);
    }
    finish(context, found, &because, draft);
}

pub(super) fn take_down(context: &Context<'_>, found: &Assessment, because: &str, draft: &mut FlowDraft) {
    let Some(takedown) = Takedown::of_flow(context, because) else { return };
    takedown.write(&found.withdrawn, draft);
    prevent_destroy(context, draft, &format!("subscription {}", context.subscription_full()));
    if found.withdrawn.is_empty() {
        takedown.warn_of_strangers(
            ", so the publication stays as it is: a partition that arrives just when the subscription is dropped can lock \
             its table",
            draft,
        );
    }
}

/// Whoever reads the target is told what a copy that begins again means for them.
fn warn_of_copies(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let again: Vec<&TableName> = found.stale.iter().filter(|table| context.is_ours(table)).collect();
    let target = context.target_name;
    let text = if found.subscription == Fate::Remake {
        format!(
            "every table of the flow is copied again: until then readers of {target} find them missing or half full"
        )
    } else if again.is_empty() {
        return;
    } else {
        let names = again.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("copied again: {names}; until then readers of {target} find them missing or half full")
    };
    draft.warn("plan::copied-again", text);
}

/// Half copies that only the ledger knew, and that the flow does not include any more.
fn warn_of_halves(context: &Context<'_>, draft: &mut FlowDraft) {
    let noted = context.row.into_iter().flat_map(|row| row.arriving.keys());
    let left = noted.filter(|name| !context.chosen.contains_key(*name) && context.target.tables.contains_key(*name));
    let left = left.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !left.is_empty() {
        let text = format!(
            "half copies that the flow does not include any more stay on {}: {left}; they may look finished and are not",
            context.target_name
        );
        draft.warn("plan::stays-incomplete", text);
    }
}

/// A subscription that comes before the source has let go of the old one collides with its leases.
pub(super) fn wait_leases_gone(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let subscriber = &context.target.cluster_name;
    let because = if found.subscription == Fate::Remake {
        "a new subscription collides with what the source keeps for the old one".to_owned()
    } else {
        format!("{} still keeps operations for a subscriber named {subscriber}", context.source_name)
    };
    let source = (context.source_name, context.source);
    let is_own = context.subscription.is_some() || context.row.is_some_and(|row| row.state != FlowState::Done);
    let required = health::collides(context) || !is_own;
    takedown::wait_leases_gone(source, subscriber, &context.desired(), required, &because, draft);
}

pub(super) fn drop_table(context: &Context<'_>, table: &TableName, found: &Assessment, draft: &mut FlowDraft) {
    let full = format!("{}.{table}", context.target_name);
    let because = if !context.is_ours(table) {
        format!("a subscription makes its tables itself, and {full} is in the way (existing: replace)")
    } else if found.subscription == Fate::Remake {
        format!("{full} is left over from the dropped subscription, and cannot be followed again")
    } else {
        format!("{full} is left over: it follows nothing, and cannot be followed again")
    };
    let indices = ObjectRef::indices(context.target_name, table);
    let consent = context.consents.ask(DropKind::Table, full.clone());
    let mut step = NewStep::drop_table(context.target_name, table, context.target, consent, because);
    draft.basis.insert(ObjectRef::table(context.target_name, table));
    // A live subscription brings partitions at any time until it lets go of the table; any other table stands still.
    if !found.withdrawn.contains(table) || !context.is_followed(table) {
        step = step.requires(Precondition::Unchanged(indices.clone()));
        draft.basis.insert(indices);
    }
    draft.push(step);
    if context.once {
        return;
    }
    let what = format!("table {full}");
    prevent_destroy(context, draft, &what);
    let protected = context.input.spec.clusters.get(context.target_name).is_some_and(|cluster| cluster.protected);
    if protected {
        let help = format!("rename or drop {full} by hand, or take `protected` off {}", context.target_name);
        draft.block_last("plan::protected", format!("drops {what} of a protected cluster"), help);
    }
}

fn prevent_destroy(context: &Context<'_>, draft: &mut FlowDraft, what: &str) {
    let declared = context.instance.flow.prevent_destroy || context.row.is_some_and(|row| row.prevent_destroy);
    if declared && !context.once {
        draft.prevent_destroy(&format!("drops {what}"), LIFT_PREVENT_DESTROY);
    }
}

pub(super) fn publication(context: &Context<'_>, found: &Assessment, because: &str, draft: &mut FlowDraft) {
    let (cluster, name) = (context.source_name, &context.publication_name);
    let object = ObjectRef::publication(cluster, name);
    if found.create_publication {
        draft.push(
            NewStep::new(cluster, StepKind::CreatePublication, because)
                .sql(sql::create_publication(name))
                .requires(Precondition::Absent(object.clone())),
        );
    }
    let published: BTreeSet<TableName> = context.published().difference(&found.withdrawn).cloned().collect();
    if !found.publish.is_empty() {
        let mut step = NewStep::new(cluster, StepKind::PublishTables, reason_to_publish(found))
            .sql(sql::publish_tables(name, &found.publish))
            .action(change_tables(name, published.clone(), with(published, &found.publish)))
            .requires(Precondition::Present(object.clone()));
        for table in &found.publish {
            step = step.requires(Precondition::Present(ObjectRef::table(cluster, table)));
        }
        // A table that is in the way when the target looks takes the whole subscription down.
        for table in found.publish.iter().filter(|table| !context.is_followed(table) || found.subscribes()) {
            step = step.requires(Precondition::Absent(ObjectRef::table(context.target_name, table)));
        }
        draft.push(step);
    }
    if !found.unpublish.is_empty() {
        unpublish(context, found, draft);
    }
}

/// Leases of other clusters on a table that leaves the publication: whoever of them reads this publication loses it.
fn warn_of_others(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let others = takedown::others(context.source, &found.unpublish, &context.target.cluster_name);
    if !others.is_empty() {
        let names = others.into_iter().collect::<Vec<_>>().join(", ");
        let text =
            format!("clusters named {names} follow these tables too, and lose them if they read this publication");
        draft.warn("plan::other-subscribers", text);
    }
}

/// What becomes of tables that a subscription lets go of.
pub(super) fn stays_writable(tables: &[TableName], cluster: &Name) -> String {
    let names = tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match tables {
        [_] => format!("{names} stays on {cluster} as an ordinary table, writable, with the rows that it has"),
        _ => format!("{names} stay on {cluster} as ordinary tables, writable, with the rows that they have"),
    }
}

fn change_tables(publication: &str, before: BTreeSet<TableName>, after: BTreeSet<TableName>) -> Action {
    Action::ChangeTables(ChangeTables { publication: publication.to_owned(), before, after })
}

fn with(mut tables: BTreeSet<TableName>, more: &BTreeSet<TableName>) -> BTreeSet<TableName> {
    tables.extend(more.iter().cloned());
    tables
}

fn reason_to_publish(found: &Assessment) -> String {
    match found.publish.len() {
        _ if found.create_publication || found.publish.is_empty() => {
            "these are the tables that the flow includes".to_owned()
        }
        1 => "the flow includes a table that is not published".to_owned(),
        count => format!("the flow includes {count} tables that are not published"),
    }
}

fn reason_to_unpublish(context: &Context<'_>, found: &Assessment) -> &'static str {
    let gone = found.unpublish.iter().filter(|table| !context.source.tables.contains_key(*table)).count();
    match gone {
        0 => "the flow does not include these tables",
        gone if gone == found.unpublish.len() => "these tables no longer exist",
        _ => "the flow does not include these tables, or they no longer exist",
    }
}

fn unpublish(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let tables = &found.unpublish;
    let publication = ObjectRef::publication(context.source_name, &context.publication_name);
    let followed: Vec<TableName> = tables.iter().filter(|table| context.is_followed(table)).cloned().collect();
    let desired = context.desired();
    draft.push(
        NewStep::new(context.source_name, StepKind::UnpublishTables, reason_to_unpublish(context, found))
            .sql(sql::set_published_tables(&context.publication_name, &desired))
            .action(change_tables(&context.publication_name, with(desired.clone(), tables), desired))
            .requires(Precondition::Present(publication)),
    );
    warn_of_others(context, found, draft);
    if followed.is_empty() || found.subscribes() {
        return;
    }
    draft.warn("plan::stays-writable", stays_writable(&followed, context.target_name));
    let wait = WaitReleased {
        subscription: context.subscription_name.clone(),
        tables: followed,
        timeout: takedown::RELEASE_TIMEOUT,
        required: true,
        states: sql::subscribed_tables(),
    };
    draft.push(
        NewStep::new(context.target_name, StepKind::WaitReleased, "the target lets go of them at its next poll")
            .action(Action::WaitReleased(wait)),
    );
}

pub(super) fn create_subscription(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let (cluster, name) = (context.target_name, &context.subscription_name);
    let mode = context.settings.mode;
    let param = Param {
        reference: ParamRef::SubscriptionConnection { cluster: context.source_name.clone(), mode },
        shown: connection::shown(context.source_endpoint, mode),
    };
    let because = match found.subscription {
        Fate::Remake => format!("{cluster} follows {} again, from the first row on", context.source_name),
        Fate::Make | Fate::Keep => format!("{cluster} does not follow {} yet", context.source_name),
    };
    let mut step = NewStep::new(cluster, StepKind::CreateSubscription, because)
        .sql(sql::create_subscription(name, &context.publication_name))
        .param(param)
        .requires(Precondition::Absent(ObjectRef::subscription(cluster, name)))
        .requires(Precondition::Present(ObjectRef::publication(context.source_name, &context.publication_name)));
    for table in context.chosen.keys() {
        step = step.requires(Precondition::Absent(ObjectRef::table(cluster, table)));
    }
    draft.push(step);
    if mode == ReplicationMode::Sniff {
        draft.warn(
            "plan::sniff-unauthenticated",
            format!(
                "mode `sniff` checks no password: whoever reaches the transport port of {} reads its tables",
                context.source_name
            ),
        );
    }
}

pub(super) fn wait_synced(context: &Context<'_>, found: &Assessment, because: &str, draft: &mut FlowDraft) {
    let tables = &found.sync;
    let wait = WaitSynced {
        source: context.source_name.clone(),
        subscription: context.subscription_name.clone(),
        tables: tables.iter().cloned().collect(),
        timeout: context.instance.flow.timeout(),
        mark: sql::checkpoints(tables),
        states: sql::subscribed_tables(),
        reached: sql::checkpoints(tables),
        refresh: table_sql::refresh(tables),
    };
    let because = if draft.steps.is_empty() {
        because
    } else {
        "a flow is done when its target has all that the source had when the wait began"
    };
    draft.push(
        NewStep::new(context.target_name, StepKind::WaitSynced, because).action(Action::WaitSynced(wait)).moves(
            tables.iter().filter_map(|table| context.source.tables.get(table)).flat_map(|table| &table.primaries),
        ),
    );
}

/// The ledger row goes with whatever the flow does; where nothing else is to be done, it is a step of its own.
fn finish(context: &Context<'_>, found: &Assessment, because: &str, draft: &mut FlowDraft) {
    if draft.steps.is_empty() && found.record {
        draft.push(NewStep::new(context.target_name, StepKind::RecordFlow, because).action(Action::Record));
    }
    if draft.steps.is_empty() {
        return;
    }
    draft.record = Some(record::record(context));
    basis(context, found, draft);
}

/// What the steps of a flow rely on.
pub(super) fn basis(context: &Context<'_>, found: &Assessment, draft: &mut FlowDraft) {
    let (source, target) = (context.source_name, context.target_name);
    draft.basis.extend([
        ObjectRef::cluster(source),
        ObjectRef::cluster(target),
        ObjectRef::ledger(target),
        ObjectRef::flow(target, &context.instance.id),
        ObjectRef::publication(source, &context.publication_name),
        ObjectRef::published_tables(source, &context.publication_name),
        ObjectRef::subscription(target, &context.subscription_name),
        ObjectRef::subscribed_tables(target, &context.subscription_name),
    ]);
    draft.basis.extend(found.publish.iter().map(|table| ObjectRef::table(source, table)));
    let made = context.chosen.keys().filter(|table| found.subscribes() || !context.is_followed(table));
    draft.basis.extend(made.map(|table| ObjectRef::table(target, table)));
}
