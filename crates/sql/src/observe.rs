//! The statements that read the catalogs.
//!
//! Their number does not grow with the number of tables. What each of them gives is described in `docs/observation.md`.
//! Columns are cast or renamed here so that whoever reads them needs to know one form only.

use transship_model::TableName;

use crate::ident;

/// The cluster's identity.
pub const CLUSTER: &str = "SELECT id, name FROM sys.cluster";

/// The versions of the nodes.
pub const NODES: &str = "SELECT DISTINCT version['number'] AS version FROM sys.nodes";

/// The connected user, the server's clock and the version of the node that answers. Everybody may ask for these.
pub const SESSION: &str = r#"SELECT current_user AS "user", current_timestamp AS now, version() AS version"#;

/// The users and their roles.
pub const USERS: &str = "SELECT name, superuser, granted_roles['role'] AS roles FROM sys.users";

/// The roles and the roles granted to them.
pub const ROLES: &str = "SELECT name, granted_roles['role'] AS roles FROM sys.roles";

/// The privileges of everybody.
pub const PRIVILEGES: &str = r#"SELECT grantee, "type" AS kind, class, ident, state FROM sys.privileges"#;

/// The relations on which the user has any privilege.
pub const TABLES: &str = "SELECT table_schema, table_name, table_type, number_of_shards, number_of_replicas, \
     clustered_by, partitioned_by, column_policy, version['created'] AS created, closed \
     FROM information_schema.tables \
     WHERE table_schema NOT IN ('sys', 'information_schema', 'pg_catalog', 'blob')";

/// What the views read.
pub const VIEWS: &str = "SELECT table_schema, table_name, view_definition FROM information_schema.views";

/// Their columns, those within objects included.
pub const COLUMNS: &str = "SELECT table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, \
     generation_expression, column_default \
     FROM information_schema.columns \
     WHERE table_schema NOT IN ('sys', 'information_schema', 'pg_catalog', 'blob')";

/// Their primary keys.
pub const KEYS: &str = "SELECT table_schema, table_name, column_name, ordinal_position \
     FROM information_schema.key_column_usage \
     WHERE table_schema NOT IN ('sys', 'information_schema', 'pg_catalog', 'blob')";

/// The primary shards with sequence numbers and retention leases, and every copy that is not assigned: an unassigned
/// primary is not marked as one.
pub const SHARDS: &str = r#"SELECT schema_name, table_name, partition_ident, id, partition_uuid, num_docs, size,
 seq_no_stats['max_seq_no'] AS max_seq_no, seq_no_stats['global_checkpoint'] AS global_checkpoint,
 retention_leases['leases'] AS leases
 FROM sys.shards WHERE ("primary" OR state = 'UNASSIGNED') AND schema_name <> 'blob'"#;

/// The worst health over the partitions of each table: 1 green, 2 yellow, 3 red.
pub const HEALTH: &str = "SELECT table_schema, table_name, max(severity) AS severity FROM sys.health \
     GROUP BY table_schema, table_name";

/// The tables that hold anything. Unlike every other catalog, this one is not filtered by privileges.
pub const SEGMENTS: &str = "SELECT table_schema, table_name FROM sys.segments \
     WHERE table_schema <> 'blob' GROUP BY table_schema, table_name";

/// The publications of the connected user, with their tables.
pub const PUBLICATIONS: &str = "SELECT p.pubname AS name, p.puballtables AS all_tables, t.schemaname AS table_schema, \
     t.tablename AS table_name \
     FROM pg_catalog.pg_publication p LEFT JOIN pg_catalog.pg_publication_tables t ON p.pubname = t.pubname";

/// The subscriptions of the connected user, with the state of their tables.
pub const SUBSCRIPTIONS: &str = "SELECT s.subname AS name, s.subconninfo AS connection, \
     s.subpublications AS publications, r.srrelid::text AS relation, r.srsubstate AS state, \
     r.srsubstate_reason AS reason \
     FROM pg_catalog.pg_subscription s LEFT JOIN pg_catalog.pg_subscription_rel r ON s.oid = r.srsubid";

