//! What a run that was cut has begun stays known until something settles it; exports and snapshots are what they are said to be.

use std::time::Duration;

use transship_sandbox::{Fault, Halt, What};

use crate::real::{Transship, Workspace};
use crate::sandbox::Pair;

const CONSENT: [&str; 4] = ["apply", "--auto-approve", "--allow-drop", "rows:analytics.shop.parts"];

fn chosen(pair: &Pair, w: &Workspace, strategy: &str, months: &str, more: &str) {
    w.write("flows.yaml", &format!(
        "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - {{ from: shop.parts, partitions: [{months}] }}\n    strategy: {{ {strategy} }}\n    {more}\n",
        pair.folder().display()));
}

fn fault(pair: &Pair, cluster: &str, statement: &str, nth: u32, what: What) {
    pair.sandbox.faults(vec![Fault {
        cluster: cluster.to_owned(),
        statement: statement.to_owned(),
        nth,
        times: 1,
        what,
    }]);
}

fn people() -> Pair {
    let pair = Pair::on_machine();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
       INSERT INTO shop.people (id, name) VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cyd'); REFRESH TABLE shop.people;
       CREATE TABLE shop.other (id INTEGER) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
       INSERT INTO shop.other (id) VALUES (1); REFRESH TABLE shop.other",
    );
    pair
}

const BOOM: &str = "boom";

fn boom() -> What {
    What::Fail { sqlstate: "XX000".to_owned(), message: BOOM.to_owned() }
}

fn stores(pair: &Pair, flows: &str) -> String {
    format!("version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n{flows}", pair.folder().display())
}

