//! Copies of rows on real clusters: from YAML to equal data, every way of putting in place, and what goes wrong.

use std::time::Duration;

use crate::real::{Copies, Readers};

const ALL: &str = "id, name, email, active, amount::text, at, month";

#[test]
fn a_table_arrives_whole_and_the_second_plan_is_empty() {
    let Some(copies) = Copies::new("whole") else { return };
    copies.declare("SCHEMA.people", "existing: error");
    assert_eq!(copies.kinds(), ["create-table", "copy-rows", "rename-table"]);
    copies.workspace.apply();
    copies.is_equal(ALL, 1000);
    copies.workspace.is_settled();
    copies.aside(0);
    let shown = copies.beta().value(&format!("SHOW CREATE TABLE {}", copies.people())).expect("a definition");
    assert!(
        shown.contains("GENERATED ALWAYS AS") && shown.contains("CHECK") && shown.contains("DEFAULT 'nobody'"),
        "{shown}"
    );

    // Done is done: what is written at the source afterwards is nobody's change of the spec.
    copies.insert(1001, 1010);
    copies.workspace.is_settled();
    copies.beta().sql(&format!("DROP TABLE {}", copies.people()));
    copies.workspace.apply();
    copies.is_equal(ALL, 1010);
}

#[test]
fn rows_are_chosen_and_columns_renamed_dropped_and_computed() {
    let Some(copies) = Copies::new("columns") else { return };
    copies.declare(
        "{ from: SCHEMA.people, to: SCHEMA.persons, where: active, columns: { person: id, mail: upper(email), \
         half: { sql: amount / 2, cast: 'NUMERIC(14, 4)' } } }",
        "target: { shards: 1, replicas: '0' }",
    );
    copies.workspace.apply();
    copies.workspace.is_settled();
    let persons = copies.scope.table("persons");
    let found = copies
        .beta()
        .sql(&format!("REFRESH TABLE {persons}; SELECT person, mail, half::text FROM {persons} ORDER BY 1"));
    let expected = copies.alpha().sql(&format!(
        "SELECT id, upper(email), (amount / 2)::numeric(14, 4)::text FROM {} WHERE active ORDER BY 1",
        copies.people()
    ));
    assert_eq!((found.len(), &found), (500, &expected));
    let shown = copies.beta().value(&format!("SHOW CREATE TABLE {persons}")).expect("a definition");
    assert!(shown.contains("PRIMARY KEY (\"person\")") && shown.contains("INTO 1 SHARDS"), "{shown}");
}

#[test]
fn every_mode_of_existing_does_what_it_says() {
    let Some(copies) = Copies::new("existing") else { return };
    let people = copies.people();
    let make = || {
        copies.beta().sql(&format!(
            "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT, email TEXT, active BOOLEAN, amount NUMERIC(12, 2), \
             at TIMESTAMP WITH TIME ZONE, month TIMESTAMP WITH TIME ZONE) WITH (number_of_replicas = 0)"
        ));
    };
    make();
    copies
        .beta()
        .sql(&format!("INSERT INTO {people} (id, name) VALUES (1, 'old'), (5000, 'theirs'); REFRESH TABLE {people}"));
    let names = |id: u32| copies.beta().value(&format!("SELECT name FROM {people} WHERE id = {id}"));

    copies.declare("SCHEMA.people", "existing: error");
    copies.workspace.run(&["plan"]).expect(1);
    copies.declare("SCHEMA.people", "existing: skip");
    copies.workspace.apply();
    copies.workspace.is_settled();
    assert_eq!(names(1).as_deref(), Some("old"), "left alone");

    let some = "{ from: SCHEMA.people, columns: [id, name, email, active, amount, at] }";
    copies.declare(some, "existing: upsert");
    copies.workspace.apply();
    copies.workspace.is_settled();
    assert_eq!((names(1).as_deref(), names(5000).as_deref()), (Some("n1"), Some("theirs")));
    assert_eq!(copies.beta().count(&people), 1001);

    copies.beta().sql(&format!("DROP TABLE {people}"));
    copies.workspace.write("flows.yaml", "version: 1\n");
    copies.workspace.apply();
    make();
    copies.beta().sql(&format!("INSERT INTO {people} (id, name) VALUES (5000, 'theirs'); REFRESH TABLE {people}"));
    copies.declare(some, "existing: append");
    copies.workspace.apply();
    copies.workspace.is_settled();
    assert_eq!((names(1).as_deref(), names(5000).as_deref()), (Some("n1"), Some("theirs")));
    assert_eq!(copies.beta().count(&people), 1001);
    copies.declare(
        "{ from: SCHEMA.people, where: active, columns: [id, name, email, active, amount, at] }",
        "existing: append",
    );
    copies.workspace.run(&["plan"]).expect(1);

    copies.declare("SCHEMA.people", "existing: replace");
    copies.workspace.apply();
    copies.workspace.is_settled();
    copies.is_equal(ALL, 1000);
    assert_eq!(names(5000), None);
    copies.aside(0);
}

