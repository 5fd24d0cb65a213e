//! How much memory the program takes to copy a large table by the stream engine: measured by an ignored test;
//! `docs/benchmarks.md` has the command and what came out.

use std::time::{Duration, Instant};

use crate::random::Random;
use crate::real::{Copies, Transship, say};

/// The variable with the number of rows, of about 1,800 bytes.
const ROWS: &str = "TRANSSHIP_BENCHMARK_ROWS";
/// So many rows are more than 2 GiB.
const MANY: u32 = 1_300_000;
/// What the program may take.
const MOST_MIB: u64 = 128;
/// Rows of one statement that fills the table.
const AT_ONCE: usize = 500;

/// Rows of texts that can hardly be compressed.
fn fill(copies: &Copies, rows: u32) {
    let table = copies.scope.table("large");
    copies.alpha().sql(&format!(
        "CREATE TABLE {table} (id BIGINT PRIMARY KEY, amount DOUBLE PRECISION, a TEXT INDEX OFF STORAGE WITH (columnstore = false), \
         b TEXT INDEX OFF STORAGE WITH (columnstore = false)) CLUSTERED INTO 4 SHARDS \
         WITH (number_of_replicas = 0, refresh_interval = 10000)"
    ));
    let mut random = Random::new(1);
    let mut noise = || (0..56).map(|_| format!("{:016x}", random.next())).collect::<String>();
    for from in (1..=rows).step_by(AT_ONCE) {
        let row = |id| format!("({id}, {id} * 0.25, '{}', '{}')", noise(), noise());
        let values = (from..=rows).take(AT_ONCE).map(row).collect::<Vec<_>>().join(", ");
        copies.alpha().sql(&format!("INSERT INTO {table} (id, amount, a, b) VALUES {values}"));
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
