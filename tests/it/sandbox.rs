//! Sandbox clusters for tests, and the workspaces that name them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use transship_sandbox::{Answer, Clock, ClusterSpec, Fault, Sandbox, Value, What};

use crate::real::{Outcome, Running, Workspace};
use crate::s3::{ACCESS_KEY, S3, SECRET_KEY};

/// A password that may show nowhere.
pub(crate) const PASSWORD: &str = "canary of the sandbox";

const EXCHANGE: &str = "/exchange";

/// How many pairs were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

const BOTH: [&str; 2] = ["shop", "analytics"];

/// How long a run may take until it ends or halts.
const LIMIT: Duration = Duration::from_mins(5);

/// Clusters, `shop` and `analytics` unless said otherwise, with a user `tool`, who needs a password and may do everything.
pub(crate) struct Pair {
    runtime: Runtime,
    pub(crate) sandbox: Sandbox,
    names: Vec<&'static str>,
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
        Self::at(None, &BOTH, |spec, folder| spec.root(folder).path_repo(EXCHANGE))
    }

    /// A pair whose files lie where its clusters say, so that transship reaches them, too.
    pub(crate) fn on_machine() -> Self {
        Self::of(&BOTH)
    }

    /// The same with clusters of these names.
    pub(crate) fn of(names: &[&'static str]) -> Self {
        Self::at(None, names, |spec, folder| spec.path_repo(folder.join("exchange").display().to_string()))
    }

    /// A pair whose time stands still until it is moved, and whose subscriptions do.
    pub(crate) fn still(clock: &Clock) -> Self {
        Self::at(Some(clock), &BOTH, |spec, folder| spec.root(folder).path_repo(EXCHANGE))
    }

    fn at(clock: Option<&Clock>, names: &[&'static str], files: impl Fn(ClusterSpec, &Path) -> ClusterSpec) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("transship-sandbox-{}-{number}", std::process::id()));
        fs_err::create_dir_all(folder.join("exchange")).expect("the temporary folder can be written");
        let spec = |name: &&str| files(ClusterSpec::new(*name).user("tool", Some(PASSWORD)), &folder);
        let specs: Vec<ClusterSpec> = names.iter().map(spec).collect();
        let sandbox = runtime.block_on(async {
            match clock {
                Some(clock) => Sandbox::start_still(&specs, clock.clone()).await,
                None => Sandbox::start(&specs).await,
            }
        });
        let sandbox = sandbox.expect("free ports");
        let pair = Self { runtime, sandbox, names: names.to_vec(), folder };
        for cluster in names {
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

    /// Waits until a run has ended, or until everything halts and it was killed; then there is nothing to be told of it.
    pub(crate) fn kill_when_halted(&self, mut running: Running) -> Result<Option<Outcome>, String> {
        let (gate, started) = (self.sandbox.gate(), Instant::now());
        while !gate.is_halted() && !running.has_ended() {
            if started.elapsed() > LIMIT {
                return Err("it neither ends nor comes to the statement".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let outcome = if gate.is_halted() {
            running.kill();
            None
        } else {
            Some(running.wait())
        };
        self.block_on(self.sandbox.resume());
        Ok(outcome)
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
        for name in &self.names {
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
    /// A workspace as the superuser, with a store `disk`: the bucket of `server`, or the directory that all clusters see.
    pub(crate) fn workspace_with_store(&self, server: Option<&S3>) -> Workspace {
        let mut workspace = self.workspace_of_superuser();
        let keys = [("S3_KEY", ACCESS_KEY), ("S3_SECRET", SECRET_KEY)];
        workspace.variables = keys.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let store = match server {
            None => format!("directory: {{ path: {} }}", self.folder().display()),
            Some(server) => format!(
                "s3: {{ bucket: bucket, region: eu-central-1, endpoint: \"{}\", path_style: true, protocol: http, \
                 access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}",
                server.address
            ),
        };
        workspace.write("stores.yaml", &format!("version: 1\nstores:\n  disk:\n    {store}\n"));
        workspace
    }

    /// A workspace as the superuser, who may read files.
    pub(crate) fn workspace_of_superuser(&self) -> Workspace {
        let workspace = self.workspace();
        let mut text = "version: 1\nworkspace: sandboxed\n\nclusters:\n".to_owned();
        for name in &self.names {
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

/// A fault that lasts.
pub(crate) fn lasting((cluster, statement, nth): (&str, &str, u32), what: What) -> Fault {
    Fault { cluster: cluster.to_owned(), statement: statement.to_owned(), nth, times: u32::MAX, what }
}

/// Applies under `fault`, and once more when it is over and something else has happened; `holds` has to be true then.
pub(crate) fn survives(
    (pair, workspace): (&Pair, &Workspace),
    fault: &Fault,
    meanwhile: impl FnOnce(),
    holds: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    pair.sandbox.faults(vec![fault.clone()]);
    let first = workspace.run(&["apply", "--auto-approve"]);
    pair.sandbox.faults(Vec::new());
    meanwhile();
    let again = workspace.run(&["apply", "--auto-approve"]);
    let held = match again.code {
        0 => holds(),
        code => Err(format!("the second run exits {code}\n{}", again.all())),
    };
    held.map_err(|problem| format!("{fault:?}, exit {}: {problem}\n{}", first.code, first.all()))
}

/// Rows are the same at both ends, and nothing is to be done.
pub(crate) fn same_and_settled<T: PartialEq + std::fmt::Debug>(
    workspace: &Workspace,
    (source, target): (T, T),
) -> Result<(), String> {
    if source != target {
        return Err(format!("{source:?}\nbecame {target:?}"));
    }
    let settled = workspace.run(&["plan", "--detailed-exitcode"]);
    if settled.code == 0 { Ok(()) } else { Err(format!("the last plan exits {}\n{}", settled.code, settled.all())) }
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
