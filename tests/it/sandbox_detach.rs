//! `then: detach` from end to end in the sandbox, and every statement of it cut: before it did anything, after it was done
//! with its answer lost, or refused. Run again, it has to converge: equal data, an empty plan, nothing left anywhere.

use std::time::Duration;

use transship_sandbox::{Fault, Halt, What};

use crate::real::{Transship, Workspace, wait_until};
use crate::sandbox::{Pair, lasting};

/// A flow in a situation, and the statements that are cut.
struct Case {
    name: &'static str,
    /// What is on the target before.
    before: &'static str,
    entry: &'static str,
    keys: &'static str,
    /// The name of the copy.
    to: &'static str,
    /// The cluster and a part of each statement, with which of them is cut.
    cuts: &'static [(&'static str, &'static str, u32)],
}

const THEIRS: &str = "CREATE TABLE shop.persons (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.persons (id, name) VALUES (1, 'old'), (900, 'theirs'); REFRESH TABLE shop.persons;
    CREATE USER app; GRANT DQL ON TABLE shop.persons TO app";

const PUBLISH: (&str, &str, u32) = ("shop", "create publication", 1);
const ADD: (&str, &str, u32) = ("shop", " add table ", 1);
const SUBSCRIBE: (&str, &str, u32) = ("analytics", "create subscription", 1);
const COUNT: (&str, &str, u32) = ("shop", "select count(*) as count", 1);
const REFRESH: (&str, &str, u32) = ("analytics", "refresh table \"shop\".\"people\"", 1);
const WITHDRAW: (&str, &str, u32) = ("shop", " drop table ", 1);
const UNSUBSCRIBE: (&str, &str, u32) = ("analytics", "drop subscription", 1);
const UNPUBLISH: (&str, &str, u32) = ("shop", "drop publication", 1);
const RENAME: (&str, &str, u32) = ("analytics", " rename to ", 1);
const RENAME_AGAIN: (&str, &str, u32) = ("analytics", " rename to ", 2);
const SWAP: (&str, &str, u32) = ("analytics", "swap table", 1);
const CREATE: (&str, &str, u32) = ("analytics", "create table \"crm\"", 1);
const SET: (&str, &str, u32) = ("analytics", " set (", 1);
const GRANT: (&str, &str, u32) = ("analytics", "grant dql on table", 1);
/// The ledger's row of the flow: before the steps, with what arrives, with what is in sync, with what the tables have that
/// nothing is to follow any more, and what comes after.
const BEGUN: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 1);
const ARRIVING: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 2);
const SYNCED: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 3);
const LETTING_GO: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 4);
const AFTER: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 5);

const CASES: &[Case] = &[
    Case {
        name: "under its own name",
        before: "",
        entry: "shop.people",
        keys: "existing: error",
        to: "shop.people",
        cuts: &[
            BEGUN,
            PUBLISH,
            ADD,
            SUBSCRIBE,
            COUNT,
            REFRESH,
            ARRIVING,
            SYNCED,
            WITHDRAW,
            LETTING_GO,
            UNSUBSCRIBE,
            UNPUBLISH,
            AFTER,
        ],
    },
    Case {
        name: "renamed",
        before: "",
        entry: "{ from: shop.people, to: shop.persons }",
        keys: "existing: error",
        to: "shop.persons",
        cuts: &[SUBSCRIBE, SYNCED, WITHDRAW, UNSUBSCRIBE, RENAME, RENAME_AGAIN, AFTER],
    },
    Case {
        name: "into another schema",
        before: "",
        entry: "{ from: shop.people, to: crm.people }",
        keys: "existing: error",
        to: "crm.people",
        cuts: &[UNSUBSCRIBE, CREATE, SWAP, RENAME, AFTER],
    },
    Case {
        name: "in the place of another",
        before: THEIRS,
        entry: "{ from: shop.people, to: shop.persons }",
        keys: "existing: replace",
        to: "shop.persons",
        cuts: &[SYNCED, UNSUBSCRIBE, RENAME, GRANT, SWAP, AFTER],
    },
    Case {
        name: "with settings",
        before: "",
        entry: "shop.people",
        keys: WITH_SETTINGS,
        to: "shop.people",
        cuts: &[UNPUBLISH, SET, AFTER],
    },
    Case {
        name: "with settings in another schema",
        before: "",
        entry: "{ from: shop.people, to: crm.people }",
        keys: WITH_SETTINGS,
        to: "crm.people",
        cuts: &[SWAP, SET, RENAME],
    },
];

