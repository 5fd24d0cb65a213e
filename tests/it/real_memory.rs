//! How much memory the program takes to copy a large table by the stream engine: measured by an ignored test;
//! `docs/benchmarks.md` has the command and what came out.

use std::time::{Duration, Instant};

use crate::real::{Copies, Transship, say};

/// The variable with the number of rows, of about 1,800 bytes.
const ROWS: &str = "TRANSSHIP_BENCHMARK_ROWS";
/// So many rows are more than 2 GiB.
const MANY: u32 = 1_300_000;
/// What the program may take.
const MOST_MIB: u64 = 128;

/// Rows of texts that can hardly be compressed, the same ones again and again.
fn fill(copies: &Copies, rows: u32) {
    let table = copies.scope.table("large");
    copies.alpha().sql(&format!(
        "CREATE TABLE {table} (id BIGINT PRIMARY KEY, amount DOUBLE PRECISION, a TEXT INDEX OFF STORAGE WITH (columnstore = false), \
         b TEXT INDEX OFF STORAGE WITH (columnstore = false)) CLUSTERED INTO 4 SHARDS \
         WITH (number_of_replicas = 0, refresh_interval = 10000)"
    ));
    let noise = |column: &str| (0..28).map(|at| format!("md5(g || '{column}{at}')")).collect::<Vec<_>>().join(" || ");
    let first = rows.min(20_000);
    copies.alpha().sql(&format!(
        "INSERT INTO {table} (id, amount, a, b) (SELECT g, g * 0.25, {}, {} FROM generate_series(1, {first}) AS t(g))",
        noise("a"),
        noise("b")
    ));
    copies.alpha().sql(&format!("REFRESH TABLE {table}"));
    // Making up the texts takes far longer than writing them.
    for from in (first..rows).step_by(20_000) {
        let count = first.min(rows - from);
        copies.alpha().sql(&format!(
            "INSERT INTO {table} (id, amount, a, b) (SELECT id + {from}, amount, a, b FROM {table} WHERE id <= {count})"
        ));
    }
    copies.alpha().sql(&format!("REFRESH TABLE {table}"));
}

#[test]
#[ignore = "it measures, for many minutes"]
fn real_measure_the_memory_of_a_copy_of_a_large_table() {
    let Some(copies) = Copies::bare("memory") else { return };
    let rows = std::env::var(ROWS).ok().map_or(MANY, |rows| rows.parse().expect("a number of rows"));
    fill(&copies, rows);
    copies.declare("SCHEMA.large", "existing: error");
    let bytes =
        copies.alpha().value(&format!("SELECT sum(length(a) + length(b) + 16) FROM {}", copies.scope.table("large")));
    let bytes: f64 = bytes.and_then(|bytes| bytes.parse().ok()).expect("a sum");
    let started = Instant::now();
    let mut run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    let mut peak = 0;
    while !run.has_ended() {
        peak = run.peak_kib().max(peak);
        assert!(started.elapsed() < Duration::from_hours(1), "it takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed();
    run.wait().expect(0);
    assert_eq!(copies.beta().count(&copies.scope.table("large")), u64::from(rows));
    say(&format!(
        "{rows} rows, {:.2} GiB, {:.0} s: peak {} MiB",
        bytes / f64::from(1 << 30),
        took.as_secs_f64(),
        peak.div_ceil(1024)
    ));
    assert!(peak < MOST_MIB * 1024, "{peak} KiB");
    assert!(rows < MANY || bytes > 2.0 * f64::from(1 << 30), "{bytes} bytes");
}
