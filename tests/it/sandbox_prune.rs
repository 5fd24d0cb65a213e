//! `prune` in the sandbox: which rows go, which stay, what is never deleted, and runs that are cut anywhere.

use transship_sandbox::{Fault, What};

use crate::real::Workspace;
use crate::sandbox::{Pair, all_converge, lasting, same_and_settled, survives};

const TABLE: &str = "CREATE TABLE shop.people (id BIGINT, kind TEXT, at TIMESTAMP WITH TIME ZONE, name TEXT, PRIMARY KEY (kind, at, id)) \
                     CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)";

fn declare(workspace: &Workspace, entry: &str, more: &str) {
    let more = if entry.contains("cursor") { more.to_owned() } else { format!("    repeat: on-change\n{more}") };
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  keep:\n    from: shop\n    to: analytics\n    tables:\n      \
             - {{ from: shop.people, prune: true{entry} }}\n    strategy: {{ custom: {{ engine: stream }} }}\n    \
             existing: upsert\n{more}"
        ),
    );
}

fn insert(pair: &Pair, cluster: &str, (first, last): (u32, u32)) {
    pair.sql(
        cluster,
        &format!(
            "INSERT INTO shop.people (id, kind, at, name) SELECT g, 'it''s \"ü\" ' || (g % 3), 1700000000000 + g * 1000, 'n' || g \
             FROM generate_series({first}::bigint, {last}::bigint) AS t(g); REFRESH TABLE shop.people"
        ),
    );
}

/// Thirty rows that were copied.
fn begun() -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql("shop", TABLE);
    insert(&pair, "shop", (1, 30));
    let workspace = pair.workspace();
    declare(&workspace, "", "");
    workspace.apply();
    (pair, workspace)
}

fn delete(pair: &Pair, cluster: &str, which: &str) {
    pair.sql(cluster, &format!("DELETE FROM shop.people WHERE {which}; REFRESH TABLE shop.people"));
}

fn rows(pair: &Pair, cluster: &str) -> Vec<Vec<Option<String>>> {
    pair.sql(cluster, "REFRESH TABLE shop.people");
    pair.sql(cluster, "SELECT id, kind, at, name FROM shop.people ORDER BY id").texts
}

fn holds(pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    same_and_settled(workspace, (rows(pair, "shop"), rows(pair, "analytics")))
}

