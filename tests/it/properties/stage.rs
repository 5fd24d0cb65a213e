//! Clusters of the sandbox in which a story is played, and everything that is there.

use std::collections::BTreeMap;

use crate::inventory::{self, is_version, lines, refreshed};
use crate::real::{Outcome, Transship, Workspace};
use crate::s3::S3;
use crate::sandbox::Pair;

use super::script::Cut;
use super::story::{On, Story};
use super::watch::{Seen, Watched};

pub(super) struct Stage<'a> {
    pub(super) story: &'a Story,
    pub(super) pair: Pair,
    pub(super) workspace: Workspace,
    pub(super) server: Option<S3>,
}

/// A table or a view of which one can see all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    /// What SHOW CREATE TABLE says; empty for a view.
    pub(super) definition: String,
    /// In the order of their names, as are the cells.
    pub(super) columns: Vec<String>,
    /// Sorted.
    pub(super) rows: Vec<Vec<String>>,
}

/// A cluster, and `schema.table`.
pub(super) type Place = (&'static str, String);

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) relations: BTreeMap<Place, Relation>,
    /// How many versions behind views, and tables whose names views took.
    pub(super) versions: usize,
    pub(super) objects: Vec<String>,
    pub(super) files: Vec<String>,
}

impl<'a> Stage<'a> {
    /// Everything up to the run that is cut; what was applied before, where that does not end well.
    pub(super) fn set(story: &'a Story) -> Result<Self, Outcome> {
        let pair = Pair::of(&story.clusters);
        let server = story.bucket.then(|| S3::start(&["bucket"]));
        if let Some(server) = &server {
            server.pass(pair.sandbox.gate());
        }
        let workspace = pair.workspace_with_store(server.as_ref());
        let stage = Self { story, pair, workspace, server };
        stage.run_all(story.filled());
        if story.others_replicate {
            stage.replicate_of_others();
        }
        let past = story.yaml(true);
        if !past.is_empty() {
            stage.declare(&past);
            let applied = stage.apply(&[]);
            if applied.code != 0 {
                return Err(applied);
            }
        }
        stage.run_all(story.changed());
        stage.follow();
        stage.declare(&story.yaml(false));
        Ok(stage)
    }

    fn declare(&self, flows: &str) {
        self.workspace.write("flows.yaml", &format!("version: 1\n{flows}"));
    }

    /// Lets replications take over what has changed.
    fn follow(&self) {
        for _ in 0..10 {
            self.pair.sandbox.tick();
        }
    }

    pub(super) fn run_all(&self, statements: &[On]) {
        for (cluster, sql) in statements {
            self.pair.sql(cluster, sql);
        }
    }

    /// A subscription, a repository and a snapshot that are nobody's business.
    fn replicate_of_others(&self) {
        let port = self.pair.sandbox.port("shop").expect("a cluster");
        let place = self.pair.folder().join("stranger").display().to_string();
        self.pair.sql(
            "shop",
            &format!(
                "CREATE TABLE theirs.live (id INTEGER) WITH (number_of_replicas = 0); INSERT INTO theirs.live (id) VALUES (1);
                 REFRESH TABLE theirs.live; CREATE PUBLICATION stranger_pub FOR TABLE theirs.live;
                 CREATE REPOSITORY stranger_repo TYPE fs WITH (location = '{place}');
                 CREATE SNAPSHOT stranger_repo.kept TABLE theirs.kept WITH (wait_for_completion = true)"
            ),
        );
        let sql = format!(
            "CREATE SUBSCRIPTION stranger_sub CONNECTION 'crate://127.0.0.1:{port}?user=crate&mode=pg_tunnel&sslmode=disable' \
             PUBLICATION stranger_pub"
        );
        self.pair.sql("analytics", &sql);
        let arrived =
            || self.pair.sandbox.execute("analytics", "SELECT id FROM theirs.live").is_ok_and(|it| it.rows.len() == 1);
        crate::real::wait_until("the rows of others arrive", std::time::Duration::from_secs(10), arrived);
    }

    pub(super) fn arguments(&self, more: &[String]) -> Vec<String> {
        let arguments = ["apply", "--auto-approve"].into_iter().chain(self.consents()).map(str::to_owned);
        arguments.chain(more.iter().cloned()).collect()
    }

