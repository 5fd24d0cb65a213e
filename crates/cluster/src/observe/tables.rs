//! Tables and views with their columns, keys, primary shards and health.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::TableName;
use transship_model::observed::{Column, Health, Lease, Privilege, Shard, Table, TableKind};
use transship_sql::ledger::SCHEMA as LEDGER_SCHEMA;
use transship_sql::observe as catalog;

use super::answers::{Answers, Problem};
use crate::value::{Rows, Value, ValueError};

/// The start of the id of a retention lease that logical replication holds.
const LEASE_PREFIX: &str = "logical_replication:";

/// What is known of relations.
pub(super) struct Relations {
    /// The relations of user schemas, the ledger's excepted.
    pub(super) tables: BTreeMap<TableName, Table>,
    /// What is known to exist although the user may not see it, the ledger's tables included.
    pub(super) hidden: BTreeSet<TableName>,
}

/// Reads the catalogs of relations. What exists beyond them is concluded from `sys.segments` and from privileges of
/// others, since CrateDB drops a privilege with its table.
pub(super) fn relations(answers: &mut Answers, privileges: Option<&[Privilege]>) -> Result<Relations, Problem> {
    let mut tables = BTreeMap::new();
    let relations = answers.seen(catalog::TABLES)?.unwrap_or_default();
    for row in 0..relations.len() {
        tables.insert(name(&relations, row, "table_schema")?, relation(&relations, row)?);
    }
    add_views(&mut tables, &answers.seen(catalog::VIEWS)?.unwrap_or_default())?;
    add_columns(&mut tables, &answers.seen(catalog::COLUMNS)?.unwrap_or_default())?;
    add_keys(&mut tables, &answers.seen(catalog::KEYS)?.unwrap_or_default())?;
    let shards = answers.seen(catalog::SHARDS)?.unwrap_or_default();
    let segments = answers.seen(catalog::SEGMENTS)?.unwrap_or_default();
    let mut existing = BTreeSet::new();
    for (rows, column) in [(&shards, "schema_name"), (&segments, "table_schema")] {
        for row in 0..rows.len() {
            existing.insert(name(rows, row, column)?);
        }
    }
    existing.extend(privileges.into_iter().flatten().filter_map(named_table));
    let hidden: BTreeSet<_> = existing.into_iter().filter(|name| !tables.contains_key(name)).collect();
    tables.extend(hidden.iter().map(|name| (name.clone(), unknown())));
    add_shards(&mut tables, &shards)?;
    add_health(&mut tables, &answers.seen(catalog::HEALTH)?.unwrap_or_default())?;
    tables.retain(|name, _| name.schema != LEDGER_SCHEMA);
    Ok(Relations { tables, hidden })
}

fn name(rows: &Rows, row: usize, schema: &str) -> Result<TableName, ValueError> {
    Ok(TableName::new(rows.text(row, schema)?, rows.text(row, "table_name")?))
}

/// The table that a privilege on a single table names.
fn named_table(privilege: &Privilege) -> Option<TableName> {
    let table: TableName = privilege.ident.as_deref().filter(|_| privilege.class == "TABLE")?.parse().ok()?;
    let system = matches!(table.schema.as_str(), "sys" | "information_schema" | "pg_catalog" | "blob");
    (!system).then_some(table)
}

fn relation(rows: &Rows, row: usize) -> Result<Table, ValueError> {
    let kind = match rows.text(row, "table_type")? {
        "VIEW" => TableKind::View,
        "FOREIGN" => TableKind::Foreign,
        _ => TableKind::Table,
    };
    let text = |column| rows.opt_text(row, column).map(|text| text.map(str::to_owned));
    Ok(Table {
        kind,
        partitioned_by: rows.texts(row, "partitioned_by")?,
        clustered_by: text("clustered_by")?.filter(|column| column != "_id"),
        shards: rows.opt_int(row, "number_of_shards")?.and_then(|number| u32::try_from(number).ok()),
        replicas: text("number_of_replicas")?,
        column_policy: text("column_policy")?,
        created: rows.opt_text(row, "created")?.and_then(|version| version.parse().ok()),
        closed: rows.opt_bool(row, "closed")?.unwrap_or(false),
        visible: true,
        ..unknown()
    })
}

/// A table of which only the name is known.
const fn unknown() -> Table {
    Table {
        kind: TableKind::Table,
        columns: Vec::new(),
        primary_key: Vec::new(),
        partitioned_by: Vec::new(),
        clustered_by: None,
        shards: None,
        replicas: None,
        column_policy: None,
        created: None,
        closed: false,
        primaries: Vec::new(),
        health: None,
        definition: None,
        writable: None,
        visible: false,
    }
}

fn add_views(tables: &mut BTreeMap<TableName, Table>, rows: &Rows) -> Result<(), ValueError> {
    for row in 0..rows.len() {
        if let Some(view) = tables.get_mut(&name(rows, row, "table_schema")?) {
            view.definition = rows.opt_text(row, "view_definition")?.map(str::to_owned);
        }
    }
    Ok(())
}

fn add_columns(tables: &mut BTreeMap<TableName, Table>, rows: &Rows) -> Result<(), ValueError> {
    for row in in_order(rows)? {
        let text = |column| rows.opt_text(row, column).map(|text| text.map(str::to_owned));
        let column = Column {
            name: rows.text(row, "column_name")?.to_owned(),
            data_type: rows.text(row, "data_type")?.to_owned(),
            nullable: nullable(rows, row)?,
            generated: text("generation_expression")?,
            default: text("column_default")?,
        };
        if let Some(table) = tables.get_mut(&name(rows, row, "table_schema")?) {
            table.columns.push(column);
        }
    }
    Ok(())
}

