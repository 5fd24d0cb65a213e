//! Snapshots and what is restored of them.
//!
//! Both statements return as soon as their work has begun, and are watched: a client that waits inside of them learns
//! nothing once its connection is gone, and `CREATE SNAPSHOT` calls a partial snapshot a success.

use transship_model::TableName;

use crate::ident::{ident, literal, table, table_condition};
use crate::partition::Partition;

/// What of a table goes into a snapshot, or comes out of it: the whole, or some partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The table.
    pub table: TableName,
    /// The partitions; none for the whole table.
    pub partitions: Vec<Partition>,
}

impl Part {
    /// A whole table.
    pub const fn whole(table: TableName) -> Self {
        Self { table, partitions: Vec::new() }
    }

    fn list(&self) -> String {
        let name = table(&self.table);
        if self.partitions.is_empty() {
            return name;
        }
        let each = self.partitions.iter().map(|partition| format!("{name} {}", partition.clause()));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Begins a snapshot of exactly `parts`. Fails where the name is taken; it must be lower-case, without white space,
/// comma and `#`, and not begin with `_`. A partition that is not there is an error.
pub fn create_snapshot(repository: &str, snapshot: &str, parts: &[Part]) -> String {
    let parts: Vec<_> = parts.iter().map(Part::list).collect();
    let name = name(repository, snapshot);
    format!("CREATE SNAPSHOT {name} TABLE {} WITH (wait_for_completion = false)", parts.join(", "))
}

/// Drops a snapshot, or stops one that is being made; fails where there is none.
pub fn drop_snapshot(repository: &str, snapshot: &str) -> String {
    format!("DROP SNAPSHOT {}", name(repository, snapshot))
}

/// Begins to restore one table as `to`. Fails where there is such a relation, or such a partition of it; partitions are
/// added to a table that is there. A partition that is not in the snapshot is passed over without a word.
pub fn restore_table(repository: &str, snapshot: &str, part: &Part, to: &TableName) -> String {
    let what = format!("TABLE {}", part.list());
    restore(repository, snapshot, &what, (&part.table, to))
}

/// The same for a snapshot that has nothing but one table, or partitions of it, without naming the table: CrateDB looks up
/// what has a table's name on the cluster that restores, and fails where that is a view, whatever the copy is to be called.
pub fn restore_only(repository: &str, snapshot: &str, from: &TableName, to: &TableName) -> String {
    restore(repository, snapshot, "TABLES", (from, to))
}

fn restore(repository: &str, snapshot: &str, what: &str, (from, to): (&TableName, &TableName)) -> String {
    format!(
        "RESTORE SNAPSHOT {} {what} WITH (schema_rename_pattern = {}, schema_rename_replacement = {}, \
         table_rename_pattern = {}, table_rename_replacement = {}, wait_for_completion = false)",
        name(repository, snapshot),
        literal(&pattern(&from.schema)),
        literal(&replacement(&to.schema)),
        literal(&pattern(&from.table)),
        literal(&replacement(&to.table)),
    )
}

/// The regular expression of Java that is `name` and nothing else. No name has a backslash.
pub(crate) fn pattern(name: &str) -> String {
    format!("^\\Q{name}\\E$")
}

/// `name` as Java's replacements want it, where `$1` is a group.
pub(crate) fn replacement(name: &str) -> String {
    name.replace('\\', "\\\\").replace('$', "\\$")
}

/// `name, state, failures, started, finished, version, total_shards, relations, table_partitions, reason` of the
/// snapshots of a repository, those that are being made included. Relations are objects with `table_schema` and
/// `table_name`, partitions have `values` too, texts as in [`Partition`].
///
/// A repository that cannot be read has none and no error: what is not listed may be there, see [`probe_snapshot`].
pub fn snapshots_of(repository: &str) -> String {
    format!("{SNAPSHOTS} WHERE repository = {} ORDER BY 1", literal(repository))
}

/// The same of one snapshot.
pub fn snapshot(repository: &str, snapshot: &str) -> String {
    format!("{SNAPSHOTS} WHERE repository = {} AND name = {}", literal(repository), literal(snapshot))
}

const SNAPSHOTS: &str = "SELECT name, state, failures, started, finished, version, total_shards, relations, \
                         table_partitions, reason FROM sys.snapshots";

/// A restore of a table that no snapshot can have, as its name is one that CrateDB refuses: the error tells whether the
/// snapshot is there, see [`Probed::read`]. Needs DDL on the cluster, as every restore does.
pub fn probe_snapshot(repository: &str, snapshot: &str) -> String {
    format!("RESTORE SNAPSHOT {} TABLE \"transship\".\"no such table\"", name(repository, snapshot))
}

/// What [`probe_snapshot`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The snapshot is there.
    There,
    /// The repository can be read, and has no such snapshot.
    Absent,
    /// There is no such repository on this cluster.
    NoRepository,
}

impl Probed {
    /// What the message of the error says; `None` for anything else, such as a repository that cannot be read.
    pub fn read(message: &str) -> Option<Self> {
        match () {
            () if message.starts_with("Relation [transship.no such table] not found in snapshot") => Some(Self::There),
            // One that failed is there as well, and nothing can be restored from it.
            () if message.contains("] unsupported snapshot state [") => Some(Self::There),
            () if message.ends_with("] snapshot does not exist") => Some(Self::Absent),
            () if message.ends_with("] missing") => Some(Self::NoRepository),
            () => None,
        }
    }
}

/// `id, state, shards` of a snapshot's restores that are running; shards are objects with `table_schema, table_name,
/// partition_ident, shard_id, state`. A restore that has ended has no row, however it ended.
pub fn running_restores(repository: &str, snapshot: &str) -> String {
    format!(
        "SELECT id, state, shards FROM sys.snapshot_restore WHERE repository = {} AND name = {}",
        literal(repository),
        literal(snapshot)
    )
}

/// `schema, table, partition, missing shards` of `names`, one row for each partition; a table that is whole misses none.
/// A table without partitions that exists has a row; a partitioned one may have none.
pub fn missing_shards<'a>(names: impl IntoIterator<Item = &'a TableName>) -> String {
    format!(
        "SELECT table_schema, table_name, partition_ident, missing_shards FROM sys.health WHERE {} ORDER BY 1, 2, 3",
        table_condition("table_schema", "table_name", names)
    )
}

