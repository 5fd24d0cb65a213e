//! Copies of a partitioned table whose names need quotes, with objects, arrays of objects and shapes: chosen by a list of
//! columns, and by a map that renames, filters, drops and computes.

use crate::real::{Cluster, Copies};
use crate::real_mover::unordered;

const ROWS: usize = 10_000;

/// A table `Order` of 10,000 rows on alpha, in four partitions.
fn order() -> Option<(Copies, String)> {
    let copies = Copies::bare("shapes")?;
    let order = copies.scope.table("Order");
    copies.alpha().sql(&format!(
        r#"CREATE TABLE {order} (
            "id" BIGINT, "Region" TEXT, "a b" TEXT DEFAULT 'it''s', "sel""ect" INTEGER NOT NULL, "größe" DOUBLE PRECISION,
            "user" TEXT INDEX USING FULLTEXT, "from" TIMESTAMP WITH TIME ZONE, "secret" TEXT,
            "dyn" OBJECT(DYNAMIC) AS ("n" NUMERIC(20, 6), "x y" TEXT), "strict" OBJECT(STRICT) AS ("a" INTEGER, "gp" GEO_POINT),
            "ign" OBJECT(IGNORED), "items" ARRAY(OBJECT(DYNAMIC) AS ("sku" TEXT, "price" NUMERIC(10, 2))),
            "gp" GEO_POINT, "gs" GEO_SHAPE, "tags" ARRAY(TEXT),
            CONSTRAINT "not negative" CHECK ("größe" >= 0), PRIMARY KEY ("id", "Region")
        ) CLUSTERED BY ("id") INTO 2 SHARDS PARTITIONED BY ("Region") WITH (number_of_replicas = 0)"#
    ));
    copies.alpha().sql(&format!(
        r#"INSERT INTO {order} ("id", "Region", "a b", "sel""ect", "größe", "user", "from", "secret", "dyn", "strict", "ign",
            "items", "gp", "gs", "tags")
        (SELECT g, CASE g % 4 WHEN 0 THEN 'eu west' WHEN 1 THEN 'ü"''' WHEN 2 THEN '' ELSE 'us' END,
            CASE WHEN g % 3 > 0 THEN 'v ' || g END, g % 10, g / 8.0, 'User ' || g, '2026-01-01'::timestamp + g * 60000, 's' || g,
            {{"n" = (g / 7.0)::numeric(20, 6), "x y" = 'q"' || g, "more" = {{"deep" = [g]}}}},
            CASE WHEN g % 5 > 0 THEN {{"a" = g, "gp" = [g / 100.0, 47.4108]}} END,
            {{"any" = g / 3.0, "b" = [1, NULL], "c" = {{}}}},
            CASE WHEN g % 6 > 0 THEN [{{"sku" = 's' || g, "price" = (g / 100.0)::numeric(10, 2)}}, {{"sku" = NULL}}] ELSE [] END,
            CASE WHEN g % 7 > 0 THEN [g / 100.0, 9.7438] END, CASE WHEN g % 8 > 0 THEN 'POINT (9.7438 ' || g / 1000.0 || ')' END,
            CASE WHEN g % 9 > 0 THEN ['t' || g, NULL, '', 'a,"b"'] END
        FROM generate_series(1, {ROWS}) AS t(g)); REFRESH TABLE {order}"#
    ));
    Some((copies, order))
}

/// The same rows in the same order, value by value, read past the column store.
#[track_caller]
fn same(copies: &Copies, source: &str, target: &str, rows: usize) {
    let ask = |cluster: &Cluster, sql: &str| cluster.sql(sql);
    let (source, target) = (ask(copies.alpha(), source), ask(copies.beta(), target));
    assert_eq!((source.len(), target.len()), (rows, rows));
    for (source, target) in source.iter().zip(&target) {
        assert_eq!(source.len(), target.len());
        for (source, target) in source.iter().zip(target) {
            let is_equal = source == target || source.as_deref().map(unordered) == target.as_deref().map(unordered);
            assert!(is_equal, "{source:?} became {target:?}");
        }
    }
}

