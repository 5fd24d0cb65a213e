//! Every statement of a copy cut by the sandbox's fault script: before it did anything, after it was done with its answer
//! lost, or refused; once, or until the run gives up. Run again, it has to converge: equal data, an empty plan, nothing left
//! aside. A new kind of step is covered by a part of its statement in [`CASES`].

use std::collections::BTreeSet;

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::Pair;

/// A flow in a situation, and the statements that are cut.
struct Case {
    name: &'static str,
    /// What is on the target before.
    before: &'static str,
    /// The entries that are applied uncut before, one after the other, so that the flow made the target.
    first: &'static [&'static str],
    entry: &'static str,
    strategy: &'static str,
    keys: &'static str,
    /// Parts of the statements, each with which of them is cut.
    cuts: &'static [(&'static str, u32)],
    /// The tables under reserved names at the end, at most.
    aside: usize,
    /// The rows of the target at the end.
    expected: &'static str,
}

const STREAM: &str = "custom: { engine: stream }";
const FOREIGN: &str = "custom: { engine: foreign-table, chunk_rows: 10 }";
const SNAPSHOT: &str = "snapshot: { store: disk }";
const THEIRS: &str = "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
    INSERT INTO shop.people (id, name) VALUES (1, 'old'), (900, 'theirs'); REFRESH TABLE shop.people;
    CREATE USER app; GRANT DQL ON TABLE shop.people TO app";
const EMPTY: &str = "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0)";
const ALL: &str = "shop.people";
const SOME: &str = "{ from: shop.people, where: id > 5 }";

const CREATE: (&str, u32) = ("create table \"shop\"", 1);
const FILL: (&str, u32) = ("insert into \"shop\".\"transship__", 1);
const FILL_MIDDLE: (&str, u32) = ("insert into \"shop\".\"transship__", 5);
const SERVER: (&str, u32) = ("create server \"transship__", 1);
const MAPPING: (&str, u32) = ("create user mapping", 1);
const FAR: (&str, u32) = ("create foreign table", 1);
const NEAR: (&str, u32) = ("drop foreign table", 1);
const UNMAP: (&str, u32) = ("drop user mapping", 1);
const UNSERVE: (&str, u32) = ("drop server", 1);
const PULL: (&str, u32) = ("insert into \"shop\".\"transship__", 2);
const REFRESH: (&str, u32) = ("refresh table \"shop\".\"transship__", 1);
const COUNT: (&str, u32) = ("select count(*) as count from \"shop\".\"transship__", 1);
const RENAME: (&str, u32) = (" rename to ", 1);
const GRANT: (&str, u32) = ("grant dql on table", 1);
const SWAP: (&str, u32) = ("swap table", 1);
const SWITCH: (&str, u32) = ("create or replace view", 1);
const DROP: (&str, u32) = ("drop table", 1);
const INTO: (&str, u32) = ("insert into \"shop\".\"people\"", 1);
const INTO_MIDDLE: (&str, u32) = ("insert into \"shop\".\"people\"", 5);
const ON_VIEW: (&str, u32) = ("grant dql on view", 1);
const REPOSITORY: (&str, u32) = ("create repository \"transship__", 1);
const SNAP: (&str, u32) = ("create snapshot \"transship__", 1);
const MARK_PLACE: (&str, u32) = ("create repository \"transship_marker__", 1);
const MARK_TABLE: (&str, u32) = ("\"store_marker\" (p", 1);
const MARK: (&str, u32) = ("create snapshot \"transship_marker__", 1);
const UNMARK: (&str, u32) = ("drop snapshot \"transship_marker__", 1);
const UNMARK_PLACE: (&str, u32) = ("drop repository \"transship_marker__", 1);
const SET: (&str, u32) = (" set (", 1);
const RESTORE: (&str, u32) = ("restore snapshot", 1);
/// The ledger's row of the flow: before the steps, with a copy that is about to be put in place or a table that rows are
/// about to be added to, and at the end.
const BEGUN: (&str, u32) = ("insert into \"transship\".\"flows\"", 1);
const PLACING: (&str, u32) = ("insert into \"transship\".\"flows\"", 2);
const DONE: (&str, u32) = ("insert into \"transship\".\"flows\"", 3);

