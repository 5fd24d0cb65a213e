//! `apply --follow` in the sandbox: it keeps up, stops when it is told to, lets others go first, and goes on after what
//! passes by itself.

use std::time::{Duration, Instant};

use serde_json::Value;
use transship_sandbox::{Fault, What};

use crate::real::{Running, Transship, Workspace, wait_until};
use crate::sandbox::{Pair, lasting};

const FOLLOW: [&str; 5] = ["apply", "--follow", "--auto-approve", "--format", "json"];

fn declare(workspace: &Workspace, entry: &str, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  keep:\n    from: shop\n    to: analytics\n    tables: [{entry}]\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: 10 }} }}\n    existing: upsert\n    {more}\n"
        ),
    );
}

fn prepared() -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id BIGINT PRIMARY KEY, name TEXT, at BIGINT) WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name, at) VALUES (1, 'a', 1); REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    declare(&workspace, "{ from: shop.people, cursor: at }", "max_lag: 2s");
    (pair, workspace)
}

fn insert(pair: &Pair, (first, last): (u32, u32)) {
    pair.sql(
        "shop",
        &format!(
            "INSERT INTO shop.people (id, name, at) SELECT g, 'n' || g, g \
             FROM generate_series({first}::bigint, {last}::bigint) AS t(g); REFRESH TABLE shop.people"
        ),
    );
}

fn count(pair: &Pair) -> i64 {
    let there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'people'";
    if pair.number("analytics", there) == 0 {
        return 0;
    }
    pair.sql("analytics", "REFRESH TABLE shop.people");
    pair.number("analytics", "SELECT count(*) FROM shop.people")
}

fn until(pair: &Pair, running: &mut Running, rows: i64) {
    wait_until(&format!("{rows} rows"), Duration::from_secs(60), || {
        assert!(!running.has_ended(), "it ended");
        count(pair) == rows
    });
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn it_keeps_up_and_stops_between_rounds() {
    let (pair, workspace) = prepared();
    let mut running = Transship::new(&workspace, &FOLLOW).start();
    until(&pair, &mut running, 1);
    insert(&pair, (2, 5));
    until(&pair, &mut running, 5);
    insert(&pair, (6, 30));
    until(&pair, &mut running, 30);
    // Nothing is held between two rounds, and the next one begins from what was done meanwhile.
    workspace.run(&["apply", "--auto-approve", "--resync", "keep", "--lock-timeout", "20s"]).expect(0);
    std::thread::sleep(Duration::from_millis(700));
    running.signal("TERM");
    let ended = running.wait().expect(0);
    let lines = lines(&ended.stdout);
    let rows: u64 = lines.iter().filter(|line| line["result"] == "done").filter_map(|line| line["rows"].as_u64()).sum();
    assert!(rows >= 30 && lines.iter().any(|line| line["result"] == "idle" && line["lag"].is_u64()), "{}", ended.all());
    workspace.is_settled();
    // All rounds are one run.
    let logs = fs_err::read_dir(workspace.path().join(".transship/runs")).expect("logs").count();
    assert_eq!(logs, 2, "one of the follower, one of the other");
    pair.sql("analytics", "REFRESH TABLE transship.runs");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM transship.runs"), 2);
}

#[test]
fn what_nobody_can_follow_is_refused() {
    let (_pair, workspace) = prepared();
    assert_eq!(workspace.run(&["apply", "--follow"]).expect(64).stdout, "");
    workspace.run(&["plan", "-o", "plan.json"]).expect(0);
    workspace.run(&["apply", "plan.json", "--follow", "--auto-approve"]).expect(64);
    declare(&workspace, "shop.people", "");
    let refused = workspace.run(&FOLLOW).expect(1);
    assert!(refused.all().contains("nothing-to-follow"), "{}", refused.all());
}

#[test]
fn a_run_that_waits_goes_first() {
    let (pair, workspace) = prepared();
    workspace.apply();
    insert(&pair, (2, 400));
    // Forty slices of half a second each.
    pair.sandbox.faults(vec![lasting(("shop", "$2::text", 1), What::Delay(Duration::from_millis(500)))]);
    let mut running = Transship::new(&workspace, &["apply", "--follow", "--auto-approve"]).start();
    wait_until("some rows", Duration::from_secs(60), || count(&pair) > 11);
    let began = Instant::now();
    let unlocked = || {
        pair.sql("analytics", "REFRESH TABLE transship.leases");
        pair.number("analytics", "SELECT count(*) FROM transship.leases WHERE flow LIKE '?%'")
    };
    let other = Transship::new(&workspace, &["apply", "--auto-approve", "--lock-timeout", "60s"]).start();
    wait_until("it says that it waits", Duration::from_secs(20), || unlocked() == 1);
    wait_until("it gets in", Duration::from_secs(10), || {
        let holders = "SELECT count(*) FROM transship.leases WHERE flow = 'keep' AND epoch > 2";
        pair.sql("analytics", "REFRESH TABLE transship.leases");
        pair.number("analytics", holders) == 1
    });
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    pair.sandbox.faults(Vec::new());
    other.wait().expect(0);
    until(&pair, &mut running, 400);
    running.signal("INT");
    let ended = running.wait().expect(0);
    assert!(ended.all().contains("another run waits"), "{}", ended.all());
    workspace.is_settled();
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_ends_it() {
    let (pair, workspace) = prepared();
    workspace.apply();
    let busy = Fault {
        cluster: "analytics".to_owned(),
        statement: "insert into \"shop\".\"people\"".to_owned(),
        nth: 1,
        times: 3,
        what: What::DropConnectionBefore,
    };
    pair.sandbox.faults(vec![busy]);
    insert(&pair, (2, 9));
    let mut running = Transship::new(&workspace, &FOLLOW).start();
    until(&pair, &mut running, 9);
    pair.sandbox.faults(Vec::new());
    // A row that the target refuses does not go away by itself.
    pair.sql("analytics", "ALTER TABLE shop.people ADD COLUMN extra INTEGER");
    pair.sql("shop", "ALTER TABLE shop.people ADD COLUMN extra BIGINT");
    pair.sql("shop", "UPDATE shop.people SET at = 100, extra = 5000000000 WHERE id = 1; REFRESH TABLE shop.people");
    let ended = running.wait();
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(lines(&ended.stdout).iter().any(|line| line["result"] == "failed"), "{}", ended.all());
    assert!(ended.all().contains("plan::other-type"), "{}", ended.all());
}

#[test]
fn the_time_that_is_given_ends_it() {
    let (pair, workspace) = prepared();
    let arguments = [&FOLLOW[..], &["--timeout", "3s"]].concat();
    let ended = workspace.run(&arguments).expect(0);
    assert!(lines(&ended.stdout).len() >= 2, "{}", ended.all());
    assert_eq!(count(&pair), 1);
}
