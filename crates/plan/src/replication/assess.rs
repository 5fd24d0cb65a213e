//! Compares what is declared with what is there. Decides nothing about consents and knows no SQL.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::ledger::FlowState;
use transship_model::observed::RelationState;
use transship_sql::connection;

use super::context::Context;
use super::takedown::Takedown;
use super::{health, record};

/// What has to change, and why.
#[derive(Debug, Default)]
pub(super) struct Assessment {
    /// What differs from the spec, one sentence each; the first says why the steps are there.
    pub(super) differences: Vec<String>,
    /// The publication has to be made.
    pub(super) create_publication: bool,
    /// What becomes of the subscription.
    pub(super) subscription: Fate,
    /// Tables that the publication has to get.
    pub(super) publish: BTreeSet<TableName>,
    /// Tables that the publication has to lose.
    pub(super) unpublish: BTreeSet<TableName>,
    /// Tables that leave the publication before the subscription is dropped, and come back.
    pub(super) withdrawn: BTreeSet<TableName>,
    /// Tables on the target that have to be dropped before they can be followed.
    pub(super) stale: BTreeSet<TableName>,
    /// Tables to wait for.
    pub(super) sync: BTreeSet<TableName>,
    /// The ledger's row has to be written, whether or not anything else happens.
    pub(super) record: bool,
}

/// What becomes of a subscription. Nothing of one can be altered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    #[default]
    Keep,
    /// There is none, and one is made.
    Make,
    /// It is dropped and made again, and everything copied again.
    Remake,
}

impl Assessment {
    /// Whether a subscription is made, after another one or not.
    pub(super) fn subscribes(&self) -> bool {
        self.subscription != Fate::Keep
    }

    /// Whether objects are made or filled, rather than only looked at or taken away.
    pub(super) fn makes_something(&self) -> bool {
        self.create_publication || self.subscribes() || !self.publish.is_empty()
    }
}

/// Compares.
pub(super) fn assess(context: &Context<'_>) -> Assessment {
    let desired = context.desired();
    let published = context.published();
    let mut found = Assessment {
        create_publication: context.publication.is_none(),
        publish: desired.difference(&published).cloned().collect(),
        unpublish: published.difference(&desired).cloned().collect(),
        record: record::differs(context),
        ..Assessment::default()
    };
    judge_subscription(context, &mut found);
    judge_tables(context, &desired, &mut found);
    judge_publication(context, &mut found);
    judge_ledger(context, &desired, &mut found);
    found
}

fn judge_subscription(context: &Context<'_>, found: &mut Assessment) {
    let name = context.subscription_full();
    if context.subscription.is_none() {
        found.subscription = Fate::Make;
        if context.row.is_some_and(|row| row.state == FlowState::Done) {
            found.differences.push(format!("subscription {name} is gone"));
        }
        return;
    }
    let reasons = reasons_to_rebuild(context);
    if !reasons.is_empty() {
        found.subscription = Fate::Remake;
        found.differences.extend(reasons);
        withdraw(context, found);
    }
}

fn withdraw(context: &Context<'_>, found: &mut Assessment) {
    let Some(takedown) = Takedown::of_flow(context, "") else { return };
    let another = context.row.is_some_and(|row| row.from_id != context.source.id);
    let dead = !health::stopped(context).is_empty() || !health::never_filled(context).is_empty();
    let all_abandoned = takedown.subscription.tables.keys().all(|table| context.is_abandoned(table));
    found.withdrawn = takedown.withdrawn(another || dead || all_abandoned);
    found.publish.extend(found.withdrawn.intersection(&context.desired()).cloned());
    found.unpublish = found.unpublish.difference(&found.withdrawn).cloned().collect();
}

/// Why the subscription cannot stay as it is. Nothing of a subscription can be altered, so each means to copy again.
fn reasons_to_rebuild(context: &Context<'_>) -> Vec<String> {
    let Some(subscription) = context.subscription else { return Vec::new() };
    let name = context.subscription_full();
    let mut reasons = Vec::new();
    if context.is_resync() {
        reasons.push(format!("--resync {}", context.instance.id));
    }
    if context.publication.is_none() {
        let publication = context.publication_full();
        reasons
            .push(format!("publication {publication} is gone: subscription {name} looks alive, but nothing arrives"));
    }
    let expected = connection::catalog_form(context.source_endpoint, context.settings.mode);
    if subscription.connection != expected {
        reasons.push(format!("subscription {name} connects to {}, the spec says {expected}", subscription.connection));
    }
    if subscription.publications != [context.publication_name.clone()] {
        let reads = subscription.publications.join(", ");
        reasons.push(format!("subscription {name} reads {reads}, not {}", context.publication_name));
    }
    if context.row.is_some_and(|row| row.from_id != context.source.id) {
        reasons.push(format!("cluster {} is another one than the flow was made for", context.source_name));
    }
    reasons.extend(unpublished_tables(context));
    reasons.extend(failed_tables(context));
    reasons.extend(health::abandoned(context));
    reasons.extend(health::stopped(context));
    reasons.extend(health::stuck(context));
    reasons.extend(health::never_filled(context));
    reasons
}

