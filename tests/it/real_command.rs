//! Flows whose rows an external program moves, between real clusters.

use crate::real::{Clusters, Scope, Workspace, say};
use crate::sandbox_command::{COPY, PATH};

/// A Python that has dlt and psycopg2, for the example of the documentation: `TRANSSHIP_TEST_DLT=/path/to/python`.
const DLT: &str = "TRANSSHIP_TEST_DLT";

/// The source of every test: keys, NULLs, quotes, numbers with digits that count, and partitions.
fn fill(clusters: &Clusters, scope: &Scope) {
    let (people, parts) = (scope.table("people"), scope.table("parts"));
    clusters.alpha.sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT, total NUMERIC(12, 2), seen TIMESTAMP WITH TIME ZONE)
           CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
    ));
    clusters.alpha.sql(&format!(
        "INSERT INTO {people} (id, name, total, seen)
           SELECT g, CASE WHEN g % 7 = 0 THEN NULL ELSE 'it''s ' || g END, g + 0.25, g * 1000 FROM generate_series(1, 700) AS t(g)"
    ));
    clusters.alpha.sql(&format!(
        "CREATE TABLE {parts} (id INTEGER, month INTEGER) PARTITIONED BY (month) WITH (number_of_replicas = 0)"
    ));
    clusters.alpha.sql(&format!("INSERT INTO {parts} (id, month) SELECT g, g % 3 FROM generate_series(1, 30) AS t(g)"));
    clusters.alpha.sql(&format!("REFRESH TABLE {people}, {parts}"));
}

fn declare(workspace: &Workspace, scope: &Scope, run: &str, more: &str) {
    let (people, parts) = (scope.table("people"), scope.table("parts"));
    let (people, parts) = (people.replace('"', ""), parts.replace('"', ""));
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  etl:\n    from: alpha\n    to: beta\n    tables: [{people}, {parts}]\n    \
             strategy: {{ custom: {{ engine: command, run: {run} }} }}\n    {more}\n"
        ),
    );
}

/// What a table has on both clusters, which is the same.
#[track_caller]
fn is_equal(clusters: &Clusters, scope: &Scope) {
    let people = format!("SELECT count(*), count(name), sum(total), max(seen) FROM {}", scope.table("people"));
    let parts = format!("SELECT month, count(*), sum(id) FROM {} GROUP BY month ORDER BY month", scope.table("parts"));
    for sql in [people, parts] {
        assert_eq!(clusters.alpha.sql(&sql), clusters.beta.sql(&sql), "{sql}");
    }
}

/// Made and replaced, and added to: each time the plan is empty afterwards, and nothing is left aside.
fn goes_through(clusters: &Clusters, scope: &Scope, run: &str) {
    fill(clusters, scope);
    let mut workspace = Workspace::of(&scope.workspace, clusters);
    workspace.variables.push(("PATH".to_owned(), PATH.to_owned()));
    let people = scope.table("people");
    for round in 0..3 {
        let mode = if round < 2 { "replace" } else { "upsert" };
        declare(&workspace, scope, run, &format!("existing: {mode}\n    repeat: on-change"));
        if round > 0 {
            let write = format!("UPDATE {people} SET name = 'round {round}' WHERE id < 10; REFRESH TABLE {people}");
            clusters.alpha.sql(&write);
        }
        workspace.apply();
        is_equal(clusters, scope);
        workspace.is_settled();
        let tables = format!("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'", scope.schema);
        assert_eq!(clusters.beta.value(&tables).as_deref(), Some("2"), "nothing is left aside");
    }
}

#[test]
fn real_programs_copy_between_clusters() {
    let Some(clusters) = Clusters::require("real_programs_copy_between_clusters") else { return };
    let scope = Scope::new(clusters, "command");
    goes_through(clusters, &scope, &format!("[{COPY}]"));
}

/// An example of `specs/etl`.
#[test]
fn real_psql_copies_between_clusters() {
    let has = |tool: &str| PATH.split(':').any(|folder| std::path::Path::new(folder).join(tool).exists());
    if !has("psql") || !has("jq") {
        return say("skipped: no psql and jq for real_psql_copies_between_clusters");
    }
    let Some(clusters) = Clusters::require("real_psql_copies_between_clusters") else { return };
    let scope = Scope::new(clusters, "psql");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/etl/psql_copy.sh");
    goes_through(clusters, &scope, &format!("[{script}]"));
}

/// An example of `specs/etl`.
#[test]
fn real_dlt_copies_between_clusters() {
    let Ok(python) = std::env::var(DLT) else {
        return say(&format!("skipped: no Python with dlt in {DLT} for real_dlt_copies_between_clusters"));
    };
    let Some(clusters) = Clusters::require("real_dlt_copies_between_clusters") else { return };
    let scope = Scope::new(clusters, "dlt");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/etl/dlt_copy.py");
    goes_through(clusters, &scope, &format!("[{python}, {script}]"));
}
