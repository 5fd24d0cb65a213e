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

/// The same with a row at the source that has no month.
fn pair(both: bool) -> Pair {
    let pair = Pair::with_parts(both);
    pair.sql("shop", "INSERT INTO shop.parts (id, v) VALUES (0, 'none'); REFRESH TABLE shop.parts");
    pair
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
        let workspace = pair.workspace_of_superuser();
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: error");
        workspace.apply();
        assert_eq!(pair.months(), "1:10 new, 3:10 new", "{strategy}");
        is_settled(&pair, &workspace);
        // One more is filled beside them.
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }, { month: null }", "existing: error");
        let before = others(&pair, "'0400'");
        workspace.apply();
        assert_eq!(pair.months(), "1:10 new, 3:10 new, NULL:1 none", "{strategy}");
        assert!(before.len() == 4 && others(&pair, "'0400'")[..4] == before[..], "the others are what they were");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn a_present_partition_goes_first_with_consent_and_the_others_stay() {
    for strategy in STRATEGIES {
        let pair = pair(true);
        let workspace = pair.workspace_of_superuser();
        let chosen = "{ month: 1 }, { month: 3 }";
        declare(&pair, &workspace, strategy, chosen, "existing: error");
        assert!(workspace.run(&["plan"]).expect(1).all().contains("plan::target-exists"));
        declare(&pair, &workspace, strategy, chosen, "existing: replace");
        let blocked = workspace.run(&["plan"]).expect(5).all();
        assert!(blocked.contains("rows:analytics.shop.parts"), "{blocked}");
        workspace.run(&["apply", "--auto-approve", "--allow-drop", "table:*"]).expect(5);
        let before = others(&pair, "'04132', '04136'");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy}");
        assert_eq!(others(&pair, "'04132', '04136'"), before, "the others are what they were");
        is_settled(&pair, &workspace);
        // Somebody deletes a month, and writes another one anew.
        pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 3");
        workspace.run(&["plan"]).expect(0);
        workspace.apply();
        assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy}");
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
        let workspace = pair.workspace_of_superuser();
        pair.sql("shop", "DELETE FROM shop.parts WHERE month = 3 AND id > 0; REFRESH TABLE shop.parts");
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: replace");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:10 old", "{strategy}");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn a_partition_of_which_the_condition_leaves_nothing_is_settled_until_something_is_gone() {
    for strategy in STRATEGIES {
        let pair = pair(false);
        let workspace = pair.workspace_of_superuser();
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
        assert_eq!(pair.months(), expected, "{strategy}");
        is_settled(&pair, &workspace);
        pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 1");
        let _ = workspace.run(&CONSENT).expect(0);
        assert_eq!(pair.months(), expected, "{strategy}");
        is_settled(&pair, &workspace);
    }
}

#[test]
fn rows_of_chosen_partitions_are_added() {
    for strategy in STRATEGIES {
        let pair = pair(true);
        let workspace = pair.workspace_of_superuser();
        declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: append");
        workspace.apply();
        assert_eq!(pair.months(), "0:10 old, 1:10 new, 1:10 old, 2:10 old, 3:10 new", "{strategy}");
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
            let workspace = pair.workspace_of_superuser();
            declare(&pair, &workspace, strategy, "{ month: 1 }, { month: 3 }", "existing: replace");
            let (cluster, statement) = ("analytics".to_owned(), (*statement).to_owned());
            let fault = Fault { cluster, statement: statement.clone(), nth: 1, times: 1, what: what.clone() };
            pair.sandbox.faults(vec![fault]);
            let before = others(&pair, "'04132', '04136'");
            let outcome = workspace.run(&CONSENT);
            assert!([0, 7].contains(&outcome.code), "{strategy} {statement}: {}", outcome.all());
            let _ = workspace.run(&CONSENT).expect(0);
            assert_eq!(pair.months(), "0:10 old, 1:10 new, 2:10 old, 3:10 new", "{strategy} {statement} {what:?}");
            assert_eq!(others(&pair, "'04132', '04136'"), before);
            is_settled(&pair, &workspace);
        }
    }
}
