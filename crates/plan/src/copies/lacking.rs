//! What the connected users lack for the steps to come, as far as the catalogs tell: before anything is begun.

use std::collections::BTreeSet;

use transship_model::observed::TableKind;
use transship_model::{Finding, TableName};
use transship_sql::place::Securable;

use super::assess::{Deed, Found};
use super::context::Context;
use super::grants;
use super::verbs;
use crate::missing::Missing;
use crate::privileges::{self, On};

/// Every privilege that is missing.
pub(crate) fn check(context: &Context<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let busy: Vec<&Found<'_>> = found.iter().filter(|it| !matches!(it.deed, Deed::Nothing | Deed::Refuse(_))).collect();
    if busy.is_empty() {
        return Vec::new();
    }
    let mut missing = Missing::default();
    let read: BTreeSet<TableName> = busy.iter().map(|found| found.wish.pair.from.clone()).collect();
    if !context.is_from_store() {
        let source = (context.source_name, context.source);
        missing.on_sys(source, &["sys.shards", "sys.health"]);
        missing.on_tables(source, "DQL", &read);
    }
    if context.is_to_store() {
        let schemas = BTreeSet::from([transship_sql::ledger::SCHEMA]);
        missing.on_schemas((context.target_name, context.target), &["DQL", "DML", "DDL"], &schemas);
    } else {
        missing.on_sys((context.target_name, context.target), &["sys.shards", "sys.health"]);
        on_target(context, &busy, &mut missing);
    }
    missing.findings(&context.instance.path)
}

/// Copies aside are made, filled, read and renamed or dropped under names that nobody has granted anything on. A table
/// that is there is only read and written, or swapped out; to pass its grants on takes AL.
fn on_target<'a>(context: &Context<'a>, busy: &[&Found<'_>], missing: &mut Missing<'a>) {
    let target = (context.target_name, context.target);
    let of = |deeds: &[Deed]| -> Vec<&Found<'_>> {
        busy.iter().copied().filter(|found| deeds.contains(&found.deed)).collect()
    };
    let names = |found: &[&Found<'_>]| found.iter().map(|it| it.wish.pair.to.clone()).collect::<BTreeSet<TableName>>();
    let mut aside = of(&[Deed::Create, Deed::Replace, Deed::Restore]);
    if context.has_program() {
        aside.extend(of(&[Deed::Append, Deed::Upsert]));
    }
    let mut schemas: BTreeSet<&str> = aside.iter().map(|found| found.wish.pair.to.schema.as_str()).collect();
    schemas.insert(transship_sql::ledger::SCHEMA);
    missing.on_schemas(target, &["DQL", "DML", "DDL"], &schemas);
    missing.on_tables(target, "DQL", &busy.iter().flat_map(|found| verbs::tables(found.wish.pair.entry)).collect());
    let filled = names(&of(&[Deed::Append, Deed::Upsert, Deed::Restore]));
    missing.on_tables(target, "DQL", &filled);
    missing.on_tables(target, "DML", &filled);
    let widened = busy.iter().filter(|found| !found.added.is_empty()).map(|found| found.wish.pair.to.clone());
    missing.on_tables(target, "DDL", &widened.collect());
    let is_table = |found: &&Found<'_>| found.there.is_some_and(|there| there.kind == TableKind::Table);
    let replaced: Vec<&Found<'_>> = of(&[Deed::Replace]).into_iter().filter(is_table).collect();
    // Whether it can be written is looked at before. AL alone allows a swap, but not the rename before a view.
    missing.on_tables(target, "DQL", &names(&replaced));
    missing.on_tables(target, "DML", &names(&replaced));
    if context.by_view() || privileges::holds(context.target, &context.target.user, "AL", On::Cluster) != Some(true) {
        missing.on_tables(target, "DDL", &names(&replaced));
    }
    if replaced.iter().any(|found| has_grants(context, &found.wish.pair.to)) {
        missing.on_cluster(target);
    }
}

fn has_grants(context: &Context<'_>, table: &TableName) -> bool {
    grants::of(context.target, table, Securable::Table, table).is_some_and(|grants| !grants.is_empty())
}
