//! The least privileges of a copy: with them everything works, and each one that is missing is named before anything is
//! begun.

use crate::real::{Cluster, Clusters, Login, Scope, Workspace};

struct Least {
    clusters: &'static Clusters,
    scope: Scope,
    workspace: Workspace,
    tool: Login,
}

impl Least {
    fn new() -> Option<Self> {
        let clusters = Clusters::require("privileges of copies")?;
        let mut scope = Scope::new(clusters, "least");
        let tool = scope.user("tool", &[]);
        let app = scope.user("app", &[]);
        let mut workspace = Workspace::empty();
        workspace.clusters(&scope.workspace, clusters, Some(&tool));
        for table in ["swapped", "viewed"] {
            clusters.alpha.sql(&format!(
                "CREATE TABLE {t} (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0); \
                 INSERT INTO {t} VALUES (1), (2); REFRESH TABLE {t}",
                t = scope.table(table)
            ));
        }
        let swapped = scope.table("swapped");
        clusters.beta.sql(&format!(
            "CREATE TABLE {swapped} (id INTEGER PRIMARY KEY, nick TEXT) WITH (number_of_replicas = 0); \
             INSERT INTO {swapped} VALUES (7, 'x'); REFRESH TABLE {swapped}"
        ));
        Scope::grant(&clusters.beta, &app, &[&format!("DQL ON TABLE {swapped}")]);
        let flow = |name: &str, by: &str| {
            format!(
                "  {name}:\n    from: alpha\n    to: beta\n    tables: [{}.{name}]\n    existing: replace\n    replace_by: {by}\n    \
                 strategy: {{ custom: {{ engine: stream }} }}\n",
                scope.schema
            )
        };
        let flows = flow("swapped", "swap") + &flow("viewed", "view");
        workspace.write("flows.yaml", &format!("version: 1\nflows:\n{flows}"));
        let least = Self { clusters, scope, workspace, tool };
        for (cluster, privileges) in least.privileges() {
            let privileges: Vec<&str> = privileges.iter().map(String::as_str).collect();
            Scope::grant(cluster, &least.tool, &privileges);
        }
        Some(least)
    }

    /// What the documentation tells to grant, each privilege by itself.
    fn privileges(&self) -> [(&'static Cluster, Vec<String>); 2] {
        let schema = &self.scope.schema;
        let mut beta = vec!["DQL ON SCHEMA sys".to_owned(), "AL".to_owned()];
        for kind in ["DQL", "DML", "DDL"] {
            beta.extend([format!("{kind} ON SCHEMA {schema}"), format!("{kind} ON SCHEMA transship")]);
        }
        let alpha = vec!["DQL ON SCHEMA sys".to_owned(), format!("DQL ON SCHEMA {schema}")];
        [(&self.clusters.alpha, alpha), (&self.clusters.beta, beta)]
    }

    /// What is there on beta: names, and the rows of what would be replaced.
    fn state(&self) -> String {
        let sql = format!(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{}' ORDER BY 1",
            self.scope.schema
        );
        let rows = format!("SELECT id FROM {} ORDER BY 1", self.scope.table("swapped"));
        format!("{:?} {:?}", self.clusters.beta.sql(&sql), self.clusters.beta.sql(&rows))
    }

    /// Takes a privilege away, by itself, and gives it back in the end.
    fn without(&self, cluster: &Cluster, privilege: &str) {
        let before = self.state();
        let (kind, on) =
            privilege.split_once(" ON ").map_or((privilege, String::new()), |(kind, on)| (kind, format!("ON {on}")));
        cluster.sql(&format!("REVOKE {kind} {on} FROM \"{}\"", self.tool.user));
        for arguments in [&["plan"][..], &["apply", "--auto-approve"]] {
            let outcome = self.workspace.run(arguments).expect(1);
            let told = outcome.all().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
            let named = told.contains(kind) && on.rsplit(' ').next().is_some_and(|name| told.contains(name));
            let named = named || (on.ends_with("transship") && told.contains("cannot read the ledger"));
            assert!(named, "without {privilege} on {}:\n{}", cluster.label, outcome.all());
        }
        assert_eq!(self.state(), before, "without {privilege} on {}", cluster.label);
        Scope::grant(cluster, &self.tool, &[privilege]);
    }
}

#[test]
fn real_copies_need_the_privileges_that_are_told_and_no_others() {
    let Some(least) = Least::new() else { return };
    for (cluster, privileges) in least.privileges() {
        for privilege in privileges {
            least.without(cluster, &privilege);
        }
    }
    least.workspace.apply();
    least.workspace.is_settled();
    let beta = &least.clusters.beta;
    for table in ["swapped", "viewed"] {
        let rows = beta.sql(&format!("SELECT id FROM {} ORDER BY 1", least.scope.table(table)));
        assert_eq!(rows, [[Some("1".to_owned())], [Some("2".to_owned())]], "{table}");
    }
    let held = format!(
        "SELECT grantee FROM sys.privileges WHERE class = 'TABLE' AND ident = '{}.swapped'",
        least.scope.schema
    );
    assert_eq!(beta.value(&held), Some(format!("{}_app", least.scope.schema)), "the grant passed on");
    // The ledger is there by now, if it was not before.
    least.without(beta, "DQL ON SCHEMA transship");
    // A second round, in which there is something to be replaced for the view as well.
    least.workspace.run(&["apply", "--auto-approve", "--resync", "swapped", "--resync", "viewed"]).expect(0);
    least.workspace.is_settled();
}