#[test]
fn a_view_is_switched_under_readers_who_see_the_old_or_the_new() {
    let Some(mut copies) = Copies::new("view") else { return };
    let app = copies.scope.user("app", &[]);
    copies.declare("SCHEMA.people", "existing: replace\n    replace_by: view");
    copies.workspace.apply();
    copies.workspace.is_settled();
    let people = copies.people();
    copies.beta().sql(&format!("GRANT DQL ON VIEW {people} TO \"{}\"", app.user));
    let readers = Readers::start(4, copies.beta(), &people);
    copies.insert(1001, 1500);
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    std::thread::sleep(Duration::from_millis(200));
    for read in readers.stop() {
        assert!(matches!(read.seen, Ok(1000 | 1500)), "{read:?}");
    }
    copies.is_equal("id, name, email", 1500);
    assert_eq!(
        copies.beta().try_sql_as(&app, &format!("SELECT count(*) FROM {people}")).map(|rows| rows.len()).ok(),
        Some(1)
    );
    copies.aside(2);
    copies.workspace.is_settled();
}

#[test]
fn a_view_takes_the_name_of_a_table_with_its_grants() {
    let Some(mut copies) = Copies::new("taken") else { return };
    let (app, people) = (copies.scope.user("app", &[]), copies.people());
    copies.beta().sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
         INSERT INTO {people} (id, name) SELECT g, 'old' FROM generate_series(1, 800) AS t(g); REFRESH TABLE {people};
         GRANT DQL ON TABLE {people} TO \"{user}\"; DENY DML ON TABLE {people} TO \"{user}\"",
        user = app.user
    ));
    copies.declare("SCHEMA.people", "existing: replace\n    replace_by: view");
    assert_eq!(copies.kinds(), ["create-table", "copy-rows", "replace-by-view"]);
    copies.workspace.apply();
    copies.workspace.is_settled();
    copies.is_equal("id, name, email", 1000);
    let as_app = |sql: &str| copies.beta().try_sql_as(&app, &format!("{sql} {people}"));
    assert_eq!(as_app("SELECT count(*) FROM").map(|rows| rows.len()).ok(), Some(1), "the grant passed to the view");
    copies.aside(2);

    // What was replaced stays: CrateDB cannot drop it while the view has its name. Versions come and go.
    let resync = ["apply", "--auto-approve", "--resync", "copy"];
    for versions in [2, 2] {
        let _ = copies.workspace.run(&resync).expect(0);
        copies.aside(1 + versions);
    }
    // A source that became empty replaces nothing.
    copies.alpha().sql(&format!("DELETE FROM {people}; REFRESH TABLE {people}"));
    let failed = copies.workspace.run(&resync).expect(7);
    assert!(failed.all().contains("apply::shrinks"), "{}", failed.all());
    assert_eq!(as_app("SELECT id FROM").map(|rows| rows.len()).ok(), Some(1000));
}

#[test]
fn a_swap_ends_when_reads_are_right_and_grants_hold() {
    let Some(mut copies) = Copies::new("swap") else { return };
    let app = copies.scope.user("app", &[]);
    copies.declare("SCHEMA.people", "existing: replace");
    copies.workspace.apply();
    let people = copies.people();
    copies.beta().sql(&format!("GRANT DQL ON TABLE {people} TO \"{}\"", app.user));
    copies.insert(1001, 1500);
    let resync = ["apply", "--auto-approve", "--resync", "copy"];
    let _ = copies.workspace.run(&resync).expect(0);
    assert_eq!(copies.beta().count(&people), 1500, "as soon as the step has ended");
    let as_app = copies.beta().try_sql_as(&app, &format!("SELECT count(*) FROM {people}"));
    assert_eq!(as_app.map(|rows| rows.len()).ok(), Some(1), "the grant passed to what took the place");
    copies.workspace.is_settled();
    copies.aside(0);

    // The shrink guard: a source that lost its rows replaces nothing.
    copies.alpha().sql(&format!("DELETE FROM {people}; REFRESH TABLE {people}"));
    let failed = copies.workspace.run(&resync).expect(7);
    assert!(failed.all().contains("apply::shrinks"), "{}", failed.all());
    assert_eq!(copies.beta().count(&people), 1500);
    copies.declare("SCHEMA.people", "existing: replace\n    allow_shrink: true");
    let _ = copies.workspace.run(&resync).expect(0);
    assert_eq!(copies.beta().count(&people), 0);
    copies.workspace.is_settled();
    copies.aside(0);
}

#[test]
fn refused_rows_are_named_and_nothing_is_put_in_place() {
    let Some(copies) = Copies::new("refused") else { return };
    let people = copies.people();
    copies.declare("{ from: SCHEMA.people, columns: { id: \"id - 10\", name: name } }", "existing: replace");
    copies.declare(
        "{ from: SCHEMA.people, columns: { id: id, name: { sql: \"CASE WHEN id = 500 THEN NULL ELSE name END\", cast: TEXT } } }",
        "existing: upsert",
    );
    copies.beta().sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT NOT NULL) WITH (number_of_replicas = 0)"
    ));
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(failed.all().contains("id = 500"), "{}", failed.all());
    copies.beta().sql(&format!("REFRESH TABLE {people}"));
    assert_eq!(copies.beta().count(&people), 999, "the other rows are there");
}