fn name(repository: &str, snapshot: &str) -> String {
    format!("{}.{}", ident(repository), ident(snapshot))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, months: &[Option<&str>]) -> Part {
        let partition = |month: Option<&str>| Partition(vec![("m".to_owned(), month.map(str::to_owned))]);
        Part { table: TableName::new("shop", name), partitions: months.iter().copied().map(partition).collect() }
    }

    #[test]
    fn snapshots_hold_what_is_named() {
        assert_eq!(
            create_snapshot("r", "s-1", &[part("a", &[]), part("b", &[Some("1"), None])]),
            "CREATE SNAPSHOT \"r\".\"s-1\" TABLE \"shop\".\"a\", \"shop\".\"b\" PARTITION (\"m\" = '1'), \
             \"shop\".\"b\" PARTITION (\"m\" = NULL) WITH (wait_for_completion = false)"
        );
        assert_eq!(drop_snapshot("r", "s-1"), r#"DROP SNAPSHOT "r"."s-1""#);
    }

    #[test]
    fn one_table_gets_one_name() {
        assert_eq!(
            restore_table("r", "s", &part("a$b", &[]), &TableName::new("st", "x{1}$2")),
            "RESTORE SNAPSHOT \"r\".\"s\" TABLE \"shop\".\"a$b\" WITH (schema_rename_pattern = '^\\Qshop\\E$', \
             schema_rename_replacement = 'st', table_rename_pattern = '^\\Qa$b\\E$', \
             table_rename_replacement = E'x{1}\\\\$2', wait_for_completion = false)"
        );
    }

    #[test]
    fn probes_are_read() {
        let check = |message: &str, expected| assert_eq!(Probed::read(message), expected, "{message}");
        check("Relation [transship.no such table] not found in snapshot", Some(Probed::There));
        check("[r:s] unsupported snapshot state [FAILED]", Some(Probed::There));
        check("[r:s] snapshot does not exist", Some(Probed::Absent));
        check("[r] missing", Some(Probed::NoRepository));
        check("Could not read repository data because the contents of the repository do not match its expected", None);
    }
}
