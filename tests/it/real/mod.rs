//! Two real CrateDB clusters for tests, from `TRANSSHIP_TEST_CLUSTERS` or started here. `docs/testing.md` has the rules.

#![allow(dead_code, reason = "a harness offers more than the tests of the day use")]
#![allow(unused_imports, reason = "a harness offers more than the tests of the day use")]

mod access;
mod copies;
mod intercept;
mod node;
pub(crate) mod partitions;
mod program;
mod proxy;
mod reader;
mod scope;
mod sql;
mod workspace;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) use access::access;
pub(crate) use copies::Copies;
pub(crate) use intercept::{Intercept, Then};
pub(crate) use node::Node;
pub(crate) use program::{Outcome, Running, Transship, peak_kib};
pub(crate) use proxy::Proxy;
pub(crate) use reader::{Read, Readers};
pub(crate) use scope::Scope;
pub(crate) use sql::{Cluster, Login, SqlError, TextRows};
pub(crate) use workspace::Workspace;

/// The variable that names running clusters: two URLs of the PostgreSQL wire, with a comma between.
const CLUSTERS: &str = "TRANSSHIP_TEST_CLUSTERS";
/// The variable that names a directory which both running clusters have under `path.repo`.
const EXCHANGE: &str = "TRANSSHIP_TEST_EXCHANGE";
/// The variable that makes it a failure when there are none.
const REQUIRE: &str = "TRANSSHIP_REQUIRE_CLUSTERS";

/// Two clusters with different names: data goes from `alpha` to `beta`.
pub(crate) struct Clusters {
    pub(crate) alpha: Cluster,
    pub(crate) beta: Cluster,
    /// A directory that both see under `path.repo`.
    exchange: Option<PathBuf>,
    /// The nodes that were started here, alpha's first; they stop when their pipes close.
    nodes: Vec<Node>,
}

impl Clusters {
    /// The clusters of this test process, started with the first call; `None` when there are none to be had.
    pub(crate) fn get() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Clusters>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    /// The clusters, or a plain note that this test is skipped.
    pub(crate) fn require(test: &str) -> Option<&'static Self> {
        static SKIPPED: AtomicUsize = AtomicUsize::new(0);
        let found = Self::get();
        if found.is_none() {
            let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(!is_set(REQUIRE), "{test} needs two CrateDB clusters and {REQUIRE} is set: see docs/testing.md");
            // Written past the test harness, which hides what passing tests print.
            writeln!(std::io::stderr(), "skipped: no CrateDB for {test} ({count} skipped so far); see docs/testing.md")
                .expect("stderr takes a line");
        }
        found
    }

    /// Both, with their names in specs.
    pub(crate) fn both(&self) -> [(&'static str, &Cluster); 2] {
        [("alpha", &self.alpha), ("beta", &self.beta)]
    }

    /// A cluster for one test alone, for as long as its node is kept, or a plain note that the test is skipped.
    pub(crate) fn another(test: &str, name: &'static str, settings: &[&str]) -> Option<(Node, Cluster)> {
        let Some(home) = node::home() else {
            writeln!(std::io::stderr(), "skipped: {test} needs a CrateDB to start; see docs/testing.md")
                .expect("stderr takes a line");
            return None;
        };
        let node = Node::start(&home, name, settings);
        let cluster = node.cluster();
        answers(&cluster);
        Some((node, cluster))
    }

    /// A directory that both clusters see under `path.repo`, or a plain note that this test is skipped.
    pub(crate) fn exchange(&self, test: &str) -> Option<&Path> {
        if self.exchange.is_none() {
            assert!(!is_set(REQUIRE), "{test} needs {EXCHANGE} and {REQUIRE} is set: see docs/testing.md");
            writeln!(std::io::stderr(), "skipped: {test} needs {EXCHANGE}; see docs/testing.md")
                .expect("stderr takes a line");
        }
        self.exchange.as_deref()
    }

    fn find() -> Option<Self> {
        if let Some(urls) = std::env::var(CLUSTERS).ok().filter(|urls| !urls.is_empty()) {
            let (alpha, beta) =
                urls.split_once(',').expect("TRANSSHIP_TEST_CLUSTERS holds two URLs with a comma between");
            let exchange = std::env::var_os(EXCHANGE).map(PathBuf::from);
            return Some(Self { alpha: Cluster::at(alpha), beta: Cluster::at(beta), exchange, nodes: Vec::new() });
        }
        Some(Self::started(&node::home()?, ["alpha", "beta"]))
    }

    /// Two clusters that may be killed, for as long as the test process lives, or a plain note that the test is skipped.
    pub(crate) fn mortal(test: &str) -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Clusters>> = OnceLock::new();
        let start = || Some(Self::started(&node::home()?, ["mortal-alpha", "mortal-beta"]));
        let found = FOUND.get_or_init(start).as_ref();
        if found.is_none() {
            writeln!(std::io::stderr(), "skipped: {test} needs a CrateDB to start; see docs/testing.md")
                .expect("stderr takes a line");
        }
        found
    }

    /// The node of alpha or of beta, if it was started here.
    pub(crate) fn node(&self, label: &str) -> &Node {
        &self.nodes[usize::from(label == "beta")]
    }

    fn started(home: &Path, [alpha, beta]: [&'static str; 2]) -> Self {
        let (alpha, beta) = (Node::start(home, alpha, &[]), Node::start(home, beta, &[]));
        let exchange = Some(node::exchange());
        let clusters = Self { alpha: alpha.cluster(), beta: beta.cluster(), exchange, nodes: vec![alpha, beta] };
        clusters.both().iter().for_each(|(_, cluster)| answers(cluster));
        clusters
    }
}

/// Waits until a cluster answers.
pub(crate) fn answers(cluster: &Cluster) {
    wait_until(&format!("CrateDB {} answers", cluster.label), Duration::from_secs(90), || {
        cluster.try_sql("SELECT 1 FROM sys.cluster WHERE id <> '_na_'").is_ok_and(|rows| !rows.is_empty())
    });
}

/// Tells whoever watches the tests a line, past the harness that hides what passing tests print.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr takes a line");
}

/// Waits until `condition` holds, and fails when it does not do so in time.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    assert!(comes_true(limit, condition), "not within {} s: {what}", limit.as_secs());
}

/// Whether `condition` holds before the time is over.
pub(crate) fn comes_true(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// One test that replicates at a time: a node follows all subscriptions by one tracker, which a failed one, or one that is
/// dropped just when another is made, stops for all of them. So a turn begins a moment after the one before has ended.
pub(crate) fn replication_turn() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let turn = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::sleep(Duration::from_secs(3));
    turn
}
