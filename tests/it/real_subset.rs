//! Chosen partitions by `export-import` and `custom` on real clusters: replaced in place, and the others untouched, rows
//! and sequence numbers.

use crate::real::Copies;
use crate::real::partitions::{idents, rows, shards};

const STRATEGIES: [(&str, &str); 3] = [
    ("subexp", "export-import: { store: disk, compression: gzip }"),
    ("subcsv", "export-import: { store: disk, format: csv }"),
    ("subrow", "custom: { engine: stream }"),
];

/// A table of months with what INSERT … SELECT within a cluster would bend.
fn made(table: &str, months: u32, text: &str) -> String {
    format!(
        "CREATE TABLE {table} (id INTEGER, month INTEGER, v TEXT, gp GEO_POINT, o OBJECT(DYNAMIC) AS (n NUMERIC(20, 6)), \
         g BIGINT GENERATED ALWAYS AS id + 1, PRIMARY KEY (id, month)) PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS \
         WITH (number_of_replicas = 0); \
         INSERT INTO {table} (id, month, v, gp, o) SELECT g, g % {months}, '{text}', [9.7438, 47.4108], \
         {{n = '12345678901234.567891'::numeric(20, 6)}} FROM generate_series(1, 1200) AS t(g); REFRESH TABLE {table}"
    )
}

#[test]
fn real_chosen_partitions_are_replaced_by_rows_and_the_others_stay() {
    for (name, strategy) in STRATEGIES {
        let Some(copies) = Copies::new(name) else { return };
        let Some(exchange) = copies.clusters.exchange(name) else { return };
        fs_err::create_dir_all(exchange).expect("the shared directory can be written");
        let (schema, parts) = (copies.scope.schema.clone(), copies.scope.table("parts"));
        let other = format!("{schema}_b");
        let pieces = format!("\"{other}\".\"pieces\"");
        copies.alpha().sql(&made(&parts, 12, "new"));
        copies.beta().sql(&made(&pieces, 10, "old"));
        let declare = |more: &str| {
            let flow = format!(
                "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    \
                 tables:\n      - {{ from: {schema}.parts, to: {other}.pieces, partitions: [{{ month: 3 }}, {{ month: 7 }}, \
                 {{ month: 11 }}] }}\n    strategy: {{ {strategy} }}\n    {more}\n",
                exchange.display()
            );
            copies.workspace.write("flows.yaml", &flow);
        };
        declare("existing: replace");
        let blocked = copies.workspace.run(&["plan"]).expect(5).all();
        assert!(blocked.contains(&format!("rows:beta.{other}.pieces")), "{blocked}");
        let but = idents(copies.alpha(), (&schema, "parts"), "values['month']::text IN ('3', '7', '11')");
        let before = shards(copies.beta(), (&other, "pieces"), &but);
        let allow = format!("rows:beta.{other}.pieces");
        let _ = copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", &allow]).expect(0);
        let by_month = format!("SELECT month, v, count(*) FROM {pieces} GROUP BY month, v ORDER BY month");
        let expected: Vec<String> = (0..12)
            .filter_map(|month| match month {
                3 | 7 | 11 => Some(format!("{month}:new:100")),
                10 => None,
                month => Some(format!("{month}:old:120")),
            })
            .collect();
        assert_eq!(rows(copies.beta(), &by_month), expected.join(" "), "{strategy}");
        assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before, "rows and sequence numbers of the others");
        let values = "id, v, _doc['gp'], o['n']::text, g";
        let source = format!("SELECT {values} FROM {parts} WHERE month IN (3, 7, 11) ORDER BY id");
        let target = format!("SELECT {values} FROM {pieces} WHERE month IN (3, 7, 11) ORDER BY id");
        assert_eq!(rows(copies.beta(), &target), rows(copies.alpha(), &source), "{strategy}");
        copies.workspace.is_settled();

        // A partition is deleted by hand, and comes back without a consent.
        copies.beta().sql(&format!("DELETE FROM {pieces} WHERE month = 7"));
        copies.workspace.apply();
        assert_eq!(rows(copies.beta(), &target), rows(copies.alpha(), &source), "{strategy}");
        assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before);
        copies.workspace.is_settled();
        copies.aside(0);

        // What was written since is due on change, and nothing else.
        declare(&format!(
            "existing: replace\n    repeat: on-change\n    allow_drop: [{{ kind: rows, name: beta.{other}.pieces }}]"
        ));
        copies.workspace.is_settled();
        copies.alpha().sql(&format!("UPDATE {parts} SET v = 'newer' WHERE month IN (2, 3); REFRESH TABLE {parts}"));
        copies.workspace.apply();
        let found = rows(copies.beta(), &format!("SELECT v, count(*) FROM {pieces} GROUP BY v ORDER BY v"));
        assert_eq!(found, "new:200 newer:100 old:960", "{strategy}");
        assert_eq!(shards(copies.beta(), (&other, "pieces"), &but), before);
        copies.workspace.is_settled();
        copies.beta().sql(&format!("DROP TABLE {pieces}"));
    }
}

#[test]
fn real_partitions_of_every_type_go_by_rows_too() {
    for (name, strategy) in STRATEGIES {
        let Some(copies) = Copies::new(&format!("{name}-t")) else { return };
        let Some(exchange) = copies.clusters.exchange(&format!("{name}-t")) else { return };
        fs_err::create_dir_all(exchange).expect("the shared directory can be written");
        let typed = copies.scope.table("typed");
        copies.alpha().sql(&format!(
            "CREATE TABLE {typed} (id INTEGER, ok BOOLEAN, day TIMESTAMP, size DOUBLE, name TEXT) \
             PARTITIONED BY (ok, day, size, name) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
             INSERT INTO {typed} (id, ok, day, size, name) VALUES (1, true, '2026-01-01', 1.5, 'it''s'), \
             (2, false, '2026-01-01', 1.5, 'it''s'), (3, true, '2026-02-01', 2, 'a'), (4, NULL, NULL, NULL, NULL); \
             REFRESH TABLE {typed}"
        ));
        let flow = format!(
            "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    \
             tables:\n      - {{ from: {}.typed, partitions: [{{ ok: true, day: '2026-01-01', size: 1.5, name: it's }}, \
             {{ ok: null, day: null, size: null, name: null }}] }}\n    strategy: {{ {strategy} }}\n    \
             existing: replace\n",
            exchange.display(),
            copies.scope.schema
        );
        copies.workspace.write("flows.yaml", &flow);
        copies.workspace.apply();
        let ids = format!("SELECT id FROM {typed} ORDER BY id");
        assert_eq!(rows(copies.beta(), &ids), "1 4", "{strategy}");
        copies.workspace.is_settled();
        let resync = ["apply", "--auto-approve", "--resync", "copy", "--allow-drop", "rows:*"];
        let _ = copies.workspace.run(&resync).expect(0);
        assert_eq!(rows(copies.beta(), &ids), "1 4", "{strategy}");
        copies.workspace.is_settled();
        copies.aside(0);
    }
}
