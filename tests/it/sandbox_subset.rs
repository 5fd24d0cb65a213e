//! Chosen partitions by `export-import` and `custom` between two sandbox clusters: proven aside, replaced with consent,
//! cut at statements.

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::Pair;

const CONSENT: [&str; 4] = ["apply", "--auto-approve", "--allow-drop", "rows:analytics.shop.parts"];

const STRATEGIES: [&str; 3] =
    ["export-import: { store: disk }", "export-import: { store: disk, format: csv }", "custom: { engine: stream }"];

/// Declares the flow `copy` of chosen months of `shop.parts`, with more keys.
fn declare(pair: &Pair, workspace: &Workspace, strategy: &str, months: &str, more: &str) {
    let exchange = pair.folder();
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: shop\n    \
             to: analytics\n    tables:\n      - {{ from: shop.parts, partitions: [{months}] }}\n    \
             strategy: {{ {strategy} }}\n    {more}\n",
            exchange.display()
        ),
    );
}

/// A workspace as the superuser, who may read files.
fn workspace(pair: &Pair) -> Workspace {
    let workspace = pair.workspace();
    let mut text = "version: 1\nworkspace: sandboxed\n\nclusters:\n".to_owned();
    for name in ["shop", "analytics"] {
        let port = pair.sandbox.port(name).expect("a cluster of the sandbox");
        text += &format!("  {name}:\n    url: postgres://crate@127.0.0.1:{port}/\n    tls: disable\n");
    }
    workspace.write("clusters.yaml", &text);
    workspace
}

/// The source has four months of ten rows and one without a month, the target three months of others, if `both`.
fn pair(both: bool) -> Pair {
    let pair = Pair::on_machine();
    let defined = "CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT)
        PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)";
    let fill = |months: u32, text: &str| {
        format!(
            "INSERT INTO shop.parts (id, month, v) SELECT g, g % {months}, '{text}' FROM \
             generate_series(1, {months} * 10) AS t(g); REFRESH TABLE shop.parts"
        )
    };
    pair.sql("shop", defined);
    pair.sql("shop", &fill(4, "new"));
    pair.sql("shop", "INSERT INTO shop.parts (id, v) VALUES (0, 'none'); REFRESH TABLE shop.parts");
    if both {
        pair.sql("analytics", defined);
        pair.sql("analytics", &fill(3, "old"));
    }
    pair
}

/// `month:rows and what they say`, by month.
fn months(pair: &Pair) -> String {
    let sql = "SELECT coalesce(month::text, 'NULL') || ':' || count(*) || ' ' || v FROM shop.parts GROUP BY month, v \
               ORDER BY 1";
    let rows = pair.sql("analytics", sql).texts;
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect::<Vec<_>>().join(", ")
}

/// Partition, index and sequence numbers of the shards of months that nothing is done to.
fn others(pair: &Pair, months: &str) -> Vec<Vec<Option<String>>> {
    let sql = format!(
        "SELECT partition_ident, id, partition_uuid, seq_no_stats['max_seq_no'] FROM sys.shards WHERE table_name = 'parts' \
         AND partition_ident NOT IN ({months}) ORDER BY 1, 2"
    );
    pair.sql("analytics", &sql).texts
}

#[track_caller]
fn is_settled(pair: &Pair, workspace: &Workspace) {
    let _ = workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'transship_%'";
    assert_eq!(pair.sql("analytics", sql).texts.len(), 0, "nothing is left aside");
}

