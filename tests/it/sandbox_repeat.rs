//! Copies that are done again, between two sandbox clusters: the program as users run it, without a server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::{Pair, lasting};

/// Longer than any test takes, and shorter: due by the next plan.
const LONG: &str = "{ every: 100w }";
const SHORT: &str = "{ every: 1ms }";

fn filled() -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name) VALUES (1, 'Ada'), (2, 'Bob'); REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    (pair, workspace)
}

/// A flow `copy` of `shop.people`.
fn copy(existing: &str, repeat: &str) -> String {
    format!(
        "  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
         strategy: {{ custom: {{ engine: stream }} }}\n    existing: {existing}\n    repeat: {repeat}\n"
    )
}

fn declare(workspace: &Workspace, flows: &str) {
    workspace.write("flows.yaml", &format!("version: 1\nflows:\n{flows}"));
}

fn insert(pair: &Pair, id: i32) {
    pair.sql("shop", &format!("INSERT INTO shop.people (id, name) VALUES ({id}, 'new'); REFRESH TABLE shop.people"));
}

fn count(pair: &Pair) -> i64 {
    pair.number("analytics", "SELECT count(*) FROM shop.people")
}

fn plan(workspace: &Workspace) -> Value {
    workspace.run(&["plan", "--format", "json"]).expect(0).json()
}

#[test]
fn what_is_due_by_time_is_done_and_counts_as_a_change() {
    for (existing, readers) in [("replace", "swap"), ("replace\n    replace_by: view", "view"), ("upsert", "rows")] {
        let (pair, workspace) = filled();
        declare(&workspace, &copy(existing, LONG));
        workspace.apply();
        insert(&pair, 3);
        workspace.is_settled();
        let settled = plan(&workspace);
        declare(&workspace, &copy(existing, SHORT));
        let due = workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
        assert!(due.stdout.contains("Due: 1 flow") && due.stdout.contains("every 1ms"), "{}", due.stdout);
        assert_eq!((plan(&workspace)["digest"].clone(), count(&pair)), (settled["digest"].clone(), 2), "{readers}");
        let drift = workspace.run(&["drift"]).expect(0);
        assert!(drift.stdout.contains("No drift: 1 flow as declared; 1 flow due."), "{}", drift.stdout);
        workspace.apply();
        assert_eq!(count(&pair), 3, "{readers}");
        declare(&workspace, &copy(existing, LONG));
        workspace.is_settled();
    }
}

#[test]
fn a_failed_run_stays_due() {
    let (pair, workspace) = filled();
    declare(&workspace, &copy("replace", "on-change"));
    workspace.apply();
    workspace.is_settled();
    insert(&pair, 3);
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no room".to_owned() };
    pair.sandbox.faults(vec![lasting(("analytics", "swap table", 1), what)]);
    workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    let left = plan(&workspace);
    assert_eq!(left["steps"].as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(left["due"][0]["steps"][0]["kind"], "drop-table", "what the run left is cleared away");
    workspace.apply();
    assert_eq!(count(&pair), 3);
    workspace.is_settled();
}

#[test]
fn a_write_while_rows_are_copied_is_copied_by_the_next_run() {
    let (pair, workspace) = filled();
    declare(&workspace, &copy("upsert", "on-change"));
    workspace.apply();
    workspace.is_settled();
    insert(&pair, 3);
    let slow = What::Delay(Duration::from_millis(150));
    let statement = "insert into \"shop\".\"people\"".to_owned();
    pair.sandbox.faults(vec![Fault { cluster: "analytics".to_owned(), statement, nth: 1, times: 3, what: slow }]);
    let (ended, mut last) = (AtomicBool::new(false), 3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            workspace.apply();
            ended.store(true, Ordering::Relaxed);
        });
        while !ended.load(Ordering::Relaxed) {
            last += 1;
            insert(&pair, last);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.apply();
    assert_eq!(count(&pair), i64::from(last));
    workspace.is_settled();
}

#[test]
fn a_flow_that_reads_what_another_one_copies_follows_it_in_the_same_run() {
    let (pair, workspace) = filled();
    let flows = format!(
        "{}  back:\n    from: analytics\n    to: shop\n    tables: [{{ from: shop.people, to: shop.again }}]\n    \
         strategy: {{ custom: {{ engine: stream }} }}\n    existing: upsert\n    repeat: on-change\n",
        copy("replace", "on-change")
    );
    declare(&workspace, &copy("replace", "on-change"));
    workspace.apply();
    declare(&workspace, &flows);
    workspace.apply();
    workspace.is_settled();
    insert(&pair, 3);
    let due = plan(&workspace);
    assert_eq!((&due["due"][0]["flow"], &due["due"][1]["flow"]), (&"back".into(), &"copy".into()));
    workspace.apply();
    assert_eq!(pair.number("shop", "SELECT count(*) FROM shop.again"), 3);
    workspace.is_settled();
}

#[test]
fn a_saved_plan_runs_what_was_due_once_and_nothing_that_fell_due_since() {
    let (pair, workspace) = filled();
    declare(&workspace, &copy("upsert", "on-change"));
    workspace.apply();
    insert(&pair, 3);
    workspace.run(&["plan", "-o", "due.json"]).expect(0);
    let edited = workspace.read("due.json").replace("has changed since", "was not changed since");
    workspace.write("edited.json", &edited);
    let refused = workspace.run(&["apply", "edited.json"]).expect(1);
    assert!(refused.all().contains("apply::plan-edited"), "{}", refused.all());
    workspace.run(&["apply", "due.json"]).expect(0);
    assert_eq!(count(&pair), 3);
    let used = workspace.run(&["apply", "due.json"]).expect(4);
    assert!(used.all().contains("used already"), "{}", used.all());

    // A plan for another flow is not stale because this one fell due, and leaves it to the next.
    let more = "  more:\n    from: shop\n    to: analytics\n    tables: [{ from: shop.people, to: shop.more }]\n    \
                strategy: { custom: { engine: stream } }\n";
    declare(&workspace, &format!("{}{more}", copy("upsert", "on-change")));
    workspace.run(&["plan", "-o", "more.json"]).expect(0);
    insert(&pair, 4);
    let applied = workspace.run(&["apply", "more.json"]).expect(0);
    assert!(applied.all().contains("Flow copy fell due since"), "{}", applied.all());
    assert_eq!((count(&pair), pair.number("analytics", "SELECT count(*) FROM shop.more")), (3, 4));
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.apply();
    assert_eq!(count(&pair), 4);
    workspace.is_settled();
}
