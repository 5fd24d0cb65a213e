//! What befalls snapshots and COPY in the sandbox: faults, conflicts, buckets and privileges.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use transship_sandbox::{Answer, Clock, ClusterSpec, Fault, Sandbox, What};

use crate::conformance::connect;
use crate::s3::S3;

/// Two clusters over one directory, whose work goes on by `tick`.
struct Ends {
    runtime: Runtime,
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Ends {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("transship-{name}-{}", std::process::id()));
        fs_err::create_dir_all(folder.join("out")).expect("a directory");
        let runtime = Runtime::new().expect("a runtime");
        let spec = |name: &str| ClusterSpec::new(name).root(&folder).path_repo("/repo").user("app", None);
        let specs = [spec("a"), spec("b")];
        let sandbox = runtime.block_on(Sandbox::start_still(&specs, Clock::still(0))).expect("free ports");
        let ends = Self { runtime, sandbox, folder };
        ends.sql("a", "CREATE TABLE s.t (id INTEGER PRIMARY KEY) CLUSTERED INTO 2 SHARDS");
        ends.sql("a", "INSERT INTO s.t (id) VALUES (1), (2), (3); REFRESH TABLE s.t");
        ends.sql("a", "CREATE REPOSITORY r TYPE fs WITH (location = 'x')");
        ends.sql("b", "CREATE REPOSITORY r TYPE fs WITH (location = 'x', readonly = true)");
        ends
    }

    #[track_caller]
    fn sql(&self, cluster: &str, sql: &str) -> Answer {
        self.sandbox.execute(cluster, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    #[track_caller]
    fn error(&self, cluster: &str, sql: &str) -> String {
        self.sandbox.execute(cluster, sql).expect_err(sql).message
    }

    /// The first row as texts.
    fn row(&self, cluster: &str, sql: &str) -> Vec<String> {
        let cells = self.sql(cluster, sql).texts.into_iter().next().unwrap_or_default();
        cells.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect()
    }

    /// Runs a statement over the wire, where the fault script is.
    fn over_the_wire(&self, cluster: &str, sql: &str) -> Result<(), Option<String>> {
        let port = self.sandbox.port(cluster).expect("a cluster");
        self.runtime.block_on(async {
            let client = connect("127.0.0.1", port, "crate", None).await;
            let done = client.batch_execute(sql).await;
            done.map_err(|error| error.as_db_error().map(|db| db.message().to_owned()))
        })
    }

    fn ails(&self, cluster: &str, statement: &str, all: bool) {
        self.faults(cluster, statement, What::Ail { all });
    }

    fn faults(&self, cluster: &str, statement: &str, what: What) {
        let fault = Fault { cluster: cluster.to_owned(), statement: statement.to_owned(), nth: 1, times: 1, what };
        self.sandbox.faults(vec![fault]);
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.folder).ok();
    }
}

#[test]
fn snapshots_end_as_partial_or_failed() {
    let ends = Ends::start("partial");
    let state = "SELECT state, array_length(failures, 1), reason FROM sys.snapshots WHERE name = ";
    ends.ails("a", "create snapshot", false);
    assert_eq!(ends.over_the_wire("a", "CREATE SNAPSHOT r.part TABLE s.t WITH (wait_for_completion = true)"), Ok(()));
    assert_eq!(ends.row("b", &format!("{state} 'part'")), ["PARTIAL", "1", "NULL"]);
    let error = ends.error("b", "RESTORE SNAPSHOT r.part TABLE s.t");
    assert_eq!(error, "index [s.t] wasn't fully snapshotted - cannot restore");
    ends.ails("a", "create snapshot", true);
    assert_eq!(
        ends.over_the_wire("a", "CREATE SNAPSHOT r.failed TABLE s.t WITH (wait_for_completion = false)"),
        Ok(())
    );
    assert_eq!(ends.row("a", &format!("{state} 'failed'"))[0], "IN_PROGRESS");
    ends.sandbox.tick();
    assert_eq!(ends.row("a", &format!("{state} 'failed'")), ["FAILED", "2", "all shards failed"]);
}

#[test]
fn shards_that_never_come_stay_missing() {
    let ends = Ends::start("missing");
    ends.sql("a", "CREATE SNAPSHOT r.one TABLE s.t WITH (wait_for_completion = true)");
    ends.ails("b", "restore snapshot", false);
    assert_eq!(ends.over_the_wire("b", "RESTORE SNAPSHOT r.one TABLE s.t"), Ok(()));
    let health = "SELECT health, missing_shards FROM sys.health";
    assert_eq!(ends.row("b", health), ["YELLOW", "2"]);
    assert_eq!(ends.error("b", "SELECT * FROM s.t"), "[s.t] shard 0 is not available");
    ends.sandbox.tick();
    assert_eq!(ends.row("b", health), ["RED", "2"]);
    assert_eq!(ends.row("b", "SELECT count(*) FROM sys.snapshot_restore"), ["0"]);
    ends.sql("b", "DROP TABLE s.t; RESTORE SNAPSHOT r.one TABLE s.t WITH (wait_for_completion = true)");
    assert_eq!(ends.row("b", "SELECT count(*) FROM s.t"), ["3"]);
}

