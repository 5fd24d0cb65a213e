//! What forbids a flow, found before anything is planned for it.

use std::collections::BTreeSet;

use transship_model::observed::{TableKind, Writable};
use transship_model::spec::Existing;
use transship_model::{Finding, SpecPath, TableName};

use super::assess::Assessment;
use super::context::Context;
use super::lacking;
use super::takedown::LEFT_FOLLOWED;
use crate::privileges::{On, holds};

/// Everything that forbids the flow, in one go.
pub(super) fn check(context: &Context<'_>, found: &Assessment) -> Result<(), Vec<Finding>> {
    let mut findings = Vec::new();
    findings.extend(was_detached(context));
    findings.extend(names(context));
    if found.makes_something() {
        findings.extend(versions(context));
    }
    if found.makes_something() || !found.sync.is_empty() || !found.stale.is_empty() {
        findings.extend(subscriber(context));
    }
    findings.extend(adopts_more(context, found));
    findings.extend(sources(context, found));
    findings.extend(targets(context, found));
    findings.extend(lacking::check(context, found));
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// What a flow copied once is nobody's to follow.
fn was_detached(context: &Context<'_>) -> Option<Finding> {
    context.row.filter(|row| row.detach.is_some() && !context.once)?;
    let message =
        format!("flow {} copied its tables once (`then: detach`), and was never taken down", context.instance.id);
    let help = "apply once with the flow left out, which keeps its tables; then declare it anew";
    Some(Finding::error("plan::moved", message).at(context.instance.path.key("strategy")).help(help))
}

/// Objects of that name which the ledger does not know are somebody's; they are taken over by name only.
fn names(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let adopted = context.instance.flow.names.clone().unwrap_or_default();
    let known = context.row;
    let mut judge = |kind: &str, full: String, name: &str, exists: bool, adopted: bool, known: Option<&str>| {
        if let Some(known) = known.filter(|known| *known != name) {
            let message = format!("the flow's {kind} is {known}, and cannot be renamed to {name}");
            let help = "take the flow out of the spec and apply, then declare it with the new name";
            findings.push(Finding::error("plan::renamed", message).at(context.instance.path.key("names")).help(help));
        } else if known.is_none() && exists && !adopted {
            let message = format!("{kind} {full} exists, and the ledger does not know it");
            let help = format!("to take it over, add `names: {{ {kind}: {name} }}` to the flow; else drop it");
            findings.push(Finding::error("plan::unmanaged", message).at_key(context.instance.path.clone()).help(help));
        }
    };
    judge(
        "publication",
        context.publication_full(),
        &context.publication_name,
        context.publication.is_some(),
        adopted.publication.is_some(),
        known.and_then(|row| row.publication.as_ref()).map(|owned| owned.name.as_str()),
    );
    judge(
        "subscription",
        context.subscription_full(),
        &context.subscription_name,
        context.subscription.is_some(),
        adopted.subscription.is_some(),
        known.and_then(|row| row.subscription.as_ref()).map(|owned| owned.name.as_str()),
    );
    if context.publication.is_some_and(|publication| publication.all_tables) {
        let message =
            format!("publication {} is FOR ALL TABLES, whose tables cannot be chosen", context.publication_full());
        let help = "drop it, or leave `names.publication` out so that transship makes its own";
        findings.push(Finding::error("plan::all-tables", message).at(context.instance.path.key("names")).help(help));
    }
    findings
}

/// A subscriber reads the publisher's files: it must not be older.
fn versions(context: &Context<'_>) -> Option<Finding> {
    let (source, target) = (context.source.newest_version, context.target.version);
    (source.release() > target.release()).then(|| {
        let message = format!(
            "{} runs CrateDB {source}, {} runs {target}: a subscriber must not be older than its publisher",
            context.source_name, context.target_name
        );
        Finding::error("plan::source-newer", message)
            .at(to(context))
            .help(format!("upgrade {} first, or copy once with `custom`", context.target_name))
    })
}

/// The user as whom the target connects must exist and read every table: a table that it may not read is left out
/// in silence.
fn subscriber(context: &Context<'_>) -> Vec<Finding> {
    let user = &context.source_endpoint.subscriber;
    let at = SpecPath::of("clusters", context.source_name);
    if context.source.users.as_ref().is_some_and(|users| !users.contains_key(user)) {
        let message = format!("the target connects to {} as `{user}`, who does not exist there", context.source_name);
        let help = format!("CREATE USER \"{user}\" WITH (password = …), or name another one under `subscriber`");
        return vec![Finding::error("plan::no-such-subscriber", message).at_key(at).help(help)];
    }
    let lacks = |table: &&TableName| holds(context.source, user, "DQL", On::Table(table)) == Some(false);
    let tables: Vec<&TableName> = context.chosen.keys().filter(lacks).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "`{user}`, as whom the target connects to {}, may not read {}: such tables are left out in silence",
        context.source_name,
        list(&tables)
    );
    let help = format!("on {}: GRANT DQL ON TABLE {} TO \"{user}\"", context.source_name, list(&tables));
    vec![Finding::error("plan::missing-privilege", message).at_key(at).help(help)]
}

