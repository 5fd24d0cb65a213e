//! Runs that meet: of one flow one at a time, of different flows and workspaces any number.

use std::time::Duration;

use transship_sandbox::{Clock, Fault, Value, What};

use crate::real::{Transship, Workspace, wait_until};
use crate::sandbox::Pair;

const APPLY: [&str; 2] = ["apply", "--auto-approve"];

const EPOCH: &str = "REFRESH TABLE transship.leases; SELECT epoch FROM transship.leases";

/// Tables `a` and `b` of some rows each.
fn fill(pair: &Pair) {
    for table in ["a", "b"] {
        pair.sql(
            "shop",
            &format!(
                "CREATE TABLE shop.{table} (id INTEGER PRIMARY KEY) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0);
                 INSERT INTO shop.{table} (id) VALUES (1), (2), (3); REFRESH TABLE shop.{table}"
            ),
        );
    }
}

/// A flow for each of these tables, which adds rows: twice would show.
fn declare(workspace: &Workspace, tables: &[&str], schema: &str) {
    let mut text = "version: 1\nflows:\n".to_owned();
    for table in tables {
        text += &format!(
            "  {table}:\n    from: shop\n    to: analytics\n    tables: [{{ from: shop.{table}, to: {schema}.{table} }}]\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n    existing: append\n"
        );
    }
    workspace.write("flows.yaml", &text);
}

/// Statements that make tables for rows take so long.
fn slow(pair: &Pair, by: Duration) {
    let statement = "create table \"".to_owned();
    let what = What::Delay(by);
    pair.sandbox.faults(vec![Fault { cluster: "analytics".to_owned(), statement, nth: 1, times: 100, what }]);
}

/// The flows whose leases somebody holds.
fn held(pair: &Pair) -> Vec<String> {
    let sql = "REFRESH TABLE transship.leases; \
               SELECT flow FROM transship.leases WHERE expires > taken ORDER BY workspace, flow";
    let rows = pair.sandbox.execute("analytics", sql).map(|answer| answer.rows).unwrap_or_default();
    let text = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(flow)) => flow,
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(text).collect()
}

fn wait_for(pair: &Pair, flows: &[&str]) {
    wait_until(&format!("{flows:?} are locked"), Duration::from_secs(20), || held(pair) == flows);
}

fn rows(pair: &Pair, table: &str) -> i64 {
    pair.number("analytics", &format!("REFRESH TABLE {table}; SELECT count(*) FROM {table}"))
}

#[test]
fn two_runs_of_one_flow_are_never_at_work_at_once() {
    let pair = Pair::start();
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a"], "shop");
    workspace.run(&["plan", "-o", "plan.json"]).expect(0);
    slow(&pair, Duration::from_secs(6));
    let first = Transship::new(&workspace, &APPLY).start();
    wait_for(&pair, &["a"]);
    let refused = workspace.run(&APPLY).expect(6);
    let told = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("flow a is being applied by "), "{told}");
    assert!(told.contains("--lock-timeout") && told.contains("transship unlock --flow a"), "{told}");
    let json = workspace.run(&["apply", "--auto-approve", "--format", "json"]).expect(6).json();
    assert_eq!(json["findings"][0]["code"], "apply::locked", "{json:#}");
    workspace.run(&["apply", "plan.json"]).expect(6);
    // Who only looks waits for nobody.
    workspace.run(&["plan"]).expect(0);
    let waited = workspace.run(&["apply", "--auto-approve", "--lock-timeout", "1m"]).expect(0);
    assert!(waited.stderr.contains("Waiting for flow a: "), "{}", waited.stderr);
    assert!(waited.stdout.contains("No changes: "), "{}", waited.stdout);
    first.wait().expect(0);
    assert_eq!((rows(&pair, "shop.a"), held(&pair)), (3, vec![]));
    workspace.run(&["apply", "plan.json"]).expect(4);
    assert_eq!(held(&pair), Vec::<String>::new());
    workspace.is_settled();
}

#[test]
fn different_flows_and_workspaces_run_at_the_same_time() {
    let pair = Pair::start();
    fill(&pair);
    let (one, other) = (pair.workspace(), pair.workspace_of("another"));
    declare(&one, &["a", "b"], "shop");
    declare(&other, &["a"], "elsewhere");
    slow(&pair, Duration::from_secs(6));
    let target = |workspace, flow| Transship::new(workspace, &["apply", "--auto-approve", "--target", flow]).start();
    let runs = [target(&one, "a"), target(&one, "b"), target(&other, "a")];
    wait_for(&pair, &["a", "a", "b"]);
    for run in runs {
        run.wait().expect(0);
    }
    assert_eq!(["shop.a", "shop.b", "elsewhere.a"].map(|table| rows(&pair, table)), [3, 3, 3]);
    assert_eq!(held(&pair), Vec::<String>::new());
    one.is_settled();
    other.is_settled();
}

