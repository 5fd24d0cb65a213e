//! Copies by chunks in the sandbox, cut at the boundaries of chunks and inside of them: the next run goes on with what is
//! whole, reads none of it again, and ends with the same rows.

use std::collections::BTreeSet;

use serde_json::Value;
use transship_sandbox::{Fault, What};

use crate::noted::{noted, whole_chunks};
use crate::real::Workspace;
use crate::sandbox::Pair;

/// A table of sixty rows, and the condition of the rows that a chunk of it has on the target.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    /// Its columns and options.
    definition: &'static str,
    /// What makes its rows of the numbers `g` from 1 to 60.
    values: &'static str,
    entry: &'static str,
    /// The column that divides its rows, and the type of its bounds.
    by: (&'static str, &'static str),
}

const SHAPES: [Shape; 4] = [
    Shape {
        name: "whole numbers",
        definition: "(id BIGINT PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS",
        values: "g, 'n' || g",
        entry: "shop.people",
        by: ("id", "bigint"),
    },
    Shape {
        name: "texts, renamed",
        definition: "(id TEXT PRIMARY KEY, name TEXT)",
        values: "'k' || (g * 7919 % 1000) || 'x' || g, 'n' || g",
        entry: "{ from: shop.people, columns: { key: id, name: name } }",
        by: ("key", "text"),
    },
    Shape {
        name: "partitions without a key",
        definition: "(id TEXT, name TEXT, month INTEGER) PARTITIONED BY (month)",
        values: "'k' || g, 'n' || g, g % 6",
        entry: "shop.people",
        by: ("month", "integer"),
    },
    Shape {
        name: "chosen rows by time",
        definition: "(at TIMESTAMP WITH TIME ZONE, name TEXT, PRIMARY KEY (at)) CLUSTERED INTO 1 SHARDS",
        values: "1700000000000 + g * 86400000, 'n' || g",
        entry: "{ from: shop.people, where: \"name <> 'n0' OR name IS NULL\" }",
        by: ("at", "bigint"),
    },
];

const FILL: &str = "insert into \"shop\".\"transship__";
const REFRESH: &str = "refresh table \"shop\".\"transship__";
const COUNT: &str = "select count(*) as count from \"shop\".\"transship__";
const NOTE: &str = "insert into \"transship\".\"flows\"";
const RENAME: &str = " rename to ";

fn declare(workspace: &Workspace, entry: &str, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - {entry}\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: 10 }} }}\n    {more}\n"
        ),
    );
}

fn prepared(shape: &Shape) -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        &format!(
            "CREATE TABLE shop.people {} WITH (number_of_replicas = 0);
             INSERT INTO shop.people SELECT {} FROM generate_series(1::bigint, 60::bigint) AS t(g); REFRESH TABLE shop.people",
            shape.definition, shape.values
        ),
    );
    let workspace = pair.workspace();
    declare(&workspace, shape.entry, "existing: replace");
    (pair, workspace)
}

fn fault(cluster: &str, statement: &str, (nth, times): (u32, u32), what: What) -> Fault {
    Fault { cluster: cluster.to_owned(), statement: statement.to_owned(), nth, times, what }
}

