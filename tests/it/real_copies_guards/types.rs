//! What the planner takes for exact is exact: the extremes of every type come back from every type that holds them.

use transship_model::TableName;
use transship_model::spec::TlsMode;
use transship_mover::{End, Job, KeyColumn, Limits, MoveError, Progress, Width, Write, copy};
use transship_sql::copy::{Source, inner, insert, select};
use transship_sql::definition::holds;

use crate::real::{Cluster, Clusters, Scope, access};

/// Types as CREATE TABLE has them, as the catalog names them, and with their extremes.
const TYPES: [(&str, &str, &str); 28] = [
    ("BYTE", "byte", "127, -128"),
    ("SMALLINT", "smallint", "32767, -32768"),
    ("INTEGER", "integer", "2147483646, -2147483647, 16777217"),
    ("BIGINT", "bigint", "9223372036854775806, -9223372036854775807, 9007199254740993"),
    ("REAL", "real", "0.1, 16777217, 3.4028235e38, 1.4e-45, 'NaN', '-Infinity'"),
    ("DOUBLE PRECISION", "double precision", "0.1, 1e300, 123456789.123, 4.9e-324, 'NaN'"),
    ("NUMERIC(6, 2)", "numeric", "9999.99, -0.01"),
    ("NUMERIC(10, 4)", "numeric", "123456.7891, -0.0001"),
    ("NUMERIC(30, 0)", "numeric", "123456789012345678901234567890"),
    ("TEXT", "text", "'longer than ten', '', ' a '"),
    ("VARCHAR(3)", "text", "'x', 'abc', 'é '"),
    ("VARCHAR(10)", "text", "'abcdefghij'"),
    ("CHARACTER(3)", "character", "'x', 'abc'"),
    ("CHARACTER(8)", "character", "'x', 'abcdefgh'"),
    ("TIMESTAMP WITH TIME ZONE", "timestamp with time zone", "'0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'"),
    ("TIMESTAMP WITHOUT TIME ZONE", "timestamp without time zone", "'0001-01-01T00:00:00'"),
    ("BIT(3)", "bit", "B'101'"),
    ("BIT(8)", "bit", "B'10100000'"),
    ("ARRAY(INTEGER)", "integer_array", "[2147483647, NULL]"),
    ("ARRAY(BIGINT)", "bigint_array", "[9223372036854775806]"),
    ("ARRAY(REAL)", "real_array", "[0.1, 'NaN']"),
    ("ARRAY(DOUBLE PRECISION)", "double precision_array", "[0.1, 1e300]"),
    ("ARRAY(ARRAY(SMALLINT))", "smallint_array_array", "[[32767], [-32768]]"),
    ("ARRAY(ARRAY(BIGINT))", "bigint_array_array", "[[9223372036854775806], []]"),
    ("OBJECT(STRICT) AS (a INTEGER, n NUMERIC(6, 2))", "object", "{a = 2147483647, n = 9999.99}"),
    ("OBJECT(DYNAMIC) AS (a BIGINT, n NUMERIC(20, 2))", "object", "{a = 9223372036854775806, n = 9999.99}"),
    ("OBJECT(STRICT) AS (a INTEGER, t TEXT)", "object", "{a = 2147483647, t = '2026-01-01'}"),
    ("OBJECT(DYNAMIC)", "object", "{a = 2147483647}"),
];

/// A table `NAME (id, c)` on both clusters, of a type each; on the source with the extremes of its type.
struct Pair<'a> {
    clusters: &'a Clusters,
    scope: &'a Scope,
    from: (&'a str, &'a str),
    to: &'a str,
}