    fn consents(&self) -> impl Iterator<Item = &'static str> {
        self.story.consents.iter().flat_map(|consent| ["--allow-drop", consent])
    }

    /// Applies, without anything that disturbs.
    pub(super) fn apply(&self, more: &[String]) -> Outcome {
        let arguments = self.arguments(more);
        self.workspace.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Applies with what disturbs; what came of it, where it was not killed, and what clusters and store saw.
    pub(super) fn disturbed(&self, more: &[String], cut: &Cut) -> Result<(Option<Outcome>, Vec<Seen>), String> {
        let watched = Watched::begin(&self.pair, cut.kill.clone());
        self.pair.sandbox.faults(cut.faults.clone());
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let running = Transship::new(&self.workspace, &arguments).start();
        let outcome = self.pair.kill_when_halted(running);
        self.pair.sandbox.faults(Vec::new());
        Ok((outcome?, watched.end()))
    }

    /// Takes all flows away from a run that was cut: nobody waits until its leases have run out.
    pub(super) fn unlock(&self) -> Result<(), String> {
        let unlocked = self.workspace.run(&["unlock", "--all", "--auto-approve"]);
        if unlocked.code == 0 { Ok(()) } else { Err(format!("unlock exits {}\n{}", unlocked.code, unlocked.all())) }
    }

    /// What there is to do still: nothing, something, or why it cannot be told.
    pub(super) fn is_settled(&self) -> Result<bool, String> {
        let arguments: Vec<&str> = ["plan", "--detailed-exitcode"].into_iter().chain(self.consents()).collect();
        let plan = self.workspace.run(&arguments);
        match plan.code {
            0 => Ok(true),
            2 => Ok(false),
            code => Err(format!("the plan exits {code}\n{}", plan.all())),
        }
    }

    /// The ids of tables' indices, which tell whether a table is the same.
    pub(super) fn indices(&self, of: impl Fn(&Place) -> bool) -> Vec<String> {
        let sql = "SELECT schema_name || '.' || table_name, partition_ident, partition_uuid, id, seq_no_stats['max_seq_no'] FROM sys.shards \
                   WHERE \"primary\" AND schema_name <> 'transship' ORDER BY 1, 2, 3, 4";
        let mut found = Vec::new();
        for cluster in &self.story.clusters {
            let tables: Vec<String> =
                self.tables(cluster).into_iter().filter(|it| of(&(*cluster, it.clone()))).collect();
            let is_of = |line: &String| tables.iter().any(|table| line.starts_with(&format!("{table} ")));
            let lines = lines(&self.pair.sandbox, cluster, sql).into_iter().filter(is_of);
            found.extend(lines.map(|line| format!("{cluster} {line}")));
        }
        found
    }

    fn tables(&self, cluster: &str) -> Vec<String> {
        inventory::relations(&self.pair.sandbox, cluster)
    }

    pub(super) fn state(&self) -> State {
        let sandbox = &self.pair.sandbox;
        let (mut relations, mut versions, mut objects) = (BTreeMap::new(), 0, Vec::new());
        for cluster in self.story.clusters.iter().copied() {
            objects.extend(inventory::objects(sandbox, cluster));
            for table in self.tables(cluster) {
                if is_version(&table) {
                    versions += 1;
                } else if let Some(found) = self.relation(cluster, &table) {
                    relations.insert((cluster, table), found);
                }
            }
        }
        let mut files = inventory::files(&self.pair, self.server.as_ref());
        objects.sort();
        files.sort();
        State { relations, versions, objects, files }
    }

    /// A table or a view; `None` where it has gone meanwhile.
    pub(super) fn relation(&self, cluster: &str, table: &str) -> Option<Relation> {
        let sandbox = &self.pair.sandbox;
        let quoted = refreshed(sandbox, cluster, table);
        let definition = sandbox.execute(cluster, &format!("SHOW CREATE TABLE {quoted}"));
        let text = |answer: transship_sandbox::Answer| answer.texts.into_iter().flatten().flatten().collect();
        let definition: String = definition.map(text).unwrap_or_default();
        let rows = self.rows(cluster, &format!("SELECT * FROM {quoted}"))?;
        Some(Relation { definition, ..rows })
    }

    /// The rows of a query, with cells in the order of their columns' names; `None` where it is refused.
    pub(super) fn rows(&self, cluster: &str, sql: &str) -> Option<Relation> {
        let answer = self.pair.sandbox.execute(cluster, sql).ok()?;
        let mut order: Vec<usize> = (0..answer.columns.len()).collect();
        order.sort_by_key(|at| &answer.columns[*at]);
        let cell = |row: &Vec<Option<String>>, at: &usize| row[*at].clone().unwrap_or_else(|| "NULL".to_owned());
        let mut rows: Vec<Vec<String>> =
            answer.texts.iter().map(|row| order.iter().map(|at| cell(row, at)).collect()).collect();
        rows.sort();
        let columns = order.iter().map(|at| answer.columns[*at].clone()).collect();
        Some(Relation { definition: String::new(), columns, rows })
    }
}
