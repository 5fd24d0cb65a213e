//! What one test owns on the clusters: its names, and the removal of whatever carries them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Clusters;
use super::sql::{Cluster, Login};

/// Fresh names for one test. On drop, everything that carries them is removed from both clusters.
pub(crate) struct Scope {
    clusters: &'static Clusters,
    /// The name of the workspace: `it-NAME-PROCESS-NUMBER`.
    pub(crate) workspace: String,
    /// The schema for the test's tables: the same with `_`.
    pub(crate) schema: String,
    users: Vec<Login>,
}

impl Scope {
    /// Names from `name`: lower-case letters, at most 20.
    pub(crate) fn new(clusters: &'static Clusters, name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let workspace = format!("it-{name}-{}-{number}", std::process::id());
        assert!(workspace.len() <= 40, "{workspace} is too long for a name");
        let schema = workspace.replace('-', "_");
        Self { clusters, workspace, schema, users: Vec::new() }
    }

    /// `"schema"."table"` of this test.
    pub(crate) fn table(&self, table: &str) -> String {
        format!("\"{}\".\"{table}\"", self.schema)
    }

    /// A user with a password on both clusters, and with the given privileges (`DQL ON SCHEMA sys`, `AL`, …).
    pub(crate) fn user(&mut self, name: &str, privileges: &[&str]) -> Login {
        let user = format!("{}_{name}", self.schema);
        let login = Login { user: user.clone(), password: Some(format!("secret of {name}")) };
        for (_, cluster) in self.clusters.both() {
            cluster.sql(&format!("CREATE USER \"{user}\" WITH (password = 'secret of {name}')"));
            Self::grant(cluster, &login, privileges);
        }
        self.users.push(login.clone());
        login
    }

    /// Grants privileges to a user of this test on one cluster.
    pub(crate) fn grant(cluster: &Cluster, login: &Login, privileges: &[&str]) {
        for privilege in privileges {
            let (kind, on) = privilege.split_once(" ON ").unwrap_or((privilege, ""));
            let on = if on.is_empty() { String::new() } else { format!("ON {on}") };
            cluster.sql(&format!("GRANT {kind} {on} TO \"{}\"", login.user));
        }
    }

    fn owners<'a>(&'a self, cluster: &'a Cluster) -> Vec<&'a Login> {
        self.users.iter().chain([&cluster.admin]).collect()
    }

    /// Lets every subscription that is still alive let go of its tables. One that is dropped while it takes something
    /// over can leave the node with two trackers, and the next one fails with `Partition … already exists`.
    fn release(&self) {
        let (alpha, beta) = (&self.clusters.alpha, &self.clusters.beta);
        for owner in self.owners(alpha) {
            let sql = format!(
                "SELECT 'ALTER PUBLICATION \"' || pubname || '\" DROP TABLE \"' || schemaname || '\".\"' || tablename || '\"' \
                 FROM pg_catalog.pg_publication_tables WHERE pubname LIKE '%{}%'",
                self.schema
            );
            for statement in names(alpha.try_sql_as(owner, &sql)) {
                alpha.try_sql(&statement).ok();
            }
        }
        let copying = format!(
            "SELECT r.srrelid::text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_subscription_rel r \
             ON s.oid = r.srsubid WHERE s.subname LIKE '%{}%' AND r.srsubstate <> 'e'",
            self.schema
        );
        for _ in 0..50 {
            let left = |owner: &&Login| !names(beta.try_sql_as(owner, &copying)).is_empty();
            if !self.owners(beta).iter().any(left) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn clean(&self, cluster: &Cluster) {
        let owners = self.owners(cluster);
        for (kind, catalog, column) in [
            ("SUBSCRIPTION", "pg_catalog.pg_subscription", "subname"),
            ("PUBLICATION", "pg_catalog.pg_publication", "pubname"),
        ] {
            for owner in &owners {
                let sql = format!("SELECT {column} FROM {catalog} WHERE {column} LIKE '%{}%'", self.schema);
                for name in names(cluster.try_sql_as(owner, &sql)) {
                    cluster.try_sql(&format!("DROP {kind} IF EXISTS \"{name}\"")).ok();
                }
            }
        }
        let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema =";
        for (kind, word) in [("VIEW", "VIEW"), ("BASE TABLE", "TABLE")] {
            let sql = format!("{tables} '{}' AND table_type = '{kind}'", self.schema);
            for table in names(cluster.try_sql(&sql)) {
                cluster.try_sql(&format!("DROP {word} IF EXISTS {}", self.table(&table))).ok();
            }
        }
        for table in names(cluster.try_sql(&format!("{tables} 'transship'"))) {
            let sql = format!("DELETE FROM transship.\"{table}\" WHERE workspace = '{}'", self.workspace);
            cluster
                .try_sql(&format!("REFRESH TABLE transship.\"{table}\"; {sql}; REFRESH TABLE transship.\"{table}\""))
                .ok();
        }
        for login in &self.users {
            cluster.try_sql(&format!("DROP USER IF EXISTS \"{}\"", login.user)).ok();
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.release();
        // Subscriptions go first: they hold leases on the publisher.
        self.clean(&self.clusters.beta);
        self.clean(&self.clusters.alpha);
    }
}

fn names(rows: Result<super::sql::TextRows, super::SqlError>) -> Vec<String> {
    rows.unwrap_or_default().into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}
