//! What the connected users lack for the steps to come, as far as the catalogs tell: before anything is begun.

use std::collections::BTreeSet;

use transship_model::observed::Observed;
use transship_model::{Finding, Name, SpecPath};

use super::assess::{Deed, Found};
use super::context::Context;
use crate::privileges::{On, holds};

/// Every privilege that is missing, each with the statement that grants it.
pub(super) fn check(context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> = found.iter().filter(|it| !matches!(it.deed, Deed::Nothing | Deed::Refuse(_))).collect();
    let mut missing = Vec::new();
    for found in &busy {
        let from = &found.wish.pair.from;
        if holds(context.source, &context.source.user, "DQL", On::Table(from)) == Some(false) {
            missing.push(finding(context, (context.source_name, context.source), &format!("DQL on TABLE {from}")));
        }
    }
    let mut schemas: BTreeSet<&str> = busy.iter().map(|found| found.wish.pair.to.schema.as_str()).collect();
    if !busy.is_empty() {
        schemas.insert(transship_sql::ledger::SCHEMA);
    }
    for schema in schemas {
        let user = &context.target.user;
        let lacks = |kind: &&str| holds(context.target, user, kind, On::Schema(schema)) == Some(false);
        let kinds: Vec<&str> = ["DQL", "DML", "DDL"].into_iter().filter(|kind| lacks(kind)).collect();
        if !kinds.is_empty() {
            let what = format!("{} on SCHEMA {schema}", kinds.join(", "));
            missing.push(finding(context, (context.target_name, context.target), &what));
        }
    }
    missing
}

fn finding(context: &Context<'_>, (cluster, observed): (&Name, &Observed), what: &str) -> Finding {
    let user = &observed.user;
    Finding::error("plan::missing-privilege", format!("`{user}` lacks {what} on {cluster}"))
        .at_key(SpecPath::of("clusters", cluster))
        .related(context.instance.path.clone(), "this flow needs it")
        .help(format!("on {cluster}: GRANT {} TO \"{user}\"", what.replace(" on ", " ON ")))
}
