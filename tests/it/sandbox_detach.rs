//! `then: detach` from end to end in the sandbox, and every statement of it cut: before it did anything, after it was done
//! with its answer lost, or refused. Run again, it has to converge: equal data, an empty plan, nothing left anywhere.

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::Pair;

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
/// The ledger's row of the flow: before the steps, with what arrives, with what is in sync, and what comes after.
const BEGUN: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 1);
const ARRIVING: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 2);
const SYNCED: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 3);
const AFTER: (&str, &str, u32) = ("analytics", "insert into \"transship\".\"flows\"", 4);

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

/// A half copy that nothing follows any more looks whole: only the ledger tells.
#[test]
fn a_subscription_that_was_dropped_by_hand_leaves_a_half_copy_that_is_cleared() {
    let case = &CASES[1];
    let (pair, workspace) = prepared(case);
    let (cluster, statement) = ("analytics".to_owned(), "insert into \"transship\".\"flows\"".to_owned());
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    pair.sandbox.faults(vec![Fault { cluster, statement, nth: 3, times: u32::MAX, what }]);
    let _ = workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    pair.sql("analytics", "DROP SUBSCRIPTION transship__sandboxed__copy");
    workspace.apply();
    holds(case, &pair, &workspace).unwrap_or_else(|problem| panic!("{problem}"));
}