#[test]
fn the_lease_of_a_run_that_was_killed_ends_and_the_next_one_goes_on() {
    let clock = Clock::still(1_800_000_000_000);
    let pair = Pair::still(&clock);
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a"], "shop");
    slow(&pair, Duration::from_secs(60));
    let run = Transship::new(&workspace, &APPLY).start();
    wait_for(&pair, &["a"]);
    drop(run);
    pair.sandbox.faults(vec![]);
    clock.advance(29_000);
    let refused = workspace.run(&APPLY).expect(6);
    assert!(refused.stderr.contains("until 1 s from now"), "{}", refused.stderr);
    clock.advance(1_000);
    workspace.run(&APPLY).expect(0);
    assert_eq!(rows(&pair, "shop.a"), 3);
    assert_eq!(pair.number("analytics", EPOCH), 2);
    workspace.is_settled();
}

#[test]
fn what_was_unlocked_ends_its_run_and_is_free_for_the_next() {
    let pair = Pair::start();
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a", "b"], "shop");
    slow(&pair, Duration::from_secs(4));
    let run = Transship::new(&workspace, &APPLY).start();
    wait_for(&pair, &["a", "b"]);
    wait_until("the row of the flow is there, too", Duration::from_secs(20), || {
        let count = "REFRESH TABLE transship.flows; SELECT count(*) FROM transship.flows WHERE flow = 'a'";
        pair.sandbox.execute("analytics", count).is_ok_and(|answer| answer.rows[0][0] == Value::Int(1))
    });
    workspace.run(&["unlock", "--flow", "c", "--auto-approve"]).expect(1);
    workspace.run(&["unlock", "--flow", "a"]).expect(64);
    let json = workspace.run(&["unlock", "--flow", "a", "--auto-approve", "--format", "json"]).expect(0).json();
    assert_eq!((&json["locks"][0]["flow"], &json["locks"][0]["unlocked"]), (&"a".into(), &true.into()), "{json:#}");
    assert_eq!(json["locks"].as_array().map(Vec::len), Some(1));
    assert_eq!(held(&pair), ["b"]);
    pair.sandbox.faults(vec![]);
    let ended = run.wait().expect(7);
    assert!(ended.stdout.contains("apply::lock-lost"), "{}", ended.all());
    let all = workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
    assert!(all.stdout.contains("b  unlocked") || all.stdout.contains("Nothing is locked."), "{}", all.stdout);
    assert!(workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0).stdout.contains("Nothing is locked."));
    workspace.apply();
    assert_eq!([rows(&pair, "shop.a"), rows(&pair, "shop.b")], [3, 3]);
    workspace.is_settled();
}

#[test]
fn locks_are_released_after_an_interruption_and_after_a_failure() {
    let pair = Pair::start();
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a"], "shop");
    slow(&pair, Duration::from_secs(3));
    let run = Transship::new(&workspace, &APPLY).start();
    wait_for(&pair, &["a"]);
    run.signal("INT");
    run.wait().expect(8);
    assert_eq!(held(&pair), Vec::<String>::new());
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    let statement = "create table \"shop\"".to_owned();
    pair.sandbox.faults(vec![Fault { cluster: "analytics".to_owned(), statement, nth: 1, times: 1, what }]);
    workspace.run(&APPLY).expect(7);
    assert_eq!(held(&pair), Vec::<String>::new());
    workspace.apply();
    workspace.is_settled();
}

#[test]
fn a_run_whose_time_is_over_finishes_what_runs_and_starts_nothing_else() {
    let pair = Pair::start();
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a"], "shop");
    slow(&pair, Duration::from_secs(3));
    let ended = workspace.run(&["apply", "--auto-approve", "--timeout", "1s", "--format", "json"]).expect(8);
    assert!(ended.stderr.contains("The run has taken 1s, as long as --timeout allows"), "{}", ended.stderr);
    let outcome = ended.json();
    assert_eq!(outcome["result"], "cancelled");
    let fates: Vec<&serde_json::Value> =
        outcome["steps"].as_array().expect("steps").iter().map(|step| &step["fate"]).collect();
    assert!(fates[0]["done"].is_object(), "what ran was finished: {fates:?}");
    assert_eq!(fates[fates.len() - 1], "not-started");
    assert_eq!(held(&pair), Vec::<String>::new());
    workspace.run(&["apply", "--auto-approve", "--timeout", "5m"]).expect(0);
    workspace.is_settled();
}

#[test]
fn nothing_to_do_takes_no_lock() {
    let pair = Pair::start();
    fill(&pair);
    let workspace = pair.workspace();
    declare(&workspace, &["a"], "shop");
    workspace.apply();
    assert_eq!(pair.number("analytics", EPOCH), 1);
    workspace.apply();
    assert_eq!(pair.number("analytics", EPOCH), 1);
}
