//! `strategy: auto` and `explain` from end to end in the sandbox.

use crate::real::Workspace;
use crate::sandbox::Pair;

fn filled() -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO shop.people (id, name) VALUES (1, 'Ada'), (2, NULL), (3, 'Cyd'); REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    (pair, workspace)
}

fn declare(workspace: &Workspace, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
             strategy: auto\n    {more}\n"
        ),
    );
}

/// Says where other clusters reach `shop`.
fn tunnel(pair: &Pair, workspace: &Workspace) {
    let port = pair.sandbox.port("shop").expect("a cluster of the sandbox");
    let clusters = workspace.read("clusters.yaml");
    let at = format!("127.0.0.1:{port}/\n");
    if clusters.contains("tunnel:") {
        return;
    }
    workspace.write("clusters.yaml", &clusters.replace(&at, &format!("{at}    tunnel: 127.0.0.1:{port}\n")));
}

fn store(workspace: &Workspace) {
    workspace.write("stores.yaml", "version: 1\nstores:\n  disk:\n    directory: { path: /exchange/sandboxed }\n");
}

fn taken(workspace: &Workspace) -> String {
    let explained = workspace.run(&["explain", "copy", "--format", "json"]).expect(0).json();
    assert_eq!(explained["strategies"][0]["taken"], true);
    explained["strategies"][0]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn what_is_explained_is_what_is_done_and_it_stays() {
    let detach = "`logical-replication` with `then: detach`";
    for (with_store, with_tunnel, more, expected) in [
        (false, false, "", "`custom` with `engine: stream`"),
        (true, false, "", "`snapshot` through store disk"),
        (true, true, "", detach),
        (true, true, "needs: [continuous]", "`logical-replication`"),
    ] {
        let (pair, workspace) = filled();
        if with_store {
            store(&workspace);
        }
        if with_tunnel {
            tunnel(&pair, &workspace);
        }
        declare(&workspace, more);
        assert_eq!(taken(&workspace), expected);
        let planned = workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
        assert!(
            planned.stdout.replace("\n    ", " ").contains(&format!("`auto` chose {expected}")),
            "{}",
            planned.stdout
        );
        workspace.apply();
        workspace.is_settled();
        assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 3, "{expected}");
        // More that could be chosen changes nothing.
        store(&workspace);
        tunnel(&pair, &workspace);
        workspace.is_settled();
        assert_eq!(taken(&workspace), expected);
        workspace.run(&["drift"]).expect(0);
    }
}

#[test]
fn a_saved_plan_is_stale_once_another_strategy_would_be_chosen() {
    let (_pair, workspace) = filled();
    declare(&workspace, "");
    workspace.run(&["plan", "-o", "saved.json"]).expect(0);
    store(&workspace);
    let refused = workspace.run(&["apply", "saved.json"]).expect(4);
    assert!(refused.stderr.contains("stale"), "{}", refused.stderr);
}

#[test]
fn an_explanation_ends_as_a_plan_would() {
    let (pair, workspace) = filled();
    declare(&workspace, "");
    workspace.run(&["plan", "--save-observed", "seen.json"]).expect(0);
    pair.sql("analytics", "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT) WITH (number_of_replicas = 0)");
    let refused = workspace.run(&["explain", "copy"]).expect(1);
    assert!(refused.stdout.contains("`custom` with `engine: stream`  not possible"), "{}", refused.stdout);
    assert!(refused.stderr.contains("plan::target-exists"), "{}", refused.stderr);
    // From what was seen before, without asking any cluster.
    workspace.run(&["explain", "copy", "--observed", "seen.json"]).expect(0);
    let misspelt = workspace.run(&["explain", "copi"]).expect(1);
    assert!(misspelt.stderr.contains("did you mean `copy`?"), "{}", misspelt.stderr);
    workspace.run(&["explain", "copy@analytics"]).expect(1);
    declare(&workspace, "enabled: false");
    workspace.run(&["explain", "copy"]).expect(1);
}
