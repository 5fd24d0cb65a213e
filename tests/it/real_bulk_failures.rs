//! What goes wrong in the middle of a snapshot or an export on real clusters: the run says so, nothing half is put in
//! place, and the next run ends it and leaves nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::real::{Cluster, Clusters, Copies, Intercept, Outcome, Then, wait_until};
use crate::s3::{ACCESS_KEY, Fault, S3, SECRET_KEY};

const ALL: &str = "id, name, email, active, amount::text, at, month";

/// A flow of one table through a directory that is the test's own.
struct Bulk {
    copies: Copies,
    folder: PathBuf,
}

impl Bulk {
    fn new(name: &str, strategy: &str) -> Option<Self> {
        let copies = Copies::new(name)?;
        let folder = copies.clusters.exchange(name)?.join(&copies.scope.workspace);
        let bulk = Self { copies, folder };
        bulk.declare(&format!("directory: {{ path: {} }}", bulk.folder.display()), strategy, "existing: error");
        Some(bulk)
    }

    fn declare(&self, store: &str, strategy: &str, more: &str) {
        let schema = &self.copies.scope.schema;
        let (strategy, settings) = strategy.split_once(", ").unwrap_or((strategy, "keep: 1"));
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  place:\n    {store}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    \
                 tables: [{schema}.people]\n    strategy: {{ {strategy}: {{ store: place, {settings} }} }}\n    {more}\n"
            ),
        );
    }

    /// With files of CSV, which transship writes itself.
    fn csv(name: &str) -> Option<Self> {
        let bulk = Self::new(name, "export-import, format: csv")?;
        fs_err::create_dir_all(&bulk.folder).expect("the shared directory can be written");
        Some(bulk)
    }

    /// The files below the directory of the test.
    fn files(&self) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found
    }

    /// Applies while a hook runs before the first statement with `text` that goes to `cluster`.
    fn apply(&self, cluster: &Cluster, text: &str, hook: impl FnMut() -> Then + Send + 'static) -> Outcome {
        let between = Intercept::before(cluster, text, hook);
        self.copies.workspace.reach(cluster, &between.cluster);
        let outcome = self.copies.workspace.run(&["apply", "--auto-approve"]);
        self.copies.workspace.reach(&between.cluster, cluster);
        assert!(between.hits() > 0, "no {text} was sent: {}", outcome.all());
        outcome
    }

    /// The run failed and said why; the target has no such table.
    #[track_caller]
    fn failed(&self, outcome: Outcome, says: &[&str]) {
        let said = outcome.expect(7).all();
        for part in says {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(!self.is_there(), "{said}");
    }

    fn is_there(&self) -> bool {
        let sql = format!(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = '{}' AND table_name = 'people'",
            self.copies.scope.schema
        );
        !self.copies.beta().sql(&sql).is_empty()
    }

    /// The next run ends it, and leaves what a run that never failed leaves.
    #[track_caller]
    fn converges(&self) {
        self.copies.workspace.apply();
        self.copies.is_equal(ALL, 1000);
        self.copies.workspace.is_settled();
        self.copies.aside(0);
        let snapshots =
            format!("SELECT name FROM sys.snapshots WHERE repository LIKE '%{}%'", self.copies.scope.schema);
        assert!(self.copies.alpha().sql(&snapshots).len() <= 1, "snapshots are left");
    }

    /// The name of the repository, and the copy that the next plan would restore.
    fn restored(&self) -> (String, String) {
        let plan: Value = self.copies.workspace.run(&["plan", "--format", "json"]).expect(0).json();
        let steps = plan["steps"].as_array().expect("a plan has steps");
        let restore = steps.iter().find(|step| step["kind"] == "restore-table").expect("a restore");
        let action = restore["action"].as_object().and_then(|action| action.values().next()).expect("an action");
        let text = |part: &str| action[part].as_str().expect("a text").to_owned();
        let copy = text("copy");
        let (schema, name) = copy.split_once('.').expect("a schema");
        (text("repository"), format!("\"{schema}\".\"{name}\""))
    }
}

