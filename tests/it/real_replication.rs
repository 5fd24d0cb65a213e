//! Logical replication on real clusters, from YAML to equal data, and everything that may happen to it afterwards.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::real::{Cluster, Clusters, Scope, Workspace, replication_turn, wait_until};

/// A flow `live` of three tables, one partitioned, one empty.
struct Story {
    clusters: &'static Clusters,
    scope: Scope,
    workspace: Workspace,
    _turn: MutexGuard<'static, ()>,
}

impl Story {
    fn new(name: &str) -> Option<Self> {
        let clusters = Clusters::require(name)?;
        let turn = replication_turn();
        let scope = Scope::new(clusters, name);
        let workspace = Workspace::of(&scope.workspace, clusters);
        let story = Self { clusters, scope, workspace, _turn: turn };
        let alpha = &story.clusters.alpha;
        alpha.sql(&format!(
            "CREATE TABLE {} (id BIGINT, month TIMESTAMP WITH TIME ZONE, amount NUMERIC(12, 2), \
             PRIMARY KEY (id, month)) CLUSTERED BY (id) INTO 2 SHARDS PARTITIONED BY (month) WITH (number_of_replicas = 0)",
            story.scope.table("orders")
        ));
        story.make_table("customers", "id INTEGER PRIMARY KEY, name TEXT");
        story.make_table("empty", "id INTEGER PRIMARY KEY");
        alpha.sql(&format!("INSERT INTO {} (id, name) VALUES (1, 'a'), (2, NULL)", story.scope.table("customers")));
        story.declare(&["customers", "empty", "orders"]);
        Some(story)
    }

    fn make_table(&self, table: &str, columns: &str) {
        let table = self.scope.table(table);
        let sql = format!("CREATE TABLE {table} ({columns}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)");
        self.clusters.alpha.sql(&sql);
    }

    fn declare(&self, tables: &[&str]) {
        let schema = &self.scope.schema;
        let tables: Vec<String> = tables.iter().map(|table| format!("{schema}.{table}")).collect();
        self.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nflows:\n  live:\n    from: alpha\n    to: beta\n    tables: [{}]\n    \
                 strategy: {{ logical-replication: {{ mode: tunnel }} }}\n",
                tables.iter().map(|table| format!("\"{table}\"")).collect::<Vec<_>>().join(", ")
            ),
        );
    }

    fn plan_json(&self, code: i32, more: &[&str]) -> Value {
        let mut arguments = vec!["plan", "--format", "json"];
        arguments.extend(more);
        self.workspace.run(&arguments).expect(code).json()
    }

    /// The name of the flow's publication and subscription.
    fn object(&self) -> String {
        format!("transship__{}__live", self.scope.workspace.replace('-', "_"))
    }

    /// Every row of a table as texts, in order, after a refresh.
    fn rows(&self, cluster: &Cluster, table: &str, columns: &str) -> Vec<Vec<Option<String>>> {
        let table = self.scope.table(table);
        cluster.sql(&format!("REFRESH TABLE {table}; SELECT {columns} FROM {table} ORDER BY 1, 2"))
    }

    /// Both clusters have the same rows, by plain SQL; `least` of them at least.
    #[track_caller]
    fn is_equal(&self, table: &str, columns: &str, least: usize) {
        let clusters = self.clusters;
        let equal = || self.rows(&clusters.alpha, table, columns) == self.rows(&clusters.beta, table, columns);
        wait_until(&format!("{table} is equal"), Duration::from_secs(60), equal);
        let rows = self.rows(&clusters.beta, table, columns).len();
        assert!(rows >= least, "{table} has {rows} rows, at least {least} are expected");
    }

    fn is_all_equal(&self) {
        self.is_equal("orders", "id, month, amount", 2);
        self.is_equal("customers", "id, name", 2);
        assert_eq!(self.clusters.beta.count(&self.scope.table("empty")), 0);
    }
}