#[test]
fn a_lost_answer_leaves_what_was_done() {
    let ends = Ends::start("lost");
    ends.faults("a", "create snapshot", What::DropConnectionAfter);
    assert_eq!(ends.over_the_wire("a", "CREATE SNAPSHOT r.one TABLE s.t"), Err(None));
    ends.sandbox.tick();
    assert_eq!(ends.row("a", "SELECT name, state FROM sys.snapshots"), ["one", "SUCCESS"]);
    ends.faults("b", "copy", What::DropConnectionBefore);
    ends.sql("b", "CREATE TABLE s.t (id INTEGER PRIMARY KEY)");
    ends.sql("a", "COPY s.t TO DIRECTORY '/out'");
    assert_eq!(ends.over_the_wire("b", "COPY s.t FROM '/out/*' WITH (shared = true)"), Err(None));
    assert_eq!(ends.row("b", "SELECT count(*) FROM s.t"), ["0"]);
    // What is dropped under its readers is gone for them.
    ends.sql("a", "DROP SNAPSHOT r.one");
    assert_eq!(ends.error("b", "RESTORE SNAPSHOT r.one TABLE s.t"), "[r:one] snapshot does not exist");
}

#[test]
fn a_file_that_cannot_be_read_has_no_counts() {
    let ends = Ends::start("unread");
    ends.sql("a", "COPY s.t TO DIRECTORY '/out' WITH (compression = 'gzip')");
    ends.sql("b", "CREATE TABLE s.t (id INTEGER PRIMARY KEY)");
    ends.ails("b", "copy", true);
    assert_eq!(ends.over_the_wire("b", "COPY s.t FROM '/out/*.gz'"), Ok(()));
    assert_eq!(ends.row("b", "SELECT count(*) FROM s.t"), ["0"]);
    let summary = ends.sql("b", "COPY s.t FROM '/out/*.gz' WITH (shared = true) RETURN SUMMARY");
    let counts: Vec<_> = summary.texts.iter().map(|row| (row[2].as_deref(), row[3].as_deref())).collect();
    assert!(!counts.is_empty() && counts.iter().all(|(done, failed)| done.is_some() && *failed == Some("0")));
    assert_eq!(ends.row("b", "REFRESH TABLE s.t; SELECT count(*) FROM s.t"), ["3"]);
}

#[test]
fn clusters_with_roots_of_their_own_share_no_mount() {
    let ends = Ends::start("mount");
    let elsewhere = ends.folder.join("elsewhere");
    fs_err::create_dir_all(&elsewhere).expect("a directory");
    let spec = ClusterSpec::new("c").root(&elsewhere).path_repo("/repo");
    let other = ends.runtime.block_on(Sandbox::start_still(&[spec], Clock::still(0))).expect("a free port");
    ends.sql("a", "COPY s.t TO DIRECTORY '/out'");
    assert!(ends.folder.join("out/t_0_.json").is_file());
    other.execute("c", "CREATE TABLE s.t (id INTEGER)").expect("a table");
    let summary = other.execute("c", "COPY s.t FROM '/out/t_0_.json' RETURN SUMMARY").expect("a summary");
    assert_eq!(summary.texts[0][2], None);
    let error = other.execute("c", "CREATE REPOSITORY r TYPE fs WITH (location = 'x', readonly = true)").unwrap_err();
    assert!(error.message.contains("NoSuchFileException"), "{error}");
}

