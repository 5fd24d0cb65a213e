//! `prune` on real clusters: deletions at the source, rows that are no longer chosen, rows of others, writers on both sides,
//! partitions that are closed, every type of key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::real::{Copies, Transship};

fn declare(copies: &Copies, entry: &str, more: &str) {
    let schema = &copies.scope.schema;
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      \
             - {{ from: {schema}.people, prune: true{entry} }}\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n    existing: upsert\n    repeat: on-change\n{more}"
        ),
    );
}

fn insert(copies: &Copies, first: u32, last: u32) {
    let people = copies.people();
    copies.alpha().sql(&format!(
        "INSERT INTO {people} (kind, at, id, name) SELECT 'it''s \"ü😀\" ' || (g % 7), 1700000000123 + g * 1000, g, 'n' || g \
         FROM generate_series({first}::bigint, {last}::bigint) AS t(g); REFRESH TABLE {people}"
    ));
}

fn made(name: &str, more: &str) -> Option<Copies> {
    let copies = Copies::bare(name)?;
    let people = copies.people();
    copies.alpha().sql(&format!(
        "CREATE TABLE {people} (kind TEXT, at TIMESTAMP WITH TIME ZONE, id BIGINT, name TEXT, PRIMARY KEY (kind, at, id)) \
         CLUSTERED INTO 2 SHARDS {more} WITH (number_of_replicas = 0)"
    ));
    Some(copies)
}

fn refreshed(copies: &Copies) {
    copies.beta().sql(&format!("REFRESH TABLE {}", copies.people()));
}

#[test]
fn real_rows_that_are_gone_at_the_source_go() {
    let Some(copies) = made("prune", "") else { return };
    let (people, alpha, beta) = (copies.people(), copies.alpha(), copies.beta());
    insert(&copies, 1, 20_000);
    declare(&copies, ", where: \"name <> 'hidden'\"", "");
    copies.workspace.apply();
    alpha.sql(&format!("DELETE FROM {people} WHERE id % 40 = 7; REFRESH TABLE {people}"));
    alpha.sql(&format!("UPDATE {people} SET name = 'hidden' WHERE id % 67 = 3; REFRESH TABLE {people}"));
    insert(&copies, 30_000, 30_099);
    beta.sql(&format!(
        "INSERT INTO {people} (kind, at, id, name) SELECT 'theirs', g, g, 'theirs' FROM generate_series(1, 50) AS t(g); \
         REFRESH TABLE {people}"
    ));
    let gone: usize = (1..=20_000).filter(|id| id % 40 == 7 || id % 67 == 3).count() + 50;
    let applied = copies.workspace.apply();
    assert!(applied.all().contains(&format!("{gone} rows deleted")), "{gone}: {}", applied.all());
    refreshed(&copies);
    let of = |filter: &str| format!("SELECT kind, at, id, name FROM {people} WHERE {filter} ORDER BY id, kind");
    assert_eq!(alpha.sql(&of("name <> 'hidden'")), beta.sql(&of("true")));
    copies.workspace.is_settled();
    alpha.sql(&format!("UPDATE {people} SET name = 'x' WHERE id = 30000; REFRESH TABLE {people}"));
    let applied = copies.workspace.apply();
    assert!(applied.all().contains("0 rows deleted"), "{}", applied.all());
}

#[test]
fn real_a_source_under_writes_loses_nothing_that_it_has() {
    let Some(copies) = made("prunebusy", "") else { return };
    let (people, alpha) = (copies.people(), copies.alpha());
    insert(&copies, 1, 5_000);
    declare(&copies, "", "");
    copies.workspace.apply();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u32;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                let first = 5_000 + round * 20;
                insert(&copies, first, first + 19);
                alpha.sql(&format!("DELETE FROM {people} WHERE id % 500 = {}", round % 500));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        for _ in 0..4 {
            Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start().wait().expect(0);
        }
        done.store(true, Ordering::Relaxed);
    });
    copies.workspace.apply();
    refreshed(&copies);
    copies.is_equal("kind, at, id, name", 5_000);
    copies.workspace.is_settled();
}

#[test]
fn real_closed_partitions_are_not_taken_for_empty_ones() {
    let Some(copies) = Copies::bare("pruneclosed") else { return };
    let (people, alpha, beta) = (copies.people(), copies.alpha(), copies.beta());
    alpha.sql(&format!(
        "CREATE TABLE {people} (id BIGINT, part INTEGER, name TEXT, PRIMARY KEY (id, part)) PARTITIONED BY (part) \
         CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"
    ));
    alpha.sql(&format!(
        "INSERT INTO {people} (id, part, name) SELECT g, g % 4, 'n' FROM generate_series(1, 400) AS t(g); REFRESH TABLE {people}"
    ));
    declare(&copies, "", "");
    copies.workspace.apply();
    alpha.sql(&format!("DELETE FROM {people} WHERE id = 5; REFRESH TABLE {people}"));
    alpha.sql(&format!("ALTER TABLE {people} PARTITION (part = 2) CLOSE"));
    let refused = copies.workspace.run(&["apply", "--auto-approve"]);
    assert!(refused.code != 0 && refused.all().contains("apply::unreadable"), "{}", refused.all());
    refreshed(&copies);
    assert_eq!(beta.value(&format!("SELECT count(*) FROM {people}")).as_deref(), Some("400"));
    alpha.sql(&format!("ALTER TABLE {people} PARTITION (part = 2) OPEN"));
    copies.workspace.apply();
    refreshed(&copies);
    copies.is_equal("id, part, name", 399);
    // A whole partition that is gone.
    alpha.sql(&format!("DELETE FROM {people} WHERE part = 3"));
    let applied = copies.workspace.apply();
    assert!(applied.all().contains("100 rows deleted"), "{}", applied.all());
    refreshed(&copies);
    copies.is_equal("id, part, name", 299);
}

#[test]
fn real_every_type_of_key_is_compared_alike() {
    let Some(copies) = Copies::bare("prunekeys") else { return };
    let (people, alpha) = (copies.people(), copies.alpha());
    let kinds = [
        ("TEXT", "'k''\"ü😀' || g"),
        ("SMALLINT", "g - 100"),
        ("INTEGER", "g * -1000"),
        ("BIGINT", "g * 10000000000"),
        ("TIMESTAMP WITH TIME ZONE", "g * 86400000 - 1000000000"),
        ("TIMESTAMP WITHOUT TIME ZONE", "g * 1001"),
        ("BOOLEAN", "g % 2 = 0"),
    ];
    for (data_type, value) in kinds {
        alpha.sql(&format!("DROP TABLE IF EXISTS {people}"));
        copies.beta().sql(&format!("DROP TABLE IF EXISTS {people}"));
        alpha.sql(&format!(
            "CREATE TABLE {people} (k {data_type}, id BIGINT, PRIMARY KEY (k, id)) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
        ));
        alpha.sql(&format!(
            "INSERT INTO {people} (k, id) SELECT ({value})::{data_type}, g FROM generate_series(1::bigint, 200::bigint) AS t(g); \
             REFRESH TABLE {people}"
        ));
        declare(&copies, "", "");
        copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
        alpha.sql(&format!("DELETE FROM {people} WHERE id % 10 = 4; REFRESH TABLE {people}"));
        let applied = copies.workspace.apply();
        assert!(applied.all().contains("20 rows deleted"), "{data_type}: {}", applied.all());
        refreshed(&copies);
        copies.is_equal("k, id", 180);
        copies.workspace.is_settled();
    }
}
