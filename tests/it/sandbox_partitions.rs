//! Chosen partitions by snapshot between two sandbox clusters: restored, replaced with consent, cut at every statement.

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::{Pair, lasting};

const CONSENT: [&str; 4] = ["apply", "--auto-approve", "--allow-drop", "rows:analytics.shop.parts"];

/// Declares the flow `copy` of chosen months of `shop.parts`, with more keys.
fn declare(workspace: &Workspace, months: &str, more: &str) {
    let exchange = Pair::exchange().display();
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {exchange} }}\nflows:\n  copy:\n    from: shop\n    \
             to: analytics\n    tables:\n      - {{ from: shop.parts, partitions: [{months}] }}\n    \
             strategy: {{ snapshot: {{ store: disk }} }}\n    {more}\n"
        ),
    );
}

const DEFINED: &str = "CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month))
    PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)";

/// The source has four months of ten rows.
fn source() -> Pair {
    let pair = Pair::start();
    pair.sql("shop", DEFINED);
    pair.sql(
        "shop",
        "INSERT INTO shop.parts (id, month, v) SELECT g, g % 4, 'new' FROM generate_series(1, 40) AS t(g);
         REFRESH TABLE shop.parts",
    );
    pair
}

/// The target has three months of others.
fn both() -> Pair {
    let pair = source();
    pair.sql("analytics", DEFINED);
    pair.sql(
        "analytics",
        "INSERT INTO shop.parts (id, month, v) SELECT g, g % 3, 'old' FROM generate_series(1, 30) AS t(g);
         REFRESH TABLE shop.parts",
    );
    pair
}

