//! Copies by chunks on real clusters: runs that are killed in the middle are gone on with, and nothing is lost, doubled, or
//! read again.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::real::{Cluster, Copies, Transship, wait_until};

/// How many rows a chunk has, and how many there are, about.
const CHUNK: u64 = 10_000;
const ROWS: u64 = 120_000;

/// A table of many rows: its columns and options, and what makes its rows of the numbers `g`.
struct Shape {
    name: &'static str,
    definition: &'static str,
    values: &'static str,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "chunkint",
        definition: "(id BIGINT PRIMARY KEY, name TEXT, at TIMESTAMP WITH TIME ZONE) CLUSTERED INTO 2 SHARDS",
        values: "g * 7, 'n' || g, 1700000000000 + g * 1000",
    },
    Shape {
        name: "chunktext",
        definition: "(id TEXT PRIMARY KEY, name TEXT, at TIMESTAMP WITH TIME ZONE) CLUSTERED INTO 2 SHARDS",
        values: "md5(g::text), 'n' || g, 1700000000000 + g * 1000",
    },
    Shape {
        name: "chunkparts",
        definition: "(id BIGINT, name TEXT, at TIMESTAMP WITH TIME ZONE, \
                     day TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('day', at)) \
                     CLUSTERED INTO 2 SHARDS PARTITIONED BY (day)",
        values: "g, 'n' || g, 1700000000000 + g * 10000",
    },
];

fn prepared(shape: &Shape) -> Option<Copies> {
    let copies = Copies::bare(shape.name)?;
    let people = copies.people();
    let columns = shape.values.split(", ").count();
    let names = ["id", "name", "at"][..columns].join(", ");
    copies.alpha().sql(&format!(
        "CREATE TABLE {people} {} WITH (number_of_replicas = 0); \
         INSERT INTO {people} ({names}) SELECT {} FROM generate_series(1::bigint, {ROWS}::bigint) AS t(g); \
         REFRESH TABLE {people}",
        shape.definition, shape.values
    ));
    assert_eq!(copies.alpha().count(&people), ROWS);
    let flow = format!(
        "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: [{}.people]\n    \
         strategy: {{ custom: {{ engine: stream, chunk_rows: {CHUNK} }} }}\n",
        copies.scope.schema
    );
    copies.workspace.write("flows.yaml", &flow);
    Some(copies)
}

fn whole(copies: &Copies) -> (usize, usize) {
    whole_on(copies.beta(), copies)
}

/// How many chunks the ledger of a target takes for whole, and how many there are.
pub(crate) fn whole_on(beta: &Cluster, copies: &Copies) -> (usize, usize) {
    if beta.try_sql("REFRESH TABLE transship.flows").is_err() {
        return (0, 0);
    }
    let workspace = &copies.scope.workspace;
    let row = beta.value(&format!("SELECT document FROM transship.flows WHERE workspace = '{workspace}'"));
    let Some(row) = row.and_then(|row| serde_json::from_str::<Value>(&row).ok()) else { return (0, 0) };
    let Some(noted) = row["copying"].as_object().and_then(|all| all.values().next()) else { return (0, 0) };
    let chunks = noted["chunks"].as_array().expect("chunks");
    (chunks.iter().filter(|chunk| chunk["rows"].is_u64()).count(), chunks.len())
}

#[track_caller]
fn is_equal(copies: &Copies) {
    copies.is_equal("id, name, at", usize::try_from(ROWS).expect("it fits"));
    copies.workspace.is_settled();
    copies.aside(0);
    assert_eq!(whole(copies), (0, 0), "nothing is being copied any more");
}

/// Nobody waits until the lease of a run that was killed has run out.
fn unlock(copies: &Copies) {
    copies.workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
}

#[test]
fn a_run_that_is_killed_is_gone_on_with() {
    for shape in &SHAPES {
        let Some(copies) = prepared(shape) else { return };
        let mut before = 0;
        for kills in 1..=3 {
            let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
            wait_until("two more chunks are whole", Duration::from_secs(120), || whole(&copies).0 >= before + 2);
            // SIGKILL, in the middle of the next chunk.
            drop(run);
            unlock(&copies);
            let (done, all) = whole(&copies);
            assert!(done > before && done < all && all >= 10, "{}: kill {kills}: {done} of {all}", shape.name);
            before = done;
        }
        let planned = copies.workspace.run(&["plan"]).expect(0).all();
        assert!(planned.contains("a run that was cut copied") && !planned.contains("create-table"), "{planned}");
        let applied = copies.workspace.apply().all();
        assert!(applied.contains(&format!("of which an earlier run copied {before}")), "{}: {applied}", shape.name);
        is_equal(&copies);
    }
}

#[test]
fn a_run_that_is_interrupted_is_gone_on_with() {
    let Some(copies) = prepared(&SHAPES[1]) else { return };
    let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    wait_until("a chunk is whole", Duration::from_secs(120), || whole(&copies).0 >= 1);
    let sent = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("a signal is sent");
    assert!(sent.success());
    let _ = run.wait().expect(8);
    let (done, all) = whole(&copies);
    assert!(done > 0 && done < all, "{done} of {all}");
    let applied = copies.workspace.apply().all();
    assert!(applied.contains(&format!("of which an earlier run copied {done}")), "{applied}");
    is_equal(&copies);
}

#[test]
fn rows_that_come_during_the_pause_are_not_lost() {
    let Some(copies) = prepared(&SHAPES[2]) else { return };
    let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    wait_until("a chunk is whole", Duration::from_secs(120), || whole(&copies).0 >= 1);
    drop(run);
    unlock(&copies);
    // A partition after all others: the last chunk has no end.
    let people = copies.people();
    copies.alpha().sql(&format!(
        "INSERT INTO {people} (id, name, at) VALUES (-1, 'late', 1900000000000); REFRESH TABLE {people}"
    ));
    copies.workspace.apply();
    is_equal(&copies);
}
