//! Export and import between two sandbox clusters, from the YAML to an empty second plan, and runs that are cut.

use std::time::Duration;

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::s3::S3;
use crate::sandbox::Pair;

/// Two clusters, and a workspace that names them and the directory that they share.
fn filled() -> (Pair, Workspace) {
    filled_in(Pair::start(), "/exchange")
}

/// The same with a directory that this machine reaches, too.
fn reached() -> (Pair, Workspace) {
    let pair = Pair::on_machine();
    let folder = pair.folder().display().to_string();
    filled_in(pair, &folder)
}

fn filled_in(pair: Pair, exchange: &str) -> (Pair, Workspace) {
    fs_err::create_dir_all(pair.folder().join("sandboxed")).expect("a folder");
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', active BOOLEAN)
           CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name, active) VALUES (1, 'Ada', true), (2, NULL, true), (3, 'Cyd', false);
         REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    let mut text = "version: 1\nworkspace: sandboxed\n\nclusters:\n".to_owned();
    for name in ["shop", "analytics"] {
        let port = pair.sandbox.port(name).expect("a cluster of the sandbox");
        text += &format!("  {name}:\n    url: postgres://crate@127.0.0.1:{port}/\n    tls: disable\n");
    }
    workspace.write("clusters.yaml", &text);
    let store = format!("version: 1\nstores:\n  disk:\n    directory: {{ path: {exchange}/sandboxed }}\n");
    workspace.write("stores.yaml", &store);
    (pair, workspace)
}

fn declare(workspace: &Workspace, entry: &str, more: &str) {
    declare_as(workspace, entry, "store: disk", more);
}

fn declare_as(workspace: &Workspace, entry: &str, strategy: &str, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - {entry}\n    \
             strategy: {{ export-import: {{ {strategy} }} }}\n    {more}\n"
        ),
    );
}

/// The names of the files that the exports kept.
fn files(pair: &Pair) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![pair.folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.file_name().into_string().expect("a name"));
            }
        }
    }
    found.sort();
    found
}

