//! `then: detach` on real clusters: six tables arrive equal, what is replaced, what a run that is killed leaves behind.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::real::{Copies, Transship, replication_turn, wait_until};
use crate::real_mover::types::{ROWS, TYPES};
use crate::real_mover::unordered;

/// Tables on alpha, and a flow `copy` that has a subscription of beta fill them once.
struct Story {
    copies: Copies,
    _turn: MutexGuard<'static, ()>,
}

impl Story {
    fn bare(name: &str) -> Option<Self> {
        let copies = Copies::bare(name)?;
        Some(Self { copies, _turn: replication_turn() })
    }

    /// With a table `people` of 1,000 rows.
    fn new(name: &str) -> Option<Self> {
        let copies = Copies::new(name)?;
        Some(Self { copies, _turn: replication_turn() })
    }

    /// Declares the flow with some table entries and more keys, each a line of YAML.
    fn declare(&self, entries: &[&str], more: &str) {
        let entries: Vec<String> = entries
            .iter()
            .map(|entry| format!("\n      - {}", entry.replace("SCHEMA", &self.copies.scope.schema)))
            .collect();
        let flow = format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:{}\n    \
             strategy: {{ logical-replication: {{ then: detach }} }}\n    {more}\n",
            entries.concat()
        );
        self.copies.workspace.write("flows.yaml", &flow);
    }

    fn table(&self, name: &str) -> String {
        self.copies.scope.table(name)
    }

    /// No publication, no subscription, no lease and no copy aside is left.
    #[track_caller]
    fn nothing_is_left(&self) {
        let (alpha, beta) = (self.copies.alpha(), self.copies.beta());
        let schema = &self.copies.scope.schema;
        let publications = format!("SELECT pubname FROM pg_catalog.pg_publication WHERE pubname LIKE '%{schema}%'");
        assert_eq!(alpha.sql(&publications), Vec::<Vec<Option<String>>>::new());
        let subscriptions = format!("SELECT subname FROM pg_catalog.pg_subscription WHERE subname LIKE '%{schema}%'");
        assert_eq!(beta.sql(&subscriptions), Vec::<Vec<Option<String>>>::new());
        let leases = format!(
            "SELECT table_name, retention_leases['leases']['id'] FROM sys.shards WHERE schema_name = '{schema}' AND \"primary\""
        );
        let is_kept =
            |row: &Vec<Option<String>>| row[1].as_deref().is_some_and(|ids| ids.contains("logical_replication"));
        assert!(!alpha.sql(&leases).iter().any(is_kept), "{:?}", alpha.sql(&leases));
        self.copies.aside(0);
        self.copies.workspace.is_settled();
    }

    /// Both clusters have the same rows, value by value as they were written.
    #[track_caller]
    fn is_equal(&self, name: &str, to: &str, key: &str) -> usize {
        let schema = &self.copies.scope.schema;
        let sql = format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{name}' \
             AND column_details['path'] = [] ORDER BY ordinal_position"
        );
        let columns = self.copies.alpha().sql(&sql).into_iter().map(|mut row| row[0].take().expect("a name"));
        // The column of a partition cannot be read through the document.
        let value = |column: String| if name == "types" { format!("_doc['{column}']") } else { column };
        let values: Vec<String> = columns.map(value).collect();
        self.copies.alpha().sql(&format!("REFRESH TABLE {}", self.table(name)));
        let select = |table: &str| format!("SELECT {} FROM {table} ORDER BY {key}", values.join(", "));
        let source = self.copies.alpha().sql(&select(&self.table(name)));
        let target = self.copies.beta().sql(&select(to));
        assert_eq!(source.len(), target.len(), "{name}");
        for (source, target) in source.iter().flatten().zip(target.iter().flatten()) {
            let is_equal = source == target || source.as_deref().map(unordered) == target.as_deref().map(unordered);
            assert!(is_equal, "{name}: {source:?} became {target:?}");
        }
        target.len()
    }

    /// Starts a run and kills it as soon as `condition` holds.
    fn kill_when(&self, what: &str, condition: impl FnMut() -> bool) {
        let run = Transship::new(&self.copies.workspace, &["apply", "--auto-approve"]).start();
        wait_until(what, Duration::from_secs(60), condition);
        drop(run);
        // Its lock would end by itself in half a minute.
        self.copies.workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
    }

    /// How often `what` is in the texts of the flow's ledger row.
    fn noted(&self, what: &str) -> bool {
        let sql = format!(
            "REFRESH TABLE transship.flows; SELECT document FROM transship.flows WHERE workspace = '{}'",
            self.copies.scope.workspace
        );
        let row = self.copies.beta().try_sql(&sql).unwrap_or_default();
        row.iter().flatten().flatten().any(|row| row.contains(what))
    }
}