#[test]
fn real_a_restore_does_not_go_into_a_table_that_is_there() {
    let Some(bulk) = Bulk::new("taken", "snapshot") else { return };
    let (_, copy) = bulk.restored();
    let beta = bulk.copies.beta().clone();
    let made = copy.clone();
    let outcome = bulk.apply(bulk.copies.beta(), "RESTORE SNAPSHOT", move || {
        beta.sql(&format!("CREATE TABLE {made} (theirs INTEGER); INSERT INTO {made} VALUES (1); REFRESH TABLE {made}"));
        Then::Pass
    });
    bulk.failed(outcome, &["already exists", "restore-table"]);
    assert_eq!(bulk.copies.beta().count(&copy), 1, "what somebody else made is left alone");
    bulk.copies.beta().sql(&format!("DROP TABLE {copy}"));
    bulk.converges();
}

#[test]
fn real_a_name_that_is_taken_meanwhile_stays_theirs() {
    let Some(bulk) = Bulk::new("name-taken", "snapshot") else { return };
    let (beta, people) = (bulk.copies.beta().clone(), bulk.copies.people());
    let outcome = bulk.apply(bulk.copies.beta(), "RENAME TO", move || {
        beta.sql(&format!("CREATE TABLE {people} (theirs INTEGER); INSERT INTO {people} VALUES (1)"));
        beta.sql(&format!("REFRESH TABLE {people}"));
        Then::Pass
    });
    outcome.expect(7);
    assert_eq!(bulk.copies.beta().count(&bulk.copies.people()), 1);
    let refused = bulk.copies.workspace.run(&["plan"]).expect(1).all();
    assert!(refused.contains("plan::target-exists"), "{refused}");
    bulk.copies.beta().sql(&format!("DROP TABLE {}", bulk.copies.people()));
    bulk.converges();
}

#[test]
fn real_a_snapshot_that_is_deleted_under_a_run_is_made_again() {
    let Some(bulk) = Bulk::new("deleted", "snapshot") else { return };
    let (repository, _) = bulk.restored();
    let alpha = bulk.copies.alpha().clone();
    let outcome = bulk.apply(bulk.copies.beta(), "RESTORE SNAPSHOT", move || {
        alpha.sql(&format!("DROP SNAPSHOT \"{repository}\".\"copy-1\""));
        Then::Pass
    });
    bulk.failed(outcome, &["copy-1", "restore-table"]);
    bulk.converges();
}

#[test]
fn real_lost_answers_of_snapshots_and_restores_are_found_out() {
    for (name, text) in
        [("lost-snap", "CREATE SNAPSHOT \"transship__"), ("lost-rest", "RESTORE SNAPSHOT"), ("lost-name", "RENAME TO")]
    {
        let Some(bulk) = Bulk::new(name, "snapshot") else { return };
        let on = if text.starts_with("CREATE SNAPSHOT") { bulk.copies.alpha() } else { bulk.copies.beta() };
        bulk.apply(on, text, || Then::CutAfter).expect(0);
        bulk.converges();
    }
}

#[test]
fn real_a_connection_that_is_lost_before_a_statement_fails_the_run_or_is_tried_again() {
    for (name, strategy, text) in
        [("gone-rest", "snapshot", "RESTORE SNAPSHOT"), ("gone-copy", "export-import", "COPY \"")]
    {
        let Some(bulk) = Bulk::new(name, strategy) else { return };
        let outcome = bulk.apply(bulk.copies.beta(), text, || Then::CutBefore);
        assert!([0, 7].contains(&outcome.code), "{}", outcome.all());
        bulk.converges();
    }
}

#[test]
fn real_an_import_whose_connection_is_lost_is_made_anew() {
    let Some(bulk) = Bulk::new("cut-import", "export-import") else { return };
    let outcome = bulk.apply(bulk.copies.beta(), "COPY \"", || Then::CutAfter);
    bulk.failed(outcome, &["import-rows"]);
    bulk.converges();
}

#[test]
fn real_a_directory_that_the_target_does_not_see_is_told() {
    let Some(bulk) = Bulk::new("unseen", "snapshot") else { return };
    let (here, away) = (bulk.folder.clone(), bulk.folder.with_extension("away"));
    let outcome = bulk.apply(bulk.copies.beta(), "CREATE REPOSITORY \"transship_marker__", move || {
        fs_err::rename(&here, &away).expect("the directory is there");
        Then::Pass
    });
    bulk.failed(outcome, &["check-store", "apply::stores-differ"]);
    fs_err::rename(bulk.folder.with_extension("away"), &bulk.folder).expect("it is mounted again");
    bulk.converges();
}

