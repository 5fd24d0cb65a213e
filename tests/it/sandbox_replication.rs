//! Replication between two sandbox clusters, from the YAML to an empty second plan, without a server.

use std::time::Duration;

use transship_sandbox::{Fault, Value, What};

use crate::real::{Transship, Workspace, wait_until};
use crate::sandbox::{PASSWORD, Pair};

const FLOW: &str = "version: 1\nflows:\n  live:\n    from: shop\n    to: analytics\n    tables: [shop.*]\n    \
                    strategy: { logical-replication: { mode: tunnel } }\n";

fn filled() -> Pair {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.orders (id BIGINT, month TIMESTAMP WITH TIME ZONE, total NUMERIC(12, 2), PRIMARY KEY (id, month))
           CLUSTERED BY (id) INTO 2 SHARDS PARTITIONED BY (month) WITH (number_of_replicas = 0);
         CREATE TABLE shop.customers (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
         INSERT INTO shop.orders (id, month, total) VALUES (1, '2026-01-01', 12.5), (2, '2026-02-01', NULL);
         INSERT INTO shop.customers (id, name) VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cyd');
         REFRESH TABLE shop.orders, shop.customers",
    );
    pair
}

#[test]
fn a_flow_is_applied_and_the_second_plan_is_empty() {
    let pair = filled();
    let workspace = pair.workspace();
    workspace.write("flows.yaml", FLOW);
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    let applied = workspace.run(&["apply", "--auto-approve"]).expect(0);
    assert!(!applied.stdout.contains(PASSWORD) && !applied.stderr.contains(PASSWORD));
    pair.sql("analytics", "REFRESH TABLE shop.orders, shop.customers");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.customers"), 3);
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.orders WHERE month >= '2026-02-01'"), 1);
    workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    workspace.run(&["drift"]).expect(0);
}

#[test]
fn a_table_that_comes_later_is_added_and_a_removed_flow_lets_go() {
    let pair = filled();
    let workspace = pair.workspace();
    workspace.write("flows.yaml", FLOW);
    workspace.run(&["apply", "--auto-approve"]).expect(0);
    pair.sql(
        "shop",
        "CREATE TABLE shop.late (x INTEGER) WITH (number_of_replicas = 0); INSERT INTO shop.late (x) VALUES (1)",
    );
    workspace.run(&["apply", "--auto-approve"]).expect(0);
    let refused = pair.sandbox.execute("analytics", "INSERT INTO shop.late (x) VALUES (2)").unwrap_err();
    assert!(refused.message.ends_with("because it is included in a logical replication subscription."));
    workspace.remove("flows.yaml");
    workspace.run(&["apply", "--auto-approve"]).expect(5);
    workspace
        .run(&["apply", "--auto-approve", "--allow-drop", "subscription:*", "--allow-drop", "publication:*"])
        .expect(0);
    pair.sql("analytics", "INSERT INTO shop.late (x) VALUES (2)");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
}

const APPLY: [&str; 2] = ["apply", "--auto-approve"];

/// Begins the flow, whose subscription forgets what it copies as after a restart, and kills the run.
fn begin_and_forget(pair: &Pair, workspace: &Workspace, all: bool) {
    let statement = "create subscription".to_owned();
    let what = What::Ail { all };
    pair.sandbox.faults(vec![Fault { cluster: "analytics".to_owned(), statement, nth: 1, times: 1, what }]);
    let run = Transship::new(workspace, &APPLY).start();
    let (copied, missing) = ("FROM shop.customers", "WHERE table_schema = 'shop' AND health = 'RED'");
    wait_until("the copy has begun", Duration::from_secs(30), || {
        let sql = if all { format!("FROM sys.health {missing}") } else { copied.to_owned() };
        let count = pair.sandbox.execute("analytics", &format!("SELECT count(*) {sql}"));
        count.is_ok_and(|count| count.rows == [[Value::Int(3)]])
    });
    run.kill();
    workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
}

#[test]
fn a_copy_that_its_cluster_has_forgotten_is_made_anew_without_being_asked() {
    let pair = filled();
    let workspace = pair.workspace();
    workspace.write("flows.yaml", FLOW);
    // Of a shard with one operation its lease tells nothing.
    pair.sql("shop", "INSERT INTO shop.orders (id, month) (SELECT g, '2026-01-01' FROM generate_series(10, 49) AS t(g));
        INSERT INTO shop.orders (id, month) (SELECT g, '2026-02-01' FROM generate_series(10, 49) AS t(g));
        INSERT INTO shop.customers (id) (SELECT g FROM generate_series(10, 49) AS t(g)); REFRESH TABLE shop.orders, shop.customers");
    begin_and_forget(&pair, &workspace, true);
    let plan = workspace.run(&["plan"]).expect(0);
    assert!(plan.stdout.contains("was copied in part, and CrateDB does not go on"), "{}", plan.stdout);
    assert!(plan.stdout.contains("half a copy that a run of this flow left"), "{}", plan.stdout);
    workspace.apply();
    pair.sql("analytics", "REFRESH TABLE shop.orders, shop.customers");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.customers"), 43);
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.orders"), 82);
    workspace.is_settled();
}

#[test]
fn a_copy_that_is_whole_and_is_only_said_to_go_on_is_left_alone() {
    let pair = filled();
    let workspace = pair.workspace();
    workspace.write("flows.yaml", FLOW);
    begin_and_forget(&pair, &workspace, false);
    let identity = "SELECT oid FROM pg_catalog.pg_class WHERE relname = 'customers'";
    let before = pair.number("analytics", identity);
    workspace.apply();
    workspace.is_settled();
    assert_eq!(pair.number("analytics", identity), before, "nothing was made anew");
}