#[test]
fn real_settings_of_target_are_set_once_nothing_follows_the_table() {
    let Some(story) = Story::new("detset") else { return };
    let schema = story.copies.scope.schema.clone();
    for (entry, table) in [("SCHEMA.people", "people"), ("{ from: SCHEMA.people, to: SCHEMA.persons }", "persons")] {
        story.declare(&[entry], "existing: error\n    target: { replicas: 0-1, refresh_interval: 7000 }");
        story.copies.workspace.apply();
        let sql = format!(
            "SELECT number_of_replicas, settings['refresh_interval'] FROM information_schema.tables \
             WHERE table_schema = '{schema}' AND table_name = '{table}'"
        );
        let found: Vec<String> = story.copies.beta().sql(&sql).remove(0).into_iter().flatten().collect();
        assert_eq!(found, ["0-1", "7000"], "{table}");
        story.copies.workspace.is_settled();
        story.nothing_is_left();
        story.copies.beta().sql(&format!("DROP TABLE {}", story.table(table)));
    }
}

#[test]
fn real_six_tables_arrive_equal_and_nothing_is_left() {
    let Some(story) = Story::bare("detach-six") else { return };
    let alpha = story.copies.alpha();
    let make = |name: &str, columns: &str, more: &str| {
        alpha.sql(&format!("CREATE TABLE {} ({columns}) {more} WITH (number_of_replicas = 0)", story.table(name)));
    };
    make("types", TYPES, "CLUSTERED INTO 2 SHARDS");
    for (columns, rows) in ROWS {
        for row in *rows {
            alpha.sql(&format!("INSERT INTO {} ({columns}) VALUES ({row})", story.table("types")));
        }
    }
    let months = "id INTEGER, month INTEGER, PRIMARY KEY (id, month)";
    make("parted", months, "CLUSTERED INTO 2 SHARDS PARTITIONED BY (month)");
    let insert = |name: &str, columns: &str, values: &str, rows: u32| {
        alpha.sql(&format!(
            "INSERT INTO {} ({columns}) (SELECT {values} FROM generate_series(1, {rows}) AS t(g))",
            story.table(name)
        ));
    };
    insert("parted", "id, month", "g, g % 12", 1_200);
    make("objects", "id INTEGER PRIMARY KEY, o OBJECT(DYNAMIC)", "");
    insert("objects", "id, o", "g, {a = g, b = {c = [g, NULL]}}", 500);
    make("empty", "id INTEGER PRIMARY KEY, v TEXT", "");
    make("derived", "id INTEGER PRIMARY KEY, twice INTEGER GENERATED ALWAYS AS id * 2", "");
    insert("derived", "id", "g", 500);
    make("large", "id INTEGER PRIMARY KEY, name TEXT, v DOUBLE PRECISION", "CLUSTERED INTO 4 SHARDS");
    insert("large", "id, name, v", "g, 'name of ' || g, g / 7.0", 200_000);

    story.declare(&["SCHEMA.*"], "existing: error");
    let applied = story.copies.workspace.apply();
    assert!(applied.all().contains("as many as the source has"), "{}", applied.all());
    story.nothing_is_left();
    for (name, key, rows) in [
        ("types", "id", 1),
        ("parted", "id", 1_200),
        ("objects", "id", 500),
        ("derived", "id", 500),
        ("large", "id", 200_000),
    ] {
        assert!(story.is_equal(name, &story.table(name), key) >= rows, "{name}");
        let shown = |cluster: &crate::real::Cluster| cluster.value(&format!("SHOW CREATE TABLE {}", story.table(name)));
        assert_eq!(shown(alpha), shown(story.copies.beta()), "{name}");
    }
    assert_eq!(story.copies.beta().count(&story.table("empty")), 0);
    // They are ordinary tables.
    let empty = story.table("empty");
    story.copies.beta().sql(&format!("INSERT INTO {empty} (id) VALUES (1); ALTER TABLE {empty} ADD COLUMN more TEXT"));
}

