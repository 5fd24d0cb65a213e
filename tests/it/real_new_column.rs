//! Columns that a source gets, on real clusters: added to a table that is there with the very type, also by a user who may
//! do no more than that, and what becomes of one that comes while rows are read.

use crate::real::{Copies, Intercept, Scope, Then};

const UPSERT: &str = "existing: upsert\n    repeat: on-change\n    on_new_column: add";

/// Each with a value.
const COLUMNS: [(&str, &str); 12] = [
    ("a1 TEXT INDEX OFF", "'x'"),
    ("a2 INTEGER DEFAULT 5", "NULL"),
    ("a3 NUMERIC(20, 6)", "12345678901234.123456::numeric(20, 6)"),
    ("a4 ARRAY(TEXT)", "['a', NULL]"),
    ("a5 OBJECT(STRICT) AS (x INTEGER, y ARRAY(TEXT), z OBJECT(DYNAMIC))", "{x = 1, y = ['b'], z = {q = 'w'}}"),
    ("a6 VARCHAR(3)", "'abc'"),
    ("a7 TIMESTAMP WITHOUT TIME ZONE", "'2026-01-01T00:00:00'"),
    ("a8 BIT(4)", "B'0110'"),
    ("a9 GEO_POINT", "[1.5, 2.5]"),
    (
        "\"A \"\"q\" TEXT INDEX USING FULLTEXT WITH (analyzer = 'english') STORAGE WITH (columnstore = false)",
        "'Words here'",
    ),
    ("a10 ARRAY(OBJECT(DYNAMIC) AS (n SMALLINT))", "[{n = 1}, {n = 2}]"),
    ("a11 IP NOT NULL", "'10.0.0.1'"),
];

fn grow(copies: &Copies) {
    let people = copies.people();
    for (column, _) in COLUMNS {
        copies.alpha().sql(&format!("ALTER TABLE {people} ADD COLUMN {column}"));
    }
    let names: Vec<String> = COLUMNS.iter().map(|(column, _)| name(column)).collect();
    let values: Vec<&str> = COLUMNS.iter().map(|(_, value)| *value).collect();
    copies.alpha().sql(&format!(
        "INSERT INTO {people} (id, name, {}) VALUES (5000, 'new', {}); \
         UPDATE {people} SET a1 = 'old', a11 = '10.0.0.2'; REFRESH TABLE {people}",
        names.join(", "),
        values.join(", ")
    ));
}

/// The name of a column, as it is written.
fn name(column: &str) -> String {
    if column.starts_with('"') {
        return "\"A \"\"q\"".to_owned();
    }
    column.split(' ').next().expect("a name").to_owned()
}

/// A row more.
fn another(copies: &Copies, id: usize) {
    let people = copies.people();
    copies.alpha().sql(&format!("INSERT INTO {people} (id, name) VALUES ({id}, 'x'); REFRESH TABLE {people}"));
}

fn columns() -> String {
    let mut names = vec!["id".to_owned(), "name".to_owned()];
    names.extend(COLUMNS.iter().map(|(column, _)| name(column)));
    names.join(", ")
}

#[test]
fn real_columns_of_every_form_are_added_and_filled() {
    let Some(mut copies) = Copies::new("newcol") else { return };
    copies.declare("SCHEMA.people", UPSERT);
    copies.workspace.apply();
    grow(&copies);
    // Who may write the table may not alter it.
    let schema = copies.scope.schema.clone();
    let user = copies.scope.user("tool", &["DQL ON SCHEMA sys", &format!("DQL ON SCHEMA {schema}")]);
    for cluster in [copies.alpha(), copies.beta()] {
        Scope::grant(cluster, &user, &["DQL, DML, DDL ON SCHEMA transship"]);
    }
    let people = copies.people();
    Scope::grant(copies.beta(), &user, &[&format!("DML ON TABLE {people}")]);
    copies.workspace.clusters(&copies.scope.workspace.clone(), copies.clusters, Some(&user));
    let said = copies.workspace.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::missing-privilege") && said.contains("GRANT DDL ON TABLE"), "{said}");
    Scope::grant(copies.beta(), &user, &[&format!("DDL ON TABLE {people}")]);
    copies.workspace.apply();
    copies.is_equal(&columns(), 1001);
    copies.workspace.is_settled();
    // Every type is the same, but that rows which are there have no value.
    let types = "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, column_default \
                 FROM information_schema.columns WHERE table_name = 'people' AND table_schema =";
    let of = |cluster: &crate::real::Cluster| cluster.sql(&format!("{types} '{schema}' ORDER BY 1"));
    assert_eq!(of(copies.alpha()), of(copies.beta()));
}

#[test]
fn real_a_generated_column_and_one_that_is_gone_are_refused() {
    let Some(copies) = Copies::new("newgen") else { return };
    copies.declare("SCHEMA.people", UPSERT);
    copies.workspace.apply();
    let people = copies.people();
    copies.alpha().sql(&format!("ALTER TABLE {people} DROP COLUMN email"));
    another(&copies, 1001);
    let said = copies.workspace.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::column-gone") && said.contains("DROP COLUMN \"email\""), "{said}");
    copies.beta().sql(&format!("ALTER TABLE {people} DROP COLUMN email"));
    copies.workspace.apply();
    copies.is_equal("id, name, active", 1001);
    copies.workspace.is_settled();
}

/// A column that comes after the plan, while rows are read, is in no statement: the step fails, and the next run has it.
#[test]
fn real_a_column_that_comes_while_rows_are_read_is_not_lost() {
    let Some(copies) = Copies::new("newlate") else { return };
    copies.declare("SCHEMA.people", UPSERT);
    for round in 0..2 {
        let (alpha, people) = (copies.alpha().clone(), copies.people());
        let sql = format!(
            "ALTER TABLE {people} ADD COLUMN late{round} TEXT; UPDATE {people} SET late{round} = 'l' || id; \
             REFRESH TABLE {people}"
        );
        let between = Intercept::before(copies.alpha(), "SELECT \"id\"", move || {
            alpha.sql(&sql);
            Then::Pass
        });
        copies.workspace.reach(copies.alpha(), &between.cluster);
        let said = copies.workspace.run(&["apply", "--auto-approve"]).expect(7).all();
        assert!(said.contains("got or lost columns while it was read"), "{round}: {said}");
        assert_eq!(between.hits(), 1);
        copies.workspace.reach(&between.cluster, copies.alpha());
        copies.workspace.apply();
        copies.is_equal(&format!("id, name, late{round}"), 1000 + round);
        copies.workspace.is_settled();
        another(&copies, 1001 + round);
    }
}