#[test]
fn real_a_bucket_that_the_target_may_not_read_is_told() {
    let Some(mut bulk) = Bulk::new("forbidden", "snapshot") else { return };
    let server = std::sync::Arc::new(S3::start(&["handover"]));
    let store = format!(
        "s3: {{ bucket: handover, prefix: it, region: eu-central-1, endpoint: \"{}\", path_style: true, protocol: http, \
         access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}",
        server.address
    );
    for (name, value) in [("S3_KEY", ACCESS_KEY), ("S3_SECRET", SECRET_KEY)] {
        bulk.copies.workspace.variables.push((name.to_owned(), value.to_owned()));
    }
    bulk.declare(&store, "snapshot", "existing: error");
    let forbids = std::sync::Arc::clone(&server);
    let outcome = bulk.apply(bulk.copies.beta(), "CREATE REPOSITORY \"transship__", move || {
        forbids.fail(Fault::Forbid);
        Then::Pass
    });
    let said = outcome.all();
    bulk.failed(outcome, &["create-repository", "beta"]);
    assert!(!said.contains(ACCESS_KEY) && !said.contains(SECRET_KEY), "{said}");
    server.fail(Fault::None);
    bulk.converges();
}

/// The statement after which a disk with less than `free` counts as full.
pub(crate) fn watermarks(free: &str) -> String {
    let disk = "\"cluster.routing.allocation.disk";
    let marks = ["low", "high", "flood_stage"].map(|mark| format!("{disk}.watermark.{mark}\" = '{free}'"));
    format!("SET GLOBAL TRANSIENT {}, {disk}.threshold_enabled\" = true", marks.join(", "))
}

/// What CrateDB does about a disk that fills up: from the flood stage on, tables take no more rows.
#[test]
fn real_an_import_onto_a_full_disk_puts_nothing_in_place() {
    let Some(bulk) = Bulk::new("full", "export-import") else { return };
    let Some((_node, other)) = Clusters::another("full", "full", &["cluster.info.update.interval=10s"]) else { return };
    bulk.copies.workspace.reach(bulk.copies.beta(), &other);
    let (full, probe) = (other.clone(), bulk.copies.scope.table("probe"));
    other.sql(&format!("CREATE TABLE {probe} (id INTEGER)"));
    let outcome = bulk.apply(&other, "COPY \"", move || {
        full.sql(&watermarks("1000000gb"));
        let insert = format!("INSERT INTO {probe} VALUES (1)");
        wait_until("tables are blocked", Duration::from_secs(90), || full.try_sql(&insert).is_err());
        Then::Pass
    });
    bulk.copies.workspace.reach(bulk.copies.beta(), &other);
    let said = outcome.expect(7).all();
    assert!(said.contains("0 of 1000 exported rows") && said.contains("disk"), "{said}");
    let is_there = || {
        let sql = "SELECT table_name FROM information_schema.tables WHERE table_name = 'people' AND table_schema =";
        !other.sql(&format!("{sql} '{}'", bulk.copies.scope.schema)).is_empty()
    };
    assert!(!is_there());
    // As long as the disk is full nothing is begun: ledger and locks lie on it.
    let said = bulk.copies.workspace.run(&["apply", "--auto-approve"]).expect(1).all();
    assert!(said.contains("cluster::disk-full") || said.contains("node_checks"), "{said}");
    other.sql(&watermarks("1b"));
    let (free, insert) = (other.clone(), format!("INSERT INTO {} VALUES (1)", bulk.copies.scope.table("probe")));
    wait_until("tables take rows again", Duration::from_secs(90), || free.try_sql(&insert).is_ok());
    // The first run could not let go of its locks.
    bulk.copies.workspace.run(&["apply", "--auto-approve", "--lock-timeout", "1m"]).expect(0);
    assert_eq!(other.count(&bulk.copies.people()), 1000);
    bulk.copies.workspace.is_settled();
    let tables =
        format!("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'", bulk.copies.scope.schema);
    assert_eq!(other.value(&tables).as_deref(), Some("2"), "the table and the probe");
}

