//! Copies by a cursor on real clusters: every type of cursor, updates while rows are copied, partitions on both sides,
//! conditions and masks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::real::{Copies, Transship};

fn declare(copies: &Copies, entry: &str, chunk: u32, existing: &str) {
    let schema = &copies.scope.schema;
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      \
             - {{ from: {schema}.people, {entry} }}\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: {chunk} }} }}\n    existing: {existing}\n"
        ),
    );
}

#[track_caller]
fn is_equal(copies: &Copies, columns: &str, rows: usize) {
    let people = copies.people();
    copies.beta().sql(&format!("REFRESH TABLE {people}"));
    copies.is_equal(columns, rows);
    copies.workspace.is_settled();
}

#[test]
fn real_every_type_of_cursor_brings_what_is_new() {
    let Some(copies) = Copies::bare("cursortypes") else { return };
    let (people, alpha) = (copies.people(), copies.alpha());
    let kinds = [
        ("TIMESTAMP WITH TIME ZONE", "1700000000000 + g * 1000", "upsert"),
        ("TIMESTAMP WITHOUT TIME ZONE", "1700000000000 + g * 1000", "append"),
        ("SMALLINT", "g", "upsert"),
        ("INTEGER", "g", "append"),
        ("BIGINT", "g * 10000000000", "upsert"),
        ("TEXT", "'k' || (g + 100000)", "upsert"),
        ("TIMESTAMP WITH TIME ZONE INDEX OFF", "1700000000000 + g * 1000", "upsert"),
    ];
    for (data_type, value, existing) in kinds {
        alpha.sql(&format!("DROP TABLE IF EXISTS {people}"));
        copies.beta().sql(&format!("DROP TABLE IF EXISTS {people}"));
        alpha.sql(&format!(
            "CREATE TABLE {people} (id BIGINT PRIMARY KEY, name TEXT, at {data_type}) CLUSTERED INTO 2 SHARDS \
             WITH (number_of_replicas = 0)"
        ));
        let insert = |first: u32, last: u32| {
            alpha.sql(&format!(
                "INSERT INTO {people} (id, name, at) SELECT g, 'n' || g, {value} \
                 FROM generate_series({first}::bigint, {last}::bigint) AS t(g); REFRESH TABLE {people}"
            ));
        };
        insert(1, 100);
        declare(&copies, "cursor: at", 200, existing);
        copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
        insert(101, 1_200);
        alpha.sql(&format!("INSERT INTO {people} (id, name) VALUES (5000, 'none'); REFRESH TABLE {people}"));
        let applied = copies.workspace.apply();
        assert!(applied.all().contains(" slices"), "{data_type}: {}", applied.all());
        is_equal(&copies, "id, name, at", 1_201);
        insert(1_201, 1_203);
        copies.workspace.apply();
        is_equal(&copies, "id, name, at", 1_204);
    }
}

#[test]
fn real_updates_while_a_backlog_is_copied_are_not_lost() {
    let Some(copies) = Copies::bare("cursorbusy") else { return };
    let (people, alpha) = (copies.people(), copies.alpha());
    let table = "(id BIGINT, name TEXT, secret TEXT, at TIMESTAMP WITH TIME ZONE, part INTEGER, \
                 PRIMARY KEY (id, part)) CLUSTERED INTO 2 SHARDS PARTITIONED BY (part) WITH (number_of_replicas = 0)";
    alpha.sql(&format!("CREATE TABLE {people} {table}"));
    let insert = |first: u32, last: u32| {
        alpha.sql(&format!(
            "INSERT INTO {people} (id, name, secret, at, part) SELECT g, 'n' || g, 's' || g, now(), g % 4 \
             FROM generate_series({first}::bigint, {last}::bigint) AS t(g); REFRESH TABLE {people}"
        ));
    };
    insert(1, 1_000);
    let masked = "cursor: at, where: \"id % 10 <> 0\", columns: { id: id, part: part, at: at, name: name, \
                  secret: { sql: secret, redact: hidden } }";
    declare(&copies, masked, 5_000, "upsert");
    copies.workspace.apply();
    insert(1_001, 60_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u32;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                alpha.sql(&format!(
                    "UPDATE {people} SET name = 'r{round}', at = now() WHERE id % 1000 = {}",
                    (round * 37) % 1_000
                ));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        for _ in 0..3 {
            let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
            run.wait().expect(0);
        }
        done.store(true, Ordering::Relaxed);
    });
    copies.workspace.apply();
    copies.workspace.is_settled();
    copies.beta().sql(&format!("REFRESH TABLE {people}"));
    let of = |filter: &str| format!("SELECT id, part, name, at FROM {people} WHERE {filter} ORDER BY id");
    assert_eq!(alpha.sql(&of("id % 10 <> 0")), copies.beta().sql(&of("true")));
    let hidden = copies.beta().value(&format!("SELECT count(*) FROM {people} WHERE secret = 'hidden'"));
    assert_eq!(hidden.as_deref(), Some("54000"));
}
