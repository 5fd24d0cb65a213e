//! Partitions that CrateDB leaves out without a word, since they are closed or a shard of them is missing: no copy of any
//! kind takes them for empty.

use crate::real::Copies;

/// A partitioned table of 400 rows, 100 of each of four months.
fn made(name: &str) -> Option<(Copies, String)> {
    let copies = Copies::bare(name)?;
    let parts = copies.scope.table("parts");
    copies.alpha().sql(&format!(
        "CREATE TABLE {parts} (id INTEGER, month INTEGER, v TEXT, PRIMARY KEY (id, month)) PARTITIONED BY (month) \
         CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"
    ));
    copies.alpha().sql(&format!(
        "INSERT INTO {parts} (id, month, v) SELECT g, g % 4, 'v' || g FROM generate_series(1, 400) AS t(g); \
         REFRESH TABLE {parts}"
    ));
    Some((copies, parts))
}

fn declare(copies: &Copies, partitions: &str, strategy: &str) {
    let (schema, name) = (&copies.scope.schema, &copies.scope.workspace);
    let exchange = copies.clusters.exchange(name).map(|path| path.display().to_string()).unwrap_or_default();
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {exchange}/{name} }}\nflows:\n  copy:\n    from: alpha\n    \
             to: beta\n    tables:\n      - {{ from: {schema}.parts{partitions} }}\n    strategy: {strategy}\n    \
             existing: replace\n"
        ),
    );
}

/// The copy has so many rows.
#[track_caller]
fn has(copies: &Copies, parts: &str, rows: u64) {
    copies.beta().sql(&format!("REFRESH TABLE {parts}"));
    assert_eq!(copies.beta().count(parts), rows);
}

#[test]
fn real_closed_partitions_are_not_left_out() {
    let Some((copies, parts)) = made("unreadclosed") else { return };
    let mut strategies = vec!["{ custom: { engine: stream } }", "{ custom: { engine: foreign-table } }"];
    if copies.clusters.exchange("unreadclosed").is_some() {
        strategies.extend(["{ export-import: { store: disk } }", "{ export-import: { store: disk, format: csv } }"]);
    }
    for strategy in strategies {
        copies.alpha().sql(&format!("ALTER TABLE {parts} PARTITION (month = 3) CLOSE"));
        declare(&copies, "", strategy);
        let refused = copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]);
        let text = refused.all();
        assert!(
            refused.code != 0 && text.contains("apply::unreadable") && text.contains("is closed"),
            "{strategy}: {text}"
        );
        copies.alpha().sql(&format!("ALTER TABLE {parts} PARTITION (month = 3) OPEN"));
        copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
        has(&copies, &parts, 400);
        copies.workspace.is_settled();
        // What else the source has is nobody's business where partitions are chosen.
        copies.beta().sql(&format!("DROP TABLE {parts}"));
        copies.alpha().sql(&format!("ALTER TABLE {parts} PARTITION (month = 3) CLOSE"));
        declare(&copies, ", partitions: [{ month: 1 }, { month: 2 }]", strategy);
        copies.workspace.apply();
        has(&copies, &parts, 200);
        copies.alpha().sql(&format!("ALTER TABLE {parts} PARTITION (month = 3) OPEN"));
        copies.beta().sql(&format!("DROP TABLE {parts}"));
        // A flow gets to another strategy when it was taken down.
        copies.workspace.write("flows.yaml", "version: 1\nflows: {}\n");
        copies.workspace.apply();
    }
}

#[test]
fn real_partitions_without_all_shards_are_not_left_out() {
    let Some((copies, parts)) = made("unreadmissing") else { return };
    let alpha = copies.alpha();
    let filter = "\"routing.allocation.require.zone\"";
    alpha.sql(&format!("ALTER TABLE ONLY {parts} SET ({filter} = 'nowhere')"));
    // The row waits for a shard that no node may hold.
    let waits =
        format!("SET SESSION statement_timeout = '3s'; INSERT INTO {parts} (id, month, v) VALUES (1, 9, 'late')");
    let outcome = alpha.try_sql(&waits);
    assert!(outcome.is_err(), "{outcome:?}");
    let seen = alpha.value(&format!("SELECT count(*) FROM {parts}"));
    assert_eq!(seen.as_deref(), Some("400"), "CrateDB says nothing of the partition");
    declare(&copies, "", "{ custom: { engine: stream } }");
    let refused = copies.workspace.run(&["apply", "--auto-approve"]);
    let text = refused.all();
    assert!(refused.code != 0 && text.contains("missing shards"), "{text}");
    alpha.sql(&format!("DELETE FROM {parts} WHERE month = 9"));
    alpha.sql(&format!("ALTER TABLE ONLY {parts} RESET ({filter})"));
    copies.workspace.apply();
    has(&copies, &parts, 400);
}