const WITH_SETTINGS: &str = "existing: error\n    target: { replicas: 0-1, refresh_interval: 5000 }";

type Way = (&'static str, What, u32);

fn ways() -> Vec<Way> {
    let fail = || What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    vec![
        ("cut before it, always", What::DropConnectionBefore, u32::MAX),
        ("its answer lost, once", What::DropConnectionAfter, 1),
        ("its answer lost, always", What::DropConnectionAfter, u32::MAX),
        ("refused, always", fail(), u32::MAX),
    ]
}

fn declare(workspace: &Workspace, entry: &str, keys: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - {entry}\n    \
             strategy: {{ logical-replication: {{ then: detach }} }}\n    {keys}\n"
        ),
    );
}

fn prepared(case: &Case) -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name) SELECT g, 'n' || g FROM generate_series(1, 30) AS t(g);
         REFRESH TABLE shop.people",
    );
    if !case.before.is_empty() {
        pair.sql("analytics", case.before);
    }
    let workspace = pair.workspace();
    declare(&workspace, case.entry, case.keys);
    (pair, workspace)
}

/// What has to hold in the end.
fn holds(case: &Case, pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    let number = |cluster, sql: &str| pair.number(cluster, sql);
    let to = case.to;
    pair.sql("analytics", &format!("REFRESH TABLE {to}"));
    let equal = format!("SELECT count(*) FROM {to} WHERE name = 'n' || id");
    let rows = (number("analytics", &format!("SELECT count(*) FROM {to}")), number("analytics", &equal));
    if rows != (30, 30) {
        return Err(format!("it has {rows:?} rows"));
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('shop', 'crm')";
    let left = [
        ("analytics", tables, 1),
        ("shop", "SELECT count(*) FROM pg_catalog.pg_publication", 0),
        ("analytics", "SELECT count(*) FROM pg_catalog.pg_subscription", 0),
    ];
    for (cluster, sql, expected) in left {
        let found = number(cluster, sql);
        if found != expected {
            return Err(format!("{found} on {cluster}, not {expected}: {sql}"));
        }
    }
    if case.keys == WITH_SETTINGS {
        let (schema, table) = case.to.split_once('.').expect("schema.table");
        let set = format!(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name = '{table}' \
             AND number_of_replicas = '0-1' AND settings['refresh_interval'] = 5000"
        );
        if number("analytics", &set) != 1 {
            return Err("it has not the settings of `target`".to_owned());
        }
    }
    let settled = workspace.run(&["plan", "--detailed-exitcode"]);
    if settled.code != 0 {
        return Err(format!("the last plan exits {}\n{}", settled.code, settled.all()));
    }
    pair.sql("analytics", &format!("INSERT INTO {to} (id, name) VALUES (5000, 'local')"));
    Ok(())
}

fn cut(case: &Case, (cluster, statement, nth): (&str, &str, u32), (how, what, times): &Way) -> Result<(), String> {
    let (pair, workspace) = prepared(case);
    let fault =
        Fault { cluster: cluster.to_owned(), statement: statement.to_owned(), nth, times: *times, what: what.clone() };
    pair.sandbox.faults(vec![fault]);
    let first = workspace.run(&["apply", "--auto-approve"]);
    pair.sandbox.faults(Vec::new());
    let held = match first.code {
        0 if how == &"cut before it, always" => Err("nothing fails: there is no such statement".to_owned()),
        0 | 1 | 7 => {
            let second = workspace.run(&["apply", "--auto-approve"]);
            if second.code == 0 {
                holds(case, &pair, &workspace)
            } else {
                Err(format!("the second run exits {}\n{}\n--- the first\n{}", second.code, second.all(), first.all()))
            }
        }
        code => Err(format!("the first run exits {code}\n{}", first.all())),
    };
    held.map_err(|problem| {
        format!("{}: `{statement}` no. {nth} on {cluster} {how}, exit {}: {problem}", case.name, first.code)
    })
}

fn every_cut(ways: &[Way]) {
    let cuts = CASES.iter().flat_map(|case| case.cuts.iter().map(move |at| (case, *at)));
    let all = cuts.flat_map(|(case, at)| ways.iter().map(move |way| (case, at, way)));
    crate::sandbox::all_converge(all.collect(), |(case, at, way)| cut(case, at, way));
}

#[test]
fn detached_copies_arrive_and_nothing_is_left() {
    for case in CASES {
        let (pair, workspace) = prepared(case);
        workspace.apply();
        holds(case, &pair, &workspace).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        if case.before == THEIRS {
            assert_eq!(pair.number("analytics", "SELECT count(*) FROM sys.privileges WHERE grantee = 'app'"), 1);
        }
    }
}

#[test]
fn detached_copies_that_were_cut_converge() {
    every_cut(&ways());
}

/// A run that ends before anything is noted as in sync, and one that begins again and is killed as soon as `statement` comes.
fn half_of(pair: &Pair, workspace: &Workspace, statement: &'static str) {
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    pair.sandbox.faults(vec![lasting(("analytics", "insert into \"transship\".\"flows\"", 3), what)]);
    let _ = workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    let is_it = move |sent: &str| sent.to_lowercase().starts_with(statement);
    pair.sandbox.gate().watch(move |arrival| is_it(arrival.statement).then_some(Halt::Before));
    let again = Transship::new(workspace, &["apply", "--auto-approve", "--resync", "copy"]).start();
    assert!(pair.kill_when_halted(again).expect("it comes to the statement").is_none());
    workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
}

/// A half copy that nothing follows any more looks whole: only the ledger tells.
#[test]
fn a_half_copy_that_nothing_follows_is_cleared_unless_somebody_has_written_into_it() {
    let case = &CASES[1];
    for is_written in [false, true] {
        let (pair, workspace) = prepared(case);
        half_of(&pair, &workspace, "drop table");
        if !is_written {
            workspace.apply();
            holds(case, &pair, &workspace).unwrap_or_else(|problem| panic!("{problem}"));
            continue;
        }
        pair.sql("analytics", "INSERT INTO shop.people (id, name) VALUES (7000, 'theirs'); REFRESH TABLE shop.people");
        let refused = workspace.run(&["apply", "--auto-approve"]).expect(1).all();
        assert!(refused.contains("it may be half a copy that a cut run left"), "{refused}");
        assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people WHERE name = 'theirs'"), 1);
    }
}

#[test]
fn a_table_that_is_in_place_stays_when_the_next_one_fails() {
    let (pair, workspace) = prepared(&CASES[0]);
    pair.sql(
        "shop",
        "CREATE TABLE shop.rest (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0); INSERT INTO shop.rest (id) VALUES (1)",
    );
    declare(&workspace, "shop.people\n      - { from: shop.rest, to: shop.others }", "existing: error");
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    pair.sandbox.faults(vec![lasting(("analytics", " rename to ", 1), what)]);
    let _ = workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    let identity = "SELECT oid FROM pg_catalog.pg_class WHERE relname = 'people'";
    let before = pair.number("analytics", identity);
    workspace.apply();
    workspace.is_settled();
    assert_eq!(pair.number("analytics", identity), before, "it was not made again");
    pair.sql("analytics", "REFRESH TABLE shop.others");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.others"), 1);
}

#[test]
fn a_half_copy_into_which_somebody_writes_is_not_dropped_by_the_run_that_let_go_of_it() {
    let case = &CASES[1];
    let (pair, workspace) = prepared(case);
    half_of(&pair, &workspace, "alter publication");
    let (cluster, statement) = ("analytics".to_owned(), "drop subscription".to_owned());
    let what = What::Delay(Duration::from_secs(2));
    pair.sandbox.faults(vec![Fault { cluster, statement, nth: 1, times: 1, what }]);
    let again = Transship::new(&workspace, &["apply", "--auto-approve", "--resync", "copy"]).start();
    let write = "INSERT INTO shop.people (id, name) VALUES (7000, 'theirs')";
    wait_until("the table is let go", Duration::from_secs(30), || pair.sandbox.execute("analytics", write).is_ok());
    let failed = again.wait().expect(7).all();
    assert!(failed.contains("has something else than it had"), "{failed}");
    pair.sql("analytics", "REFRESH TABLE shop.people");
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people WHERE name = 'theirs'"), 1);
}