fn snapshots(pair: &Pair) -> String {
    let names = pair.sql("shop", "SELECT name FROM sys.snapshots ORDER BY 1").texts;
    names.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_export_that_failed_is_never_taken_for_whole() {
    for (flow, document_on) in [
        (
            "  out:\n    from: shop\n    to: { store: disk }\n    tables: [shop.people]\n    \
          strategy: { export-import: { keep: 2 } }\n",
            "shop",
        ),
        (
            "  out:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    existing: replace\n    \
          strategy: { export-import: { store: disk, keep: 2 } }\n",
            "analytics",
        ),
    ] {
        let pair = people();
        let w = pair.workspace_of_superuser();
        w.write("flows.yaml", &stores(&pair, flow));
        w.apply();
        w.is_settled();
        fault(&pair, "shop", "copy", 1, boom());
        w.run(&["apply", "--auto-approve", "--resync", "out"]).expect(7);
        w.apply();
        w.is_settled();
        let row = pair.sql(document_on, "SELECT document FROM transship.flows").texts[0][0].clone().unwrap_or_default();
        let row: serde_json::Value = serde_json::from_str(&row).expect("JSON");
        assert_eq!(
            (&row["exports"]["1"]["whole"], &row["exports"]["2"]["whole"]),
            (&true.into(), &false.into()),
            "{row}"
        );
    }
}

#[test]
fn a_snapshot_flow_that_is_declared_anew_leaves_the_snapshots_of_the_one_before() {
    let pair = people();
    let w = pair.workspace_of_superuser();
    let flow = "  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    existing: replace\n    \
                strategy: { snapshot: { store: disk } }\n";
    w.write("flows.yaml", &stores(&pair, flow));
    w.apply();
    w.write("flows.yaml", "version: 1\n");
    w.run(&["apply", "--auto-approve", "--allow-drop", "repository:*"]).expect(0);
    w.write("flows.yaml", &stores(&pair, flow));
    let taken = w.run(&["apply", "--auto-approve"]).expect(7).all();
    assert!(taken.contains("apply::snapshot-taken"), "{taken}");
    w.apply();
    w.is_settled();
    assert_eq!(snapshots(&pair), "copy-1 copy-2");
    w.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    assert_eq!(snapshots(&pair), "copy-1 copy-3", "the first is not this flow's to drop");
}

#[test]
fn a_snapshot_that_did_not_become_whole_goes_with_the_next_run() {
    for all in [false, true] {
        let pair = people();
        let w = pair.workspace_of_superuser();
        let flow = "  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
                    strategy: { snapshot: { store: disk } }\n";
        w.write("flows.yaml", &stores(&pair, flow));
        fault(&pair, "shop", "create snapshot \"transship__", 1, What::Ail { all });
        w.run(&["apply", "--auto-approve"]).expect(7);
        w.apply();
        w.is_settled();
        assert_eq!(snapshots(&pair), "copy-2");
    }
}

#[test]
fn a_marker_that_fails_is_told_at_once_and_goes_with_the_next_run() {
    let pair = people();
    let w = pair.workspace_of_superuser();
    let flow = "  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
                strategy: { snapshot: { store: disk } }\n";
    w.write("flows.yaml", &stores(&pair, flow));
    fault(&pair, "shop", "create snapshot \"transship_marker__", 1, What::Ail { all: true });
    let failed = w.run(&["apply", "--auto-approve"]).expect(7).all();
    assert!(failed.contains("apply::snapshot-failed"), "{failed}");
    w.apply();
    w.is_settled();
    let place = pair.folder().join("sandboxed/copy/marker");
    let look = format!(
        "CREATE REPOSITORY look TYPE fs WITH (location = '{}', readonly = true);
         SELECT name, state FROM sys.snapshots WHERE repository = 'look'",
        place.display()
    );
    assert_eq!(pair.sql("shop", &look).texts, Vec::<Vec<Option<String>>>::new());
}

#[test]
fn what_is_left_aside_goes_before_rows_are_added() {
    for mode in ["append", "upsert"] {
        let pair = people();
        let w = pair.workspace_of_superuser();
        let keyed = "CREATE TABLE shop.keyed (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0)";
        pair.sql("shop", keyed);
        pair.sql("shop", "INSERT INTO shop.keyed (id, name) VALUES (1, 'a'); REFRESH TABLE shop.keyed");
        w.write(
            "flows.yaml",
            &format!(
                "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables: [shop.keyed]\n    \
                 existing: {mode}\n    strategy: {{ custom: {{ engine: stream }} }}\n"
            ),
        );
        fault(&pair, "analytics", "insert into \"shop\"", 1, boom());
        w.run(&["apply", "--auto-approve"]).expect(7);
        pair.sql("analytics", keyed);
        w.apply();
        w.is_settled();
    }
}

/// Cut before anything of month 1 is there again, or behind its rows.
fn cut(what: What) -> (Pair, Workspace) {
    let pair = Pair::with_parts(true);
    let w = pair.workspace_of_superuser();
    chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 3 }", "existing: replace");
    fault(&pair, "analytics", "insert into \"shop\".\"parts\" (\"id\", \"month\"", 1, what);
    w.run(&CONSENT).expect(7);
    (pair, w)
}

const ROWS: &str = "custom: { engine: stream }";

#[test]
fn a_partition_that_was_deleted_and_not_filled_stays_known() {
    for (months, more) in [("{ month: 3 }", "existing: replace"), ("{ month: 1 }, { month: 3 }", "existing: skip")] {
        let (pair, w) = cut(boom());
        chosen(&pair, &w, ROWS, months, more);
        for _ in 0..2 {
            let plan = w.run(&["plan"]).expect(0).all();
            assert!(plan.contains("partition (month = 1) of analytics.shop.parts was deleted"), "{plan}");
            let _ = w.run(&CONSENT).expect(0);
        }
        chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 3 }", "existing: replace");
        let _ = w.run(&CONSENT).expect(0);
        let plan = w.run(&["plan", "--detailed-exitcode"]).expect(0).all();
        assert!(!plan.contains("was deleted"), "{plan}");
        assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:10 old, 3:10 new");
    }
}

