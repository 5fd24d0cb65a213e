//! What tests look at of partitioned tables.

use super::Cluster;

/// The rows of a query as one text: values joined by `:`, rows by a space.
pub(crate) fn rows(cluster: &Cluster, sql: &str) -> String {
    let text = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(":");
    cluster.sql(sql).into_iter().map(text).collect::<Vec<_>>().join(" ")
}

/// Every shard of a table with its partition, index and sequence numbers, but for the partitions of a list of SQL.
pub(crate) fn shards(cluster: &Cluster, (schema, table): (&str, &str), but: &str) -> String {
    let sql = format!(
        "SELECT partition_ident, id, partition_uuid, seq_no_stats['max_seq_no'], seq_no_stats['global_checkpoint'] \
         FROM sys.shards WHERE schema_name = '{schema}' AND table_name = '{table}' AND partition_ident NOT IN ({but}) \
         ORDER BY 1, 2"
    );
    rows(cluster, &sql)
}

/// The idents of the partitions that a condition on their values chooses, as a list of SQL.
pub(crate) fn idents(cluster: &Cluster, (schema, table): (&str, &str), filter: &str) -> String {
    let sql = format!(
        "SELECT partition_ident FROM information_schema.table_partitions WHERE table_schema = '{schema}' AND \
         table_name = '{table}' AND ({filter}) ORDER BY 1"
    );
    rows(cluster, &sql).split(' ').map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ")
}
