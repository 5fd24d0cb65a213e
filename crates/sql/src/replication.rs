//! Publications and subscriptions.

use transship_model::TableName;

use crate::ident::{ident, table_condition, tables};

/// Makes an empty publication. A table of another publication cannot be named here, only added afterwards.
pub fn create_publication(name: &str) -> String {
    format!("CREATE PUBLICATION {}", ident(name))
}

/// Adds tables to a publication; those that it has already stay.
pub fn publish_tables<'a>(publication: &str, names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!("ALTER PUBLICATION {} ADD TABLE {}", ident(publication), tables(names))
}

/// Takes tables out of a publication, which may be left empty. Fails for a table that no longer exists.
pub fn withdraw_tables<'a>(publication: &str, names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!("ALTER PUBLICATION {} DROP TABLE {}", ident(publication), tables(names))
}

/// Sets the tables of a publication; those that it has already go on being followed without a break.
///
/// This takes tables out as well, also those that no longer exist; but it cannot leave a publication empty.
pub fn set_published_tables<'a>(publication: &str, names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!("ALTER PUBLICATION {} SET TABLE {}", ident(publication), tables(names))
}

/// Drops a publication; succeeds where there is none.
pub fn drop_publication(name: &str) -> String {
    format!("DROP PUBLICATION IF EXISTS {}", ident(name))
}

/// Makes a subscription; `$1` is the connection string.
pub fn create_subscription(name: &str, publication: &str) -> String {
    format!("CREATE SUBSCRIPTION {} CONNECTION $1 PUBLICATION {}", ident(name), ident(publication))
}

/// Drops a subscription; succeeds where there is none. Its tables stay and become writable.
pub fn drop_subscription(name: &str) -> String {
    format!("DROP SUBSCRIPTION IF EXISTS {}", ident(name))
}

/// `publication, schema, table` of the user's publications; schema and table are NULL for an empty one.
pub fn published_tables() -> String {
    "SELECT p.pubname, t.schemaname, t.tablename FROM pg_catalog.pg_publication p \
     LEFT JOIN pg_catalog.pg_publication_tables t ON p.pubname = t.pubname ORDER BY 1, 2, 3"
        .to_owned()
}

/// `subscription, connection, publications, relation, state, reason` of the user's subscriptions; relation, state and
/// reason are NULL for one without tables. The relation is `schema.table`.
pub fn subscribed_tables() -> String {
    "SELECT s.subname, s.subconninfo, s.subpublications, r.srrelid::text, r.srsubstate, r.srsubstate_reason \
     FROM pg_catalog.pg_subscription s LEFT JOIN pg_catalog.pg_subscription_rel r ON s.oid = r.srsubid ORDER BY 1, 4"
        .to_owned()
}

/// `repository` of every restore that runs. A subscription copies tables by one from [`repository_of`] it.
pub fn restores() -> String {
    "SELECT repository FROM sys.snapshot_restore".to_owned()
}

/// The repository that CrateDB keeps for a subscription; no other can have its name.
pub fn repository_of(subscription: &str) -> String {
    format!("_logical_replication_{subscription}")
}

/// `schema, table, partition, shard, max_seq_no, global_checkpoint, recovered bytes` of the primary shards of `names`.
pub fn checkpoints<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT schema_name, table_name, partition_ident, id, seq_no_stats['max_seq_no'] AS max_seq_no, \
         seq_no_stats['global_checkpoint'] AS global_checkpoint, \
         recovery['size']['recovered'] AS recovered FROM sys.shards WHERE \"primary\" AND ({}) ORDER BY 1, 2, 3, 4",
        table_condition("schema_name", "table_name", names)
    )
}

/// `schema, table, partition, shard`, of every lease its id, the first operation that it keeps and when it was renewed, and the
/// time of the server, of the primary shards of `names`. Times are in milliseconds since 1970.
pub fn leases<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT schema_name, table_name, partition_ident, id, retention_leases['leases']['id'], \
         retention_leases['leases']['retaining_seq_no'], retention_leases['leases']['timestamp']::array(bigint), \
         CURRENT_TIMESTAMP::bigint FROM sys.shards WHERE \"primary\" AND ({}) ORDER BY 1, 2, 3, 4",
        table_condition("schema_name", "table_name", names)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_read_as_cratedb_wants_them() {
        let names = [TableName::new("shop", "orders"), TableName::new("shop", "a\"b")];
        assert_eq!(create_publication("p"), r#"CREATE PUBLICATION "p""#);
        assert_eq!(publish_tables("p", &names), r#"ALTER PUBLICATION "p" ADD TABLE "shop"."orders", "shop"."a""b""#);
        assert_eq!(set_published_tables("p", &names[..1]), r#"ALTER PUBLICATION "p" SET TABLE "shop"."orders""#);
        assert_eq!(create_subscription("s", "p"), r#"CREATE SUBSCRIPTION "s" CONNECTION $1 PUBLICATION "p""#);
        assert!(checkpoints(&names).contains("(schema_name = 'shop' AND table_name IN ('orders', 'a\"b'))"));
    }
}
