//! Published tables on the target: CrateDB renames and swaps none of them, and a FOR ALL TABLES publication has every
//! table, those included that are yet to be made.
//!
//! A publication of another user cannot be seen. Its subscribers can: they keep leases on the table's shards.

use std::collections::BTreeSet;

use transship_model::Finding;
use transship_model::observed::{Publication, TableKind};
use transship_sql::ident::ident;

use super::assess::{Deed, Found};
use super::context::Context;

/// Refuses a table that could not be put in place.
pub(super) fn check(context: &Context<'_>, found: &Found<'_>) -> Option<Finding> {
    let replaces = matches!(found.deed, Deed::Replace | Deed::Restore)
        && found.there.is_some_and(|there| there.kind == TableKind::Table);
    let renames = found.deed == Deed::Create && !context.by_view();
    if !replaces && !renames {
        return None;
    }
    let (message, help) = by_publication(context, found).or_else(|| by_leases(context, found))?;
    Some(Finding::error("plan::target-published", message).at(found.wish.pair.path.clone()).help(help))
}

fn by_publication(context: &Context<'_>, found: &Found<'_>) -> Option<(String, String)> {
    let to = &found.wish.pair.to;
    let has_it = |(_, is): &(&String, &Publication)| is.all_tables || is.tables.contains(to);
    let (name, publication) = context.target.publications.iter().find(has_it)?;
    let (cluster, quoted) = (context.target_name, ident(name));
    if publication.all_tables {
        let message =
            format!("publication {name} on {cluster} is FOR ALL TABLES: no table there can be renamed or replaced");
        let help = format!(
            "on {cluster}: DROP PUBLICATION {quoted}, and publish tables by name; or use `replace_by: view` for a new name"
        );
        return Some((message, help));
    }
    // A table that is not there yet can be renamed to a name that a publication lists.
    found.there?;
    let message = format!("table {cluster}.{to} is in publication {name}, and cannot be replaced");
    Some((message, format!("on {cluster}: ALTER PUBLICATION {quoted} DROP TABLE {to}")))
}

fn by_leases(context: &Context<'_>, found: &Found<'_>) -> Option<(String, String)> {
    let leases = found.there?.primaries.iter().flat_map(|shard| &shard.leases);
    let subscribers: BTreeSet<&str> = leases.map(|lease| lease.subscriber.as_str()).collect();
    if subscribers.is_empty() {
        return None;
    }
    let (cluster, to) = (context.target_name, &found.wish.pair.to);
    let who = subscribers.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!(
        "table {cluster}.{to} is published by another user, and cannot be replaced: leases of {who} are on its shards"
    );
    let help = "its publication's owner has to take the table out of it; leases of a subscriber that is gone end by \
                themselves after `soft_deletes.retention_lease.period`";
    Some((message, help.to_owned()))
}
