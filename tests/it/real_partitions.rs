//! Chosen partitions by snapshot on real clusters: replaced in place, and the others untouched, rows and sequence numbers.

use crate::real::Copies;
use crate::real::partitions::{idents, rows, shards};

/// Declares the flow `copy` of chosen partitions with more keys.
fn declare(copies: &Copies, exchange: &str, entry: &str, more: &str) {
    let (schema, name) = (&copies.scope.schema, &copies.scope.workspace);
    let entry = entry.replace("SCHEMA", schema);
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {exchange}/{name} }}\nflows:\n  copy:\n    from: alpha\n    \
             to: beta\n    tables:\n      - {entry}\n    strategy: {{ snapshot: {{ store: disk }} }}\n    {more}\n"
        ),
    );
}

fn exchange(copies: &Copies, name: &str) -> Option<String> {
    copies.clusters.exchange(name).map(|path| path.display().to_string())
}

fn defined(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month)) PARTITIONED BY (month) \
         CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
    )
}

#[test]
fn real_chosen_partitions_are_replaced_and_the_others_stay() {
    let Some(copies) = Copies::new("snappart") else { return };
    let Some(exchange) = exchange(&copies, "snappart") else { return };
    let (schema, parts) = (copies.scope.schema.clone(), copies.scope.table("parts"));
    let other = format!("{schema}_b");
    let pieces = format!("\"{other}\".\"pieces\"");
    let filled = |table: &str, months: u32, text: &str| {
        format!(
            "{}; INSERT INTO {table} (id, month, v) SELECT g, g % {months}, '{text}' FROM generate_series(1, 1200) AS t(g); \
             REFRESH TABLE {table}",
            defined(table)
        )
    };
    copies.alpha().sql(&filled(&parts, 12, "new"));
    copies.beta().sql(&filled(&pieces, 10, "old"));
    let entry = format!(
        "{{ from: SCHEMA.parts, to: {other}.pieces, partitions: [{{ month: 3 }}, {{ month: 7 }}, {{ month: 11 }}] }}"
    );
    declare(&copies, &exchange, &entry, "existing: replace");
    let blocked = copies.workspace.run(&["plan"]).expect(5).all();
    assert!(blocked.contains(&format!("rows:beta.{other}.pieces")), "{blocked}");

    let but = idents(copies.alpha(), (&schema, "parts"), "values['month']::text IN ('3', '7', '11')");
    let before = shards(copies.beta(), (&other, "pieces"), &but);
    let allow = format!("rows:beta.{other}.pieces");
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", &allow]).expect(0);
    let found =
        rows(copies.beta(), &format!("SELECT month, v, count(*) FROM {pieces} GROUP BY month, v ORDER BY month"));
    let expected: Vec<String> = (0..12)
        .filter_map(|month| match month {
            3 | 7 | 11 => Some(format!("{month}:new:100")),
            10 => None,
            month => Some(format!("{month}:old:120")),
        })
        .collect();
    assert_eq!(found, expected.join(" "));
    assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before, "rows and sequence numbers of the others");
    copies.workspace.is_settled();

    // A partition is deleted by hand, and comes back without a consent; another run changes nothing of the others.
    copies.beta().sql(&format!("DELETE FROM {pieces} WHERE month = 7"));
    let _ = copies.workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    copies.workspace.apply();
    assert_eq!(
        copies.beta().value(&format!("SELECT count(*) FROM {pieces} WHERE month = 7 AND v = 'new'")).as_deref(),
        Some("100")
    );
    assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before);
    copies.workspace.is_settled();
    copies.aside(0);

    // What was written since is due on change, and nothing else.
    let more = format!(
        "existing: replace\n    repeat: on-change\n    allow_drop: [{{ kind: rows, name: beta.{other}.pieces }}]"
    );
    declare(&copies, &exchange, &entry, &more);
    copies.workspace.is_settled();
    copies.alpha().sql(&format!("UPDATE {parts} SET v = 'newer' WHERE month IN (2, 3); REFRESH TABLE {parts}"));
    copies.workspace.apply();
    let found = rows(copies.beta(), &format!("SELECT v, count(*) FROM {pieces} GROUP BY v ORDER BY v"));
    assert_eq!(found, "new:200 newer:100 old:960");
    assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before);
    copies.workspace.is_settled();
    copies.beta().sql(&format!("DROP TABLE {pieces}"));
}