fn partitions(cluster: &Cluster, schema: &str, table: &str) -> Vec<Vec<Option<String>>> {
    cluster.sql(&format!(
        "SELECT partition_ident, number_of_shards FROM information_schema.table_partitions \
         WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY 1"
    ))
}

#[test]
fn real_a_list_of_columns_keeps_names_partitions_and_definitions() {
    let Some((copies, order)) = order() else { return };
    let all = r#"id, Region, "a b", 'sel"ect', größe, user, from, dyn, strict, ign, items, gp, gs, tags"#;
    copies.declare(&format!("{{ from: SCHEMA.Order, columns: [{all}] }}"), "existing: error");
    copies.workspace.apply();
    copies.workspace.is_settled();

    let columns = r#""id", "Region", _doc['a b'], "sel""ect", "größe", "user", "from", _doc['dyn'], _doc['strict'], _doc['ign'],
        _doc['items'], _doc['gp'], _doc['gs'], _doc['tags']"#;
    let rows = format!("SELECT {columns} FROM {order} ORDER BY \"id\"");
    same(&copies, &rows, &rows, ROWS);
    let schema = &copies.scope.schema;
    let kept = partitions(copies.beta(), schema, "Order");
    assert_eq!(kept.len(), 4);
    assert_eq!(kept, partitions(copies.alpha(), schema, "Order"));
    let shown = |cluster: &Cluster| cluster.value(&format!("SHOW CREATE TABLE {order}")).expect("a definition");
    let (source, target) = (shown(copies.alpha()), shown(copies.beta()));
    assert_eq!(source.replace("   \"secret\" TEXT,\n", ""), target, "all but the column that was left out");
    copies.aside(0);
}

#[test]
fn real_a_map_renames_filters_drops_and_computes() {
    let Some((copies, order)) = order() else { return };
    let entry = r#"from: SCHEMA.Order
        to: SCHEMA.Bestellung
        where: '"sel""ect" % 2 = 0 AND "from" <> ''2026-01-01T00:04:00Z'''
        columns:
          id: id
          Gebiet: '"Region"'
          a b: '"a b"'
          sel"ect: '"sel""ect"'
          Maß "groß": { sql: '"größe" * 2 + 0.5', cast: 'NUMERIC(14, 4)' }
          table: upper("user") || ' ''?'' ; --'
          Tag: { sql: 'date_trunc(''day'', "from")', cast: TIMESTAMP WITH TIME ZONE }
          dyn: dyn
          fest: '"strict"'
          ign: ign
          items: items
          gp: gp
          gs: gs
          erstes: tags[1]"#;
    copies.declare(entry, "target: { shards: 3, replicas: '0', refresh_interval: 500 }");
    copies.workspace.apply();
    copies.workspace.is_settled();

    let target = copies.scope.table("Bestellung");
    let doc = "_doc['dyn'], _doc['ign'], _doc['items'], _doc['gp'], _doc['gs']";
    same(
        &copies,
        &format!(
            r#"SELECT "id", "Region", _doc['a b'], "sel""ect", ("größe" * 2 + 0.5)::numeric(14, 4)::text, upper("user") || ' ''?'' ; --',
                date_trunc('day', "from"), _doc['strict'], tags[1], {doc}
            FROM {order} WHERE "sel""ect" % 2 = 0 AND "from" <> '2026-01-01T00:04:00Z' ORDER BY "id""#
        ),
        &format!(
            r#"SELECT "id", "Gebiet", _doc['a b'], "sel""ect", "Maß ""groß"""::text, "table", "Tag", _doc['fest'], "erstes", {doc}
            FROM {target} ORDER BY "id""#
        ),
        ROWS / 2 - 1,
    );
    let schema = &copies.scope.schema;
    let shards =
        partitions(copies.beta(), schema, "Bestellung").into_iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    assert_eq!(shards, vec![Some("3".to_owned()); 2], "two of the four regions are chosen");
    let shown = copies.beta().value(&format!("SHOW CREATE TABLE {target}")).expect("a definition");
    for part in
        [r#"PRIMARY KEY ("id", "Gebiet")"#, r#"PARTITIONED BY ("Gebiet")"#, "DEFAULT 'it''s'", "INTEGER NOT NULL"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("secret") && !shown.contains("CHECK"), "{shown}");
    copies.aside(0);
}
