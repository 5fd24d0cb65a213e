//! What the connected users lack for the steps to come, as far as the catalogs tell: before anything is begun.

use std::collections::BTreeSet;

use transship_model::{Finding, TableName};

use super::assess::{Deed, Found};
use super::context::Context;
use crate::missing::Missing;

/// Every privilege that is missing.
pub(super) fn check(context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> = found.iter().filter(|it| !matches!(it.deed, Deed::Nothing | Deed::Refuse(_))).collect();
    if busy.is_empty() {
        return Vec::new();
    }
    let mut missing = Missing::default();
    let read: BTreeSet<TableName> = busy.iter().map(|found| found.wish.pair.from.clone()).collect();
    missing.on_tables((context.source_name, context.source), "DQL", &read);
    let mut schemas: BTreeSet<&str> = busy.iter().map(|found| found.wish.pair.to.schema.as_str()).collect();
    schemas.insert(transship_sql::ledger::SCHEMA);
    let target = (context.target_name, context.target);
    missing.on_schemas(target, &["DQL", "DML", "DDL"], &schemas);
    missing.findings(&context.instance.path)
}
