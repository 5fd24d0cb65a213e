//! Bad input against real clusters: a message with a place and a next step, exit 1, and nothing changed.

use crate::real::{Clusters, Outcome, Scope, Transship, Workspace};

struct Case {
    clusters: &'static Clusters,
    scope: Scope,
    workspace: Workspace,
    _turn: std::sync::MutexGuard<'static, ()>,
}

impl Case {
    fn new(name: &str) -> Option<Self> {
        let clusters = Clusters::require(name)?;
        let turn = crate::real::replication_turn();
        let scope = Scope::new(clusters, name);
        let workspace = Workspace::of(&scope.workspace, clusters);
        clusters
            .alpha
            .sql(&format!("CREATE TABLE {} (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0)", scope.table("t")));
        let case = Self { clusters, scope, workspace, _turn: turn };
        case.flow("t");
        Some(case)
    }

    fn flow(&self, tables: &str) {
        let schema = &self.scope.schema;
        self.workspace.write(
            "flows.yaml",
            &format!(
                "version: 1\nflows:\n  live:\n    from: alpha\n    to: beta\n    tables: [\"{schema}.{tables}\"]\n    \
                 strategy: {{ logical-replication: {{}} }}\n"
            ),
        );
    }

    fn plan(&self) -> Outcome {
        Transship::new(&self.workspace, &["plan"]).run().expect(1)
    }

    /// Exits 1, with the code, the place and a next step; and so does `apply`, which changes nothing.
    #[track_caller]
    fn is_refused(&self, code: &str, place: &str) {
        let outcome = self.plan();
        assert!(outcome.stderr.contains(code), "{code} is missing in\n{}", outcome.stderr);
        assert!(outcome.stderr.contains(place), "{place} is missing in\n{}", outcome.stderr);
        assert!(outcome.stderr.contains("help: "), "no next step in\n{}", outcome.stderr);
        Transship::new(&self.workspace, &["apply", "--auto-approve"]).run().expect(1);
        let made =
            format!("SELECT count(*) FROM pg_catalog.pg_publication WHERE pubname LIKE '%{}%'", self.scope.schema);
        assert_eq!(self.clusters.alpha.value(&made).as_deref(), Some("0"));
    }
}

#[test]
fn tables_that_are_not_there() {
    let Some(case) = Case::new("nomatch") else { return };
    case.flow("nothing_*");
    case.is_refused("plan::no-match", "flows.yaml");
    case.flow("tt");
    case.is_refused("plan::no-such-table", "flows.yaml");
}

#[test]
fn a_target_table_that_exists() {
    let Some(case) = Case::new("exists") else { return };
    case.clusters.beta.sql(&format!("CREATE TABLE {} (id INTEGER PRIMARY KEY)", case.scope.table("t")));
    case.is_refused("plan::target-exists", "flows.yaml");
    assert_eq!(case.clusters.beta.count(&case.scope.table("t")), 0, "it is still there");
}

#[test]
fn clusters_that_do_not_answer_as_they_should() {
    let Some(mut case) = Case::new("unreach") else { return };
    let (alpha, beta, name) = (&case.clusters.alpha, &case.clusters.beta, case.scope.workspace.clone());
    let clusters = |alpha: &str, beta: &str| {
        format!(
            "version: 1\nworkspace: {name}\nclusters:\n  alpha:\n    url: {alpha}\n    tls: disable\n  beta:\n    url: {beta}\n    tls: disable\n"
        )
    };
    let url = |cluster: &crate::real::Cluster| {
        format!("postgres://{}@{}:{}/", cluster.admin.user, cluster.host, cluster.port)
    };
    case.workspace.write("clusters.yaml", &clusters("postgres://crate@127.0.0.1:1/", &url(beta)));
    case.is_refused("cluster::unreachable", "clusters.yaml");
    case.workspace.write("clusters.yaml", &clusters(&url(alpha), &url(alpha)));
    case.is_refused("same-cluster", "clusters.yaml");
    let mut wrong = case.scope.user("wrong", &["DQL ON SCHEMA sys"]);
    wrong.password = Some("not-the-password".to_owned());
    case.workspace.clusters(&name, case.clusters, Some(&wrong));
    case.is_refused("cluster::authentication", "clusters.yaml");
    assert!(!case.plan().stderr.contains("not-the-password"));
}

#[test]
fn privileges_that_are_missing_are_named_with_the_grant() {
    let Some(mut case) = Case::new("lacking") else { return };
    let schema = case.scope.schema.clone();
    // The ledger can be read, since other tests may have made one: without that nothing could be judged.
    let readable = ["DQL ON SCHEMA sys", "DQL ON SCHEMA transship", &format!("DQL ON SCHEMA {schema}")];
    let user = case.scope.user("tool", &readable);
    case.workspace.clusters(&case.scope.workspace.clone(), case.clusters, Some(&user));
    case.is_refused("plan::missing-privilege", "clusters.yaml");
    let told = case.plan().stderr;
    for kind in ["AL", "DML", "DDL"] {
        assert!(told.contains(&format!("GRANT {kind}")), "GRANT {kind} is missing in\n{told}");
    }
    let blind = case.scope.user("blind", &[]);
    case.workspace.clusters(&case.scope.workspace.clone(), case.clusters, Some(&blind));
    case.is_refused("GRANT DQL ON SCHEMA sys", "clusters.yaml");
}

#[test]
fn the_privileges_of_the_readme_are_enough() {
    let Some(mut case) = Case::new("least") else { return };
    let schema = case.scope.schema.clone();
    case.clusters.alpha.sql(&format!("INSERT INTO {} (id) VALUES (1), (2)", case.scope.table("t")));
    let privileges =
        ["AL", "DQL ON SCHEMA sys", "DQL, DML, DDL ON SCHEMA transship", &format!("DQL, DML, DDL ON SCHEMA {schema}")];
    let user = case.scope.user("tool", &privileges);
    case.workspace.clusters(&case.scope.workspace.clone(), case.clusters, Some(&user));
    Transship::new(&case.workspace, &["apply", "--auto-approve"]).run().expect(0);
    Transship::new(&case.workspace, &["plan", "--detailed-exitcode"]).run().expect(0);
    assert_eq!(case.clusters.beta.count(&case.scope.table("t")), 2);
    let consents = ["--allow-drop", "subscription:*", "--allow-drop", "table:*"];
    let resync = [&["apply", "--auto-approve", "--resync", "live"], &consents[..]].concat();
    Transship::new(&case.workspace, &resync).run().expect(0);
    assert_eq!(case.clusters.beta.count(&case.scope.table("t")), 2);
}
