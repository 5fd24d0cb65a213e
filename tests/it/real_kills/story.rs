//! Flows by every strategy between two clusters of their own, and what they have to leave.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::real::{Cluster, Clusters, Copies, Outcome, Scope, Workspace, wait_until};

/// A flow of one table: its name, the target's name where that is another, the strategy, more keys, and whether a table of
/// the target's name is there before.
struct Flow {
    name: &'static str,
    to: &'static str,
    strategy: &'static str,
    more: &'static str,
    is_there: bool,
}

const ALL: [Flow; 7] = [
    Flow { name: "live", to: "live", strategy: "logical-replication: {}", more: "", is_there: false },
    Flow {
        name: "moved",
        to: "moved_copy",
        strategy: "logical-replication: { then: detach }",
        more: "existing: error",
        is_there: false,
    },
    Flow {
        name: "snap",
        to: "snap",
        strategy: "snapshot: { store: place }",
        more: "existing: replace",
        is_there: true,
    },
    Flow {
        name: "json",
        to: "json",
        strategy: "export-import: { store: place }",
        more: "existing: error",
        is_there: false,
    },
    Flow {
        name: "csv",
        to: "csv",
        strategy: "export-import: { store: place, format: csv, compression: gzip }",
        more: "existing: replace",
        is_there: true,
    },
    Flow {
        name: "rows",
        to: "rows",
        strategy: "custom: { engine: stream }",
        more: "existing: replace",
        is_there: true,
    },
    Flow {
        name: "seen",
        to: "seen",
        strategy: "custom: { engine: stream }",
        more: "existing: replace\n    replace_by: view",
        is_there: false,
    },
];

/// Tables on alpha, and a workspace that copies them to beta.
pub(super) struct Story {
    pub(super) copies: Copies,
    folder: PathBuf,
    /// The tables with their names on the target.
    tables: Vec<(String, String)>,
}

impl Story {
    /// A flow by every strategy, each of a table with some thousands of rows.
    pub(super) fn of_all(clusters: &'static Clusters, name: &str) -> Self {
        let mut story = Self::bare(clusters, name);
        let flows: String = ALL.iter().map(|flow| story.add(flow, 3_000)).collect();
        story.declare(&flows);
        story
    }

    /// One flow of a table that takes a while.
    pub(super) fn of_one(clusters: &'static Clusters, name: &str, strategy: &'static str) -> Self {
        let mut story = Self::bare(clusters, name);
        let more = if strategy.starts_with("logical") { "" } else { "existing: error" };
        let flow = story.add(&Flow { name: "big", to: "big", strategy, more, is_there: false }, 200_000);
        story.declare(&flow);
        story
    }

    fn bare(clusters: &'static Clusters, name: &str) -> Self {
        let scope = Scope::new(clusters, name);
        let workspace = Workspace::of(&scope.workspace, clusters);
        let folder = clusters.exchange(name).expect("nodes that were started here share one").join(&scope.workspace);
        // This machine writes some of the files, the nodes the others.
        fs_err::create_dir_all(&folder).expect("the directory can be made");
        fs_err::set_permissions(&folder, Permissions::from_mode(0o777)).expect("it is ours");
        Self { copies: Copies { clusters, scope, workspace }, folder, tables: Vec::new() }
    }