/// The repositories of snapshots; settings are texts as they were given, secrets masked.
pub const REPOSITORIES: &str = "SELECT name, type, settings FROM sys.repositories";

/// The foreign servers that the user owns, or all for a superuser, with those for whom they have user mappings.
pub const SERVERS: &str = "SELECT s.foreign_server_name AS name, s.authorization_identifier AS owner, \
     o.option_value AS url, m.authorization_identifier AS mapped \
     FROM information_schema.foreign_servers s \
     LEFT JOIN information_schema.foreign_server_options o \
     ON s.foreign_server_name = o.foreign_server_name \
     LEFT JOIN information_schema.user_mappings m ON s.foreign_server_name = m.foreign_server_name";

/// Makes what was written to the ledger a moment ago readable by other conditions than the whole primary key.
pub const LEDGER_REFRESH: &str = "REFRESH TABLE transship.meta, transship.flows";

/// The ledger's format. Binds: workspace, environment (empty where there is none).
pub const LEDGER_META: &str =
    r#"SELECT key, "value" FROM transship.meta WHERE workspace = $1 AND environment = $2 AND key = 'format_version'"#;

/// The ledger's rows of flows. Binds: workspace, environment (empty where there is none).
pub const LEDGER_FLOWS: &str =
    "SELECT flow, document, run FROM transship.flows WHERE workspace = $1 AND environment = $2";

/// Every statement of an observation, each with the catalog it reads, in the order in which they are sent.
pub const ALL: [(&str, &str); 20] = [
    ("sys.cluster", CLUSTER),
    ("sys.nodes", NODES),
    ("session", SESSION),
    ("sys.users", USERS),
    ("sys.roles", ROLES),
    ("sys.privileges", PRIVILEGES),
    ("information_schema.tables", TABLES),
    ("information_schema.views", VIEWS),
    ("information_schema.columns", COLUMNS),
    ("information_schema.key_column_usage", KEYS),
    ("sys.shards", SHARDS),
    ("sys.health", HEALTH),
    ("sys.segments", SEGMENTS),
    ("pg_catalog.pg_publication", PUBLICATIONS),
    ("pg_catalog.pg_subscription", SUBSCRIPTIONS),
    ("sys.repositories", REPOSITORIES),
    ("information_schema.foreign_servers", SERVERS),
    ("refresh of the ledger", LEDGER_REFRESH),
    ("transship.meta", LEDGER_META),
    ("transship.flows", LEDGER_FLOWS),
];

/// The definition of a table.
pub fn show_create_table(table: &TableName) -> String {
    format!("SHOW CREATE TABLE {}", ident::table(table))
}

/// Asks whether a table can be written, without writing: the analyzer refuses a subscribed table before any plan is
/// made. `columns` are at least those of its key and its routing, which are required.
pub fn explain_insert<'a>(table: &TableName, columns: impl IntoIterator<Item = &'a str>) -> String {
    let columns: Vec<_> = columns.into_iter().map(ident::ident).collect();
    let nulls = vec!["NULL"; columns.len()].join(", ");
    format!("EXPLAIN INSERT INTO {} ({}) VALUES ({nulls})", ident::table(table), columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_quote_what_they_name() {
        let table = TableName::new("shop", "or\"ders");
        assert_eq!(show_create_table(&table), r#"SHOW CREATE TABLE "shop"."or""ders""#);
        assert_eq!(
            explain_insert(&table, ["Id", "day"]),
            r#"EXPLAIN INSERT INTO "shop"."or""ders" ("Id", "day") VALUES (NULL, NULL)"#
        );
    }

    #[test]
    fn every_statement_reads_the_catalog_it_is_listed_with() {
        for (catalog, sql) in ALL {
            assert!(!catalog.contains('.') || sql.contains(catalog), "{catalog}");
            assert!(!sql.contains(';'), "{catalog}");
        }
    }
}