#[test]
fn real_tables_are_renamed_replaced_and_put_into_another_schema() {
    let Some(mut story) = Story::new("detach-named") else { return };
    let (people, persons) = (story.copies.people(), story.table("persons"));
    let app = story.copies.scope.user("app", &[]);
    let beta = story.copies.beta().clone();
    beta.sql(&format!(
        "CREATE TABLE {persons} (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
         INSERT INTO {persons} (id, name) SELECT g, 'old' FROM generate_series(1, 800) AS t(g); REFRESH TABLE {persons};
         GRANT DQL ON TABLE {persons} TO \"{}\"",
        app.user
    ));
    story.declare(&["{ from: SCHEMA.people, to: SCHEMA.persons }"], "existing: replace\n    repeat: on-change");
    story.copies.workspace.apply();
    story.nothing_is_left();
    assert_eq!(story.is_equal("people", &persons, "id"), 1_000);
    let as_app = beta.try_sql_as(&app, &format!("SELECT count(*) FROM {persons}"));
    assert_eq!(as_app.map(|rows| rows.len()).ok(), Some(1), "the grant passed to what took the place");
    assert!(beta.try_sql(&format!("SELECT 1 FROM {people}")).is_err(), "nothing is left under the name of the source");

    // It is due as soon as the source was written to, and not again after that.
    story.copies.insert(1_001, 1_500);
    story.copies.workspace.apply();
    story.nothing_is_left();
    assert_eq!(story.is_equal("people", &persons, "id"), 1_500);

    // A source that lost its rows replaces nothing, and what arrived is put away by the next run.
    story.copies.alpha().sql(&format!("DELETE FROM {people} WHERE id > 10; REFRESH TABLE {people}"));
    let failed = story.copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    assert!(failed.all().contains("apply::shrinks"), "{}", failed.all());
    assert_eq!(beta.count(&persons), 1_500);

    story.copies.workspace.write("flows.yaml", "version: 1\n");
    story.copies.workspace.apply();
    beta.sql(&format!("DROP TABLE {persons}"));
    let elsewhere = format!("{}_crm", story.copies.scope.schema);
    story.declare(&[&format!("{{ from: SCHEMA.people, to: {elsewhere}.people }}")], "existing: error");
    story.copies.workspace.apply();
    assert_eq!(story.is_equal("people", &format!("\"{elsewhere}\".people"), "id"), 10);
    beta.sql(&format!("DROP TABLE \"{elsewhere}\".people"));
}

#[test]
fn real_a_run_that_is_killed_leaves_nothing_that_the_next_one_does_not_know() {
    let Some(story) = Story::new("detach-killed") else { return };
    let beta = story.copies.beta();
    story.declare(&["{ from: SCHEMA.people, to: SCHEMA.persons }"], "existing: error");
    let subscribed = || {
        let sql =
            format!("SELECT 1 FROM pg_catalog.pg_subscription WHERE subname LIKE '%{}%'", story.copies.scope.schema);
        !beta.sql(&sql).is_empty()
    };
    story.kill_when("the subscription is there", &subscribed);
    story.copies.workspace.apply();
    story.nothing_is_left();
    assert_eq!(story.is_equal("people", &story.table("persons"), "id"), 1_000);

    beta.sql(&format!("DROP TABLE {}", story.table("persons")));
    story.kill_when("it is in sync", || story.noted("\"placing\""));
    story.copies.workspace.apply();
    story.nothing_is_left();
    assert_eq!(story.is_equal("people", &story.table("persons"), "id"), 1_000);

    // A copy that nothing follows and nobody has in sync: somebody dropped the subscription. The source has let go of one that
    // had its files; after one that was dropped before, leases may stay for hours.
    beta.sql(&format!("DROP TABLE {}", story.table("persons")));
    story.kill_when("it arrives", || story.noted("people\":{\"") && subscribed());
    wait_until("its files are there", Duration::from_secs(60), || {
        let sql = format!(
            "SELECT r.srsubstate FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_subscription_rel r \
             ON s.oid = r.srsubid WHERE s.subname LIKE '%{}%'",
            story.copies.scope.schema
        );
        let states = beta.sql(&sql);
        states.is_empty() || states.iter().all(|row| row[0].as_deref() == Some("r"))
    });
    std::thread::sleep(Duration::from_secs(2));
    beta.sql(&format!("DROP SUBSCRIPTION IF EXISTS \"transship__{}__copy\"", story.copies.scope.schema));
    // Whether anything has arrived since it was noted is chance; what has is dropped by those only who say so.
    let consent = format!("table:beta.{}.people", story.copies.scope.schema);
    let _ = story.copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", &consent]).expect(0);
    story.nothing_is_left();
    assert_eq!(story.is_equal("people", &story.table("persons"), "id"), 1_000);
}

#[test]
fn real_a_copy_under_constant_writes_ends_and_says_what_it_is() {
    let Some(story) = Story::new("detach-written") else { return };
    story.declare(&["SCHEMA.people"], "existing: error");
    let stop = AtomicBool::new(false);
    let applied = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut id = 2_000;
            while !stop.load(Ordering::Relaxed) {
                let people = story.copies.people();
                story.copies.alpha().sql(&format!("INSERT INTO {people} (id, name) VALUES ({id}, 'x')"));
                id += 1;
            }
        });
        let applied = story.copies.workspace.run(&["apply", "--auto-approve"]);
        stop.store(true, Ordering::Relaxed);
        applied
    });
    let text = applied.expect(0).all();
    assert!(text.contains("the source is being written to") || text.contains("as many as the source has"), "{text}");
    assert!(text.contains("plan::not-a-cut") || text.contains("no consistent cut"), "{text}");
    story.nothing_is_left();
    let rows = story.copies.beta().count(&story.copies.people());
    assert!(rows >= 1_000, "{rows}");
}
