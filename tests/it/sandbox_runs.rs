//! The runs of a workspace between two sandbox clusters: listed, replayed, and gone on with.

use serde_json::Value;
use transship_sandbox::What;

use crate::real::Workspace;
use crate::sandbox::{PASSWORD, Pair, lasting};

/// Two flows that copy a table each, `b` in place of what is there.
fn filled() -> (Pair, Workspace) {
    let pair = Pair::start();
    for table in ["a", "b"] {
        pair.sql(
            "shop",
            &format!(
                "CREATE TABLE shop.{table} (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0);
                 INSERT INTO shop.{table} (id, name) VALUES (1, 'old'), (2, 'old'); REFRESH TABLE shop.{table}"
            ),
        );
    }
    let workspace = pair.workspace();
    let flow = |name: &str| {
        format!(
            "  {name}:\n    from: shop\n    to: analytics\n    tables: [shop.{name}]\n    existing: replace\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n"
        )
    };
    workspace.write("flows.yaml", &format!("version: 1\nflows:\n{}{}", flow("a"), flow("b")));
    (pair, workspace)
}

/// A statement on the target fails, as often as it comes.
fn fail(pair: &Pair, statement: &str) {
    let what = What::Fail { sqlstate: "XX000".to_owned(), message: format!("no, {PASSWORD}") };
    pair.sandbox.faults(vec![lasting(("analytics", statement, 1), what)]);
}

fn runs(workspace: &Workspace) -> Vec<Value> {
    let listed = workspace.run(&["runs", "--format", "json"]).expect(0).json();
    assert_eq!(listed["format_version"], 1);
    listed["runs"].as_array().expect("a list").clone()
}

#[test]
fn runs_are_listed_and_replayed_from_the_log_or_the_ledger() {
    let (pair, workspace) = filled();
    assert!(workspace.run(&["runs"]).expect(0).all().contains("No run of this workspace is known"));
    fail(&pair, "alter table \"shop\".\"transship__");
    workspace.run(&["apply", "--auto-approve", "--target", "b"]).expect(7);
    pair.sandbox.faults(Vec::new());
    workspace.apply();
    let listed = runs(&workspace);
    let states: Vec<&str> = listed.iter().map(|run| run["state"].as_str().expect("a state")).collect();
    assert_eq!(states, ["done", "failed"], "the newest first");
    assert_eq!(listed[1]["counts"]["failed"], 1);
    assert_eq!(listed[1]["clusters"], serde_json::json!(["analytics"]));
    assert_eq!(listed[1]["log"], true);
    let failed = listed[1]["run"].as_str().expect("an id").to_owned();
    let human = workspace.run(&["runs"]).expect(0).all();
    assert!(human.contains(&failed) && human.contains("1 failed"), "{human}");

    let replayed = workspace.run(&["runs", "show", &failed]).expect(0).all();
    assert!(replayed.contains("b/") && replayed.contains("no, ***") && !replayed.contains(PASSWORD), "{replayed}");
    let json = workspace.run(&["runs", "show", &failed, "--format", "json"]).expect(0).json();
    assert!(json["events"].as_array().is_some_and(|events| !events.is_empty()), "{json}");
    assert!(json["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["state"] == "failed")));

    // On another machine, there is the ledger.
    fs_err::remove_dir_all(workspace.path().join(".transship")).expect("it is there");
    assert_eq!(runs(&workspace)[1]["log"], false);
    let shown = workspace.run(&["runs", "show", &failed]).expect(0).all();
    assert!(shown.contains("no, ***") && shown.contains("apply::") | shown.contains("cluster::"), "{shown}");
    let unknown = workspace.run(&["runs", "show", "20200101T000000Z-none"]).expect(1).all();
    assert!(unknown.contains("cli::no-such-run"), "{unknown}");
}

#[test]
fn a_run_is_gone_on_with_by_the_options_that_it_had() {
    let (pair, workspace) = filled();
    workspace.apply();
    assert!(workspace.run(&["apply", "--auto-approve", "--resume"]).expect(0).all().contains("planning as ever"));
    for table in ["a", "b"] {
        pair.sql("shop", &format!("UPDATE shop.{table} SET name = 'new'; REFRESH TABLE shop.{table}"));
    }
    fail(&pair, "alter cluster swap table");
    let again = ["apply", "--auto-approve", "--resync", "a", "--resync", "b", "--target", "b"];
    workspace.run(&again).expect(7);
    pair.sandbox.faults(Vec::new());
    let first = runs(&workspace)[0]["run"].as_str().expect("an id").to_owned();
    let new = |table: &str| pair.number("analytics", &format!("SELECT count(*) FROM shop.{table} WHERE name = 'new'"));
    assert_eq!((new("a"), new("b")), (0, 0));

    let none = workspace.run(&["apply", "--auto-approve", "--resume=20200101T000000Z-none"]).expect(1).all();
    assert!(none.contains("cli::nothing-to-resume") && none.contains(&first), "{none}");
    let resumed = workspace.run(&["apply", "--auto-approve", "--resume"]).expect(0).all();
    assert!(resumed.contains(&format!("Going on where run {first} stopped, in b.")), "{resumed}");
    assert_eq!((new("a"), new("b")), (0, 2), "a was not chosen then");
    workspace.is_settled();
    let usage = workspace.run(&["apply", "--auto-approve", &format!("--resume={first}")]).expect(1).all();
    assert!(usage.contains("has left nothing to be done"), "{usage}");
    workspace.run(&["plan", "-o", "plan.json"]).expect(0);
    workspace.run(&["apply", "plan.json", "--resume"]).expect(64);
}
