//! A table with every type and its extremes, through a whole flow: from YAML to a hundred thousand equal rows.

use crate::real::{Cluster, Copies};
use crate::real_mover::types::{ROWS, TYPES};
use crate::real_mover::unordered;

/// How many rows there are at least.
const LEAST: u64 = 100_000;
/// How many rows are compared at a time: one of each seed row may be large.
const CHUNK: usize = 10_000;

/// The columns of a table on alpha that are no part of an object: those that are written, and those that are generated.
fn columns(copies: &Copies, table: &str) -> [Vec<String>; 2] {
    ["NEVER", "ALWAYS"].map(|generated| {
        let sql = format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{table}' \
             AND is_generated = '{generated}' AND column_details['path'] = [] ORDER BY ordinal_position",
            copies.scope.schema
        );
        copies.alpha().sql(&sql).into_iter().map(|mut row| row[0].take().expect("a name")).collect()
    })
}

/// Fills `every_type` on alpha with the seed rows again and again, each time under keys of their own.
fn fill(copies: &Copies) -> u64 {
    let (seed, table) = (copies.scope.table("seed"), copies.scope.table("every_type"));
    let alpha = copies.alpha();
    alpha.sql(&format!("CREATE TABLE {seed} ({TYPES}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"));
    alpha.sql(&format!("CREATE TABLE {table} ({TYPES}) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"));
    for (columns, rows) in ROWS {
        for row in *rows {
            alpha.sql(&format!("INSERT INTO {seed} ({columns}) VALUES ({row})"));
        }
    }
    let rounds = LEAST / alpha.count(&seed) + 1;
    let [written, _] = columns(copies, "every_type");
    let values: Vec<String> = written.iter().skip(1).map(|name| format!("_doc['{name}']")).collect();
    // In parts, since the join keeps its rows in memory.
    for from in (1..=rounds).step_by(100) {
        let to = (from + 99).min(rounds);
        alpha.sql(&format!(
            "INSERT INTO {table} ({}) (SELECT id + 100 * g, {} FROM {seed}, generate_series({from}, {to}) AS s(g))",
            written.join(", "),
            values.join(", ")
        ));
    }
    alpha.count(&table)
}

/// Compares all rows value by value, chunk by chunk, as they were written and as texts.
fn compare(copies: &Copies, columns: &[String]) -> usize {
    let values: Vec<String> = columns.iter().map(|name| format!("_doc['{name}']")).collect();
    let (mut after, mut done) = (0, 0);
    loop {
        let sql = format!(
            "SELECT id, {} FROM {} WHERE id > {after} ORDER BY id LIMIT {CHUNK}",
            values.join(", "),
            copies.scope.table("every_type")
        );
        let (source, target) = both(copies, |cluster| cluster.sql(&sql));
        assert_eq!(source.len(), target.len(), "rows after {after}");
        let Some(last) = source.last() else { return done };
        for (source, target) in source.iter().zip(&target) {
            assert_eq!(source[0], target[0], "the key");
            for (name, (source, target)) in columns.iter().zip(source.iter().zip(target).skip(1)) {
                let is_equal = source == target || source.as_deref().map(unordered) == target.as_deref().map(unordered);
                assert!(is_equal, "column {name}: {source:?} became {target:?}");
            }
        }
        after = last[0].as_deref().and_then(|id| id.parse::<i64>().ok()).expect("an id");
        done += source.len();
    }
}

/// Asks both clusters at the same time.
fn both<T: Send>(copies: &Copies, ask: impl Fn(&Cluster) -> T + Sync) -> (T, T) {
    std::thread::scope(|scope| {
        let source = scope.spawn(|| ask(copies.alpha()));
        let target = ask(copies.beta());
        (source.join().expect("alpha answers"), target)
    })
}

#[test]
fn real_a_hundred_thousand_rows_of_every_type_arrive_equal() {
    let Some(copies) = Copies::bare("every-type") else { return };
    let made = fill(&copies);
    assert!(made >= LEAST, "{made} rows to copy");
    copies.declare("SCHEMA.every_type", "existing: error");
    let applied = copies.workspace.apply();
    assert!(applied.all().contains(&format!("{made} rows")), "{}", applied.all());
    copies.workspace.is_settled();

    let [written, generated] = columns(&copies, "every_type");
    assert_eq!(compare(&copies, &written) as u64, made);
    // The same by the column store: the values that are there, by column, and what the target derives itself.
    let all: Vec<&String> = written.iter().chain(&generated).collect();
    let counts: Vec<String> = all.iter().map(|name| format!("count({name})")).collect();
    let sums: Vec<String> = generated.iter().map(|name| format!("sum({name}::bigint)")).collect();
    let sql = format!(
        "SELECT count(*), {}, {} FROM {}",
        counts.join(", "),
        sums.join(", "),
        copies.scope.table("every_type")
    );
    let (source, target) = both(&copies, |cluster| cluster.sql(&sql));
    assert_eq!(source, target);
    assert_eq!(target[0][0], Some(made.to_string()));
    let show = format!("SHOW CREATE TABLE {}", copies.scope.table("every_type"));
    let (source, target) = both(&copies, |cluster| cluster.value(&show));
    // A key of which only NULLs are known can be declared in this form alone.
    assert_eq!(source, target.map(|text| text.replace("UNDEFINED INDEX OFF", "UNDEFINED")), "the definition");
    copies.aside(0);
}
