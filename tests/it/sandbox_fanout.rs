//! One snapshot for two targets in the sandbox: made once, counted for the flow, and a target that fails stops no other.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use transship_sandbox::{ClusterSpec, Sandbox, What};

use crate::real::Workspace;
use crate::sandbox::lasting;

const NAMES: [&str; 3] = ["shop", "east", "west"];

struct Three {
    _runtime: Runtime,
    sandbox: Sandbox,
    folder: PathBuf,
    workspace: Workspace,
}

impl Drop for Three {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.folder);
    }
}

impl Three {
    fn start(name: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = std::env::temp_dir().join(format!("transship-fanout-{}-{name}", std::process::id()));
        fs_err::create_dir_all(folder.join("exchange")).expect("the temporary folder can be written");
        let specs = NAMES.map(|name| ClusterSpec::new(name).user("tool", None).root(&folder).path_repo("/exchange"));
        let sandbox = runtime.block_on(Sandbox::start(&specs)).expect("free ports");
        let workspace = Workspace::empty();
        let mut text = "version: 1\nworkspace: fanned\n\nclusters:\n".to_owned();
        for name in NAMES {
            let port = sandbox.port(name).expect("a cluster of the sandbox");
            text += &format!("  {name}: {{ url: \"postgres://tool@127.0.0.1:{port}/\", tls: disable }}\n");
        }
        workspace.write("clusters.yaml", &text);
        let three = Self { _runtime: runtime, sandbox, folder, workspace };
        for name in NAMES {
            three.sql(name, "GRANT ALL PRIVILEGES TO tool");
        }
        three.sql(
            "shop",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name) SELECT g, 'n' || g FROM generate_series(1, 30) AS t(g);
             REFRESH TABLE shop.people",
        );
        three
    }

    fn declare(&self, more: &str) {
        self.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  disk:\n    directory: {{ path: /exchange }}\nflows:\n  copy:\n    from: shop\n    \
                 to: [east, west]\n    tables: [shop.people]\n    strategy: {{ snapshot: {{ store: disk }} }}\n    \
                 existing: replace\n    {more}\n"
            ),
        );
    }

    /// The first column, joined.
    #[track_caller]
    fn sql(&self, cluster: &str, sql: &str) -> String {
        let answer = self.sandbox.execute(cluster, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        answer.texts.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect::<Vec<_>>().join(" ")
    }

    fn rows(&self, cluster: &str) -> String {
        self.sql(cluster, "SELECT count(*) FROM shop.people")
    }

    fn snapshots(&self) -> String {
        self.sql("shop", "SELECT name FROM sys.snapshots ORDER BY 1")
    }

    #[track_caller]
    fn is_settled(&self) {
        let _ = self.workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
        for cluster in NAMES {
            let markers = self.sql(cluster, "SELECT name FROM sys.repositories WHERE name LIKE 'transship_marker%'");
            assert_eq!(markers, "", "{cluster}");
        }
    }
}

#[test]
fn all_targets_restore_one_snapshot() {
    let three = Three::start("all");
    three.declare("");
    let plan = three.workspace.run(&["plan"]).expect(0).all();
    assert!(plan.contains("is still to be shown"), "{plan}");
    three.workspace.apply();
    assert_eq!((three.rows("east").as_str(), three.rows("west").as_str()), ("30", "30"));
    assert_eq!(three.snapshots(), "copy-1");
    three.is_settled();
    let again = ["apply", "--auto-approve", "--resync", "copy@east", "--resync", "copy@west"];
    let _ = three.workspace.run(&again).expect(0);
    assert_eq!(three.snapshots(), "copy-2", "what is kept counts for the flow");
    three.is_settled();
    let rows = three.sql("west", "SELECT document FROM transship.flows");
    assert!(rows.contains("copy-2"), "{rows}");
}

#[test]
fn a_target_that_fails_stops_no_other() {
    for (failing, other) in [("east", "west"), ("west", "east")] {
        let three = Three::start(failing);
        three.declare("");
        let what = || What::Fail { sqlstate: "XX000".to_owned(), message: "no".to_owned() };
        let fault = |statement: &str| lasting((failing, statement, 1), what());
        for statement in ["create repository \"transship_marker__", "restore snapshot \"transship__"] {
            three.sandbox.faults(vec![fault(statement)]);
            three.workspace.run(&["apply", "--auto-approve"]).expect(7);
            three.sandbox.faults(Vec::new());
            assert_eq!(three.rows(other), "30", "{failing} fails at {statement}");
            let gone = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'";
            assert_eq!(three.sql(failing, gone), "0", "{statement}");
        }
        three.workspace.apply();
        assert_eq!(three.rows(failing), "30");
        three.is_settled();
        assert_eq!(three.snapshots().split(' ').count(), 1, "{}", three.snapshots());
    }
}

#[test]
fn what_falls_due_is_restored_from_one_snapshot() {
    let three = Three::start("due");
    three.declare("repeat: on-change");
    three.workspace.apply();
    three.is_settled();
    three.sql("shop", "INSERT INTO shop.people (id, name) VALUES (31, 'new'); REFRESH TABLE shop.people");
    three.workspace.run(&["plan", "-o", "due.json"]).expect(0);
    three.workspace.run(&["apply", "due.json"]).expect(0);
    assert_eq!((three.rows("east").as_str(), three.rows("west").as_str()), ("31", "31"));
    assert_eq!(three.snapshots(), "copy-2");
    three.is_settled();
}