/// A publication that is taken over with tables that the flow does not include: taking them out would end what others
/// get by it.
fn adopts_more(context: &Context<'_>, found: &Assessment) -> Option<Finding> {
    if context.row.is_some() || context.publication.is_none() || found.unpublish.is_empty() {
        return None;
    }
    let (full, more) = (context.publication_full(), list(&found.unpublish.iter().collect::<Vec<_>>()));
    let message = format!("publication {full} also has {more}, which the flow does not include");
    let help =
        format!("include them, or take them out by hand once nobody follows them: whoever reads {full} loses them");
    Some(Finding::error("plan::adopts-more", message).at(context.instance.path.key("names")).help(help))
}

fn sources(context: &Context<'_>, found: &Assessment) -> Vec<Finding> {
    let source = context.source_name;
    let mut findings = Vec::new();
    for (name, path) in context.chosen.iter().filter(|(name, _)| found.publish.contains(*name)) {
        let subscribed =
            context.source.subscriptions.values().any(|subscription| subscription.tables.contains_key(name));
        let table = context.source.tables.get(name);
        if subscribed || table.is_some_and(|table| table.writable == Some(Writable::Subscribed)) {
            let message = format!("table {source}.{name} is itself the target of a replication");
            let help = format!("take it from where {source} gets it");
            findings.push(Finding::error("plan::source-subscribed", message).at(path.clone()).help(help));
        }
        if table.is_some_and(|table| table.closed) {
            let message = format!("table {source}.{name} is closed, and would never arrive");
            let help = format!("on {source}: ALTER TABLE {name} OPEN, or exclude it");
            findings.push(Finding::error("plan::source-closed", message).at(path.clone()).help(help));
        }
    }
    findings
}

fn targets(context: &Context<'_>, found: &Assessment) -> Vec<Finding> {
    let not_followed = context.chosen.keys().filter(|table| !context.is_followed(table));
    let all: BTreeSet<&TableName> = not_followed.chain(&found.stale).collect();
    all.into_iter().filter_map(|table| target(context, table)).collect()
}

/// Whether a table that stands in the way of the copy may be thought of as ours to replace.
fn target(context: &Context<'_>, name: &TableName) -> Option<Finding> {
    let cluster = context.target_name;
    let full = format!("{cluster}.{name}");
    let path = context.chosen.get(name).cloned().unwrap_or_else(|| context.instance.path.clone());
    let other = context
        .target
        .subscriptions
        .iter()
        .find(|(subscription, is)| **subscription != context.subscription_name && is.tables.contains_key(name));
    if let Some((subscription, _)) = other {
        let message = format!("table {full} is replicated already, by subscription {subscription}");
        return Some(Finding::error("plan::target-subscribed", message).at(path).help("one table has one writer"));
    }
    // A table that another subscription is about to make was judged above; from here on it has to exist.
    let table = context.target.tables.get(name)?;
    if table.kind != TableKind::Table {
        let message = format!("{full} exists and is no table: a subscription cannot make its table there");
        return Some(Finding::error("plan::target-exists", message).at(path).help("rename or drop it by hand"));
    }
    let followed_by_none = !context.is_followed(name) && table.writable == Some(Writable::Subscribed);
    if followed_by_none && context.subscription.is_none() && context.is_ours(name) {
        let message =
            format!("table {full} counts as followed, and the flow's subscription is gone: nothing can replace it");
        return Some(Finding::error("plan::left-followed", message).at(path).help(LEFT_FOLLOWED));
    }
    if followed_by_none {
        let message = format!(
            "table {full} is replicated already, by a subscription that `{}` does not see",
            context.target.user
        );
        let help = "one table has one writer; run as the owner of that subscription to see it";
        return Some(Finding::error("plan::target-subscribed", message).at(path).help(help));
    }
    let publication = context.target.publications.iter().find(|(_, is)| !is.all_tables && is.tables.contains(name));
    if let Some((publication, _)) = publication {
        let message = format!("table {full} is in publication {publication}: replacing it would break its subscribers");
        return Some(
            Finding::error("plan::target-published", message)
                .at(path)
                .help(format!("on {cluster}: ALTER PUBLICATION \"{publication}\" DROP TABLE {name}")),
        );
    }
    in_the_way(context, name, &full, path)
}

fn in_the_way(context: &Context<'_>, name: &TableName, full: &str, path: SpecPath) -> Option<Finding> {
    if context.is_ours(name) || context.instance.flow.existing() == Existing::Replace {
        return None;
    }
    let message = format!("table {full} exists, and a subscription makes its tables itself");
    let help = "`existing: replace` drops it first (with consent to drop it); else rename or drop it by hand";
    Some(Finding::error("plan::target-exists", message).at(path).help(help))
}

fn to(context: &Context<'_>) -> SpecPath {
    context.instance.to_path.clone()
}

pub(super) fn list(tables: &[&TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