fn names(pair: &Pair) -> String {
    let answer = pair.sql("analytics", "SELECT id, name FROM shop.people ORDER BY id");
    let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    answer.texts.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

fn tables(pair: &Pair) -> i64 {
    pair.number("analytics", "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'")
}

const ALL: &str = "1 Ada, 2 NULL, 3 Cyd";

#[test]
fn a_table_goes_through_a_directory_and_the_second_plan_is_empty() {
    for (entry, expected) in [
        ("shop.people", ALL),
        ("{ from: shop.people, where: active }", "1 Ada, 2 NULL"),
        ("{ from: shop.people, where: id = 3 }", "3 Cyd"),
    ] {
        let (pair, workspace) = filled();
        declare(&workspace, entry, "existing: error");
        workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
        workspace.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!(names(&pair), expected);
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
        workspace.run(&["drift"]).expect(0);
        assert_eq!(pair.number("shop", "SELECT count(*) FROM sys.repositories"), 0);
    }
}

#[test]
fn a_table_without_rows_goes_through_a_bucket() {
    let (pair, server) = (Pair::on_machine(), S3::start(&["bucket"]));
    pair.sql(
        "shop",
        "CREATE TABLE shop.none (id INTEGER, month INTEGER) PARTITIONED BY (month) WITH (number_of_replicas = 0)",
    );
    let workspace = pair.workspace_with_store(Some(&server));
    let entry = "{ from: shop.none, where: id < 8 }";
    declare_as(&workspace, entry, "store: disk, compression: gzip", "existing: error");
    workspace.apply();
    workspace.is_settled();
    assert_eq!(tables(&pair), 1);
}

#[test]
fn rows_are_added_overwritten_and_replaced() {
    for (mode, expected) in [
        ("append", "1 Ada, 2 NULL, 3 Cyd, 9 theirs"),
        ("upsert", "1 Ada, 2 NULL, 3 Cyd, 9 theirs"),
        ("replace", ALL),
        ("replace\n    replace_by: view", ALL),
    ] {
        let (pair, workspace) = filled();
        let there = if mode == "upsert" { "(2, 'old'), (9, 'theirs')" } else { "(9, 'theirs')" };
        pair.sql(
            "analytics",
            &format!(
                "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT, active BOOLEAN) WITH (number_of_replicas = 0);
                 INSERT INTO shop.people (id, name) VALUES {there}; REFRESH TABLE shop.people"
            ),
        );
        declare(&workspace, "shop.people", &format!("existing: {mode}"));
        workspace.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!(names(&pair), expected, "{mode}");
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    }
}

#[test]
fn a_run_that_is_cut_leaves_nothing_in_place_and_the_next_one_ends_it() {
    let lost = |cluster: &str, statement: &str, what| Fault {
        cluster: cluster.to_owned(),
        statement: statement.to_owned(),
        nth: 1,
        times: 1,
        what,
    };
    for (cluster, statement) in [
        ("shop", "create repository \"transship_marker"),
        ("shop", "create snapshot"),
        ("analytics", "create repository"),
        ("analytics", "drop repository"),
        ("shop", "drop snapshot"),
        ("shop", "drop repository \"transship_marker"),
        ("shop", "create repository \"transship__"),
        ("shop", "drop repository \"transship__"),
        ("shop", "copy"),
        ("analytics", "create table \"shop\""),
        ("analytics", "copy"),
    ] {
        for what in [What::DropConnectionBefore, What::DropConnectionAfter] {
            let (pair, workspace) = filled();
            declare(&workspace, "shop.people", "existing: error");
            pair.sandbox.faults(vec![lost(cluster, statement, what.clone())]);
            let outcome = workspace.run(&["apply", "--auto-approve"]);
            let there = pair.number(
                "analytics",
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'people'",
            );
            assert!(there == 0 || outcome.code == 0, "{statement}: {}", outcome.all());
            workspace.run(&["apply", "--auto-approve"]).expect(0);
            assert_eq!(names(&pair), ALL, "{statement} {what:?}");
            workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
            assert_eq!(tables(&pair), 1, "{statement}: nothing is left aside");
            for cluster in ["shop", "analytics"] {
                assert_eq!(pair.number(cluster, "SELECT count(*) FROM sys.repositories"), 0, "{statement}");
            }
        }
    }
}

#[test]
fn statements_that_run_long_tell_how_far_they_have_come() {
    for (cluster, expected) in [("shop", "3 rows to write"), ("analytics", "0 of 3 rows")] {
        let (pair, workspace) = filled();
        declare(&workspace, "shop.people", "existing: error");
        let (cluster, statement) = (cluster.to_owned(), "copy \"".to_owned());
        let what = What::Delay(Duration::from_secs(2));
        pair.sandbox.faults(vec![Fault { cluster, statement, nth: 1, times: 1, what }]);
        let applied = workspace.run(&["apply", "--auto-approve"]).expect(0).all();
        assert!(applied.contains(expected), "{applied}");
        assert_eq!(names(&pair), ALL);
    }
}

#[test]
fn a_target_that_allows_no_repository_in_the_directory_shows_by_the_copy_that_it_sees_it() {
    let (pair, workspace) = filled();
    declare(&workspace, "shop.people", "existing: replace");
    let plan = workspace.run(&["plan"]).expect(0).all();
    assert!(plan.contains("is still to be shown"), "{plan}");
    let message = "[transship_marker__sandboxed__copy] location [/exchange/x] doesn't match any of the locations specified by path.repo";
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: message.to_owned() };
    let (cluster, statement) = ("analytics".to_owned(), "create repository".to_owned());
    pair.sandbox.faults(vec![Fault { cluster, statement, nth: 1, times: 1, what }]);
    let applied = workspace.run(&["apply", "--auto-approve"]).expect(0).all();
    assert!(applied.contains("analytics allows no repository there"), "{applied}");
    assert_eq!(names(&pair), ALL);
    workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    // What was imported has shown it.
    let plan = workspace.run(&["plan", "--resync", "copy"]).expect(0).all();
    assert!(!plan.contains("is still to be shown"), "{plan}");
    assert_eq!(pair.number("shop", "SELECT count(*) FROM sys.repositories"), 0);
}

