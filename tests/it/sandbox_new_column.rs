//! Columns that the source gets while its copies are kept up, in the sandbox: rows that are equal afterwards, whatever cuts
//! the run in which the target gets them.

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::{Pair, all_converge, lasting, same_and_settled, survives};

fn declare(workspace: &Workspace, more: &str, table: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  keep:\n    from: shop\n    to: analytics\n    tables:\n      \
             - {{ from: shop.people{table} }}\n    strategy: {{ custom: {{ engine: stream, chunk_rows: 10 }} }}\n{more}"
        ),
    );
}

/// Ten rows that were copied; then the source got a column, and values in it for old rows and new ones.
fn grown(more: &str, table: &str) -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id BIGINT PRIMARY KEY, name TEXT, at BIGINT) CLUSTERED INTO 2 SHARDS \
         WITH (number_of_replicas = 0)",
    );
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) SELECT g, 'n' || g, g FROM generate_series(1::bigint, 10::bigint) AS t(g)",
    );
    pair.sql("shop", "REFRESH TABLE shop.people");
    let workspace = pair.workspace();
    declare(&workspace, more, table);
    workspace.apply();
    pair.sql("shop", "ALTER TABLE shop.people ADD COLUMN \"New one\" NUMERIC(6, 2)");
    // A value that no cursor tells of.
    pair.sql("shop", "UPDATE shop.people SET \"New one\" = 1.25 WHERE id = 3");
    pair.sql("shop", "INSERT INTO shop.people (id, name, at, \"New one\") VALUES (11, 'n11', 11, 2.5)");
    pair.sql("shop", "REFRESH TABLE shop.people");
    (pair, workspace)
}

fn rows(pair: &Pair, cluster: &str) -> Vec<Vec<Option<String>>> {
    pair.sql(cluster, "REFRESH TABLE shop.people");
    pair.sql(cluster, "SELECT id, name, at, \"New one\" FROM shop.people ORDER BY id").texts
}

fn holds(pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    same_and_settled(workspace, (rows(pair, "shop"), rows(pair, "analytics")))
}

const UPSERT: &str = "    existing: upsert\n    on_new_column: add\n    repeat: on-change\n";
const CURSOR: &str = "    existing: upsert\n    on_new_column: add\n";

#[test]
fn a_column_that_appears_is_added_and_filled() {
    for (more, table) in [(UPSERT, ""), (CURSOR, ", cursor: at")] {
        let (pair, workspace) = grown(more, table);
        let planned = workspace.run(&["plan", "--explain"]).expect(0).all();
        let statement = "ALTER TABLE \"shop\".\"people\" ADD COLUMN \"New one\" NUMERIC(6,2)";
        assert!(planned.replace("6, 2", "6,2").contains(statement), "{planned}");
        workspace.apply();
        holds(&pair, &workspace).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

#[test]
fn a_column_that_appears_is_refused_or_left_out() {
    let (pair, workspace) = grown("    existing: upsert\n    repeat: on-change\n", "");
    let said = workspace.run(&["apply", "--auto-approve"]).expect(1).all();
    assert!(said.contains("plan::no-such-column") && said.contains("`on_new_column: add`"), "{said}");
    declare(&workspace, "    existing: upsert\n    repeat: on-change\n    on_new_column: ignore\n", "");
    workspace.apply();
    pair.sql("analytics", "REFRESH TABLE shop.people");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 11);
    workspace.is_settled();
    // Whoever wants it after all gets it in all rows.
    declare(&workspace, UPSERT, "");
    pair.sql("shop", "UPDATE shop.people SET name = 'changed' WHERE id = 1");
    workspace.apply();
    holds(&pair, &workspace).unwrap_or_else(|problem| panic!("{problem}"));
}

fn cut((table, fault): (&str, Fault)) -> Result<(), String> {
    let more = if table.is_empty() { UPSERT } else { CURSOR };
    let (pair, workspace) = grown(more, table);
    let survived = survives((&pair, &workspace), &fault, || {}, || holds(&pair, &workspace));
    survived.map_err(|problem| format!("{table}: {problem}"))
}

const PLACES: [(&str, &str, u32); 7] = [
    ("analytics", "alter table \"shop\".\"people\"", 1),
    ("analytics", "insert into \"transship\".\"flows\"", 1),
    ("analytics", "insert into \"transship\".\"flows\"", 2),
    ("analytics", "insert into \"transship\".\"steps\"", 1),
    ("shop", "from information_schema.columns where table_schema", 2),
    ("analytics", "insert into \"shop\".\"people\"", 1),
    ("analytics", "refresh table \"shop\".\"people\"", 1),
];

#[test]
fn a_run_that_adds_a_column_and_is_cut_anywhere_converges() {
    let mut cases = Vec::new();
    for place in PLACES {
        for (table, what) in [
            ("", What::DropConnectionBefore),
            ("", What::DropConnectionAfter),
            (", cursor: at", What::DropConnectionBefore),
            (", cursor: at", What::DropConnectionAfter),
        ] {
            cases.push((table, lasting(place, what)));
        }
    }
    all_converge(cases, cut);
}
