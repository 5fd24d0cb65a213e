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
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  place:\n    {store}\nflows:\n  copy:\n    from: alpha\n    to: beta\n    \
                 tables: [{schema}.people]\n    strategy: {{ {strategy}: {{ store: place }} }}\n    {more}\n"
            ),
        );
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
        [("lost-snap", "CREATE SNAPSHOT"), ("lost-rest", "RESTORE SNAPSHOT"), ("lost-name", "RENAME TO")]
    {
        let Some(bulk) = Bulk::new(name, "snapshot") else { return };
        let on = if text == "CREATE SNAPSHOT" { bulk.copies.alpha() } else { bulk.copies.beta() };
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
    let outcome = bulk.apply(bulk.copies.beta(), "CREATE REPOSITORY", move || {
        fs_err::rename(&here, &away).expect("the directory is there");
        Then::Pass
    });
    bulk.failed(outcome, &["create-repository", "beta"]);
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
    let outcome = bulk.apply(bulk.copies.beta(), "CREATE REPOSITORY", move || {
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
fn watermarks(free: &str) -> String {
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
    // As long as the disk is full nothing is begun: the ledger lies on it.
    let said = bulk.copies.workspace.run(&["apply", "--auto-approve"]).expect(7).all();
    assert!(said.contains("cluster::disk-full") || said.contains("node_checks"), "{said}");
    other.sql(&watermarks("1b"));
    let (free, insert) = (other.clone(), format!("INSERT INTO {} VALUES (1)", bulk.copies.scope.table("probe")));
    wait_until("tables take rows again", Duration::from_secs(90), || free.try_sql(&insert).is_ok());
    bulk.copies.workspace.apply();
    assert_eq!(other.count(&bulk.copies.people()), 1000);
    bulk.copies.workspace.is_settled();
    let tables =
        format!("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'", bulk.copies.scope.schema);
    assert_eq!(other.value(&tables).as_deref(), Some("2"), "the table and the probe");
}