#[test]
fn buckets_open_to_their_keys() {
    let ends = Ends::start("bucket");
    ends.sandbox.make_bucket("minio:9000", "bkt", Some(("k", "s")));
    ends.sql("a", "COPY s.t TO DIRECTORY 's3://k:s@minio:9000/bkt/out' WITH (protocol = 'http')");
    let keys: Vec<_> = ends.sandbox.objects("minio:9000", "bkt").expect("a bucket").into_keys().collect();
    assert_eq!(keys, ["out/t_0_.json", "out/t_1_.json"]);
    let refused = ends.error("a", "COPY s.t TO DIRECTORY 's3://k:x@minio:9000/bkt/out'");
    assert!(refused.contains("InvalidAccessKeyId"), "{refused}");
    let settings = "bucket = 'bkt', endpoint = 'minio:9000', base_path = 'p', access_key = 'k', secret_key = ";
    ends.sql("a", &format!("CREATE REPOSITORY s3 TYPE s3 WITH ({settings} 's')"));
    assert!(ends.error("b", &format!("CREATE REPOSITORY s3 TYPE s3 WITH ({settings} 'x')")).contains("verify"));
    ends.sql("b", &format!("CREATE REPOSITORY other TYPE s3 WITH ({settings} 's', readonly = true)"));
    ends.sql("a", "CREATE SNAPSHOT s3.one TABLE s.t WITH (wait_for_completion = true)");
    assert_eq!(ends.row("b", "SELECT name FROM sys.snapshots WHERE repository = 'other'"), ["one"]);
    let shown = ends.row("a", "SELECT settings FROM sys.repositories WHERE name = 's3'").concat();
    assert!(shown.contains("[xxxxx]") && shown.contains("minio:9000"), "{shown}");
    assert!(ends.sandbox.remove_object("minio:9000", "bkt", "out/t_0_.json"));
}

#[test]
fn the_name_of_a_file_in_a_bucket_is_decoded_twice() {
    let ends = Ends::start("twice");
    ends.sandbox.make_bucket("minio:9000", "bkt", Some(("k", "s")));
    // As it is written for COPY TO, and for a file that COPY FROM is to read by its name.
    for (written, read, shown) in [("a%20%C3%B6", "a%2520%25C3%25B6", "a%20%C3%B6"), ("plain", "plain", "plain")] {
        ends.sql("a", &format!("COPY s.t TO DIRECTORY 's3://k:s@minio:9000/bkt/{written}'"));
        ends.sql("b", "DROP TABLE IF EXISTS s.t; CREATE TABLE s.t (id INTEGER PRIMARY KEY)");
        let uri = |number: usize| format!("'s3://k:s@minio:9000/bkt/{read}/t_{number}_.json'");
        let copy = format!("COPY s.t FROM [{}, {}] RETURN SUMMARY", uri(0), uri(1));
        let files = ends.sql("b", &copy).texts.into_iter().map(|row| row[1].clone().unwrap_or_default());
        // The other file is empty.
        assert_eq!(files.collect::<Vec<_>>(), [format!("s3://bkt/{shown}/t_0_.json")]);
        ends.sql("b", "REFRESH TABLE s.t");
        assert_eq!(ends.row("b", "SELECT count(*) FROM s.t"), ["3"]);
    }
}

#[test]
fn buckets_may_be_those_of_a_server() {
    let ends = Ends::start("server");
    let server = S3::start(&["bkt"]);
    let keys = "AKIA%2Btransship%3D%401:s3cret%2F%2B%3D%25%40%3F%26%23key";
    let uri = |keys: &str, path: &str| format!("'s3://{keys}@{}/{path}' WITH (protocol = 'http')", server.address);
    ends.sql("a", &format!("COPY s.t TO DIRECTORY {}", uri(keys, "bkt/out")));
    assert_eq!(server.keys("bkt"), ["out/t_0_.json", "out/t_1_.json"]);
    ends.sql("b", "CREATE TABLE s.t (id INTEGER PRIMARY KEY)");
    assert_eq!(ends.sql("b", &format!("COPY s.t FROM {}", uri(keys, "bkt/out/*"))).tag, "COPY 3");
    let error = |keys: &str, path: &str| ends.error("b", &format!("COPY s.t FROM {}", uri(keys, path)));
    assert!(error(keys, "bkt/out/none.json").contains("NotFound (permanent) at read"));
    assert!(error(keys, "none/out/*").starts_with("ConfigInvalid (permanent) at list"));
    assert!(error("x:y", "bkt/out/*").starts_with("PermissionDenied (permanent) at list"));
}

#[test]
fn privileges_are_asked_for() {
    let ends = Ends::start("privileges");
    let refused = |sql: &str| ends.sandbox.execute_as("a", "app", sql).expect_err(sql).message;
    for sql in [
        "CREATE REPOSITORY x TYPE fs WITH (location = 'y')",
        "DROP REPOSITORY r",
        "CREATE SNAPSHOT r.one TABLE s.t",
        "RESTORE SNAPSHOT r.one TABLE \"transship\".\"no such table\"",
    ] {
        assert_eq!(refused(sql), "Missing 'DDL' privilege for user 'app'");
    }
    assert_eq!(refused("COPY s.t TO DIRECTORY '/out'"), "Schema 's' unknown");
    ends.sql("a", "GRANT DML ON TABLE s.t TO app");
    assert_eq!(refused("COPY s.t TO DIRECTORY '/out'"), "Missing 'DQL' privilege for user 'app'");
    assert_eq!(refused("COPY s.t FROM '/out/*'"), "Only a superuser can read from the local file system");
}
