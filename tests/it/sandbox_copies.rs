//! Copies of rows between two sandbox clusters, from the YAML to an empty second plan, without a server.

use crate::real::Workspace;
use crate::sandbox::Pair;

/// Declares a flow that copies `entry` with more keys.
fn declare(workspace: &Workspace, entry: &str, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - {entry}\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n    {more}\n"
        ),
    );
}

fn filled() -> Pair {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', active BOOLEAN,
           total NUMERIC(12, 2)) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name, active, total) VALUES
           (1, 'Ada', true, 12.25), (2, NULL, true, 0.5), (3, 'Cyd', false, NULL);
         REFRESH TABLE shop.people",
    );
    pair
}

fn names(pair: &Pair, table: &str) -> String {
    let answer = pair.sandbox.execute("analytics", &format!("SELECT id, name FROM {table} ORDER BY id")).expect("rows");
    let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    answer.texts.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_table_is_copied_and_the_second_plan_is_empty() {
    let pair = filled();
    let workspace = pair.workspace();
    declare(&workspace, "shop.people", "existing: error");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.run(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(names(&pair, "shop.people"), "1 Ada, 2 NULL, 3 Cyd");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    workspace.run(&["drift"]).expect(0);
}

#[test]
fn rows_and_columns_are_chosen_and_computed() {
    let pair = filled();
    let workspace = pair.workspace();
    let entry = "{ from: shop.people, to: crm.persons, where: active, columns: { id: id, name: upper(name) } }";
    declare(&workspace, entry, "existing: error");
    workspace.run(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(names(&pair, "crm.persons"), "1 ADA, 2 NULL");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn a_table_is_replaced_by_a_swap_and_by_a_view_and_never_shrinks_unasked() {
    for more in ["existing: replace", "existing: replace\n    replace_by: view"] {
        let pair = filled();
        let workspace = pair.workspace();
        pair.sql(
            "analytics",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name) VALUES (9, 'old'); REFRESH TABLE shop.people;
             CREATE USER app; GRANT DQL ON TABLE shop.people TO app; DENY DML ON TABLE shop.people TO app",
        );
        declare(&workspace, "shop.people", more);
        workspace.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!(names(&pair, "shop.people"), "1 Ada, 2 NULL, 3 Cyd", "{more}");
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
        let privileges = "SELECT state, \"type\" FROM sys.privileges WHERE grantee = 'app' AND ident = 'shop.people'
          ORDER BY 1";
        let held = pair.sandbox.execute("analytics", privileges).expect("rows").texts;
        assert_eq!(
            held,
            [[Some("DENY".to_owned()), Some("DML".to_owned())], [Some("GRANT".to_owned()), Some("DQL".to_owned()),]]
        );
        pair.sql("shop", "DELETE FROM shop.people WHERE id > 0; REFRESH TABLE shop.people");
        workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(7);
        assert_eq!(names(&pair, "shop.people"), "1 Ada, 2 NULL, 3 Cyd", "nothing shrinks unasked");
    }
}

#[test]
fn rows_that_no_reader_sees_yet_count_for_the_shrink_guard() {
    for more in ["existing: replace", "existing: replace\n    replace_by: view"] {
        let pair = filled();
        let workspace = pair.workspace();
        pair.sql("shop", "DELETE FROM shop.people WHERE id > 1; REFRESH TABLE shop.people");
        pair.sql(
            "analytics",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT)
               WITH (number_of_replicas = 0, refresh_interval = 0);
             INSERT INTO shop.people (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        );
        declare(&workspace, "shop.people", more);
        workspace.run(&["apply", "--auto-approve"]).expect(7);
        pair.sql("analytics", "REFRESH TABLE shop.people");
        assert_eq!(names(&pair, "shop.people"), "1 a, 2 b, 3 c", "{more}");
    }
}

#[test]
fn rows_are_added_and_overwritten() {
    for (mode, expected) in [("append", "1 Ada, 2 NULL, 3 Cyd, 9 theirs"), ("upsert", "1 Ada, 2 NULL, 3 Cyd, 9 theirs")]
    {
        let pair = filled();
        let workspace = pair.workspace();
        pair.sql(
            "analytics",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT, active BOOLEAN, total NUMERIC(12, 2))
               WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name) VALUES (9, 'theirs'); REFRESH TABLE shop.people",
        );
        if mode == "upsert" {
            pair.sql("analytics", "INSERT INTO shop.people (id, name) VALUES (1, 'old'); REFRESH TABLE shop.people");
        }
        declare(&workspace, "shop.people", &format!("existing: {mode}"));
        workspace.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!(names(&pair, "shop.people"), expected, "{mode}");
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    }
}

#[test]
fn a_refused_row_is_named_and_the_others_are_there() {
    let pair = filled();
    let workspace = pair.workspace();
    pair.sql(
        "analytics",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT NOT NULL) WITH (number_of_replicas = 0)",
    );
    declare(&workspace, "{ from: shop.people, columns: [id, name] }", "existing: append");
    let failed = workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(failed.all().contains("id = 2"), "{}", failed.all());
    pair.sql("analytics", "REFRESH TABLE shop.people");
    assert_eq!(names(&pair, "shop.people"), "1 Ada, 3 Cyd");
    let refused = workspace.run(&["plan"]).expect(1);
    assert!(refused.all().contains("plan::append-unfinished"), "{}", refused.all());
}