const CASES: &[Case] = &[
    Case {
        name: "create",
        before: "",
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: error",
        cuts: &[BEGUN, CREATE, FILL, FILL_MIDDLE, REFRESH, COUNT, RENAME, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "a target reads by itself",
        before: "",
        first: &[],
        entry: ALL,
        strategy: FOREIGN,
        keys: "existing: error",
        cuts: &[BEGUN, SERVER, MAPPING, CREATE, FAR, FILL, PULL, REFRESH, COUNT, NEAR, RENAME, UNMAP, UNSERVE, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "a target replaces what is ours",
        before: "",
        first: &[ALL],
        entry: SOME,
        strategy: FOREIGN,
        keys: "existing: replace",
        cuts: &[FAR, PULL, NEAR, SWAP, UNMAP, UNSERVE, DONE],
        aside: 0,
        expected: "6..30",
    },
    Case {
        name: "replace what is there by a swap",
        before: THEIRS,
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: replace",
        cuts: &[BEGUN, CREATE, FILL_MIDDLE, COUNT, GRANT, SWAP, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "replace what is ours by a swap",
        before: "",
        first: &[ALL],
        entry: SOME,
        strategy: STREAM,
        keys: "existing: replace",
        cuts: &[BEGUN, CREATE, FILL_MIDDLE, SWAP, PLACING, DONE],
        aside: 0,
        expected: "6..30",
    },
    Case {
        name: "make a view",
        before: "",
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: replace\n    replace_by: view",
        cuts: &[BEGUN, CREATE, FILL_MIDDLE, SWITCH, PLACING, DONE],
        aside: 2,
        expected: "1..30",
    },
    Case {
        name: "switch a view",
        before: "",
        first: &[ALL],
        entry: SOME,
        strategy: STREAM,
        keys: "existing: replace\n    replace_by: view",
        cuts: &[BEGUN, CREATE, FILL_MIDDLE, SWITCH, PLACING, DONE],
        aside: 2,
        expected: "6..30",
    },
    Case {
        name: "switch a view once more",
        before: "",
        first: &[ALL, "{ from: shop.people, where: id > 2 }"],
        entry: SOME,
        strategy: STREAM,
        keys: "existing: replace\n    replace_by: view",
        cuts: &[SWITCH, DROP, PLACING, DONE],
        aside: 2,
        expected: "6..30",
    },
    Case {
        name: "a view takes the place of a table",
        before: THEIRS,
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: replace\n    replace_by: view",
        cuts: &[BEGUN, CREATE, FILL_MIDDLE, RENAME, SWITCH, ON_VIEW, PLACING, DONE],
        aside: 3,
        expected: "1..30",
    },
    Case {
        name: "upsert",
        before: THEIRS,
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: upsert",
        cuts: &[BEGUN, INTO, INTO_MIDDLE, PLACING, DONE],
        aside: 0,
        expected: "1..30, 900",
    },
    Case {
        name: "skip what is not there",
        before: "",
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: skip",
        cuts: &[CREATE, FILL_MIDDLE, RENAME, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "append",
        before: EMPTY,
        first: &[],
        entry: ALL,
        strategy: STREAM,
        keys: "existing: append",
        cuts: &[BEGUN, INTO, INTO_MIDDLE, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "restore a snapshot",
        before: "",
        first: &[],
        entry: ALL,
        strategy: SNAPSHOT,
        keys: "existing: error",
        cuts: &[BEGUN, REPOSITORY, SNAP, RESTORE, REFRESH, COUNT, RENAME, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "replace by a snapshot",
        before: THEIRS,
        first: &[],
        entry: ALL,
        strategy: SNAPSHOT,
        keys: "existing: replace",
        cuts: &[REPOSITORY, SNAP, RESTORE, GRANT, SWAP, PLACING, DONE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "restore from a store that is checked",
        before: "",
        first: &[],
        entry: ALL,
        strategy: SNAPSHOT,
        keys: "existing: error",
        cuts: &[MARK_PLACE, MARK_TABLE, MARK, UNMARK, UNMARK_PLACE],
        aside: 0,
        expected: "1..30",
    },
    Case {
        name: "restore with other settings",
        before: "",
        first: &[],
        entry: ALL,
        strategy: SNAPSHOT,
        keys: "existing: error\n    target: { replicas: 0-1, refresh_interval: 5000 }",
        cuts: &[SET, RENAME],
        aside: 0,
        expected: "1..30",
    },
];

/// What happens to a statement: its name, what, and how often.
type Way = (&'static str, What, u32);

/// The ways in which every run of the tests cuts.
fn some_ways() -> Vec<Way> {
    vec![
        ("cut before it, always", What::DropConnectionBefore, u32::MAX),
        ("its answer lost, once", What::DropConnectionAfter, 1),
        ("its answer lost, always", What::DropConnectionAfter, u32::MAX),
    ]
}

/// All ways; they take a minute or two.
fn all_ways() -> Vec<Way> {
    let fail = || What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
    let mut ways = some_ways();
    ways.push(("cut before it, once", What::DropConnectionBefore, 1));
    ways.push(("refused, once", fail(), 1));
    ways.push(("refused, always", fail(), u32::MAX));
    ways
}

fn declare(workspace: &Workspace, case: &Case, entry: &str) {
    let (exchange, Case { strategy, keys, .. }) = (Pair::exchange().display(), case);
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {exchange} }}\nflows:\n  copy:\n    from: shop\n    \
             to: analytics\n    tables:\n      - {entry}\n    strategy: {{ {strategy} }}\n    {keys}\n"
        ),
    );
}

/// Two clusters with the case's tables, and its workspace.
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
    for first in case.first {
        declare(&workspace, case, first);
        workspace.apply();
    }
    declare(&workspace, case, case.entry);
    (pair, workspace)
}

fn first_column(pair: &Pair, sql: &str) -> Vec<String> {
    pair.sql("analytics", sql).texts.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

/// The ids of the target in runs: `1..30, 900`; a row that does not say what the source does is marked.
fn rows(pair: &Pair) -> String {
    let found = first_column(
        pair,
        "SELECT id || CASE WHEN name = 'n' || id OR id = 900 THEN '' ELSE '!' END FROM shop.people ORDER BY id",
    );
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for id in &found {
        let Ok(id) = id.parse::<i64>() else { return found.join(" ") };
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let shown = |(from, to): &(i64, i64)| if from == to { from.to_string() } else { format!("{from}..{to}") };
    runs.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Applies again; an append that may have added rows is refused first, and goes on when those are out.
fn again(case: &Case, pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    let outcome = workspace.run(&["apply", "--auto-approve"]);
    if outcome.code == 0 {
        return Ok(());
    }
    let is_append = case.keys == "existing: append" && outcome.all().contains("plan::append-unfinished");
    if outcome.code != 1 || !is_append {
        return Err(format!("the second run exits {}\n{}", outcome.code, outcome.all()));
    }
    pair.sql("analytics", "REFRESH TABLE shop.people; DELETE FROM shop.people WHERE id > 0; REFRESH TABLE shop.people");
    let outcome = workspace.run(&["apply", "--auto-approve", "--resync", "copy"]);
    if outcome.code == 0 { Ok(()) } else { Err(format!("the third run exits {}\n{}", outcome.code, outcome.all())) }
}

/// Cuts one statement in one way; an error says what does not hold afterwards.
fn cut(case: &Case, (statement, nth): (&str, u32), (how, what, times): &Way) -> Result<(), String> {
    let (pair, workspace) = prepared(case);
    let statement = statement.to_owned();
    let on = |cluster: &str| {
        let (cluster, statement) = (cluster.to_owned(), statement.clone());
        Fault { cluster, statement, nth, times: *times, what: what.clone() }
    };
    pair.sandbox.faults(vec![on("shop"), on("analytics")]);
    let first = workspace.run(&["apply", "--auto-approve"]);
    pair.sandbox.faults(Vec::new());
    let held = match first.code {
        0 if how == &"cut before it, always" => Err("nothing fails: there is no such statement".to_owned()),
        0 | 1 | 7 => again(case, &pair, &workspace).and_then(|()| holds(case, &pair, &workspace)),
        code => Err(format!("the first run exits {code}\n{}", first.all())),
    };
    let place = || format!("{}: `{statement}` no. {nth} {how}", case.name);
    held.map_err(|problem| format!("{}, exit {}: {problem}", place(), first.code))
}

/// The tables under reserved names.
fn aside(pair: &Pair) -> Vec<String> {
    first_column(
        pair,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' AND table_name LIKE 'transship_%'",
    )
}

/// What has to hold in the end.
fn holds(case: &Case, pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    let found = rows(pair);
    if found != case.expected {
        return Err(format!("it holds {found}"));
    }
    // A version that was whole when the run was cut may stay until the next run that copies.
    if aside(pair).len() > case.aside && case.keys.contains("view") {
        let _ = workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    }
    let aside = aside(pair);
    if aside.len() > case.aside {
        return Err(format!("left aside: {aside:?}"));
    }
    for cluster in ["shop", "analytics"] {
        let markers = "SELECT name FROM sys.repositories WHERE name LIKE 'transship_marker%'";
        if !pair.sql(cluster, markers).texts.is_empty() {
            return Err(format!("a repository of markers is left on {cluster}"));
        }
    }
    let settled = workspace.run(&["plan", "--detailed-exitcode"]);
    if settled.code == 0 { Ok(()) } else { Err(format!("the last plan exits {}\n{}", settled.code, settled.all())) }
}

/// Runs all cuts of some cases, several at a time: most of their time they wait before they try again.
fn every_cut(names: &[&str], ways: &[Way]) {
    let cases = CASES.iter().filter(|case| names.contains(&case.name));
    let cuts = cases.flat_map(|case| case.cuts.iter().map(move |at| (case, *at)));
    let all = cuts.flat_map(|(case, at)| ways.iter().map(move |way| (case, at, way)));
    crate::sandbox::all_converge(all.collect(), |(case, at, way)| cut(case, at, way));
}

const MADE: [&str; 2] = ["create", "skip what is not there"];
const PULLED: [&str; 2] = ["a target reads by itself", "a target replaces what is ours"];
const SWAPPED: [&str; 2] = ["replace what is there by a swap", "replace what is ours by a swap"];
const VIEWED: [&str; 4] =
    ["make a view", "switch a view", "switch a view once more", "a view takes the place of a table"];
const RESTORED: [&str; 4] = [
    "restore a snapshot",
    "replace by a snapshot",
    "restore from a store that is checked",
    "restore with other settings",
];
const WRITTEN_INTO: [&str; 2] = ["upsert", "append"];

#[test]
fn copies_that_are_made_converge() {
    every_cut(&MADE, &some_ways());
}

#[test]
fn copies_that_a_target_makes_by_itself_converge() {
    every_cut(&PULLED, &some_ways());
}

#[test]
fn copies_that_are_restored_converge() {
    every_cut(&RESTORED, &some_ways());
}

#[test]
fn copies_that_are_swapped_in_converge() {
    every_cut(&SWAPPED, &some_ways());
}

#[test]
fn copies_that_views_read_converge() {
    every_cut(&VIEWED, &some_ways());
}

#[test]
fn copies_into_what_is_there_converge() {
    every_cut(&WRITTEN_INTO, &some_ways());
}

#[test]
#[ignore = "it takes a minute or two"]
fn every_way_to_cut_converges() {
    every_cut(&[&MADE[..], &PULLED, &SWAPPED, &VIEWED, &RESTORED, &WRITTEN_INTO].concat(), &all_ways());
}

#[test]
fn every_case_is_cut() {
    let listed: BTreeSet<&str> = MADE
        .iter()
        .chain(&PULLED)
        .chain(&SWAPPED)
        .chain(&VIEWED)
        .chain(&RESTORED)
        .chain(&WRITTEN_INTO)
        .copied()
        .collect();
    assert_eq!(listed, CASES.iter().map(|case| case.name).collect(), "a new case belongs into one of the lists");
}