#[test]
fn a_table_of_chosen_partitions_that_a_killed_run_has_put_in_place_is_the_flows_own() {
    for existing in ["error", "replace"] {
        let pair = Pair::with_parts(false);
        let w = pair.workspace_of_superuser();
        chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 3 }", &format!("existing: {existing}"));
        let gate = pair.sandbox.gate();
        gate.watch(|arrival| arrival.statement.contains(" RENAME TO ").then_some(Halt::After));
        let running = Transship::new(&w, &["apply", "--auto-approve"]).start();
        assert!(pair.kill_when_halted(running).expect("it halts").is_none());
        w.run(&["unlock", "--all", "--auto-approve"]).expect(0);
        w.apply();
        w.is_settled();
        assert_eq!(pair.months(), "1:10 new, 3:10 new");
    }
}

#[test]
fn rows_are_not_added_to_what_may_be_there_by_half() {
    let (pair, w) = cut(boom());
    chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 3 }", "existing: append");
    let refused = w.run(&["plan"]).expect(1).all();
    assert!(refused.contains("plan::"), "{refused}");

    let pair = people();
    let w = pair.workspace_of_superuser();
    let flow = |tables: &str| {
        w.write(
            "flows.yaml",
            &format!(
                "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables: [{tables}]\n    \
                 existing: append\n    strategy: {{ custom: {{ engine: stream }} }}\n"
            ),
        );
    };
    pair.sql(
        "analytics",
        "CREATE TABLE shop.people (id INTEGER, name TEXT) WITH (number_of_replicas = 0);
         CREATE TABLE shop.other (id INTEGER) WITH (number_of_replicas = 0)",
    );
    flow("shop.other, shop.people");
    fault(&pair, "analytics", "insert into \"shop\".\"people\" (\"id\", \"name\"", 1, What::DropConnectionAfter);
    w.run(&["apply", "--auto-approve"]).expect(7);
    w.run(&["plan"]).expect(1);
    flow("shop.other");
    w.apply();
    flow("shop.other, shop.people");
    w.run(&["plan"]).expect(1);
    pair.sql("analytics", "REFRESH TABLE shop.people");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 3);
    // Taken out as it is told, they are added again, and those of the table that was whole are not.
    pair.sql("analytics", "DELETE FROM shop.people WHERE id > 0; REFRESH TABLE shop.people");
    w.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    w.is_settled();
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 3);
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.other"), 1);
    w.run(&["plan", "--resync", "copy"]).expect(1);
}

#[test]
fn a_partition_without_rows_is_not_due() {
    let pair = Pair::with_parts(true);
    let w = pair.workspace_of_superuser();
    pair.sql("shop", "DELETE FROM shop.parts WHERE month = 3 AND id > 0; REFRESH TABLE shop.parts");
    chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 3 }", "existing: replace\n    repeat: on-change");
    let _ = w.run(&CONSENT).expect(0);
    w.is_settled();
}

#[test]
fn partitions_that_a_cut_run_has_not_reached_are_the_flows_own_still() {
    let pair = Pair::with_parts(true);
    let w = pair.workspace_of_superuser();
    chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 2 }", "existing: replace\n    repeat: { every: 1s }");
    let _ = w.run(&CONSENT).expect(0);
    std::thread::sleep(Duration::from_millis(1500));
    fault(&pair, "analytics", "refresh table \"shop\".\"parts\"", 3, boom());
    w.run(&CONSENT).expect(7);
    let plan = w.run(&["plan"]).all();
    assert!(!plan.contains("is not the one that this flow restored"), "{plan}");
}

#[test]
fn what_is_due_goes_along_with_what_is_missing() {
    let pair = Pair::with_parts(true);
    let w = pair.workspace_of_superuser();
    chosen(&pair, &w, ROWS, "{ month: 1 }, { month: 2 }", "existing: replace\n    repeat: on-change");
    let _ = w.run(&CONSENT).expect(0);
    w.is_settled();
    pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 1");
    pair.sql("shop", "INSERT INTO shop.parts (id, month, v) VALUES (99, 2, 'more'); REFRESH TABLE shop.parts");
    let _ = w.run(&CONSENT).expect(0);
    w.is_settled();
    assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:1 more, 2:10 new");
}