impl Pair<'_> {
    fn job(&self, target: &str) -> Job {
        let end = |name: &str, cluster: &Cluster| End {
            name: name.parse().expect("a name"),
            access: access(cluster, &cluster.admin, TlsMode::Disable),
            redactor: Default::default(),
            more: None,
        };
        let columns =
            [Source::Column { name: "id", data_type: "integer" }, Source::Column { name: "c", data_type: self.from.1 }];
        let places = [("c", self.from.1), ("c['n']", if self.from.0.contains("n NUMERIC") { "numeric" } else { "" })];
        Job {
            source: end("source", &self.clusters.alpha),
            target: end("target", &self.clusters.beta),
            select: select(&TableName::new(&self.scope.schema, "source"), columns, None),
            parts: vec![Vec::new()],
            insert: insert(&TableName::new(&self.scope.schema, target), &["id", "c"]),
            write: Write::Insert,
            many: None,
            keyed: true,
            key: vec![KeyColumn { at: 0, name: "id".to_owned(), data_type: "integer".to_owned(), sensitive: false }],
            sensitive: false,
            inner: places.iter().filter_map(|(name, kind)| Some((1, inner(name, kind)?))).collect(),
            transform: None,
            limits: Limits { writers: Width::fixed(1), ..Limits::default() },
            gate: transship_cluster::Gate::default(),
        }
    }

    /// What stands in the source, and what of it comes back from a table of the other type.
    fn copied(&self, target: &str) -> (Result<u64, MoveError>, Vec<Option<String>>, Vec<Option<String>>) {
        let (beta, table) = (&self.clusters.beta, self.scope.table(target));
        beta.sql(&format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, c {}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)",
            self.to
        ));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let done = runtime.block_on(copy(&self.job(target), &|_: Progress| (), std::future::pending()));
        beta.sql(&format!("REFRESH TABLE {table}"));
        // As the type of the source: whatever was bent on the way does not come back.
        let back =
            if self.from.0.starts_with("OBJECT") { "c".to_owned() } else { format!("CAST(c AS {})", self.from.0) };
        let read = |rows: crate::real::TextRows| rows.into_iter().map(|mut row| row.remove(0)).collect();
        // What is out of the type's bounds by now has no value in it.
        let there = read(beta.try_sql(&format!("SELECT {back} FROM {table} ORDER BY id")).unwrap_or_default());
        beta.sql(&format!("DROP TABLE {table}"));
        let source = self.scope.table("source");
        let here = read(self.clusters.alpha.sql(&format!("SELECT c FROM {source} ORDER BY id")));
        (done.map(|done| done.rows), here, there)
    }
}

fn fill(clusters: &Clusters, scope: &Scope, data_type: &str, values: &str) {
    let table = scope.table("source");
    clusters.alpha.sql(&format!(
        "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id INTEGER PRIMARY KEY, c {data_type}) \
         CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"
    ));
    let single = values.starts_with(['[', '{']);
    let values: Vec<&str> = if single { vec![values] } else { values.split(", ").collect() };
    for (id, value) in values.into_iter().enumerate() {
        clusters.alpha.sql(&format!("INSERT INTO {table} (id, c) VALUES ({id}, {value})"));
    }
    clusters.alpha.sql(&format!("REFRESH TABLE {table}"));
}

#[test]
fn real_types_that_hold_others_give_every_value_back() {
    let Some(clusters) = Clusters::require("real_types_that_hold_others_give_every_value_back") else { return };
    let scope = Scope::new(clusters, "holds");
    let mut pairs = 0;
    for (from, data_type, values) in TYPES {
        fill(clusters, &scope, from, values);
        for (to, _, _) in TYPES.iter().filter(|(to, _, _)| *to != from && holds(to, from)) {
            let pair = Pair { clusters, scope: &scope, from: (from, data_type), to };
            let (done, here, there) = pair.copied(&format!("t{pairs}"));
            assert_eq!(done.map_err(|error| error.to_string()), Ok(here.len() as u64), "{from} into {to}");
            assert_eq!(here, there, "{from} into {to}");
            pairs += 1;
        }
    }
    assert!(pairs > 30, "{pairs} pairs");
}

#[test]
fn real_types_that_hold_less_bend_values_without_a_word() {
    let Some(clusters) = Clusters::require("real_types_that_hold_less_bend_values_without_a_word") else { return };
    let scope = Scope::new(clusters, "bends");
    let bent = [
        ("BIGINT", "SMALLINT"),
        ("BIGINT", "DOUBLE PRECISION"),
        ("INTEGER", "REAL"),
        ("NUMERIC(10, 4)", "NUMERIC(30, 0)"),
        ("NUMERIC(10, 4)", "INTEGER"),
        ("ARRAY(BIGINT)", "ARRAY(SMALLINT)"),
    ];
    for (at, (from, to)) in bent.into_iter().enumerate() {
        let (_, data_type, values) = TYPES.into_iter().find(|it| it.0 == from).expect("a type of the list");
        fill(clusters, &scope, from, values);
        let pair = Pair { clusters, scope: &scope, from: (from, data_type), to };
        let (done, here, there) = pair.copied(&format!("t{at}"));
        assert_eq!(done.map_err(|error| error.to_string()), Ok(here.len() as u64), "{from} into {to} is written");
        assert!(here != there && !holds(to, from), "{from} into {to}: {here:?}");
    }
}
