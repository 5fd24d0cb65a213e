//! Sandbox clusters for tests, and the workspaces that name them.

use tokio::runtime::Runtime;
use transship_sandbox::{Answer, ClusterSpec, Sandbox, Value};

use crate::real::Workspace;

/// A password that may show nowhere.
pub(crate) const PASSWORD: &str = "canary of the sandbox";

/// Two clusters `shop` and `analytics` with a user `tool`, who needs a password and may do everything.
pub(crate) struct Pair {
    runtime: Runtime,
    pub(crate) sandbox: Sandbox,
}

impl Pair {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let specs = ["shop", "analytics"].map(|name| ClusterSpec::new(name).user("tool", Some(PASSWORD)));
        let sandbox = runtime.block_on(Sandbox::start(&specs)).expect("free ports");
        let pair = Self { runtime, sandbox };
        for cluster in ["shop", "analytics"] {
            pair.sql(cluster, "GRANT ALL PRIVILEGES TO tool");
        }
        pair
    }

    /// Runs statements as the superuser.
    #[track_caller]
    pub(crate) fn sql(&self, cluster: &str, sql: &str) -> Answer {
        self.sandbox.execute(cluster, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The number in the first cell.
    #[track_caller]
    pub(crate) fn number(&self, cluster: &str, sql: &str) -> i64 {
        match self.sql(cluster, sql).rows.first().and_then(|row| row.first()) {
            Some(Value::Int(number)) => *number,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Runs what needs a runtime.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A workspace of the name `sandboxed` with both clusters.
    pub(crate) fn workspace(&self) -> Workspace {
        let mut workspace = Workspace::empty();
        let mut text = "version: 1\nworkspace: sandboxed\n\nclusters:\n".to_owned();
        for name in ["shop", "analytics"] {
            let port = self.sandbox.port(name).expect("a cluster of the sandbox");
            text += &format!(
                "  {name}:\n    url: postgres://tool@127.0.0.1:{port}/\n    tls: disable\n    password: {{ env: TOOL }}\n"
            );
        }
        workspace.write("clusters.yaml", &text);
        workspace.variables.push(("TOOL".to_owned(), PASSWORD.to_owned()));
        workspace
    }
}
