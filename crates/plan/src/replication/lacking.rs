//! What the connected users lack for the steps to come, as far as the catalogs tell: before anything is begun, since a
//! step that fails for a privilege after a drop leaves the flow without its target.

use std::collections::BTreeSet;

use transship_model::observed::Observed;
use transship_model::{Finding, Name, SpecPath, TableName};

use super::assess::Assessment;
use super::context::Context;
use super::refuse::list;
use crate::privileges::{On, holds};

/// The schema of the ledger.
const LEDGER: &str = transship_sql::ledger::SCHEMA;

/// Every privilege that is missing, each with the statement that grants it.
pub(super) fn check(context: &Context<'_>, found: &Assessment) -> Vec<Finding> {
    let mut missing = Vec::new();
    source(context, found, &mut missing);
    target(context, found, &mut missing);
    missing.into_iter().map(|missing| missing.finding(context)).collect()
}

struct Missing<'a> {
    cluster: &'a Name,
    observed: &'a Observed,
    what: String,
}

impl Missing<'_> {
    fn finding(self, context: &Context<'_>) -> Finding {
        let (cluster, user, what) = (self.cluster, &self.observed.user, self.what);
        Finding::error("plan::missing-privilege", format!("`{user}` lacks {what} on {cluster}"))
            .at_key(SpecPath::of("clusters", cluster))
            .related(context.instance.path.clone(), "this flow needs it")
            .help(format!("on {cluster}: GRANT {} TO \"{user}\"", what.replace(" on ", " ON ")))
    }
}

fn source<'a>(context: &Context<'a>, found: &Assessment, missing: &mut Vec<Missing<'a>>) {
    let end = (context.source_name, context.source);
    if found.create_publication || !found.publish.is_empty() || !found.unpublish.is_empty() {
        on_cluster(end, missing);
    }
    let altered: BTreeSet<TableName> = found.publish.union(&found.withdrawn).cloned().collect();
    for kind in ["DQL", "DML", "DDL"] {
        on_tables(end, kind, &altered, missing);
    }
}

fn target<'a>(context: &Context<'a>, found: &Assessment, missing: &mut Vec<Missing<'a>>) {
    let end = (context.target_name, context.target);
    if found.subscribes() {
        on_cluster(end, missing);
    }
    if found.sync.is_empty() && !found.makes_something() && found.unpublish.is_empty() && !found.record {
        return;
    }
    on_schemas(end, &["DQL", "DML", "DDL"], &BTreeSet::from([LEDGER]), missing);
    on_tables(end, "DML", &found.stale, missing);
    on_tables(end, "DDL", &found.stale, missing);
    // Tables that a subscription makes have no privileges of their own, and are refreshed by who may read them.
    on_schemas(end, &["DQL"], &found.sync.iter().map(|table| table.schema.as_str()).collect(), missing);
}

type End<'a> = (&'a Name, &'a Observed);

fn on_cluster<'a>((cluster, observed): End<'a>, missing: &mut Vec<Missing<'a>>) {
    if holds(observed, &observed.user, "AL", On::Cluster) == Some(false) {
        missing.push(Missing { cluster, observed, what: "AL".to_owned() });
    }
}

fn on_tables<'a>(
    (cluster, observed): End<'a>,
    kind: &str,
    tables: &BTreeSet<TableName>,
    missing: &mut Vec<Missing<'a>>,
) {
    let lacks = |table: &&TableName| holds(observed, &observed.user, kind, On::Table(table)) == Some(false);
    let tables: Vec<&TableName> = tables.iter().filter(lacks).collect();
    if !tables.is_empty() {
        missing.push(Missing { cluster, observed, what: format!("{kind} on TABLE {}", list(&tables)) });
    }
}

fn on_schemas<'a>(
    (cluster, observed): End<'a>,
    kinds: &[&str],
    schemas: &BTreeSet<&str>,
    missing: &mut Vec<Missing<'a>>,
) {
    for schema in schemas {
        let lacks = |kind: &&str| holds(observed, &observed.user, kind, On::Schema(schema)) == Some(false);
        let kinds: Vec<&str> = kinds.iter().copied().filter(|kind| lacks(kind)).collect();
        if !kinds.is_empty() {
            missing.push(Missing { cluster, observed, what: format!("{} on SCHEMA {schema}", kinds.join(", ")) });
        }
    }
}