#[test]
fn an_absent_table_gets_the_chosen_partitions_alone() {
    for strategy in STRATEGIES {
        let pair = pair(false);
        let workspace = workspace(&pair);
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: error");
        workspace.apply();
        assert_eq!(months(&pair), "1:10 new, 3:10 new", "{strategy}");
        is_settled(&pair, &workspace);
        // One more is filled beside them.
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }, { month: null }", "existing: error");
        let before = others(&pair, "'0400'");
        workspace.apply();
        assert_eq!(months(&pair), "1:10 new, 3:10 new, NULL:1 none", "{strategy}");
        assert!(before.len() == 4 && others(&pair, "'0400'")[..4] == before[..], "the others are what they were");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn a_present_partition_goes_first_with_consent_and_the_others_stay() {
    for strategy in STRATEGIES {
        let pair = pair(true);
        let workspace = workspace(&pair);
        let chosen = "{ month: 1 }, { month: 3 }";
        declare(&pair, &workspace, strategy, chosen, "existing: error");
        assert!(workspace.run(&["plan"]).expect(1).all().contains("plan::target-exists"));
        declare(&pair, &workspace, strategy, chosen, "existing: replace");
        let blocked = workspace.run(&["plan"]).expect(5).all();
        assert!(blocked.contains("rows:analytics.shop.parts"), "{blocked}");
        workspace.run(&["apply", "--auto-approve", "--allow-drop", "table:*"]).expect(5);
        let before = others(&pair, "'04132', '04136'");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy}");
        assert_eq!(others(&pair, "'04132', '04136'"), before, "the others are what they were");
        is_settled(&pair, &workspace);
        // Somebody deletes a month, and writes another one anew.
        pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 3");
        workspace.run(&["plan"]).expect(0);
        workspace.apply();
        assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy}");
        pair.sql(
            "analytics",
            "DELETE FROM shop.parts WHERE month = 1; INSERT INTO shop.parts (id, month, v) VALUES (1, 1, 'theirs')",
        );
        pair.sql("analytics", "REFRESH TABLE shop.parts");
        workspace.run(&["plan"]).expect(5);
        let resync = [&CONSENT[..], &["--resync", "copy"]].concat();
        let shrinks = "DELETE FROM shop.parts WHERE month = 3 AND id > 10; REFRESH TABLE shop.parts";
        pair.sql("shop", shrinks);
        let failed = workspace.run(&resync).expect(7).all();
        assert!(failed.contains("apply::shrinks"), "{failed}");
        assert_eq!(others(&pair, "'04132', '04136'"), before);
    }
}

#[test]
fn a_partition_without_rows_asks_for_nothing() {
    for strategy in [STRATEGIES[0], STRATEGIES[2]] {
        let pair = pair(true);
        let workspace = workspace(&pair);
        pair.sql("shop", "DELETE FROM shop.parts WHERE month = 3 AND id > 0; REFRESH TABLE shop.parts");
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: replace");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old", "{strategy}");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn a_partition_of_which_the_condition_leaves_nothing_is_settled_until_something_is_gone() {
    for strategy in STRATEGIES {
        let pair = pair(false);
        let workspace = workspace(&pair);
        let exchange = pair.folder();
        let flow = format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: shop\n    \
                 to: analytics\n    tables:\n      - {{ from: shop.parts, partitions: [{{ month: 1 }}, {{ month: 3 }}], \
                 where: \"month < 3\" }}\n    strategy: {{ {strategy} }}\n    existing: replace\n    \
                 allow_shrink: true\n",
            exchange.display()
        );
        workspace.write("flows.yaml", &flow);
        let _ = workspace.run(&CONSENT).expect(0);
        let expected = "1:10 new";
        assert_eq!(months(&pair), expected, "{strategy}");
        is_settled(&pair, &workspace);
        pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 1");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(months(&pair), expected, "{strategy}");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn rows_of_chosen_partitions_are_added() {
    for strategy in STRATEGIES {
        let pair = pair(true);
        let workspace = workspace(&pair);
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: append");
        workspace.apply();
        assert_eq!(months(&pair), "0:10 old, 1:10 new, 1:10 old, 2:10 old, 3:10 new", "{strategy}");
        is_settled(&pair, &workspace);
        declare(&pair, &workspace, strategy, "{ month: 2 }", "existing: append");
        assert!(workspace.run(&["plan"]).expect(1).all().contains("plan::doubles-rows"), "{strategy}");
    }
}

#[test]
fn a_run_that_is_cut_leaves_partitions_that_the_next_one_knows() {
    let before = (What::DropConnectionBefore, "insert into \"shop\".\"parts\" (\"id\", \"month\"");
    let after = |statement| (What::DropConnectionAfter, statement);
    // A deletion that never got there is waited for.
    let cuts = [
        before.clone(),
        after(before.1),
        after("delete from \"shop\".\"parts\""),
        after("drop table"),
        (What::DropConnectionBefore, "drop table"),
    ];
    for strategy in [STRATEGIES[0], STRATEGIES[2]] {
        for (what, statement) in &cuts {
            let pair = pair(true);
            let workspace = workspace(&pair);
            declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: replace");
            let (cluster, statement) = ("analytics".to_owned(), (*statement).to_owned());
            let fault = Fault { cluster, statement: statement.clone(), nth: 1, times: 1, what: what.clone() };
            pair.sandbox.faults(vec![fault]);
            let before = others(&pair, "'04132', '04136'");
            let outcome = workspace.run(&CONSENT);
            assert!([0, 7].contains(&outcome.code), "{strategy} {statement}: {}", outcome.all());
            let _ = workspace.run(&CONSENT).expect(0);
            assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy} {statement} {what:?}");
            assert_eq!(others(&pair, "'04132', '04136'"), before);
            is_settled(&pair, &workspace);
        }
    }
}
