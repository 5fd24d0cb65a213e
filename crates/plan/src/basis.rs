//! Fingerprints of the objects that a plan relies on: identity and definition, never rows or sizes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transship_model::TableName;
use transship_model::ledger::LedgerView;
use transship_model::observed::{Observation, Observed, RelationState, Shard, Table, TableKind};
use transship_model::plan::{ObjectKind, ObjectRef};
use transship_model::store::SeenExport;

use crate::digest;

/// The fingerprint of an object that does not exist.
pub const ABSENT: &str = "absent";

/// The fingerprint of an object as it was observed: SHA-256 in hexadecimal, or [`ABSENT`].
pub fn fingerprint(observation: &Observation, object: &ObjectRef) -> String {
    let facts = match object.kind {
        ObjectKind::Export => export(observation, object),
        _ => observation.clusters.get(&object.cluster).and_then(|observed| facts(observed, object)),
    };
    facts.map_or_else(|| ABSENT.to_owned(), |facts| digest::of(&facts))
}

fn facts(observed: &Observed, object: &ObjectRef) -> Option<Value> {
    match object.kind {
        ObjectKind::Cluster => Some(json!({ "id": observed.id, "user": observed.user })),
        ObjectKind::Ledger => ledger(&observed.ledger),
        ObjectKind::Table => Some(table(observed.tables.get(&object.name.parse::<TableName>().ok()?)?)),
        ObjectKind::Indices => {
            let table = observed.tables.get(&object.name.parse::<TableName>().ok()?)?;
            let uuids: BTreeSet<_> = table.primaries.iter().map(|shard| (&shard.partition, &shard.uuid)).collect();
            Some(json!(uuids))
        }
        ObjectKind::Arrival => {
            let table = observed.tables.get(&object.name.parse::<TableName>().ok()?)?;
            let has_any = |shard: &Shard| shard.global_checkpoint.map(|reached| reached >= 0);
            let shards = table.primaries.iter().map(|shard| (&shard.partition, shard.id, has_any(shard)));
            Some(json!(shards.collect::<BTreeSet<_>>()))
        }
        ObjectKind::Partition => {
            let (table, ident) = object.as_partition()?;
            let mut shards = observed.tables.get(&table)?.primaries.iter().filter(|shard| shard.partition == ident);
            Some(json!(shards.next()?.uuid))
        }
        ObjectKind::Privileges => {
            let own = observed.privileges.as_ref()?.iter();
            let own = own.filter(|it| it.class == "TABLE" && it.ident.as_deref() == Some(object.name.as_str()));
            Some(json!(own.collect::<BTreeSet<_>>()))
        }
        ObjectKind::Repository => {
            let found = observed.repositories.get(&object.name)?;
            Some(json!({ "kind": found.kind, "settings": found.settings }))
        }
        ObjectKind::Server => {
            let found = observed.servers.get(&object.name)?;
            Some(json!({ "url": found.url, "mapped": found.mapped }))
        }
        ObjectKind::Publication => Some(json!({ "all_tables": observed.publications.get(&object.name)?.all_tables })),
        ObjectKind::PublishedTables => Some(json!(observed.publications.get(&object.name)?.tables)),
        ObjectKind::Subscription => {
            let found = observed.subscriptions.get(&object.name)?;
            Some(json!({ "connection": found.connection, "publications": found.publications }))
        }
        ObjectKind::SubscribedTables => {
            let tables = &observed.subscriptions.get(&object.name)?.tables;
            let failed: Vec<_> = tables.iter().map(|(name, is)| (name, is.state == RelationState::Failed)).collect();
            Some(json!(failed))
        }
        ObjectKind::Export => None,
        ObjectKind::Flow => Some(json!(observed.ledger.entry(&object.name.parse().ok()?)?.run)),
    }
}

/// The manifest, and which of its files are not as it says.
fn export(observation: &Observation, object: &ObjectRef) -> Option<Value> {
    match observation.stores.get(&object.cluster)?.exports.get(&object.name)? {
        SeenExport::Found(seen) => Some(json!([seen.directory, seen.sha256, seen.damaged])),
        SeenExport::Absent => None,
        other => Some(json!(other)),
    }
}

/// Whether the ledger's tables are there, and readable. What its rows say is history, not a basis.
fn ledger(view: &LedgerView) -> Option<Value> {
    match view {
        LedgerView::Absent => None,
        LedgerView::Unreadable(_) => Some(json!("unreadable")),
        LedgerView::Newer(version) => Some(json!(version)),
        LedgerView::Present(_) => Some(json!("present")),
    }
}

/// Columns that the definition names; those that dynamic tables and objects get from their rows do not count, and
/// neither do partitions, which come with rows.
fn table(table: &Table) -> Value {
    let strict = table.column_policy.as_deref().unwrap_or("strict") == "strict";
    let columns: Vec<_> = table.columns.iter().filter(|column| strict && !column.name.contains('[')).collect();
    let identity: Vec<_> = match table.partitioned_by.as_slice() {
        [] => table.primaries.iter().filter_map(|shard| shard.uuid.as_deref()).take(1).collect(),
        _ => Vec::new(),
    };
    if table.kind == TableKind::View {
        return json!({ "kind": table.kind, "visible": table.visible, "reads": table.definition });
    }
    json!({
        "kind": table.kind, "visible": table.visible, "closed": table.closed, "created": table.created,
        "primary_key": table.primary_key, "partitioned_by": table.partitioned_by,
        "clustered_by": table.clustered_by, "columns": columns, "identity": identity,
    })
}
