//! The sandbox's fault script, and bulks that are taken in part.

use std::time::Duration;

use transship_sandbox::{Fault, What};

use crate::conformance::connect;
use crate::real::Transship;
use crate::sandbox::Pair;
use crate::wire::{Wire, bulk_answers};

fn fault(cluster: &str, statement: &str, what: What) -> Fault {
    Fault { cluster: cluster.to_owned(), statement: statement.to_owned(), nth: 1, times: 1, what }
}

#[test]
fn several_executions_before_one_sync_are_one_bulk() {
    let pair = Pair::start();
    let port = pair.sandbox.port("shop").expect("a cluster");
    let answers = bulk_answers(&mut Wire::connect("127.0.0.1", port, "crate"), "bulk");
    let expected: Vec<Vec<&str>> = vec![
        vec!["1", "2", "C CREATE 1", "Z I"],
        vec!["1", "2", "C INSERT 0 1", "2", "C INSERT 0 1", "2", "C INSERT 0 1", "Z I"],
        vec!["1", "2", "C INSERT 0 1", "2", "C INSERT 0 -3", "2", "C INSERT 0 -3", "2", "C INSERT 0 1", "Z I"],
        vec!["1", "2", r#"E XX000 For input string: "eight""#, "Z E"],
        vec!["1", "2", "E 23505 A document with the same primary key exists already", "Z I"],
        vec!["1", "2", "C UPDATE 1", "2", "C UPDATE -3", "Z I"],
        vec!["1", "2", "C DELETE 1", "2", "C DELETE -3", "2", "C DELETE 1", "Z I"],
        vec!["1", "2", "E XX000 / by zero", "Z I"],
    ];
    assert_eq!(answers, expected);
}

#[test]
fn faults_fail_delay_and_lose() {
    let pair = Pair::start();
    pair.sql("shop", "CREATE TABLE t (x INTEGER PRIMARY KEY)");
    pair.sandbox.faults(vec![
        fault("shop", "values (1)", What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() }),
        fault("shop", "values (2)", What::DropConnectionBefore),
        fault("shop", "values (3)", What::DropConnectionAfter),
        fault("shop", "values (4)", What::Delay(Duration::from_millis(50))),
    ]);
    let port = pair.sandbox.port("shop").expect("a cluster");
    let insert = |number: i32| {
        pair.block_on(async move {
            let client = connect("127.0.0.1", port, "crate", None).await;
            let done = client.batch_execute(&format!("INSERT INTO t (x) VALUES ({number})")).await;
            done.map_err(|error| error.as_db_error().map(|db| db.message().to_owned()))
        })
    };
    assert_eq!(insert(1), Err(Some("no".to_owned())));
    assert_eq!(insert(2), Err(None));
    assert_eq!(insert(3), Err(None));
    assert_eq!(insert(4), Ok(()));
    assert_eq!(insert(1), Ok(()));
    pair.sql("shop", "REFRESH TABLE t");
    let rows = pair.sql("shop", "SELECT x FROM t ORDER BY x").texts.concat();
    assert_eq!(rows, ["1", "3", "4"].map(|text| Some(text.to_owned())));
}

#[test]
fn a_run_survives_a_lost_answer() {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.t (x INTEGER) WITH (number_of_replicas = 0); INSERT INTO shop.t (x) VALUES (1)",
    );
    let workspace = pair.workspace();
    workspace.write(
        "flows.yaml",
        "version: 1\nflows:\n  live:\n    from: shop\n    to: analytics\n    tables: [shop.t]\n    \
         strategy: { logical-replication: { mode: tunnel } }\n",
    );
    pair.sandbox.faults(vec![fault("analytics", "create subscription", What::DropConnectionAfter)]);
    let first = Transship::new(&workspace, &["apply", "--auto-approve"]).run();
    assert!(matches!(first.code, 0 | 7), "{}", first.stderr);
    Transship::new(&workspace, &["apply", "--auto-approve"]).run().expect(0);
    Transship::new(&workspace, &["plan", "--detailed-exitcode"]).run().expect(0);
}

#[test]
fn a_copy_whose_target_refuses_is_made_by_the_next_run() {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name) SELECT g, 'n' || g FROM generate_series(1, 500) AS t(g);
         REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    workspace.write(
        "flows.yaml",
        "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
         strategy: { custom: { engine: stream } }\n    existing: error\n",
    );
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no room".to_owned() };
    let refused = Fault { times: u32::MAX, nth: 3, ..fault("analytics", "\"name\"", what) };
    pair.sandbox.faults(vec![refused]);
    let first = Transship::new(&workspace, &["apply", "--auto-approve"]).run();
    assert_ne!(first.code, 0, "{}", first.stdout);
    pair.sandbox.faults(Vec::new());
    Transship::new(&workspace, &["apply", "--auto-approve"]).run().expect(0);
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 500);
    Transship::new(&workspace, &["plan", "--detailed-exitcode"]).run().expect(0);
}
