//! Small looks at a few tables, where reading the whole catalog would be too much.

use transship_model::TableName;

use crate::ident::{literal, table_condition};
use crate::partition::Partition;
use crate::place::Securable;

/// `schema, table` of those of `names` that exist as relations of any kind and that the user may see.
pub fn existing_tables<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE {} ORDER BY 1, 2",
        table_condition("table_schema", "table_name", names)
    )
}

/// `schema, table` of those of `names` that are tables without partitions: they have primary shards whatever they hold.
pub fn unpartitioned_tables<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT table_schema, table_name FROM information_schema.tables \
         WHERE table_type = 'BASE TABLE' AND partitioned_by IS NULL AND ({}) ORDER BY 1, 2",
        table_condition("table_schema", "table_name", names)
    )
}

/// `schema, table` of those of `names` of which a primary shard is missing somewhere.
pub fn red_tables<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT DISTINCT table_schema, table_name FROM sys.health WHERE severity = 3 AND ({}) ORDER BY 1, 2",
        table_condition("table_schema", "table_name", names)
    )
}

/// `name, id` of every column of a table, those of objects included: the id by which CrateDB tells columns apart that had
/// the same name one after the other, and by which a partition fits into a table.
pub fn column_ids(table: &TableName) -> String {
    format!(
        "SELECT column_name, column_details['oid'] AS oid FROM information_schema.columns \
         WHERE table_schema = {} AND table_name = {} ORDER BY 1",
        literal(&table.schema),
        literal(&table.table)
    )
}

/// `n, bytes` of a table's primary shards: its rows, and what they take on disk.
pub fn sizes(table: &TableName) -> String {
    format!(
        "SELECT coalesce(sum(num_docs), 0)::bigint AS n, coalesce(sum(size), 0)::bigint AS bytes FROM sys.shards \
         WHERE \"primary\" AND schema_name = {} AND table_name = {}",
        literal(&table.schema),
        literal(&table.table)
    )
}

/// `name` of every column of a table, those of objects included.
pub fn columns(table: &TableName) -> String {
    format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY 1",
        literal(&table.schema),
        literal(&table.table)
    )
}

/// `id` of the checks of nodes that fail over the space on their disks: 7 the flood stage, 5 the high watermark, 6 the low.
pub fn disk_checks() -> String {
    "SELECT DISTINCT id FROM sys.node_checks WHERE NOT passed AND id IN (5, 6, 7) ORDER BY 1".to_owned()
}

/// What [`unreadable`] says of a partition that is closed.
pub const CLOSED: &str = "is closed";

/// `partition_ident, why` of the partitions of a table that give no rows: a SELECT, and COPY TO, leave out those that are
/// closed, or of which a shard is missing, without an error (seen on 6.4.0). `chosen` are those that matter; none for all.
pub fn unreadable(of: &TableName, chosen: &[Partition]) -> String {
    let is_it = format!("table_schema = {} AND table_name = {}", literal(&of.schema), literal(&of.table));
    let idents: Vec<String> = chosen.iter().map(|partition| literal(&partition.ident())).collect();
    let only =
        if idents.is_empty() { String::new() } else { format!(" WHERE partition_ident IN ({})", idents.join(", ")) };
    format!(
        "SELECT partition_ident, why FROM (SELECT partition_ident, 'has missing shards' AS why FROM sys.health WHERE {is_it} \
         AND missing_shards > 0 UNION ALL SELECT partition_ident, '{CLOSED}' AS why \
         FROM information_schema.table_partitions WHERE {is_it} AND closed) AS parts{only}"
    )
}

/// Whether a statement is [`unreadable`] of a table, for whichever partitions.
pub fn is_unreadable(statement: &str, of: &TableName) -> bool {
    let only = statement.strip_prefix(&unreadable(of, &[]));
    only.is_some_and(|only| {
        only.is_empty() || (only.starts_with(" WHERE partition_ident IN ('") && only.ends_with("')"))
    })
}

/// `schema, table, partition, shard, identity of the index` of every shard of `names`, started or not: a primary that
/// moves to another node is listed as none for a moment.
pub fn shards<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT DISTINCT schema_name, table_name, partition_ident, id, partition_uuid FROM sys.shards WHERE {} \
         ORDER BY 1, 2, 3, 4",
        table_condition("schema_name", "table_name", names)
    )
}

/// `state, type, grantee` of the privileges on a relation itself; every row of all users, for who may read `sys`.
pub fn privileges_on(class: Securable, name: &TableName) -> String {
    format!(
        "SELECT state, \"type\", grantee FROM sys.privileges WHERE class = '{}' AND ident = {}",
        class.as_str(),
        literal(&name.to_string())
    )
}

/// `name` of every user.
pub fn users() -> String {
    "SELECT name FROM sys.users ORDER BY 1".to_owned()
}

/// The connected user.
pub fn current_user() -> String {
    "SELECT current_user".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_literals() {
        let names = [TableName::new("shop", "orders"), TableName::new("s", "it's")];
        assert!(existing_tables(&names).contains(
            "WHERE (table_schema = 's' AND table_name IN ('it''s')) OR (table_schema = 'shop' AND table_name IN ('orders'))"
        ));
    }
}