/// The first column of an answer.
fn column(pair: &Pair, cluster: &str, sql: &str) -> Vec<String> {
    pair.sql(cluster, sql).texts.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

/// What the ledger has of the copy aside.
fn copying(pair: &Pair) -> Option<Value> {
    let row = noted(&pair.sandbox, "analytics").into_iter().find(|row| row.flow == "copy")?;
    row.document["copying"].as_object()?.values().next().cloned()
}

/// Which chunks the ledger takes for whole; an error where one of them is not.
fn whole(pair: &Pair, shape: &Shape) -> Result<BTreeSet<usize>, String> {
    match copying(pair) {
        Some(noted) => whole_chunks(&pair.sandbox, "analytics", &noted, shape.by),
        None => Ok(BTreeSet::new()),
    }
}

/// How many chunks were read so far.
fn read(pair: &Pair) -> usize {
    let read =
        "SELECT stmt FROM sys.jobs_log WHERE stmt LIKE 'SELECT %' AND stmt LIKE '% FROM \"shop\".\"people\" WHERE %'
      AND stmt LIKE '%$2::text%'";
    column(pair, "shop", read).len()
}

fn rows(pair: &Pair, cluster: &str) -> Vec<Vec<Option<String>>> {
    pair.sql(cluster, "SELECT * FROM shop.people ORDER BY name").texts
}

/// Both sides are equal, nothing is left aside, and nothing is to be done.
fn holds(pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    let (source, target) = (rows(pair, "shop"), rows(pair, "analytics"));
    if source != target {
        return Err(format!("{} rows became {}", source.len(), target.len()));
    }
    let aside = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' AND table_name LIKE 'transship_%'";
    let aside = column(pair, "analytics", aside);
    if !aside.is_empty() {
        return Err(format!("left aside: {aside:?}"));
    }
    if let Some(noted) = copying(pair) {
        return Err(format!("the ledger still has {noted}"));
    }
    let settled = workspace.run(&["plan", "--detailed-exitcode"]);
    if settled.code == 0 { Ok(()) } else { Err(format!("the last plan exits {}\n{}", settled.code, settled.all())) }
}

/// Cuts a run by `faults`, and runs again: what is whole by then is not read again.
fn cut(shape: &Shape, faults: &[Fault]) -> Result<(), String> {
    let (pair, workspace) = prepared(shape);
    pair.sandbox.faults(faults.to_vec());
    let first = workspace.run(&["apply", "--auto-approve"]);
    pair.sandbox.faults(Vec::new());
    let held = || -> Result<(), String> {
        let before = whole(&pair, shape)?;
        let (all, so_far) =
            (copying(&pair).map_or(6, |noted| noted["chunks"].as_array().map_or(0, Vec::len)), read(&pair));
        let again = workspace.run(&["apply", "--auto-approve"]);
        if again.code != 0 {
            return Err(format!("the second run exits {}\n{}", again.code, again.all()));
        }
        let expected = if first.code == 0 { 0 } else { all - before.len() };
        let found = read(&pair) - so_far;
        if found != expected && !before.is_empty() {
            return Err(format!("{found} chunks were read by the second run, {} of {all} were whole", before.len()));
        }
        holds(&pair, &workspace)
    };
    held().map_err(|problem| format!("{}, {faults:?}, exit {}: {problem}\n{}", shape.name, first.code, first.all()))
}

#[test]
fn tables_are_divided_by_every_kind_of_column() {
    for shape in &SHAPES {
        let (pair, workspace) = prepared(shape);
        let applied = workspace.apply();
        assert!(applied.all().contains("60 rows in 6 chunks"), "{}: {}", shape.name, applied.all());
        assert_eq!(read(&pair), 6, "{}", shape.name);
        holds(&pair, &workspace).unwrap_or_else(|problem| panic!("{}: {problem}", shape.name));
    }
}

#[test]
fn a_small_table_is_one_chunk_and_nothing_else_is_asked() {
    let (pair, workspace) = prepared(&SHAPES[0]);
    pair.sql("shop", "DELETE FROM shop.people WHERE id > 15; REFRESH TABLE shop.people");
    pair.sql(
        "shop",
        "CREATE TABLE shop.few (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0);
        INSERT INTO shop.few (id) VALUES (1), (2); REFRESH TABLE shop.few",
    );
    declare(&workspace, "shop.*", "existing: replace");
    workspace.apply();
    assert_eq!(read(&pair), 0);
    let sampled = column(&pair, "shop", "SELECT stmt FROM sys.jobs_log WHERE stmt LIKE '%_docid%'");
    assert_eq!(sampled.len(), 1, "of the table of which 45 rows are gone: {sampled:?}");
    holds(&pair, &workspace).expect("it is copied");
}

#[test]
fn rows_without_a_partition_are_copied_too() {
    let (pair, workspace) = prepared(&SHAPES[2]);
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, month) VALUES ('a', 'z1', NULL), ('b', 'z2', NULL);
        REFRESH TABLE shop.people",
    );
    pair.sandbox.faults(vec![fault("analytics", FILL, (5, u32::MAX), What::DropConnectionAfter)]);
    workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    workspace.apply();
    holds(&pair, &workspace).expect("all are there");
}

/// Statements of the target that are cut, each with which of them. The ledger's row of the flow is written before the
/// steps, with the chunks, after each chunk, with the copy that is about to be put in place, and at the end.
const CUTS: [(&str, &[u32]); 5] = [
    (FILL, &[1, 5, 11, 25, 31, 55, 60]),
    (REFRESH, &[1, 2, 6]),
    (COUNT, &[1, 2, 6, 7]),
    (NOTE, &[1, 2, 3, 5, 8, 9, 10]),
    (RENAME, &[1]),
];

/// Of the source: a sample, and chunks.
const SOURCE_CUTS: [(&str, &[u32]); 2] = [("_docid", &[1]), ("$2::text", &[1, 2, 4, 6])];

