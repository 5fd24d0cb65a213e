//! Sandbox clusters for tests, and the workspaces that name them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;
use transship_sandbox::{Answer, Clock, ClusterSpec, Sandbox, Value};

use crate::real::Workspace;

/// A password that may show nowhere.
pub(crate) const PASSWORD: &str = "canary of the sandbox";

const EXCHANGE: &str = "/exchange";

/// How many pairs were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Two clusters `shop` and `analytics` with a user `tool`, who needs a password and may do everything.
pub(crate) struct Pair {
    runtime: Runtime,
    pub(crate) sandbox: Sandbox,
    /// The root of the file system that both see.
    folder: PathBuf,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.folder);
    }
}

impl Pair {
    pub(crate) fn start() -> Self {
        Self::with(|spec, folder| spec.root(folder).path_repo(EXCHANGE))
    }

    /// A pair whose files lie where its clusters say, so that transship reaches them, too.
    pub(crate) fn on_machine() -> Self {
        Self::with(|spec, folder| spec.path_repo(folder.join("exchange").display().to_string()))
    }

    /// A pair whose time stands still until it is moved, and whose subscriptions do.
    pub(crate) fn still(clock: &Clock) -> Self {
        Self::at(Some(clock), |spec, folder| spec.root(folder).path_repo(EXCHANGE))
    }

    fn with(files: impl Fn(ClusterSpec, &Path) -> ClusterSpec) -> Self {
        Self::at(None, files)
    }

    fn at(clock: Option<&Clock>, files: impl Fn(ClusterSpec, &Path) -> ClusterSpec) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("transship-sandbox-{}-{number}", std::process::id()));
        fs_err::create_dir_all(folder.join("exchange")).expect("the temporary folder can be written");
        let spec = |name: &str| files(ClusterSpec::new(name).user("tool", Some(PASSWORD)), &folder);
        let specs = ["shop", "analytics"].map(spec);
        let sandbox = runtime.block_on(async {
            match clock {
                Some(clock) => Sandbox::start_still(&specs, clock.clone()).await,
                None => Sandbox::start(&specs).await,
            }
        });
        let sandbox = sandbox.expect("free ports");
        let pair = Self { runtime, sandbox, folder };
        for cluster in ["shop", "analytics"] {
            pair.sql(cluster, "GRANT ALL PRIVILEGES TO tool");
        }
        pair
    }

    /// The directory that both see under `path.repo`, as they call it.
    pub(crate) fn exchange() -> &'static Path {
        Path::new(EXCHANGE)
    }

    /// The same directory as this machine calls it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.join("exchange")
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
        self.workspace_of("sandboxed")
    }

    /// A workspace with both clusters.
    pub(crate) fn workspace_of(&self, name: &str) -> Workspace {
        let mut workspace = Workspace::empty();
        let mut text = format!("version: 1\nworkspace: {name}\n\nclusters:\n");
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

impl Pair {
    /// A workspace as the superuser, who may read files.
    pub(crate) fn workspace_of_superuser(&self) -> Workspace {
        let workspace = self.workspace();
        let mut text = "version: 1\nworkspace: sandboxed\n\nclusters:\n".to_owned();
        for name in ["shop", "analytics"] {
            let port = self.sandbox.port(name).expect("a cluster of the sandbox");
            text += &format!("  {name}:\n    url: postgres://crate@127.0.0.1:{port}/\n    tls: disable\n");
        }
        workspace.write("clusters.yaml", &text);
        workspace
    }

    /// A pair with a table `shop.parts`: four months of ten rows at the source, and three months of others at the target,
    /// if `both`.
    pub(crate) fn with_parts(both: bool) -> Self {
        let pair = Self::on_machine();
        let defined = "CREATE TABLE shop.parts (id INTEGER, month INTEGER, v TEXT)
            PARTITIONED BY (month) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)";
        let fill = |months: u32, text: &str| {
            format!(
                "INSERT INTO shop.parts (id, month, v) SELECT g, g % {months}, '{text}' FROM \
                 generate_series(1, {months} * 10) AS t(g); REFRESH TABLE shop.parts"
            )
        };
        pair.sql("shop", defined);
        pair.sql("shop", &fill(4, "new"));
        if both {
            pair.sql("analytics", defined);
            pair.sql("analytics", &fill(3, "old"));
        }
        pair
    }

    /// `month:rows and what they say` of the target's `shop.parts`, by month.
    pub(crate) fn months(&self) -> String {
        self.sql("analytics", "REFRESH TABLE shop.parts");
        let sql = "SELECT coalesce(month::text, 'NULL') || ':' || count(*) || ' ' || v FROM shop.parts GROUP BY month, v \
                   ORDER BY 1";
        let rows = self.sql("analytics", sql).texts;
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect::<Vec<_>>().join(", ")
    }
}

/// Runs `cut` with each of `cases`, many at a time: most of their time they wait before they try again. Fails with
/// everything that does not converge.
pub(crate) fn all_converge<T: Send>(cases: Vec<T>, cut: impl Fn(T) -> Result<(), String> + Sync) {
    let (todo, problems) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| {
                loop {
                    let Some(case) = todo.lock().unwrap().pop() else { return };
                    if let Err(problem) = cut(case) {
                        problems.lock().unwrap().push(problem);
                    }
                }
            });
        }
    });
    let mut problems = problems.into_inner().unwrap();
    problems.sort();
    assert!(problems.is_empty(), "{} cuts do not converge:\n\n{}", problems.len(), problems.join("\n\n"));
}
