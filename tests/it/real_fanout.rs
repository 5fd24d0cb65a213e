//! One flow to two targets on three real clusters: one snapshot, one export for each, and a target that is down stops no
//! other.

use std::net::TcpStream;
use std::time::Duration;

use crate::real::{Cluster, Clusters, Copies, Intercept, Node, Then, wait_until};

const ROWS: u64 = 1_000;

const AGAIN: [&str; 6] = ["apply", "--auto-approve", "--resync", "copy@beta", "--resync", "copy@gamma"];

struct Three {
    copies: Copies,
    gamma: Cluster,
    folder: String,
    /// The node of gamma, until it is stopped.
    node: Option<Node>,
}

impl Three {
    fn start(name: &'static str) -> Option<Self> {
        let copies = Copies::new(name)?;
        let exchange = copies.clusters.exchange(name)?;
        fs_err::create_dir_all(exchange).expect("the shared directory can be written");
        let folder = exchange.join(&copies.scope.workspace).display().to_string();
        let (node, gamma) = Clusters::another(name, name, &[])?;
        let three = Self { copies, gamma, folder, node: Some(node) };
        three.reach(&three.gamma);
        Some(three)
    }

    /// Declares `gamma` as what answers there.
    fn reach(&self, gamma: &Cluster) {
        let workspace = &self.copies.workspace;
        let text = workspace.read("clusters.yaml");
        let others = text.split("  gamma:").next().expect("split gives one piece at least");
        let (host, port, transport) = (&gamma.host, gamma.port, gamma.transport);
        workspace.write(
            "clusters.yaml",
            &format!(
                "{others}  gamma:\n    url: postgres://crate@{host}:{port}/\n    tls: disable\n    \
                 transport: {host}:{transport}\n"
            ),
        );
    }

    fn declare(&self, strategy: &str, more: &str) {
        self.copies.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: alpha\n    \
                 to: [beta, gamma]\n    tables: [{}.people]\n    strategy: {{ {strategy} }}\n    existing: replace\n    \
                 {more}\n",
                self.folder, self.copies.scope.schema
            ),
        );
    }

    /// Every row on alpha is another one.
    fn touch(&self, name: &str) {
        let people = self.copies.people();
        self.copies.alpha().sql(&format!("UPDATE {people} SET name = '{name}'; REFRESH TABLE {people}"));
    }

    fn targets(&self) -> [&Cluster; 2] {
        [self.copies.beta(), &self.gamma]
    }

    /// All three have the same rows, the next plan has nothing to do, and nothing is left aside.
    #[track_caller]
    fn is_equal(&self, rows: u64) {
        let people = self.copies.people();
        let sql = format!("SELECT id, name, email, active, amount::text, at, month FROM {people} ORDER BY 1");
        let expected = self.copies.alpha().sql(&sql);
        assert_eq!(expected.len() as u64, rows);
        for target in self.targets() {
            assert_eq!(target.sql(&sql), expected, "{}", target.label);
            let left = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'transship\\_%'";
            let left = format!("{left} AND table_schema = '{}'", self.copies.scope.schema);
            assert_eq!(target.sql(&left).len(), 0, "{}", target.label);
        }
        self.copies.workspace.is_settled();
    }

    fn snapshots(&self) -> Vec<Vec<Option<String>>> {
        let own = self.copies.scope.workspace.replace('-', "_");
        let sql = "SELECT name FROM sys.snapshots WHERE repository LIKE 'transship%";
        self.copies.alpha().sql(&format!("{sql}{own}%' ORDER BY 1"))
    }
}

#[test]
fn real_two_targets_get_the_same_rows_and_one_that_is_down_stops_no_other() {
    let Some(three) = Three::start("fanned") else { return };
    for (strategy, is_snapshot) in [("snapshot: { store: disk }", true), ("export-import: { store: disk }", false)] {
        three.declare(strategy, "");
        three.copies.workspace.apply();
        three.is_equal(ROWS);
        if is_snapshot {
            assert_eq!(three.snapshots().len(), 1, "one for both: {:?}", three.snapshots());
        }

        // Both again.
        three.touch(strategy);
        let _ = three.copies.workspace.run(&AGAIN).expect(0);
        three.is_equal(ROWS);

        // The flow goes, and so do its tables on both.
        three.copies.workspace.write("flows.yaml", "version: 1\n");
        let _ = three.copies.workspace.run(&["apply", "--auto-approve", "--allow-drop", "repository:*"]).expect(0);
        for target in three.targets() {
            target.sql(&format!("DROP TABLE {}", three.copies.people()));
        }
        assert_eq!(three.snapshots().len(), 0);
    }
}

#[test]
fn real_a_target_that_goes_down_stops_no_other() {
    let Some(mut three) = Three::start("downed") else { return };
    three.declare("snapshot: { store: disk }", "");
    three.copies.workspace.apply();
    three.is_equal(ROWS);
    three.touch("newer");
    let (mut node, address) = (three.node.take(), (three.gamma.host.clone(), three.gamma.port));
    let gamma = Intercept::before(&three.gamma, "RESTORE SNAPSHOT", move || {
        drop(node.take());
        wait_until("gamma is down", Duration::from_secs(30), || TcpStream::connect((&*address.0, address.1)).is_err());
        Then::CutBefore
    });
    three.reach(&gamma.cluster);
    let failed = three.copies.workspace.run(&AGAIN).expect(7).all();
    assert!(gamma.hits() > 0 && failed.contains("gamma"), "{failed}");
    three.copies.is_equal("id, name", 1_000);
    let missing = three.copies.workspace.run(&["plan"]).expect(1).all();
    assert!(missing.contains("gamma"), "{missing}");
}
