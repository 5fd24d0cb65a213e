//! A flow that copies rows between the clusters, for the tests of what becomes of it.

use serde_json::Value;

use super::{Cluster, Clusters, Scope, Workspace};

/// Tables on alpha, and a flow `copy` that copies them to beta.
pub(crate) struct Copies {
    pub(crate) clusters: &'static Clusters,
    pub(crate) scope: Scope,
    pub(crate) workspace: Workspace,
}

impl Copies {
    /// Without any table yet.
    pub(crate) fn bare(name: &str) -> Option<Self> {
        let clusters = Clusters::require(name)?;
        let scope = Scope::new(clusters, name);
        let workspace = Workspace::of(&scope.workspace, clusters);
        Some(Self { clusters, scope, workspace })
    }

    /// With a table `people` of 1,000 rows.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let copies = Self::bare(name)?;
        copies.alpha().sql(&format!(
            "CREATE TABLE {} (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', email TEXT, active BOOLEAN, \
             amount NUMERIC(12, 2), at TIMESTAMP WITH TIME ZONE, \
             month TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', at), CHECK (id > 0)) \
             CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)",
            copies.people()
        ));
        copies.insert(1, 1000);
        Some(copies)
    }

    /// The cluster that rows come from.
    pub(crate) fn alpha(&self) -> &Cluster {
        &self.clusters.alpha
    }

    /// The cluster that rows go to.
    pub(crate) fn beta(&self) -> &Cluster {
        &self.clusters.beta
    }

    /// The table, quoted.
    pub(crate) fn people(&self) -> String {
        self.scope.table("people")
    }

    /// Rows with the ids of a range.
    pub(crate) fn insert(&self, from: u32, to: u32) {
        self.alpha().sql(&format!(
            "INSERT INTO {people} (id, name, email, active, amount, at) SELECT g, 'n' || g, 'e' || g || '@x', g % 2 = 0, \
             g::numeric(12, 2) / 4, '2026-01-01'::timestamp + g::bigint * 60000 FROM generate_series({from}, {to}) AS t(g); \
             REFRESH TABLE {people}",
            people = self.people()
        ));
    }

    /// Declares the flow with one table entry and more keys, each a line of YAML.
    pub(crate) fn declare(&self, entry: &str, more: &str) {
        let schema = &self.scope.schema;
        let entry = entry.replace("SCHEMA", schema);
        let flow = format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      - {entry}\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n    {more}\n"
        );
        self.workspace.write("flows.yaml", &flow);
    }

    /// The kinds of the steps that the next plan has for the flow.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let plan: Value = self.workspace.run(&["plan", "--format", "json"]).expect(0).json();
        let steps = plan["steps"].as_array().expect("a plan has steps");
        let of_flow = steps.iter().filter(|step| !step["flow"].is_null());
        of_flow.map(|step| step["kind"].as_str().expect("a kind").to_owned()).collect()
    }

    /// Both clusters have the same rows, by plain SQL.
    #[track_caller]
    pub(crate) fn is_equal(&self, columns: &str, least: usize) {
        // What was copied is visible already; a view could not be refreshed.
        let people = self.people();
        self.alpha().sql(&format!("REFRESH TABLE {people}"));
        let rows = |cluster: &Cluster| cluster.sql(&format!("SELECT {columns} FROM {people} ORDER BY 1"));
        let (source, target) = (rows(self.alpha()), rows(self.beta()));
        assert_eq!(source, target);
        assert!(target.len() >= least, "{} rows", target.len());
    }

    /// No copy that was made aside is left on beta, but for `expected`.
    #[track_caller]
    pub(crate) fn aside(&self, expected: usize) {
        let sql = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_name LIKE 'transship_%'",
            self.scope.schema
        );
        let found = self.beta().sql(&sql);
        assert_eq!(found.len(), expected, "{found:?}");
    }
}