/// A live subscription lets go of a table within a second (the longest poll) once it is no longer published.
fn unpublished_tables(context: &Context<'_>) -> Vec<String> {
    let Some((publication, subscription)) = context.publication.zip(context.subscription) else { return Vec::new() };
    let lost = subscription.tables.keys().filter(|table| !publication.tables.contains(*table));
    let (full, name) = (context.publication_full(), context.subscription_full());
    lost.map(|table| {
        format!("{full} does not have {table}, but {name} still follows it: it no longer looks at the publication")
    })
    .collect()
}

fn failed_tables(context: &Context<'_>) -> Vec<String> {
    let tables = context.subscription.into_iter().flat_map(|subscription| &subscription.tables);
    let failed = tables.filter(|(_, table)| table.state == RelationState::Failed);
    failed
        .map(|(name, table)| {
            let reason = table.reason.as_deref().unwrap_or("no reason given");
            format!(
                "table {}.{name} has failed ({reason}); the subscription no longer follows its publication",
                context.target_name
            )
        })
        .collect()
}

fn judge_tables(context: &Context<'_>, desired: &BTreeSet<TableName>, found: &mut Assessment) {
    for table in desired {
        let exists = context.target.tables.contains_key(table);
        let followed = context.is_followed(table) && !found.subscribes();
        if exists && !followed {
            found.stale.insert(table.clone());
        }
        if !followed || !context.follows(table) {
            found.sync.insert(table.clone());
        }
        if !found.subscribes() {
            found.differences.extend(difference_of(context, table, exists, found));
        }
    }
}

fn difference_of(context: &Context<'_>, table: &TableName, exists: bool, found: &Assessment) -> Option<String> {
    let (source, target) = (context.source_name, context.target_name);
    let followed = context.is_followed(table);
    match (found.publish.contains(table), followed, exists) {
        (true, false, true) => {
            Some(format!("table {source}.{table} is not published, and {target} has left-overs of it"))
        }
        (true, false, false) => Some(format!("table {source}.{table} is not published")),
        (false, false, true) => Some(format!("table {target}.{table} does not follow {source}, and is in the way")),
        (false, false, false) => Some(format!("table {source}.{table} is published, but {target} does not follow it")),
        (false, true, _) if !context.follows(table) => Some(format!("table {target}.{table} is still being copied")),
        (_, true, _) => None,
    }
}

fn judge_publication(context: &Context<'_>, found: &mut Assessment) {
    let name = context.publication_full();
    if context.publication.is_none() && context.subscription.is_none() && context.row.is_some() {
        found.differences.push(format!("publication {name} is gone"));
    }
    for table in &found.unpublish {
        found.differences.push(if context.source.tables.contains_key(table) {
            format!("publication {name} has table {table}, which the flow does not include")
        } else {
            format!("publication {name} has table {table}, which no longer exists")
        });
    }
}

/// A flow whose last run did not end is waited for again, even where all its objects are there.
fn judge_ledger(context: &Context<'_>, desired: &BTreeSet<TableName>, found: &mut Assessment) {
    let unfinished = context.row.is_some_and(|row| row.state != FlowState::Done);
    if unfinished && found.sync.is_empty() {
        found.sync.clone_from(desired);
        found.differences.push("the last run of the flow did not end; what it made has yet to be confirmed".to_owned());
    }
    if context.row.is_none() && context.subscription.is_some() && found.differences.is_empty() {
        found.differences.push("the flow is taken over by name; the ledger does not know it yet".to_owned());
        found.sync.clone_from(desired);
    } else if found.record && found.differences.is_empty() && context.row.is_some() {
        found.differences.push("the ledger's row of the flow is out of date".to_owned());
    }
    if context.row.is_none() && found.differences.is_empty() {
        found.differences.push("the flow is new".to_owned());
    }
}
