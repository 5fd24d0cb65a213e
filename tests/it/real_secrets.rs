//! A password that is looked for everywhere: no output, plan, log, ledger row or statement of a server holds it.

use std::path::Path;

use crate::real::{Clusters, Scope, Transship, Workspace};

/// What `Scope::user` gives as the password of a user `canary`.
const SECRET: &str = "secret of canary";
/// The forms in which it may be repeated.
const FORMS: [&str; 3] = [SECRET, "secret%20of%20canary", "secret+of+canary"];

fn is_clean(place: &str, text: &str) {
    for form in FORMS {
        assert!(!text.contains(form), "{place} holds the secret:\n{text}");
    }
}

fn files_are_clean(folder: &Path) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_are_clean(&path);
        } else {
            is_clean(&path.display().to_string(), &fs_err::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn a_password_is_found_nowhere() {
    let Some(clusters) = Clusters::require("a_password_is_found_nowhere") else { return };
    let _turn = crate::real::replication_turn();
    let mut scope = Scope::new(clusters, "canary");
    let schema = scope.schema.clone();
    let table = scope.table("t");
    clusters.alpha.sql(&format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0)"));
    clusters.alpha.sql(&format!("INSERT INTO {table} VALUES (1)"));
    let everything = ["DQL ON SCHEMA sys", "AL", "DQL", "DML", "DDL"];
    let user = scope.user("canary", &everything);
    let mut workspace = Workspace::empty();
    workspace.clusters(&scope.workspace, clusters, Some(&user));
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  live:\n    from: alpha\n    to: beta\n    tables: [{schema}.t]\n    \
             strategy: {{ logical-replication: {{}} }}\n"
        ),
    );
    let runs: [(&[&str], i32); 10] = [
        (&["validate", "--format", "json"], 0),
        (&["plan", "--explain", "-o", "plan.json", "--save-observed", "observed.json"], 0),
        (&["show", "plan.json", "--format", "markdown"], 0),
        (&["apply", "plan.json", "--auto-approve"], 0),
        (&["plan", "--format", "json", "--detailed-exitcode"], 0),
        (&["drift", "--format", "json", "--json-out", "drift.json"], 0),
        (&["plan", "--resync", "live", "--explain"], 5),
        (&["apply", "--resync", "live", "--auto-approve"], 5),
        (&["apply", "--auto-approve", "-v"], 0),
        (&["plan", "--observed", "observed.json"], 0),
    ];
    for (arguments, code) in runs {
        let outcome = Transship::new(&workspace, arguments).run().expect(code);
        is_clean(&format!("{arguments:?}"), &format!("{}{}", outcome.stdout, outcome.stderr));
    }
    // A connection that the server refuses, and may repeat in its answer.
    clusters.alpha.sql(&format!("ALTER USER \"{}\" SET (password = 'another one')", user.user));
    let outcome = Transship::new(&workspace, &["plan"]).run().expect(1);
    is_clean("a refused connection", &format!("{}{}", outcome.stdout, outcome.stderr));
    files_are_clean(workspace.path());
    for (name, cluster) in clusters.both() {
        let log = cluster.sql(&format!(
            "SELECT stmt, error FROM sys.jobs_log WHERE username = '{}' UNION ALL SELECT stmt, '' FROM sys.jobs",
            user.user
        ));
        assert!(!log.is_empty(), "{name} logs statements");
        is_clean(&format!("sys.jobs_log of {name}"), &format!("{log:?}"));
    }
    for ledger in ["meta", "flows", "runs", "steps"] {
        let rows = clusters.beta.sql(&format!("REFRESH TABLE transship.{ledger}; SELECT * FROM transship.{ledger}"));
        is_clean(&format!("transship.{ledger}"), &format!("{rows:?}"));
    }
}