/// `month:rows and what they say`, by month.
fn months(pair: &Pair) -> String {
    let sql = "SELECT month || ':' || count(*) || ' ' || v FROM shop.parts GROUP BY month, v ORDER BY 1";
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

fn aside(pair: &Pair) -> usize {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'transship_%'";
    pair.sql("analytics", sql).texts.len()
}

fn is_settled(workspace: &Workspace) {
    let _ = workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn an_absent_table_gets_the_chosen_partitions_alone() {
    let pair = source();
    let workspace = pair.workspace();
    declare(&workspace, "{ month: 1 }, { month: 3 }", "existing: error");
    workspace.apply();
    assert_eq!(months(&pair), "1:10 new, 3:10 new");
    is_settled(&workspace);
    // One more is restored beside them, whatever `existing` says of tables.
    declare(&workspace, "{ month: 1 }, { month: 3 }, { month: 0 }", "existing: error");
    let before = others(&pair, "'04130'");
    workspace.apply();
    assert_eq!(months(&pair), "0:10 new, 1:10 new, 3:10 new");
    assert_eq!(others(&pair, "'04130'"), before, "the others are what they were");
    is_settled(&workspace);
    assert_eq!(aside(&pair), 0);
}

#[test]
fn a_present_partition_goes_first_with_consent_and_the_others_stay() {
    let pair = both();
    let workspace = pair.workspace();
    declare(&workspace, "{ month: 1 }, { month: 3 }", "existing: error");
    let refused = workspace.run(&["plan"]).expect(1);
    assert!(refused.all().contains("plan::target-exists"), "{}", refused.all());
    declare(&workspace, "{ month: 1 }, { month: 3 }", "existing: skip");
    workspace.apply();
    assert_eq!(months(&pair), "0:10 old, 1:10 old, 2:10 old");

    declare(&workspace, "{ month: 1 }, { month: 3 }", "existing: replace");
    let blocked = workspace.run(&["plan"]).expect(5);
    assert!(blocked.all().contains("rows:analytics.shop.parts"), "{}", blocked.all());
    workspace.run(&["apply", "--auto-approve"]).expect(5);
    workspace.run(&["apply", "--auto-approve", "--allow-drop", "table:*"]).expect(5);
    let before = others(&pair, "'04132', '04136'");
    let _ = workspace.run(&CONSENT).expect(0);
    assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 new");
    assert_eq!(others(&pair, "'04132', '04136'"), before, "the others are what they were");
    is_settled(&workspace);
    assert_eq!(aside(&pair), 0);

    // Somebody deletes a month, and writes another one anew.
    pair.sql("analytics", "DELETE FROM shop.parts WHERE month = 3");
    let plan = workspace.run(&["plan"]).expect(0).all();
    assert!(plan.contains("restore-partition") || plan.contains("partition (month = 3)"), "{plan}");
    pair.sql(
        "analytics",
        "DELETE FROM shop.parts WHERE month = 1; INSERT INTO shop.parts (id, month, v) VALUES (1, 1, 'theirs'); \
         REFRESH TABLE shop.parts",
    );
    workspace.run(&["plan"]).expect(5);
    let _ = workspace.run(&CONSENT).expect(0);
    assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 new");
    is_settled(&workspace);
}

#[test]
fn nothing_is_deleted_for_far_fewer_rows() {
    let pair = both();
    let workspace = pair.workspace();
    pair.sql("shop", "DELETE FROM shop.parts WHERE month = 1 AND id > 10; REFRESH TABLE shop.parts");
    declare(&workspace, "{ month: 1 }", "existing: replace");
    let failed = workspace.run(&CONSENT).expect(7);
    assert!(failed.all().contains("apply::shrinks"), "{}", failed.all());
    assert_eq!(months(&pair), "0:10 old, 1:10 old, 2:10 old");
    declare(&workspace, "{ month: 1 }", "existing: replace\n    allow_shrink: true");
    let _ = workspace.run(&CONSENT).expect(0);
    assert_eq!(months(&pair), "0:10 old, 1:3 new, 2:10 old");
}

#[test]
fn changed_partitions_alone_are_due() {
    let pair = both();
    let workspace = pair.workspace();
    let allow = "allow_drop: [{ kind: rows, name: analytics.shop.parts }]";
    declare(
        &workspace,
        "{ month: 1 }, { month: 3 }",
        &format!("existing: replace\n    repeat: on-change\n    {allow}"),
    );
    workspace.apply();
    is_settled(&workspace);
    pair.sql("shop", "UPDATE shop.parts SET v = 'newer' WHERE month = 3; REFRESH TABLE shop.parts");
    pair.sql("shop", "UPDATE shop.parts SET v = 'not chosen' WHERE month = 2; REFRESH TABLE shop.parts");
    let before = others(&pair, "'04136'");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.apply();
    assert_eq!(months(&pair), "0:10 old, 1:10 new, 2:10 old, 3:10 newer");
    assert_eq!(others(&pair, "'04136'"), before, "month 1 is what it was");
    is_settled(&workspace);
}

#[test]
fn what_cannot_be_restored_is_refused_beforehand() {
    let check = |prepare: &str, months: &str, more: &str, code: &str| {
        let pair = both();
        let workspace = pair.workspace();
        if !prepare.is_empty() {
            pair.sql("analytics", prepare);
        }
        declare(&workspace, months, more);
        let refused = workspace.run(&["plan"]).expect(1);
        assert!(refused.all().contains(code), "{code}: {}", refused.all());
    };
    let replace = "existing: replace";
    check("", "{ month: 9 }", replace, "plan::no-such-partition");
    check("", "{ id: 1 }", replace, "plan::partition-columns");
    check("", "{ month: 1 }", "existing: replace\n    replace_by: view", "plan::partitions-by-view");
    let anew = |definition: &str| format!("DROP TABLE shop.parts; CREATE TABLE shop.parts ({definition}");
    let wider = "id INTEGER, month INTEGER, v TEXT, w TEXT, PRIMARY KEY (id, month)) PARTITIONED BY (month) \
                 CLUSTERED INTO 2 SHARDS";
    check(&anew(wider), "{ month: 1 }", replace, "plan::other-definition");
    let shards = "id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month)) PARTITIONED BY (month) \
                  CLUSTERED INTO 3 SHARDS";
    check(&anew(shards), "{ month: 1 }", replace, "plan::other-definition");
    let whole = "id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month)) CLUSTERED INTO 2 SHARDS";
    check(&anew(whole), "{ month: 1 }", replace, "plan::other-definition");
}

/// Statements that are cut, each with which of them.
const CUTS: &[(&str, u32)] = &[
    ("insert into \"transship\".\"flows\"", 1),
    ("create repository \"transship__", 1),
    ("create snapshot \"transship__", 1),
    ("restore snapshot", 1),
    ("drop table", 1),
    ("insert into \"transship\".\"flows\"", 2),
    ("delete from \"shop\".\"parts\"", 1),
    ("restore snapshot", 2),
    ("insert into \"transship\".\"flows\"", 3),
    ("refresh table \"shop\".\"parts\"", 2),
    ("insert into \"transship\".\"flows\"", 4),
    ("restore snapshot", 3),
    ("insert into \"transship\".\"flows\"", 6),
    ("insert into \"transship\".\"flows\"", 8),
];

fn cut((statement, nth): (&str, u32), (what, times): (&What, u32)) -> Result<(), String> {
    let pair = both();
    let workspace = pair.workspace();
    declare(&workspace, "{ month: 1 }, { month: 3 }", "existing: replace");
    let before = others(&pair, "'04132', '04136'");
    let on = |cluster: &str| {
        let (cluster, statement) = (cluster.to_owned(), statement.to_owned());
        Fault { cluster, statement, nth, times, what: what.clone() }
    };
    pair.sandbox.faults(vec![on("shop"), on("analytics")]);
    let first = workspace.run(&CONSENT);
    pair.sandbox.faults(Vec::new());
    let again = workspace.run(&CONSENT);
    let found = months(&pair);
    let settled = workspace.run(&["plan", "--detailed-exitcode"]);
    let as_before = others(&pair, "'04132', '04136'") == before;
    if again.code != 0 || found != "0:10 old, 1:10 new, 2:10 old, 3:10 new" || settled.code != 0 || !as_before {
        return Err(format!(
            "`{statement}` no. {nth} {what:?} {times}: exits {} and {}, holds {found}, others kept: {as_before}\n{}\n{}\n{}",
            first.code,
            again.code,
            first.all(),
            again.all(),
            settled.all()
        ));
    }
    if aside(&pair) > 0 {
        return Err(format!("`{statement}` no. {nth} {what:?}: something is left aside"));
    }
    Ok(())
}

#[test]
fn a_run_that_is_cut_anywhere_converges() {
    let ways = [(What::DropConnectionBefore, u32::MAX), (What::DropConnectionAfter, 1), (What::DropConnectionAfter, 9)];
    let all = CUTS.iter().flat_map(|at| ways.iter().map(move |(what, times)| (*at, what, *times)));
    crate::sandbox::all_converge(all.collect(), |(at, what, times)| cut(at, (what, times)));
}

#[test]
fn half_a_partition_of_the_flows_own_needs_no_consent() {
    let pair = both();
    let workspace = pair.workspace();
    declare(&workspace, "{ month: 3 }", "existing: replace");
    // The shards of the partition in place never start.
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    pair.sandbox.faults(vec![lasting(("analytics", "refresh table \"shop\".\"parts\"", 1), what)]);
    workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    let plan = workspace.run(&["plan"]).expect(0).all();
    assert!(plan.contains("half a copy that a run of this flow left"), "{plan}");
    let _ = workspace.run(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(months(&pair), "0:10 old, 1:10 old, 2:10 old, 3:10 new");
    is_settled(&workspace);
}
