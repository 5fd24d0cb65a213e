//! What the small looks at the catalogs answer, as types.

use std::collections::{BTreeMap, BTreeSet};

use transship_cluster::{Rows, Value};
use transship_model::TableName;
use transship_model::observed::{RelationState, SubscribedTable, Subscription};

/// A primary shard: table, partition, number.
pub(crate) type ShardKey = (TableName, String, i64);

/// How far a primary shard has come; `None` while it is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) max_seq_no: Option<i64>,
    pub(crate) global_checkpoint: Option<i64>,
}

/// The tables of each publication, from the answer of [`transship_sql::replication::published_tables`].
pub(crate) fn read_publications(rows: &Rows) -> BTreeMap<String, BTreeSet<TableName>> {
    let mut publications = BTreeMap::<String, BTreeSet<TableName>>::new();
    for row in &rows.rows {
        let Some(name) = text(row, 0) else { continue };
        let tables = publications.entry(name).or_default();
        if let (Some(schema), Some(table)) = (text(row, 1), text(row, 2)) {
            tables.insert(TableName::new(schema, table));
        }
    }
    publications
}

/// The subscriptions that the user owns, from the answer of [`transship_sql::replication::subscribed_tables`].
pub(crate) fn read_subscriptions(rows: &Rows) -> BTreeMap<String, Subscription> {
    let mut subscriptions = BTreeMap::<String, Subscription>::new();
    for row in &rows.rows {
        let Some(name) = text(row, 0) else { continue };
        let subscription = subscriptions.entry(name).or_insert_with(|| Subscription {
            connection: text(row, 1).unwrap_or_default(),
            publications: list(row, 2),
            tables: BTreeMap::new(),
        });
        let table = text(row, 3).and_then(|name| name.parse::<TableName>().ok());
        let state = text(row, 4).and_then(|letter| RelationState::from_letter(&letter));
        if let (Some(table), Some(state)) = (table, state) {
            subscription.tables.insert(table, SubscribedTable { state, reason: text(row, 5) });
        }
    }
    subscriptions
}

/// How far each shard is, from the answer of [`transship_sql::replication::checkpoints`].
pub(crate) fn read_checkpoints(rows: &Rows) -> BTreeMap<ShardKey, Checkpoint> {
    let shard = |row: &Vec<Value>| {
        let table = TableName::new(text(row, 0)?, text(row, 1)?);
        let key = (table, text(row, 2).unwrap_or_default(), integer(row, 3)?);
        Some((key, Checkpoint { max_seq_no: integer(row, 4), global_checkpoint: integer(row, 5) }))
    };
    rows.rows.iter().filter_map(shard).collect()
}

/// The tables on which `subscriber` still has a lease, from the answer of [`transship_sql::replication::leases`].
pub(crate) fn read_leased(rows: &Rows, subscriber: &str) -> BTreeSet<TableName> {
    let prefix = format!("logical_replication:{subscriber}:");
    let leased = |row: &&Vec<Value>| list(row, 4).iter().any(|lease| lease.starts_with(&prefix));
    let table = |row: &Vec<Value>| Some(TableName::new(text(row, 0)?, text(row, 1)?));
    rows.rows.iter().filter(leased).filter_map(table).collect()
}

/// The tables of an answer whose first columns are schema and name.
pub(crate) fn read_tables(rows: &Rows) -> BTreeSet<TableName> {
    rows.rows.iter().filter_map(|row| Some(TableName::new(text(row, 0)?, text(row, 1)?))).collect()
}

/// The texts of the first column.
pub(crate) fn read_names(rows: &Rows) -> BTreeSet<String> {
    rows.rows.iter().filter_map(|row| text(row, 0)).collect()
}

/// The text in a column.
pub(crate) fn text(row: &[Value], column: usize) -> Option<String> {
    match row.get(column)? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn integer(row: &[Value], column: usize) -> Option<i64> {
    match row.get(column)? {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn list(row: &[Value], column: usize) -> Vec<String> {
    match row.get(column) {
        Some(Value::List(values)) => (0..values.len()).filter_map(|index| text(values, index)).collect(),
        _ => Vec::new(),
    }
}
