//! What the connected users lack for the steps to come, as far as the catalogs tell: before anything is begun, since a
//! step that fails for a privilege after a drop leaves the flow without its target.

use std::collections::BTreeSet;

use transship_model::{Finding, TableName};

use super::assess::Assessment;
use super::context::Context;
use crate::missing::Missing;

/// The schema of the ledger.
const LEDGER: &str = transship_sql::ledger::SCHEMA;

/// Every privilege that is missing, each with the statement that grants it.
pub(super) fn check(context: &Context<'_>, found: &Assessment) -> Vec<Finding> {
    let mut missing = Missing::default();
    source(context, found, &mut missing);
    target(context, found, &mut missing);
    missing.findings(&context.instance.path)
}

fn source<'a>(context: &Context<'a>, found: &Assessment, missing: &mut Missing<'a>) {
    let end = (context.source_name, context.source);
    if found.create_publication || !found.publish.is_empty() || !found.unpublish.is_empty() {
        missing.on_cluster(end);
    }
    let altered: BTreeSet<TableName> = found.publish.union(&found.withdrawn).cloned().collect();
    for kind in ["DQL", "DML", "DDL"] {
        missing.on_tables(end, kind, &altered);
    }
}

fn target<'a>(context: &Context<'a>, found: &Assessment, missing: &mut Missing<'a>) {
    let end = (context.target_name, context.target);
    if found.subscribes() {
        missing.on_cluster(end);
    }
    if found.sync.is_empty() && !found.makes_something() && found.unpublish.is_empty() && !found.record {
        return;
    }
    missing.on_schemas(end, &["DQL", "DML", "DDL"], &BTreeSet::from([LEDGER]));
    missing.on_tables(end, "DML", &found.stale);
    missing.on_tables(end, "DDL", &found.stale);
    // Tables that a subscription makes have no privileges of their own, and are refreshed by who may read them.
    missing.on_schemas(end, &["DQL"], &found.sync.iter().map(|table| table.schema.as_str()).collect());
}