#[test]
fn real_partitions_of_every_type_make_a_table_that_is_absent() {
    let Some(copies) = Copies::new("snaptyped") else { return };
    let Some(exchange) = exchange(&copies, "snaptyped") else { return };
    let typed = copies.scope.table("typed");
    copies.alpha().sql(&format!(
        "CREATE TABLE {typed} (id INTEGER, ok BOOLEAN, day TIMESTAMP, size DOUBLE, name TEXT) \
         PARTITIONED BY (ok, day, size, name) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         INSERT INTO {typed} (id, ok, day, size, name) VALUES (1, true, '2026-01-01', 1.5, 'it''s'), \
         (2, false, '2026-01-01', 1.5, 'it''s'), (3, true, '2026-02-01', 2, 'a'), (4, NULL, NULL, NULL, NULL); \
         REFRESH TABLE {typed}"
    ));
    let of = |partitions: &str| format!("{{ from: SCHEMA.typed, partitions: [{partitions}] }}");
    declare(&copies, &exchange, &of("{ ok: null, day: null, size: null, name: null }"), "existing: error");
    assert!(copies.workspace.run(&["plan"]).expect(1).all().contains("plan::null-partition"));
    let two =
        "{ ok: true, day: '2026-01-01', size: 1.5, name: it's }, { ok: true, day: 1769904000000, size: 2, name: a }";
    declare(&copies, &exchange, &of(two), "existing: replace");
    copies.workspace.apply();
    assert_eq!(rows(copies.beta(), &format!("SELECT id FROM {typed} ORDER BY id")), "1 3");
    copies.workspace.is_settled();
    // Deleted before they are restored, by values of every type.
    let resync = ["apply", "--auto-approve", "--resync", "copy", "--allow-drop", "rows:*"];
    let _ = copies.workspace.run(&resync).expect(0);
    assert_eq!(rows(copies.beta(), &format!("SELECT id FROM {typed} ORDER BY id")), "1 3");
    copies.workspace.is_settled();
    copies.aside(0);
}

#[test]
fn real_what_takes_the_place_of_a_deleted_partition_is_not_touched() {
    let Some(copies) = Copies::new("snapwriter") else { return };
    let Some(exchange) = exchange(&copies, "snapwriter") else { return };
    let parts = copies.scope.table("parts");
    copies.alpha().sql(&format!(
        "{}; INSERT INTO {parts} (id, month, v) SELECT g, g % 3, 'new' FROM generate_series(1, 300) AS t(g); REFRESH TABLE {parts}",
        defined(&parts)
    ));
    declare(&copies, &exchange, "{ from: SCHEMA.parts, partitions: [{ month: 1 }] }", "existing: replace");
    copies.workspace.apply();
    // A saved plan that was made before somebody wrote the partition anew is stale.
    copies.beta().sql(&format!("DELETE FROM {parts} WHERE month = 1"));
    copies.workspace.run(&["plan", "-o", "saved.json"]).expect(0);
    copies.beta().sql(&format!("INSERT INTO {parts} (id, month, v) VALUES (1, 1, 'theirs'); REFRESH TABLE {parts}"));
    let saved = copies.workspace.run(&["apply", "saved.json"]);
    assert!(saved.code != 0, "{}", saved.all());
    assert_eq!(rows(copies.beta(), &format!("SELECT v, count(*) FROM {parts} GROUP BY v")), "theirs:1");
    copies.workspace.run(&["plan"]).expect(5);
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", "rows:*"]).expect(0);
    assert_eq!(rows(copies.beta(), &format!("SELECT v, count(*) FROM {parts} GROUP BY v")), "new:100");
    copies.workspace.is_settled();
}

/// CrateDB would refuse the partition after the one that is there was deleted, and give the table other settings.
#[test]
fn real_a_table_that_a_partition_does_not_fit_into_keeps_its_own() {
    let Some(copies) = Copies::bare("partfit") else { return };
    let Some(exchange) = exchange(&copies, "partfit") else { return };
    let parts = copies.scope.table("parts");
    copies.alpha().sql(&format!(
        "{}; ALTER TABLE {parts} DROP COLUMN v; ALTER TABLE {parts} ADD COLUMN w TEXT; \
         INSERT INTO {parts} (id, month, w) SELECT g, g % 3, 'new' FROM generate_series(1, 300) AS t(g); REFRESH TABLE {parts}",
        defined(&parts)
    ));
    let make = |settings: &str| {
        copies.beta().sql(&format!(
            "DROP TABLE IF EXISTS {parts}; CREATE TABLE {parts} (id INTEGER, month INTEGER, w TEXT, PRIMARY KEY (id, month)) \
             PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0{settings}); \
             INSERT INTO {parts} (id, month, w) SELECT g, g % 3, 'old' FROM generate_series(1, 300) AS t(g); \
             REFRESH TABLE {parts}"
        ));
    };
    declare(&copies, &exchange, "{ from: SCHEMA.parts, partitions: [{ month: 1 }] }", "existing: replace");
    let permit = ["apply", "--auto-approve", "--allow-drop", "rows:*"];
    make("");
    let refused = copies.workspace.run(&permit).expect(7).all();
    assert!(refused.contains("apply::columns-differ") && refused.contains("(w)"), "{refused}");
    assert_eq!(copies.beta().value(&format!("SELECT count(*) FROM {parts} WHERE w = 'old'")).as_deref(), Some("300"));
    copies.aside(0);

    make(", refresh_interval = 5000");
    let refused = copies.workspace.run(&permit).expect(1).all();
    assert!(refused.contains("plan::other-definition") && refused.contains("refresh_interval"), "{refused}");
    assert_eq!(copies.beta().value(&format!("SELECT count(*) FROM {parts} WHERE w = 'old'")).as_deref(), Some("300"));
}