/// YES and NO since CrateDB 6.1, a boolean before.
fn nullable(rows: &Rows, row: usize) -> Result<bool, ValueError> {
    match rows.value(row, "is_nullable")? {
        Value::Bool(nullable) => Ok(*nullable),
        _ => Ok(rows.text(row, "is_nullable")? == "YES"),
    }
}

fn add_keys(tables: &mut BTreeMap<TableName, Table>, rows: &Rows) -> Result<(), ValueError> {
    for row in in_order(rows)? {
        let column = rows.text(row, "column_name")?.to_owned();
        if let Some(table) = tables.get_mut(&name(rows, row, "table_schema")?) {
            table.primary_key.push(column);
        }
    }
    Ok(())
}

/// The numbers of the rows by ordinal position.
fn in_order(rows: &Rows) -> Result<Vec<usize>, ValueError> {
    let mut order = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        order.push((rows.int(row, "ordinal_position")?, rows.text(row, "column_name")?, row));
    }
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, _, row)| row).collect())
}

fn add_shards(tables: &mut BTreeMap<TableName, Table>, rows: &Rows) -> Result<(), ValueError> {
    for row in 0..rows.len() {
        let shard = shard(rows, row)?;
        if let Some(table) = tables.get_mut(&name(rows, row, "schema_name")?) {
            add_shard(&mut table.primaries, shard);
        }
    }
    for table in tables.values_mut() {
        table.primaries.sort_by(|a, b| (&a.partition, a.id).cmp(&(&b.partition, b.id)));
    }
    Ok(())
}

/// A primary that is being relocated is listed twice: the copy that knows more is the one that serves.
fn add_shard(primaries: &mut Vec<Shard>, shard: Shard) {
    match primaries.iter_mut().find(|known| known.id == shard.id && known.partition == shard.partition) {
        Some(known) if known.max_seq_no < shard.max_seq_no => *known = shard,
        Some(_) => {}
        None => primaries.push(shard),
    }
}

fn shard(rows: &Rows, row: usize) -> Result<Shard, ValueError> {
    let id = rows.int(row, "id")?;
    let mut leases: Vec<_> = rows.list(row, "leases")?.iter().filter_map(lease).collect();
    leases.sort();
    Ok(Shard {
        partition: rows.opt_text(row, "partition_ident")?.unwrap_or_default().to_owned(),
        id: i32::try_from(id).map_err(|_| ValueError {
            column: "id".to_owned(),
            expected: "a shard's number",
            found: id.to_string(),
        })?,
        uuid: rows.opt_text(row, "partition_uuid")?.map(str::to_owned),
        max_seq_no: rows.opt_int(row, "max_seq_no")?,
        global_checkpoint: rows.opt_int(row, "global_checkpoint")?,
        docs: rows.opt_int(row, "num_docs")?.unwrap_or(0),
        bytes: rows.opt_int(row, "size")?.unwrap_or(0),
        stalled: false,
        leases,
    })
}

/// A lease of a subscriber: its id is `logical_replication:CLUSTER:[INDEX][SHARD]`.
fn lease(value: &Value) -> Option<Lease> {
    let Value::Json(lease) = value else { return None };
    let id = lease.get("id")?.as_str()?.strip_prefix(LEASE_PREFIX)?;
    let renewed = jiff::Timestamp::from_millisecond(lease.get("timestamp")?.as_i64()?).ok()?;
    let subscriber = id.rfind(":[").map_or(id, |end| &id[..end]).to_owned();
    Some(Lease { subscriber, retaining: lease.get("retaining_seq_no")?.as_i64()?, renewed })
}

fn add_health(tables: &mut BTreeMap<TableName, Table>, rows: &Rows) -> Result<(), ValueError> {
    for row in 0..rows.len() {
        let health = match rows.int(row, "severity")? {
            1 => Health::Green,
            2 => Health::Yellow,
            _ => Health::Red,
        };
        if let Some(table) = tables.get_mut(&name(rows, row, "table_schema")?) {
            table.health = Some(health);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leases_of_subscribers_are_told_from_others() {
        let read = |id: &str| lease(&Value::Json(json!({"id": id, "retaining_seq_no": 5, "timestamp": 1_000})));
        let expected = |subscriber: &str| {
            let renewed = "1970-01-01T00:00:01Z".parse().expect("a timestamp");
            Some(Lease { subscriber: subscriber.to_owned(), retaining: 5, renewed })
        };
        assert_eq!(read("logical_replication:analytics:[shop.orders][0]"), expected("analytics"));
        assert_eq!(read("logical_replication:a:[b:[s.t][3]"), expected("a:[b"));
        assert_eq!(read("logical_replication:a:[s..partitioned.t.0413][12]"), expected("a"));
        assert_eq!(read("peer_recovery/wKKAIzTPTEOrYen5qKxFGA"), None);
    }

    #[test]
    fn of_a_relocating_primary_the_serving_copy_counts() {
        let shard = |max_seq_no| Shard {
            partition: String::new(),
            id: 0,
            uuid: None,
            max_seq_no,
            global_checkpoint: None,
            docs: 0,
            bytes: 0,
            stalled: false,
            leases: Vec::new(),
        };
        for order in [[None, Some(4)], [Some(4), None]] {
            let mut primaries = Vec::new();
            for max_seq_no in order {
                add_shard(&mut primaries, shard(max_seq_no));
            }
            assert_eq!(primaries, [shard(Some(4))]);
        }
    }
}
