//! `strategy: auto` and `explain` on real clusters: what is said beforehand, and that it is done.

use serde_json::Value;

use crate::real::{Cluster, Copies};

/// Declares the flow `copy` with more keys, each a line of YAML, and what is said of stores.
fn declare(copies: &Copies, stores: &str, more: &str) {
    let schema = &copies.scope.schema;
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\n{stores}flows:\n  copy:\n    from: alpha\n    to: beta\n    tables: [{schema}.people]\n    \
             strategy: auto\n    {more}\n"
        ),
    );
}

fn explained(copies: &Copies) -> Value {
    copies.workspace.run(&["explain", "copy", "--format", "json"]).expect(0).json()
}

fn state<'a>(strategy: &'a Value, subject: &str) -> &'a str {
    let all = strategy["requirements"].as_array().expect("requirements");
    let found = all.iter().find(|it| it["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {strategy}"));
    found["state"].as_str().expect("a state")
}

fn count(cluster: &Cluster, copies: &Copies) -> u64 {
    cluster.count(&copies.people())
}

#[test]
fn real_auto_explains_applies_and_stays() {
    // A replication of another test would show that the network lets the target through.
    let _turn = crate::real::replication_turn();
    let Some(copies) = Copies::new("auto") else { return };
    let Some(exchange) = copies.clusters.exchange("auto").map(|path| path.display().to_string()) else { return };
    let name = &copies.scope.workspace;
    let stores = format!("stores:\n  disk:\n    directory: {{ path: {exchange}/{name} }}\n");

    // Nothing is known of the network, so the store is taken; that both see it is not claimed.
    declare(&copies, &stores, "existing: replace");
    let before = explained(&copies);
    let taken = &before["strategies"][0];
    assert_eq!(taken["name"], "`snapshot` through store disk");
    for (subject, expected) in
        [("store", "open"), ("versions", "holds"), ("privileges", "holds"), ("source", "holds"), ("target", "holds")]
    {
        assert_eq!(state(taken, subject), expected, "{subject}");
    }
    assert_eq!(count(copies.alpha(), &copies), 1000);
    copies.workspace.apply();
    assert_eq!(count(copies.beta(), &copies), 1000);
    copies.workspace.is_settled();
    // It went through the store, which is seen now, and stays with it.
    let after = explained(&copies);
    assert_eq!(state(&after["strategies"][0], "store"), "holds");
    assert!(after["because"].as_str().expect("a text").contains("by which the flow was made"), "{after}");
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    copies.workspace.is_settled();
    copies.aside(0);
}

#[test]
fn real_auto_takes_the_network_where_the_spec_says_so() {
    let _turn = crate::real::replication_turn();
    let Some(copies) = Copies::new("autonet") else { return };
    let alpha = copies.alpha();
    let tunnel = format!("    tunnel: {}:{}\n  beta:", alpha.host, alpha.port);
    copies.workspace.write("clusters.yaml", &copies.workspace.read("clusters.yaml").replacen("  beta:", &tunnel, 1));
    declare(&copies, "", "");
    let before = explained(&copies);
    assert_eq!(before["strategies"][0]["name"], "`logical-replication` with `then: detach`");
    assert_eq!(state(&before["strategies"][0], "network"), "open");
    copies.workspace.apply();
    assert_eq!(count(copies.beta(), &copies), 1000);
    copies.workspace.is_settled();

    // A subscription that is there and alive is a proof for the next flow.
    let schema = &copies.scope.schema;
    copies.alpha().sql(&format!(
        "CREATE TABLE \"{schema}\".live (id INTEGER PRIMARY KEY) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"
    ));
    copies.workspace.write(
        "live.yaml",
        &format!(
            "version: 1\nflows:\n  live:\n    from: alpha\n    to: beta\n    tables: [{schema}.live]\n    \
             strategy: auto\n    needs: [continuous]\n"
        ),
    );
    copies.workspace.apply();
    copies.workspace.is_settled();
    let live: Value = copies.workspace.run(&["explain", "live", "--format", "json"]).expect(0).json();
    assert_eq!(live["strategies"][0]["name"], "`logical-replication`");
    assert_eq!(state(&live["strategies"][0], "network"), "holds");
}