#[track_caller]
fn equal(pair: &Pair, workspace: &Workspace) {
    holds(pair, workspace).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn rows_that_are_gone_go_and_others_stay() {
    let (pair, workspace) = begun();
    equal(&pair, &workspace);
    delete(&pair, "shop", "id % 10 = 3");
    insert(&pair, "shop", (31, 35));
    // Whoever wrote it: what the source does not have goes.
    insert(&pair, "analytics", (90, 90));
    let plan = workspace.run(&["plan", "--explain"]);
    for text in
        ["Destructive: 1 step", "permitted by prune", "DELETE FROM \"shop\".\"people\" WHERE \"kind\" = $1::text"]
    {
        assert!(plan.all().contains(text), "{text}: {}", plan.all());
    }
    let applied = workspace.apply();
    assert!(applied.all().contains("4 rows deleted"), "{}", applied.all());
    equal(&pair, &workspace);
    pair.sql("shop", "UPDATE shop.people SET name = 'x' WHERE id = 5; REFRESH TABLE shop.people");
    let applied = workspace.apply();
    assert!(applied.all().contains("0 rows deleted"), "{}", applied.all());
    equal(&pair, &workspace);
}

#[test]
fn rows_that_are_no_longer_chosen_go_with_consent() {
    let (pair, workspace) = begun();
    declare(&workspace, ", where: \"id > 10\"", "");
    let refused = workspace.run(&["apply", "--auto-approve"]);
    assert!(refused.code != 0 && refused.all().contains("rows:analytics.shop.people"), "{}", refused.all());
    assert_eq!(rows(&pair, "analytics").len(), 30);
    let applied = workspace.run(&["apply", "--auto-approve", "--allow-drop", "rows:analytics.shop.people"]).expect(0);
    assert!(applied.all().contains("10 rows deleted"), "{}", applied.all());
    assert_eq!(rows(&pair, "analytics").len(), 20);
    workspace.is_settled();
    // A row that is no longer chosen, though its cursor or its key tells nothing of it.
    pair.sql("shop", "DELETE FROM shop.people WHERE id = 30; REFRESH TABLE shop.people");
    workspace.apply();
    assert_eq!(rows(&pair, "analytics").len(), 19);
}

#[test]
fn more_than_half_goes_only_where_the_flow_allows_it() {
    let (pair, workspace) = begun();
    for gone in ["id > 14", "true"] {
        delete(&pair, "shop", gone);
        let refused = workspace.run(&["apply", "--auto-approve"]);
        assert!(refused.code != 0 && refused.all().contains("apply::shrinks"), "{gone}: {}", refused.all());
        assert_eq!(rows(&pair, "analytics").len(), 30, "nothing went");
    }
    declare(&workspace, "", "    allow_shrink: true\n");
    workspace.apply();
    equal(&pair, &workspace);
    assert!(rows(&pair, "analytics").is_empty());
}

#[test]
fn deletions_are_found_under_a_cursor() {
    let (pair, workspace) = begun();
    declare(&workspace, ", cursor: at", "");
    workspace.run(&["apply", "--auto-approve", "--allow-drop", "rows:*"]).expect(0);
    delete(&pair, "shop", "id IN (2, 29)");
    insert(&pair, "shop", (40, 41));
    let applied = workspace.apply();
    assert!(applied.all().contains("2 rows deleted"), "{}", applied.all());
    equal(&pair, &workspace);
}

#[test]
fn a_row_without_a_key_at_the_source_matches_nothing() {
    let pair = Pair::start();
    let table =
        |key: &str| format!("CREATE TABLE shop.people (id BIGINT {key}, name TEXT) WITH (number_of_replicas = 0)");
    pair.sql("shop", &table(""));
    pair.sql("analytics", &table("PRIMARY KEY"));
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name) VALUES (1, 'a'), (2, 'b'), (NULL, 'none'); REFRESH TABLE shop.people",
    );
    pair.sql(
        "analytics",
        "INSERT INTO shop.people (id, name) VALUES (1, 'old'), (2, 'old'), (3, 'old'); REFRESH TABLE shop.people",
    );
    let workspace = pair.workspace();
    declare(&workspace, ", where: \"id IS NOT NULL\"", "");
    workspace.run(&["apply", "--auto-approve", "--allow-drop", "rows:*"]).expect(0);
    pair.sql("analytics", "REFRESH TABLE shop.people");
    let found = pair.sql("analytics", "SELECT id, name FROM shop.people ORDER BY id").texts;
    assert_eq!(found, [["1", "a"], ["2", "b"]].map(|row| row.map(|text| Some(text.to_owned())).to_vec()));
}

/// A run that deletes and writes, cut by `fault`; rows go and come before the next run.
fn cut(fault: &Fault) -> Result<(), String> {
    let (pair, workspace) = begun();
    delete(&pair, "shop", "id % 4 = 1");
    insert(&pair, "shop", (50, 60));
    let meanwhile = || {
        delete(&pair, "shop", "id = 8");
        insert(&pair, "shop", (9, 9));
    };
    survives((&pair, &workspace), fault, meanwhile, || holds(&pair, &workspace))
}

/// Where a run is cut: each statement that a run sends while it prunes.
const PLACES: [(&str, &str, u32); 9] = [
    ("shop", "table_partitions", 1),
    ("analytics", "group by substr", 1),
    ("shop", "group by substr", 1),
    ("analytics", "as wanted on substr", 1),
    ("shop", "as wanted on substr", 1),
    ("analytics", "as wanted on rows_of.digest", 1),
    ("shop", "as wanted on rows_of.digest", 1),
    ("analytics", "delete from \"shop\".\"people\"", 3),
    ("analytics", "as wanted on rows_of.digest", 2),
];

#[test]
fn a_run_that_is_cut_anywhere_ends_with_equal_tables() {
    let mut cases = Vec::new();
    for place in PLACES {
        for what in [What::DropConnectionBefore, What::DropConnectionAfter] {
            cases.push(lasting(place, what));
        }
    }
    all_converge(cases.iter().collect(), cut);
}