fn every_cut(shapes: &[Shape], what: &What) {
    let mut cuts = Vec::new();
    for shape in shapes {
        for (cluster, all) in [("analytics", &CUTS[..]), ("shop", &SOURCE_CUTS)] {
            for (statement, each) in all {
                let of = |nth: &u32| (*shape, vec![fault(cluster, statement, (*nth, u32::MAX), what.clone())]);
                cuts.extend(each.iter().map(of));
            }
        }
    }
    crate::sandbox::all_converge(cuts, |(shape, faults)| cut(&shape, &faults));
}

#[test]
fn a_run_that_is_cut_before_a_statement_is_gone_on_with() {
    every_cut(&SHAPES[2..3], &What::DropConnectionBefore);
}

#[test]
fn a_run_that_is_cut_after_a_statement_is_gone_on_with() {
    every_cut(&SHAPES[0..1], &What::DropConnectionAfter);
}

#[test]
#[ignore = "it takes a minute or two"]
fn every_cut_of_every_shape_is_gone_on_with() {
    every_cut(&SHAPES, &What::DropConnectionBefore);
    every_cut(&SHAPES, &What::DropConnectionAfter);
}

#[test]
fn the_run_that_goes_on_may_be_cut_as_well() {
    let cuts: Vec<(&str, u32)> = vec![
        ("delete from \"shop\".\"transship__", 1),
        ("delete from", 3),
        (COUNT, 1),
        (COUNT, 2),
        (FILL, 3),
        (NOTE, 2),
    ];
    let shapes = [(&SHAPES[1], What::DropConnectionBefore), (&SHAPES[2], What::DropConnectionAfter)];
    let all: Vec<_> =
        shapes.iter().flat_map(|(shape, what)| cuts.iter().map(move |at| (*shape, *at, what.clone()))).collect();
    crate::sandbox::all_converge(all, |(shape, (statement, nth), what)| {
        let (pair, workspace) = prepared(shape);
        pair.sandbox.faults(vec![fault("analytics", FILL, (25, u32::MAX), What::DropConnectionAfter)]);
        let first = workspace.run(&["apply", "--auto-approve"]);
        pair.sandbox.faults(vec![fault("analytics", statement, (nth, u32::MAX), what.clone())]);
        let second = workspace.run(&["apply", "--auto-approve"]);
        pair.sandbox.faults(Vec::new());
        whole(&pair, shape)?;
        let third = workspace.run(&["apply", "--auto-approve"]);
        let exits = (first.code, second.code, third.code);
        let told = || format!("{}: `{statement}` no. {nth} {what:?}, {exits:?}\n{}", shape.name, third.all());
        if exits != (7, 7, 0) {
            return Err(told());
        }
        holds(&pair, &workspace).map_err(|problem| format!("{problem}; {}", told()))
    });
}

/// A run that was cut in the third chunk, or in the second, which is under way at the same time. The others are whole.
fn cut_in_the_middle() -> (Pair, Workspace) {
    let (pair, workspace) = prepared(&SHAPES[0]);
    pair.sandbox.faults(vec![fault("analytics", FILL, (25, u32::MAX), What::DropConnectionBefore)]);
    workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    assert!((1..3).contains(&whole(&pair, &SHAPES[0]).expect("what is noted is there").len()));
    (pair, workspace)
}

#[test]
fn whoever_reviews_is_told_what_is_gone_on_with() {
    let (pair, workspace) = cut_in_the_middle();
    let before = whole(&pair, &SHAPES[0]).expect("what is noted is there").len();
    let shown = workspace.run(&["plan"]).expect(0).all();
    assert!(shown.contains(&format!("a run that was cut copied {before} of 6 chunks")), "{shown}");
    assert!(!shown.contains("create-table"), "{shown}");
    let applied = workspace.apply().all();
    assert!(applied.contains(&format!("60 rows in 6 chunks, of which an earlier run copied {before}")), "{applied}");
}

#[test]
fn what_does_not_fit_is_copied_from_scratch() {
    let rebuild = "DROP TABLE shop.people; CREATE TABLE shop.people (id BIGINT PRIMARY KEY, name TEXT) CLUSTERED INTO 2
        SHARDS WITH (number_of_replicas = 0); INSERT INTO shop.people SELECT g, 'm' || g FROM generate_series(1, 60) AS t(g);
        REFRESH TABLE shop.people";
    let (pair, workspace) = cut_in_the_middle();
    pair.sql("shop", rebuild);
    let so_far = read(&pair);
    workspace.apply();
    assert_eq!(read(&pair) - so_far, 6, "the source is another table");
    holds(&pair, &workspace).expect("it is copied");

    let (pair, workspace) = cut_in_the_middle();
    let so_far = read(&pair);
    workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    assert_eq!(read(&pair) - so_far, 6, "somebody asked for it");
    holds(&pair, &workspace).expect("it is copied");

    let (pair, workspace) = cut_in_the_middle();
    declare(&workspace, "{ from: shop.people, where: id > 0 }", "existing: replace");
    let so_far = read(&pair);
    workspace.apply();
    assert_eq!(read(&pair) - so_far, 6, "something else is asked for");
    holds(&pair, &workspace).expect("it is copied");
}