#[test]
fn a_row_that_is_refused_fails_the_step_and_is_told_by_file_and_line() {
    for more in ["", "sensitive: [name], "] {
        let (pair, workspace) = filled();
        pair.sql(
            "analytics",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT, active BOOLEAN) WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name) VALUES (1, 'there'); REFRESH TABLE shop.people",
        );
        declare(&workspace, &format!("{{ {more}from: shop.people }}"), "existing: append");
        let outcome = workspace.run(&["apply", "--auto-approve"]).expect(7);
        let text = outcome.all();
        assert!(text.contains("2 of 3 exported rows") && text.contains("people_") && text.contains("line"), "{text}");
        assert!(text.contains("same primary key"), "{text}");
        workspace.run(&["plan"]).expect(1);
    }
}

#[test]
fn csv_is_written_by_transship_with_json_for_what_it_cannot_hold() {
    for (entry, strategy, expected, kept) in [
        ("shop.people", "format: csv", ALL, &["rows-1.csv"][..]),
        ("shop.people", "format: csv, compression: gzip", ALL, &["rows-1.csv.gz"]),
        ("{ from: shop.people, where: id = 3 }", "format: csv", "3 Cyd", &["rows-1.csv"]),
        ("{ from: shop.people, where: id > 3 }", "format: csv", "", &[]),
        (
            "{ from: shop.people, columns: { id: id + 10, name: \"coalesce(name, '')\" } }",
            "format: csv",
            "11 Ada, 12 , 13 Cyd",
            &["rest-1.json", "rows-1.csv"],
        ),
        (
            "{ from: shop.people, columns: { id: id, name: upper(name) } }",
            "format: json",
            "1 ADA, 2 NULL, 3 CYD",
            &["rows-1.json"],
        ),
    ] {
        let (pair, workspace) = reached();
        declare_as(&workspace, entry, &format!("store: disk, {strategy}"), "existing: error");
        let plan = workspace.run(&["plan", "--explain"]).expect(0).all();
        assert!(plan.contains("written by this machine"), "{plan}");
        let applied = workspace.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!(names(&pair), expected, "{entry} {strategy}: {}", applied.all());
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
        assert_eq!(files(&pair), kept, "{entry}");
        assert_eq!(pair.number("shop", "SELECT count(*) FROM sys.repositories"), 0);
    }
}

#[test]
fn a_store_that_is_not_reached_is_told_before_anything_is_changed() {
    let (pair, workspace) = filled();
    declare_as(&workspace, "shop.people", "store: disk, format: csv", "existing: error");
    let refused = workspace.run(&["plan"]).expect(1).all();
    assert!(refused.contains("plan::store-unreachable") && refused.contains("/exchange/sandboxed"), "{refused}");
    workspace.run(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(tables(&pair), 0);
}

#[test]
fn a_run_that_writes_files_and_is_cut_leaves_nothing_in_place_and_the_next_one_ends_it() {
    for (cluster, statement) in
        [("shop", "select \"id\""), ("analytics", "create table \"shop\""), ("analytics", "copy")]
    {
        for what in [What::DropConnectionBefore, What::DropConnectionAfter] {
            let (pair, workspace) = reached();
            declare_as(&workspace, "shop.people", "store: disk, format: csv", "existing: error");
            let (cluster, statement) = (cluster.to_owned(), statement.to_owned());
            let fault = Fault { cluster, statement: statement.clone(), nth: 1, times: 1, what: what.clone() };
            pair.sandbox.faults(vec![fault]);
            let outcome = workspace.run(&["apply", "--auto-approve"]);
            assert!(outcome.code == 0 || outcome.code == 7, "{statement}: {}", outcome.all());
            workspace.run(&["apply", "--auto-approve"]).expect(0);
            assert_eq!(names(&pair), ALL, "{statement} {what:?}");
            workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
            assert_eq!(tables(&pair), 1, "{statement}: nothing is left aside");
            assert_eq!(files(&pair), ["rows-1.csv"], "{statement}: what the failed run left is gone");
        }
    }
}