/// The kinds of the steps of a plan in JSON.
fn kinds(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("a plan has steps");
    steps.iter().map(|step| step["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// Writes into the table of orders until it is stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// About 500 rows a second, into three partitions.
    fn start(story: &Story) -> Self {
        Self::write(story, 50, |_| Duration::from_millis(95), |id| format!("2026-{:02}-01", id % 3 + 1))
    }

    /// New partitions, three a second at first, then fewer: a slow machine is not to drown in them.
    fn of_partitions(story: &Story) -> Self {
        let day = |id: u64| format!("{}-{:02}-{:02}", 1990 + id / 336, id / 28 % 12 + 1, id % 28 + 1);
        Self::write(story, 1, |written| Duration::from_millis(300 + written * 5), day)
    }

    fn write(story: &Story, batch: u64, pause: fn(u64) -> Duration, month: fn(u64) -> String) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (cluster, table) = (story.clusters.alpha.clone(), story.scope.table("orders"));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = std::thread::spawn(move || {
            let mut next = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                let rows: Vec<String> =
                    (next..next + batch).map(|id| format!("({id}, '{}', {id}.25)", month(id))).collect();
                cluster.sql(&format!("INSERT INTO {table} (id, month, amount) VALUES {}", rows.join(", ")));
                next += batch;
                count.store(next, Ordering::Relaxed);
                std::thread::sleep(pause(next));
            }
        });
        Self { stop, written, thread: Some(thread) }
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Stops, and gives the number of rows that were written.
    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("stopped once").join().expect("the writer writes");
        self.written()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn from_yaml_to_equal_data_and_back_to_nothing() {
    let Some(story) = Story::new("story") else { return };
    let writer = Writer::start(&story);
    wait_until("rows are written", Duration::from_secs(30), || writer.written() > 100);

    story.workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    let before = writer.written();
    story.workspace.apply();
    let during = writer.written() - before;
    wait_until("rows go on being written", Duration::from_secs(30), || writer.written() > before + 200);
    let total = writer.stop();
    assert!(during > 0, "nothing was written while the plan was applied");
    story.is_equal("orders", "id, month, amount", usize::try_from(total).expect("a small number"));
    story.is_all_equal();
    story.workspace.is_settled();

    a_table_that_is_declared_is_published_and_waited_for(&story);
    a_table_that_a_pattern_matches_is_too(&story);
    a_table_that_is_not_declared_any_more_is_let_go(&story);
    the_flow_goes_and_the_tables_stay(&story);
}

fn a_table_that_is_declared_is_published_and_waited_for(story: &Story) {
    story.make_table("extra", "id INTEGER PRIMARY KEY, v TEXT");
    story.clusters.alpha.sql(&format!("INSERT INTO {} (id, v) VALUES (1, 'x')", story.scope.table("extra")));
    story.declare(&["customers", "empty", "orders", "extra"]);
    assert_eq!(kinds(&story.plan_json(0, &[])), ["publish-tables", "wait-synced"]);
    story.workspace.apply();
    story.is_equal("extra", "id, v", 1);
    story.workspace.is_settled();
}

fn a_table_that_a_pattern_matches_is_too(story: &Story) {
    story.declare(&["*"]);
    story.workspace.is_settled();
    story.make_table("fresh", "id INTEGER PRIMARY KEY, v TEXT");
    story.clusters.alpha.sql(&format!("INSERT INTO {} (id, v) VALUES (7, 'y')", story.scope.table("fresh")));
    assert_eq!(kinds(&story.plan_json(0, &[])), ["publish-tables", "wait-synced"]);
    story.workspace.apply();
    story.is_equal("fresh", "id, v", 1);
    story.workspace.is_settled();
}

fn a_table_that_is_not_declared_any_more_is_let_go(story: &Story) {
    story.declare(&["customers", "empty", "orders", "fresh"]);
    assert_eq!(kinds(&story.plan_json(0, &[])), ["unpublish-tables", "wait-released"]);
    story.workspace.apply();
    story.clusters.beta.sql(&format!("INSERT INTO {} (id, v) VALUES (2, 'local')", story.scope.table("extra")));
    story.workspace.is_settled();
    // A table that is gone at the source is let go as well.
    story.declare(&["customers", "empty", "orders", "f*"]);
    story.make_table("fallen", "id INTEGER PRIMARY KEY");
    story.workspace.apply();
    story.clusters.alpha.sql(&format!("DROP TABLE {}", story.scope.table("fallen")));
    story.workspace.apply();
    story.workspace.is_settled();
}

fn the_flow_goes_and_the_tables_stay(story: &Story) {
    story.workspace.write("flows.yaml", "version: 1\n");
    let plan = story.plan_json(5, &[]);
    let takedown = ["unpublish-tables", "wait-released", "drop-subscription", "wait-leases-gone", "drop-publication"];
    assert_eq!(kinds(&plan), takedown);
    story.workspace.run(&["apply", "--auto-approve"]).expect(5);
    let consents = ["apply", "--auto-approve", "--allow-drop", "subscription:beta.*", "--allow-drop", "publication:*"];
    story.workspace.run(&consents).expect(0);
    let beta = &story.clusters.beta;
    assert_eq!(beta.sql("SELECT subname FROM pg_catalog.pg_subscription").len(), 0);
    let rows = beta.count(&story.scope.table("customers"));
    beta.sql(&format!("INSERT INTO {} (id, name) VALUES (99, 'writable')", story.scope.table("customers")));
    assert_eq!(beta.count(&story.scope.table("customers")), rows + 1);
    let publications = format!("SELECT count(*) FROM pg_catalog.pg_publication WHERE pubname = '{}'", story.object());
    assert_eq!(story.clusters.alpha.value(&publications).as_deref(), Some("0"));
    story.workspace.is_settled();
}

#[test]
fn a_dropped_publication_is_found_and_planned_back() {
    let Some(story) = Story::new("dropped") else { return };
    story.workspace.apply();
    story.clusters.alpha.sql(&format!("DROP PUBLICATION \"{}\"", story.object()));
    let states = "SELECT DISTINCT srsubstate FROM pg_catalog.pg_subscription_rel";
    assert_eq!(story.clusters.beta.value(states).as_deref(), Some("r"), "CrateDB sees nothing");

    let drift = story.workspace.run(&["drift"]).expect(3);
    assert!(drift.stdout.contains("is gone"), "{}", drift.stdout);
    let plan = story.plan_json(5, &[]);
    assert_eq!(plan["blocked"].as_array().map(Vec::len), Some(4), "{plan:#}");
    assert!(plan.to_string().contains("PARTITIONED BY"), "the plan tells what is dropped: {plan:#}");
    story.workspace.run(&["apply", "--auto-approve"]).expect(5);
    story.workspace.run(&["apply", "--auto-approve", "--allow-drop", "subscription:beta.*"]).expect(5);
    assert_eq!(story.clusters.beta.value(states).as_deref(), Some("r"), "nothing ran");

    let tables = format!("table:beta.{}.*", story.scope.schema);
    story
        .workspace
        .run(&["apply", "--auto-approve", "--allow-drop", "subscription:beta.*", "--allow-drop", &tables])
        .expect(0);
    story.clusters.alpha.sql(&format!(
        "INSERT INTO {} (id, month) VALUES (5, '2026-05-01'), (6, '2026-06-01')",
        story.scope.table("orders")
    ));
    story.is_all_equal();
    let is_settled = || story.workspace.run(&["plan", "--detailed-exitcode"]).code == 0;
    wait_until("the new partitions are taken over", Duration::from_secs(60), is_settled);
    story.workspace.run(&["drift"]).expect(0);
}

/// A subscription that is dropped while it takes over a partition leaves its table locked.
#[test]
fn a_flow_is_made_again_and_removed_while_partitions_arrive() {
    let Some(story) = Story::new("partitions") else { return };
    let writer = Writer::of_partitions(&story);
    wait_until("rows are written", Duration::from_secs(30), || writer.written() > 3);
    story.workspace.apply();
    let tables = format!("table:beta.{}.*", story.scope.schema);
    let consents = ["--allow-drop", "subscription:*", "--allow-drop", "publication:*", "--allow-drop", &tables];
    for round in 0..2 {
        let plan = [&["plan", "--resync", "live", "-o", "again.json"][..], &consents].concat();
        story.workspace.run(&plan).expect(0);
        let planned = writer.written();
        wait_until("a partition comes after the plan", Duration::from_secs(30), || writer.written() > planned + 3);
        story.workspace.run(&["apply", "again.json"]).expect(0);
        story.workspace.run(&["apply", "again.json"]).expect(4);
        assert!(writer.written() > planned, "round {round}");
    }
    story.workspace.write("flows.yaml", "version: 1\n");
    let removal = [&["apply", "--auto-approve"][..], &consents].concat();
    story.workspace.run(&removal).expect(0);
    assert!(writer.stop() > 20, "partitions arrived all the time");
    let orders = story.scope.table("orders");
    story.clusters.beta.sql(&format!("INSERT INTO {orders} (id, month) VALUES (-1, '1980-01-01')"));
    story.clusters.beta.sql(&format!("DROP TABLE {orders}"));
}

#[test]
fn another_user_is_told_what_cannot_be_judged() {
    let Some(mut story) = Story::new("stranger") else { return };
    story.workspace.apply();
    let schema = story.scope.schema.clone();
    let privileges = ["DQL ON SCHEMA sys", "DQL ON SCHEMA transship", &format!("DQL ON SCHEMA {schema}")];
    let reader = story.scope.user("reader", &privileges);
    story.workspace.clusters(&story.scope.workspace, story.clusters, Some(&reader));
    let plan = story.plan_json(1, &[]);
    assert_eq!(kinds(&plan), [""; 0]);
    let told = plan["unseen"][0]["text"].as_str().unwrap_or_default();
    assert!(told.contains("does not see it"), "{plan:#}");
    story.workspace.run(&["drift"]).expect(1);
    story.workspace.run(&["apply", "--auto-approve"]).expect(1);

    let blind = story.scope.user("blind", &["DQL ON SCHEMA sys", &format!("DQL ON SCHEMA {schema}")]);
    story.workspace.clusters(&story.scope.workspace, story.clusters, Some(&blind));
    let outcome = story.workspace.run(&["plan", "--explain"]).expect(1);
    assert!(!outcome.stdout.contains("CREATE "), "{}", outcome.stdout);
}

#[test]
fn a_failed_table_and_a_stopped_one_are_repaired_with_consent() {
    let Some(story) = Story::new("repair") else { return };
    story.workspace.apply();
    let (alpha, beta) = (&story.clusters.alpha, &story.clusters.beta);
    let (object, customers) = (story.object(), story.scope.table("customers"));
    // Out of the publication and in again: the subscription follows nothing new from then on.
    alpha.sql(&format!("ALTER PUBLICATION \"{object}\" DROP TABLE {customers}"));
    wait_until("the target lets go", Duration::from_secs(30), || {
        beta.value("SELECT count(*) FROM pg_catalog.pg_subscription_rel").as_deref() == Some("2")
    });
    let plan = story.plan_json(5, &[]);
    assert_eq!(kinds(&plan), ["drop-table", "publish-tables", "wait-synced"]);
    alpha.sql(&format!("ALTER PUBLICATION \"{object}\" ADD TABLE {customers}"));
    let failed = "SELECT srsubstate_reason FROM pg_catalog.pg_subscription_rel WHERE srsubstate = 'e'";
    wait_until("the table has failed", Duration::from_secs(30), || !beta.sql(failed).is_empty());
    let drift = story.workspace.run(&["drift", "--format", "json"]).expect(3);
    assert!(drift.stdout.contains("Relation already exists"), "{}", drift.stdout);
    let tables = format!("table:beta.{}.*", story.scope.schema);
    story
        .workspace
        .run(&["apply", "--auto-approve", "--allow-drop", "subscription:*", "--allow-drop", &tables])
        .expect(0);
    story.is_equal("customers", "id, name", 2);
    story.workspace.is_settled();
}

#[test]
fn what_exists_is_taken_over_by_name() {
    let Some(story) = Story::new("adopt") else { return };
    let (alpha, beta) = (&story.clusters.alpha, &story.clusters.beta);
    let (mine, customers) = (format!("by_hand_{}", story.scope.schema), story.scope.table("customers"));
    alpha.sql(&format!("CREATE PUBLICATION \"{mine}\" FOR TABLE {customers}"));
    let (host, port, user) = (&alpha.host, alpha.port, &alpha.admin.user);
    beta.sql(&format!(
        "CREATE SUBSCRIPTION \"{mine}\" CONNECTION 'crate://{host}:{port}?user={user}&mode=pg_tunnel&sslmode=disable' \
         PUBLICATION \"{mine}\""
    ));
    wait_until("it is followed", Duration::from_secs(60), || {
        beta.value("SELECT srsubstate FROM pg_catalog.pg_subscription_rel").as_deref() == Some("r")
    });
    story.declare(&["customers"]);
    let refused = story.workspace.run(&["plan"]).expect(1);
    assert!(refused.stderr.contains("plan::target-subscribed"), "{}", refused.stderr);
    let flows = story.workspace.read("flows.yaml");
    story
        .workspace
        .write("flows.yaml", &format!("{flows}    names: {{ publication: {mine}, subscription: {mine} }}\n"));
    let kinds = kinds(&story.plan_json(0, &[]));
    assert!(!kinds.iter().any(|kind| kind.starts_with("create-s") || kind.starts_with("drop")), "{kinds:?}");
    story.workspace.apply();
    story.is_equal("customers", "id, name", 2);
    story.workspace.is_settled();
}

#[test]
fn a_saved_plan_is_applied_once_and_only_as_long_as_it_holds() {
    let Some(story) = Story::new("saved") else { return };
    let orders = story.scope.table("orders");
    story.clusters.alpha.sql(&format!("INSERT INTO {orders} (id, month) VALUES (1, '2026-01-01'), (2, '2026-02-01')"));
    story.workspace.run(&["plan", "-o", "first.json"]).expect(0);
    story.workspace.run(&["apply", "first.json"]).expect(0);
    story.is_all_equal();
    story.workspace.run(&["apply", "first.json"]).expect(4);

    let tables = format!("table:beta.{}.*", story.scope.schema);
    let resync =
        ["plan", "--resync", "live", "--allow-drop", "subscription:*", "--allow-drop", &tables, "-o", "again.json"];
    story.workspace.run(&resync).expect(0);
    // Another table of the same name and definition is not the one that was consented to.
    let (beta, customers) = (&story.clusters.beta, story.scope.table("customers"));
    story.workspace.run(&["apply", "again.json"]).expect(0);
    story.is_all_equal();
    story.workspace.run(&["apply", "again.json"]).expect(4);
    story.workspace.is_settled();

    beta.sql(&format!("DROP SUBSCRIPTION \"{}\"", story.object()));
    story.workspace.run(&["plan", "--allow-drop", &tables, "-o", "repair.json"]).expect(0);
    beta.sql(&format!("DROP TABLE {customers}"));
    beta.sql(&format!("CREATE TABLE {customers} (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"));
    beta.sql(&format!("INSERT INTO {customers} (id, name) VALUES (77, 'precious')"));
    story.workspace.run(&["apply", "repair.json"]).expect(4);
    assert_eq!(beta.count(&customers), 1, "nothing was dropped");
    story.workspace.run(&["plan", "--target", "live", "-o", "part.json"]).expect(5);
}

#[test]
fn a_table_that_appears_in_the_way_is_seen_before_the_subscription_fails() {
    let Some(story) = Story::new("inway") else { return };
    story.workspace.apply();
    story.make_table("extra", "id INTEGER PRIMARY KEY");
    story.declare(&["*"]);
    story.workspace.run(&["plan", "-o", "plan.json"]).expect(0);
    let extra = story.scope.table("extra");
    story.clusters.beta.sql(&format!("CREATE TABLE {extra} (id INTEGER PRIMARY KEY)"));
    story.workspace.run(&["apply", "plan.json"]).expect(4);
    let refused = story.workspace.run(&["plan"]).expect(1);
    assert!(refused.stderr.contains("plan::target-exists"), "{}", refused.stderr);
    story.clusters.beta.sql(&format!("DROP TABLE {extra}"));
    story.workspace.apply();
    story.workspace.is_settled();
}
