//! Copies that are done again on real clusters: by time and on change, with writes while rows are copied.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::real::{Clusters, Intercept, Scope, Then, Workspace};

/// A table `people` on alpha that a flow copies to beta.
struct Repeats {
    clusters: &'static Clusters,
    scope: Scope,
    workspace: Workspace,
}

impl Repeats {
    fn new(name: &str) -> Option<Self> {
        let clusters = Clusters::require(name)?;
        let scope = Scope::new(clusters, name);
        let workspace = Workspace::of(&scope.workspace, clusters);
        let repeats = Self { clusters, scope, workspace };
        repeats.clusters.alpha.sql(&format!(
            "CREATE TABLE {} (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)",
            repeats.people()
        ));
        Some(repeats)
    }

    fn people(&self) -> String {
        self.scope.table("people")
    }

    fn insert(&self, from: u32, to: u32) {
        let people = self.people();
        let rows = format!("SELECT g, 'n' || g FROM generate_series({from}, {to}) AS t(g)");
        self.clusters.alpha.sql(&format!("INSERT INTO {people} (id, name) {rows}"));
    }

    fn declare(&self, existing: &str, repeat: &str) {
        let flow = format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: [{}.people]\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n    existing: {existing}\n    repeat: {repeat}\n",
            self.scope.schema
        );
        self.workspace.write("flows.yaml", &flow);
    }

    /// The kinds of the steps that are due; nothing else is to be done.
    fn due(&self) -> Vec<String> {
        let plan: Value = self.workspace.run(&["plan", "--format", "json"]).expect(0).json();
        assert_eq!(plan["steps"].as_array().map(Vec::len), Some(0), "{plan}");
        let steps = plan["due"].as_array().into_iter().flatten().filter_map(|due| due["steps"].as_array()).flatten();
        steps.map(|step| step["kind"].as_str().expect("a kind").to_owned()).collect()
    }

    #[track_caller]
    fn is_equal(&self, rows: u64) {
        let people = self.people();
        assert_eq!((self.clusters.alpha.count(&people), self.clusters.beta.count(&people)), (rows, rows));
    }
}

#[test]
fn a_copy_is_replaced_once_its_time_has_come() {
    let Some(repeats) = Repeats::new("repeatevery") else { return };
    repeats.insert(1, 500);
    repeats.declare("replace", "{ every: 100w }");
    repeats.workspace.apply();
    repeats.insert(501, 700);
    repeats.workspace.is_settled();
    repeats.declare("replace", "{ every: 1ms }");
    repeats.workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    assert_eq!(repeats.due(), ["create-table", "copy-rows", "swap-table"]);
    repeats.workspace.apply();
    repeats.is_equal(700);
    repeats.declare("replace", "{ every: 100w }");
    repeats.workspace.is_settled();
    repeats.workspace.run(&["drift"]).expect(0);
}

#[test]
fn a_copy_is_brought_up_to_date_when_its_source_has_changed() {
    let Some(repeats) = Repeats::new("repeatchange") else { return };
    repeats.insert(1, 20_000);
    repeats.declare("upsert", "on-change");
    repeats.workspace.apply();
    repeats.is_equal(20_000);
    assert_eq!(repeats.due(), Vec::<String>::new(), "nobody wrote");
    repeats.workspace.is_settled();

    // What is written while rows are copied may or may not be among them: it is due again.
    repeats.insert(20_001, 20_001);
    assert_eq!(repeats.due(), ["copy-rows"]);
    let (ended, mut last) = (AtomicBool::new(false), 20_001);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            repeats.workspace.apply();
            ended.store(true, Ordering::Relaxed);
        });
        while !ended.load(Ordering::Relaxed) {
            last += 1;
            repeats.insert(last, last);
        }
    });
    assert_eq!(repeats.due(), ["copy-rows"]);
    repeats.workspace.apply();
    repeats.is_equal(u64::from(last));
    repeats.workspace.is_settled();

    // An update and a delete are changes, too; rows that are gone stay with `upsert`.
    let people = repeats.people();
    repeats.clusters.alpha.sql(&format!("UPDATE {people} SET name = 'other' WHERE id = 7"));
    repeats.workspace.apply();
    let name = repeats.clusters.beta.value(&format!("SELECT name FROM {people} WHERE id = 7"));
    assert_eq!(name.as_deref(), Some("other"));
    repeats.clusters.alpha.sql(&format!("DELETE FROM {people} WHERE id = 7"));
    assert_eq!(repeats.due(), ["copy-rows"]);

    // A table that was made again is another one, whatever its sequence numbers.
    repeats.workspace.apply();
    repeats.workspace.is_settled();
    repeats.clusters.alpha.sql(&format!("DROP TABLE {people}"));
    repeats.clusters.alpha.sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
    ));
    assert_eq!(repeats.due(), ["copy-rows"]);
}

/// Files are copied again as rows are: when their time has come, and after a write while they were copied.
#[test]
fn real_copies_in_bulk_are_due_when_they_should_be_and_not_before() {
    for strategy in ["snapshot: { store: disk }", "export-import: { store: disk, compression: gzip }"] {
        let Some(repeats) = Repeats::new("repeatbulk") else { return };
        let Some(exchange) = repeats.clusters.exchange("repeatbulk") else { return };
        let declare = |repeat: &str| {
            let (folder, schema) = (exchange.join(&repeats.scope.workspace), &repeats.scope.schema);
            let flow = format!(
                "version: 1\nstores:\n  disk:\n    directory: {{ path: {} }}\nflows:\n  copy:\n    from: alpha\n    \
                 to: beta\n    tables: [{schema}.people]\n    strategy: {{ {strategy} }}\n    existing: replace\n    \
                 repeat: {repeat}\n",
                folder.display()
            );
            repeats.workspace.write("flows.yaml", &flow);
        };
        repeats.insert(1, 500);
        declare("{ every: 24h }");
        repeats.workspace.apply();
        repeats.insert(501, 600);
        assert_eq!(repeats.due(), Vec::<String>::new(), "{strategy}: not within a day");
        repeats.workspace.is_settled();
        declare("{ every: 1ms }");
        assert!(repeats.due().contains(&"swap-table".to_owned()), "{strategy}");
        repeats.workspace.apply();
        repeats.is_equal(600);

        // A write after the sequence numbers were noted and before the files are read makes it due again.
        declare("on-change");
        repeats.insert(601, 700);
        assert!(repeats.due().contains(&"swap-table".to_owned()), "{strategy}");
        let (alpha, people) = (repeats.clusters.alpha.clone(), repeats.people());
        let between = Intercept::before(&repeats.clusters.beta, "ALTER CLUSTER SWAP TABLE", move || {
            alpha.sql(&format!("INSERT INTO {people} (id, name) VALUES (701, 'meanwhile'); REFRESH TABLE {people}"));
            Then::Pass
        });
        repeats.workspace.reach(&repeats.clusters.beta, &between.cluster);
        repeats.workspace.apply();
        repeats.workspace.reach(&between.cluster, &repeats.clusters.beta);
        assert_eq!((between.hits() > 0, repeats.clusters.beta.count(&repeats.people())), (true, 700), "{strategy}");
        assert!(repeats.due().contains(&"swap-table".to_owned()), "{strategy}");
        repeats.workspace.apply();
        repeats.is_equal(701);
        assert_eq!(repeats.due(), Vec::<String>::new(), "{strategy}");
        repeats.workspace.is_settled();
    }
}