#[test]
fn a_copy_that_somebody_has_changed_is_not_gone_on_with() {
    let changes = ["DELETE FROM COPY WHERE id = 3", "INSERT INTO COPY (id, name) VALUES (-1, 'theirs')"];
    for change in changes {
        let (pair, workspace) = cut_in_the_middle();
        let copy = copying(&pair).expect("a copy")["copy"].as_str().expect("a name").to_owned();
        pair.sql("analytics", &format!("{change}; REFRESH TABLE COPY").replace("COPY", &copy));
        let refused = workspace.run(&["apply", "--auto-approve"]).expect(7);
        assert!(refused.all().contains("apply::count-differs"), "{}", refused.all());
        assert_eq!(copying(&pair), None);
        let so_far = read(&pair);
        workspace.apply();
        assert_eq!(read(&pair) - so_far, 6, "from scratch");
        holds(&pair, &workspace).expect("it is copied");
    }
}

#[test]
fn what_changes_during_the_pause_is_due_afterwards() {
    let (pair, workspace) = prepared(&SHAPES[0]);
    let often = "existing: replace\n    repeat: on-change";
    declare(&workspace, SHAPES[0].entry, often);
    pair.sandbox.faults(vec![fault("analytics", FILL, (25, u32::MAX), What::DropConnectionBefore)]);
    workspace.run(&["apply", "--auto-approve"]).expect(7);
    pair.sandbox.faults(Vec::new());
    pair.sql("shop", "UPDATE shop.people SET name = 'changed' WHERE id = 1; REFRESH TABLE shop.people");
    workspace.apply();
    assert_ne!(rows(&pair, "shop"), rows(&pair, "analytics"), "the chunk was whole by then");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.apply();
    holds(&pair, &workspace).expect("it is copied again");
}

/// A generator of numbers: the same from the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Runs are cut at random until one ends well; no chunk that is whole is read twice.
fn random_cuts(seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let shape = &SHAPES[usize::try_from(random.below(4)).expect("small")];
    let (pair, workspace) = prepared(shape);
    let mut told = Vec::new();
    for _ in 0..8 {
        let statements = [FILL, FILL, FILL, COUNT, REFRESH, NOTE, "delete from", RENAME, "create table \"shop\""];
        let statement = statements[usize::try_from(random.below(9)).expect("small")];
        let most = if statement == FILL { 60 } else { 10 };
        let nth = u32::try_from(1 + random.below(most)).expect("small");
        let what = if random.below(2) == 0 { What::DropConnectionBefore } else { What::DropConnectionAfter };
        let times = if random.below(3) == 0 { 1 } else { u32::MAX };
        let before = whole(&pair, shape)?;
        let so_far = read(&pair);
        pair.sandbox.faults(vec![fault("analytics", statement, (nth, times), what)]);
        let run = workspace.run(&["apply", "--auto-approve"]);
        pair.sandbox.faults(Vec::new());
        let after = whole(&pair, shape)?;
        told.push(format!("`{statement}` no. {nth} x {times}: exit {}, whole {before:?} then {after:?}", run.code));
        if ![0, 1, 7].contains(&run.code) {
            return Err(format!("seed {seed}: {told:#?}\n{}", run.all()));
        }
        let twice = read(&pair) - so_far + before.len() > 6;
        if twice || (run.code != 0 && !before.is_subset(&after) && !after.is_empty()) {
            return Err(format!("seed {seed}: a chunk was read twice: {told:#?}"));
        }
        if run.code == 0 {
            break;
        }
    }
    let last = workspace.run(&["apply", "--auto-approve"]);
    if last.code != 0 {
        return Err(format!("seed {seed}: {told:#?}\nthe last run exits {}\n{}", last.code, last.all()));
    }
    holds(&pair, &workspace).map_err(|problem| format!("seed {seed}: {told:#?}\n{problem}"))
}

#[test]
fn random_cuts_end_in_the_same_state() {
    let seeds = std::env::var("TRANSSHIP_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = seeds.map_or_else(|| (1..=16).collect(), |seed| vec![seed]);
    crate::sandbox::all_converge(seeds, random_cuts);
}