    /// Makes the flow's table, and gives the flow as YAML.
    fn add(&mut self, flow: &Flow, rows: u32) -> String {
        let table = self.copies.scope.table(flow.name);
        let made = format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, amount NUMERIC(12, 2), at TIMESTAMP WITH TIME ZONE, \
             tags ARRAY(TEXT)) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
        );
        let fill = |rows: u32, word: &str| {
            format!(
                "{made}; INSERT INTO {table} (id, name, amount, at, tags) SELECT g, CASE WHEN g % 7 = 0 THEN NULL ELSE \
                 '{word} ' || g END, g::numeric(12, 2) / 4, '2026-01-01'::timestamp + g::bigint * 60000, ['a', 'b' || g] \
                 FROM generate_series(1, {rows}) AS t(g); REFRESH TABLE {table}"
            )
        };
        self.copies.alpha().sql(&fill(rows, "new"));
        if flow.is_there {
            self.copies.beta().sql(&fill(100, "old"));
        }
        self.tables.push((table, self.copies.scope.table(flow.to)));
        let (schema, Flow { name, to, strategy, more, .. }) = (&self.copies.scope.schema, flow);
        let entry = if name == to {
            format!("{schema}.{name}")
        } else {
            format!("{{ from: {schema}.{name}, to: {schema}.{to} }}")
        };
        format!(
            "  {name}:\n    from: alpha\n    to: beta\n    tables:\n      - {entry}\n    strategy: {{ {strategy} }}\n    {more}\n"
        )
    }

    fn declare(&self, flows: &str) {
        let store = self.folder.display();
        self.copies.workspace.write(
            "flows.yaml",
            &format!("version: 1\nstores:\n  place:\n    directory: {{ path: {store} }}\nflows:\n{flows}"),
        );
    }

    pub(super) fn apply(&self) -> Outcome {
        self.copies.workspace.run(&super::APPLY)
    }

    /// The same as soon as no lock of a run that was killed is in the way.
    pub(super) fn apply_once_free(&self) -> Outcome {
        self.copies.workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
        let started = Instant::now();
        loop {
            let outcome = self.apply();
            if outcome.code != 6 || started.elapsed() > Duration::from_secs(90) {
                return outcome;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// The kinds of the steps that the first run has begun and not ended, as far as its log tells.
    pub(super) fn running(&self) -> Vec<String> {
        let mut runs = fs_err::read_dir(self.copies.workspace.path().join(".transship/runs")).into_iter().flatten();
        let first = runs.find_map(|entry| Some(entry.ok()?.path()));
        let text = first.and_then(|path| fs_err::read_to_string(path).ok()).unwrap_or_default();
        let log: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ends = |step: &Value| {
            let of = |line: &Value, what: &str| line["what"][what]["step"] == *step;
            log.iter().any(|line| of(line, "step-done") || of(line, "step-failed"))
        };
        let begun = log.iter().map(|line| &line["what"]["step-started"]).filter(|begun| begun.is_object());
        let open = begun.filter(|begun| !ends(&begun["step"]));
        open.map(|begun| begun["kind"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until a node that came back has all shards again, but for those of copies that were cut on the target: CrateDB
    /// does not go on with a restore, nor with a subscription's copy, once its cluster was restarted.
    pub(super) fn all_shards_are_there(&self) {
        let cut = format!("table_schema = '{}'", self.copies.scope.schema);
        for (_, cluster) in self.copies.clusters.both() {
            let of_copies = if cluster.label == self.copies.beta().label { &cut } else { "FALSE" };
            let missing = format!(
                "SELECT count(*) FROM sys.health WHERE (missing_shards > 0 OR health = 'RED') AND NOT ({of_copies})"
            );
            let is_whole = || cluster.try_sql(&missing).is_ok_and(|rows| rows == [[Some("0".to_owned())]]);
            wait_until("all shards are there", Duration::from_secs(60), is_whole);
        }
    }

    /// Both sides have the same rows, the next plan is empty, and nothing is left anywhere.
    #[track_caller]
    pub(super) fn is_as_declared(&self) {
        for (source, target) in &self.tables {
            let sql = |table: &str| {
                format!("REFRESH TABLE {table}; SELECT id, name, amount::text, at, tags FROM {table} ORDER BY id")
            };
            let source_rows = self.copies.alpha().sql(&sql(source));
            let unrefreshed = sql(target).split_once("; ").expect("two statements").1.to_owned();
            let target_rows = self.copies.beta().sql(&unrefreshed);
            assert!(source_rows == target_rows, "{target}: {} rows of {}", target_rows.len(), source_rows.len());
        }
        self.copies.workspace.is_settled();
        self.nothing_is_left();
    }

    fn nothing_is_left(&self) {
        let schema = &self.copies.scope.schema;
        let (alpha, beta) = (self.copies.alpha(), self.copies.beta());
        let flows = self.copies.workspace.read("flows.yaml");
        let live = ["logical-replication: {}", "logical-replication: { mode"];
        let has_live = usize::from(live.iter().any(|live| flows.contains(live)));
        let count = |cluster: &Cluster, sql: &str| cluster.sql(&format!("{sql} LIKE '%{schema}%'")).len();
        assert_eq!(count(alpha, "SELECT pubname FROM pg_catalog.pg_publication WHERE pubname"), has_live);
        assert_eq!(count(beta, "SELECT subname FROM pg_catalog.pg_subscription WHERE subname"), has_live);
        let aside = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE 'transship_%'"
        );
        for (_, cluster) in self.copies.clusters.both() {
            let stray = |row: &Vec<Option<String>>| !row[0].as_deref().is_some_and(|name| name.contains("__v"));
            let strays: Vec<_> = cluster.sql(&aside).into_iter().filter(stray).collect();
            assert_eq!(strays, Vec::<Vec<Option<String>>>::new(), "left aside on {}", cluster.label);
            let markers = "SELECT name FROM sys.repositories WHERE name LIKE 'transship_marker%'";
            assert_eq!(cluster.sql(markers), Vec::<Vec<Option<String>>>::new(), "markers on {}", cluster.label);
        }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        for (_, cluster) in self.copies.clusters.both() {
            let sql = format!("SELECT name FROM sys.repositories WHERE name LIKE '%{}%'", self.copies.scope.schema);
            for name in cluster.try_sql(&sql).unwrap_or_default().into_iter().flatten().flatten() {
                cluster.try_sql(&format!("DROP REPOSITORY \"{name}\"")).ok();
            }
        }
        fs_err::remove_dir_all(&self.folder).ok();
    }
}
