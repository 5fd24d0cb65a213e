//! Two sandbox clusters with a scenario's tables, its workspace, and everything that is there in the end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::scenario::{Do, SOURCE, Scenario};
use crate::real::{Outcome, Workspace};
use crate::s3::{ACCESS_KEY, S3, SECRET_KEY};
use crate::sandbox::Pair;

pub(super) const CLUSTERS: [&str; 2] = ["shop", "analytics"];

pub(super) struct World {
    pub(super) scenario: &'static Scenario,
    pub(super) pair: Pair,
    pub(super) workspace: Workspace,
    pub(super) server: Option<S3>,
}

impl World {
    /// Everything up to the run that is killed.
    pub(super) fn prepared(scenario: &'static Scenario) -> Self {
        let pair = Pair::on_machine();
        pair.sql("shop", SOURCE);
        let mut workspace = pair.workspace();
        // Files are read by superusers alone.
        let mut clusters = "version: 1\nworkspace: sandboxed\nclusters:\n".to_owned();
        for name in CLUSTERS {
            clusters += &format!("  {name}: {{ url: \"{}\", tls: disable }}\n", pair.sandbox.url(name));
        }
        workspace.write("clusters.yaml", &clusters);
        workspace.variables = [("S3_KEY", ACCESS_KEY), ("S3_SECRET", SECRET_KEY)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let server = scenario.bucket.then(|| S3::start(&["bucket"]));
        if let Some(server) = &server {
            server.pass(pair.sandbox.gate());
        }
        let store = match &server {
            None => format!("directory: {{ path: {} }}", pair.folder().display()),
            Some(server) => format!(
                "s3: {{ bucket: bucket, region: eu-central-1, endpoint: \"{}\", path_style: true, protocol: http, \
                 access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}",
                server.address
            ),
        };
        workspace.write("stores.yaml", &format!("version: 1\nstores:\n  disk:\n    {store}\n"));
        let world = Self { scenario, pair, workspace, server };
        for before in scenario.before {
            match before {
                Do::On(cluster, sql) => drop(world.pair.sql(cluster, sql)),
                Do::Apply(flows) => {
                    world.declare(flows);
                    world.workspace.apply();
                }
            }
        }
        world.declare(scenario.flows);
        world
    }

    fn declare(&self, flows: &str) {
        let flows = if flows.is_empty() { String::new() } else { format!("flows:\n{flows}") };
        self.workspace.write("flows.yaml", &format!("version: 1\n{flows}"));
    }

    /// The arguments of `apply`, with all that the scenario consents to.
    pub(super) fn arguments(&self, more: &[&'static str]) -> Vec<&'static str> {
        let consents = self.scenario.consents.iter().flat_map(|consent| ["--allow-drop", consent]);
        ["apply", "--auto-approve"].into_iter().chain(consents).chain(more.iter().copied()).collect()
    }

    pub(super) fn apply(&self, more: &[&'static str]) -> Outcome {
        self.workspace.run(&self.arguments(more))
    }

    /// Takes all flows away from a run that was killed.
    pub(super) fn unlock(&self) -> Outcome {
        self.workspace.run(&["unlock", "--all", "--auto-approve"])
    }

    /// What the log of the run says that has come since `before`, without what was cut off; nothing where there is none.
    pub(super) fn run_log(&self, before: &BTreeSet<PathBuf>) -> Vec<Value> {
        let new = self.runs().into_iter().find(|run| !before.contains(run));
        let text = new.and_then(|path| fs_err::read_to_string(path).ok()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The logs of all runs; within a second their names have no order.
    pub(super) fn runs(&self) -> BTreeSet<PathBuf> {
        let files = fs_err::read_dir(self.workspace.path().join(".transship/runs")).into_iter().flatten();
        files.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }

    fn column(&self, cluster: &str, sql: &str) -> Vec<String> {
        let rows = self.pair.sql(cluster, sql).texts;
        let shown = |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()));
        rows.into_iter().map(|row| shown(row).collect::<Vec<_>>().join(" ")).collect()
    }

    /// Everything that is there, rows included, apart from versions behind views; what counts up is not told apart.
    pub(super) fn inventory(&self) -> Vec<String> {
        let mut found = Vec::new();
        for cluster in CLUSTERS {
            for (what, sql) in LISTS {
                let lines = self.column(cluster, sql).into_iter().map(|line| format!("{cluster} {what} {line}"));
                found.extend(lines.map(|line| uncounted(&line)));
            }
            for table in self.relations(cluster).into_iter().filter(|table| !is_version(table)) {
                let (schema, name) = table.split_once('.').expect("schema.table");
                let quoted = format!("\"{schema}\".\"{name}\"");
                self.pair.sandbox.execute(cluster, &format!("REFRESH TABLE {quoted}")).ok();
                let mut rows = self.column(cluster, &format!("SELECT * FROM {quoted}"));
                rows.sort();
                found.push(format!("{cluster} {table}: {}", rows.join(", ")));
            }
            if self.has_ledger(cluster) {
                let rows = self.column(cluster, "SELECT flow, state FROM transship.flows");
                found.extend(rows.into_iter().map(|row| format!("{cluster} ledger {row}")));
            }
        }
        let files = match &self.server {
            Some(server) => server.keys("bucket"),
            None => files(&self.pair.folder()),
        };
        found.extend(files.into_iter().map(|file| uncounted(&format!("file {file}"))));
        found.sort();
        found
    }

    fn relations(&self, cluster: &str) -> Vec<String> {
        let sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables \
                   WHERE table_schema IN ('shop', 'crm')";
        self.column(cluster, sql)
    }

    /// How many versions behind views there are.
    pub(super) fn versions(&self) -> usize {
        self.relations("analytics").iter().filter(|table| is_version(table)).count()
    }

    fn has_ledger(&self, cluster: &str) -> bool {
        let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'transship' AND table_name = 'flows'";
        !self.column(cluster, sql).is_empty()
    }

    /// Whether the ledger says of every flow that `run` has done it.
    pub(super) fn says_done(&self, run: &str) -> bool {
        let with = CLUSTERS.into_iter().filter(|cluster| self.has_ledger(cluster));
        let rows: Vec<String> =
            with.flat_map(|cluster| self.column(cluster, "SELECT run, state FROM transship.flows")).collect();
        !rows.is_empty() && rows.iter().all(|row| *row == format!("{run} done"))
    }
}

/// What is listed by name: the kind, and how it is found.
const LISTS: [(&str, &str); 5] = [
    ("publication", "SELECT pubname FROM pg_catalog.pg_publication"),
    ("subscription", "SELECT subname FROM pg_catalog.pg_subscription"),
    ("repository", "SELECT name FROM sys.repositories"),
    ("snapshot", "SELECT repository, name, state FROM sys.snapshots"),
    ("privilege", "SELECT grantee, type, ident FROM sys.privileges WHERE grantee = 'app'"),
];

/// A version behind a view: `transship__DIGEST__v3__people`, and the table whose name the view took.
fn is_version(table: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |part: &str| part.strip_prefix("was").or_else(|| part.strip_prefix('v')).is_some_and(is_number);
    table.contains(".transship__") && table.split("__").any(part)
}

/// The line with every number that stands by itself as `N`: runs, exports, snapshots and versions are counted.
fn uncounted(line: &str) -> String {
    let mut parts = Vec::new();
    for part in line.split_inclusive(['-', '/', '.', ' ', '_']) {
        let bare = part.trim_end_matches(['-', '/', '.', ' ', '_']);
        let number = bare.trim_start_matches("was").trim_start_matches('v');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(if is_number { part.replace(number, "N") } else { part.to_owned() });
    }
    parts.concat()
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
            }
        }
    }
    found
}