/// Changes the first file that a flow has written below `folder` before it is imported.
fn tampered(folder: &std::path::Path, change: impl Fn(&str) -> Option<String>) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs_err::read_to_string(&path).expect("a text");
            match change(&text) {
                Some(text) => fs_err::write(&path, text).expect("written"),
                None => fs_err::remove_file(&path).expect("removed"),
            }
        }
    }
}

#[test]
fn real_files_that_are_changed_or_deleted_before_they_are_imported_are_told_by_line() {
    type Change = fn(&str) -> Option<String>;
    let cases: [(&str, Change, &[&str]); 5] = [
        ("bad-type", |text| Some(text.replacen("\n1,", "\nno number,", 1)), &["rows-1.csv, line", "999 of 1000"]),
        ("bad-quote", |text| Some(text.replacen("\"n2\"", "\"n2", 1)), &["rows-1.csv, line", "quote"]),
        ("bad-less", |text| Some(text.lines().take(501).collect::<Vec<_>>().join("\n")), &["500 of 1000"]),
        ("bad-twice", |text| Some(format!("{text}{}\n", text.lines().nth(1)?)), &["1000 of 1000", "primary key"]),
        ("bad-gone", |_| None, &["0 of 1000", "No such file"]),
    ];
    for (name, change, says) in cases {
        let Some(bulk) = Bulk::csv(name) else { return };
        let folder = bulk.folder.clone();
        let outcome = bulk.apply(bulk.copies.beta(), "COPY \"", move || {
            tampered(&folder, change);
            Then::Pass
        });
        bulk.failed(outcome, says);
        bulk.converges();
        assert_eq!(bulk.files().len(), 1, "the files of the failed run are gone: {:?}", bulk.files());
    }
}

#[test]
fn real_an_export_that_is_deleted_before_it_is_imported_is_told() {
    let Some(bulk) = Bulk::new("json-gone", "export-import") else { return };
    let folder = bulk.folder.clone();
    let outcome = bulk.apply(bulk.copies.beta(), "COPY \"", move || {
        tampered(&folder, |text| (!text.contains("\"id\":1,")).then(|| text.to_owned()));
        Then::Pass
    });
    bulk.failed(outcome, &["of 1000 exported rows", "No such file"]);
    bulk.converges();
}

#[test]
fn real_connections_that_are_lost_while_files_are_written_and_read_leave_nothing() {
    for (name, on_source, text, then) in [
        ("csv-read", true, "SELECT \"id\"", Then::CutAfter),
        ("csv-lost", false, "COPY \"", Then::CutAfter),
        ("csv-never", false, "COPY \"", Then::CutBefore),
    ] {
        let Some(bulk) = Bulk::csv(name) else { return };
        let on = if on_source { bulk.copies.alpha() } else { bulk.copies.beta() };
        let outcome = bulk.apply(on, text, move || then);
        assert!([0, 7].contains(&outcome.code) && (outcome.code == 0 || !bulk.is_there()), "{}", outcome.all());
        bulk.converges();
        assert_eq!(bulk.files().len(), 1, "{:?}", bulk.files());
    }
}

#[test]
fn real_a_table_that_does_not_hold_what_is_imported_is_told_before_anything_is_done() {
    let Some(bulk) = Bulk::csv("other-type") else { return };
    let people = bulk.copies.people();
    bulk.copies.beta().sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT, email TEXT, active BOOLEAN, amount INTEGER, \
         at TIMESTAMP WITH TIME ZONE) WITH (number_of_replicas = 0); \
         INSERT INTO {people} (id, name) VALUES (1, 'theirs'); REFRESH TABLE {people}"
    ));
    let store = format!("directory: {{ path: {} }}", bulk.folder.display());
    for (format, existing) in [("csv", "append"), ("csv", "upsert"), ("json", "append")] {
        let strategy = format!("export-import, format: {format}");
        bulk.declare(&store, &strategy, &format!("existing: {existing}"));
        let refused = bulk.copies.workspace.run(&["apply", "--auto-approve"]).expect(1).all();
        assert!(refused.contains("plan::other-type") && refused.contains("column amount"), "{refused}");
    }
    assert_eq!(bulk.copies.beta().value(&format!("SELECT name FROM {people}")).as_deref(), Some("theirs"));
    assert!(bulk.files().is_empty());
}
