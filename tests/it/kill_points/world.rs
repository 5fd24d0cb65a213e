//! Two sandbox clusters with a scenario's tables, its workspace, and everything that is there in the end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::scenario::{Do, SOURCE, Scenario};
use crate::inventory::{self, is_version, refreshed};
use crate::real::{Outcome, Workspace};
use crate::s3::S3;
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
        let server = scenario.bucket.then(|| S3::start(&["bucket"]));
        if let Some(server) = &server {
            server.pass(pair.sandbox.gate());
        }
        let mut workspace = pair.workspace_with_store(server.as_ref());
        workspace.variables.push(("PATH".to_owned(), crate::sandbox_command::PATH.to_owned()));
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

    /// Everything that is there, rows included, apart from versions behind views; what counts up is not told apart.
    pub(super) fn inventory(&self) -> Vec<String> {
        let sandbox = &self.pair.sandbox;
        let mut found = Vec::new();
        for cluster in CLUSTERS {
            found.extend(inventory::objects(sandbox, cluster));
            for table in self.relations(cluster).into_iter().filter(|table| !is_version(table)) {
                let mut rows = inventory::lines(
                    sandbox,
                    cluster,
                    &format!("SELECT * FROM {}", refreshed(sandbox, cluster, &table)),
                );
                rows.sort();
                found.push(format!("{cluster} {table}: {}", rows.join(", ")));
            }
            if self.has_ledger(cluster) {
                let rows = inventory::lines(sandbox, cluster, "SELECT flow, state FROM transship.flows");
                found.extend(rows.into_iter().map(|row| format!("{cluster} ledger {row}")));
            }
        }
        found.extend(inventory::files(&self.pair, self.server.as_ref()));
        found.sort();
        found
    }

    fn relations(&self, cluster: &str) -> Vec<String> {
        let of_both = |table: &String| table.starts_with("shop.") || table.starts_with("crm.");
        inventory::relations(&self.pair.sandbox, cluster).into_iter().filter(of_both).collect()
    }

    /// How many versions behind views there are.
    pub(super) fn versions(&self) -> usize {
        self.relations("analytics").iter().filter(|table| is_version(table)).count()
    }

    fn has_ledger(&self, cluster: &str) -> bool {
        inventory::has_ledger(&self.pair.sandbox, cluster)
    }

    /// Whether the ledger says of every flow that `run` has done it.
    pub(super) fn says_done(&self, run: &str) -> bool {
        let with = CLUSTERS.into_iter().filter(|cluster| self.has_ledger(cluster));
        let rows: Vec<String> = with
            .flat_map(|cluster| inventory::lines(&self.pair.sandbox, cluster, "SELECT run, state FROM transship.flows"))
            .collect();
        !rows.is_empty() && rows.iter().all(|row| *row == format!("{run} done"))
    }
}
