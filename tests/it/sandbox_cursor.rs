//! Copies by a cursor in the sandbox: rows that come, change, come late or have no value, between runs and while they run,
//! and runs that are cut anywhere.

use serde_json::Value;
use transship_sandbox::{Fault, What};

use crate::noted::noted;
use crate::real::Workspace;
use crate::sandbox::{Pair, all_converge, lasting, same_and_settled, survives};

/// What the values of the cursor are, for the number `g`.
#[derive(Clone, Copy, Debug)]
struct Kind {
    data_type: &'static str,
    value: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind { data_type: "TIMESTAMP WITH TIME ZONE", value: "1700000000000 + (g) * 1000" },
    Kind { data_type: "TIMESTAMP WITHOUT TIME ZONE", value: "1700000000000 + (g) * 1000" },
    Kind { data_type: "BIGINT", value: "(g)" },
    Kind { data_type: "SMALLINT", value: "(g)" },
    Kind { data_type: "TEXT", value: "'k' || ((g) + 10000)" },
];

const READ: &str = "'SELECT %FROM \"shop\".\"people\" WHERE %$2::text%'";

fn declare(workspace: &Workspace, table: &str, existing: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  keep:\n    from: shop\n    to: analytics\n    tables:\n      \
             - {{ from: shop.people, cursor: at{table} }}\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: 10 }} }}\n    existing: {existing}\n"
        ),
    );
}

/// Rows with the numbers from `first` to `last`, with values of as many `later`.
fn insert(pair: &Pair, kind: Kind, (first, last): (u32, u32), later: u32) {
    let value = kind.value.replace("(g)", &format!("(g + {later})"));
    pair.sql(
        "shop",
        &format!(
            "INSERT INTO shop.people (id, name, at) SELECT g, 'n' || g || 'x{later}', {value} \
             FROM generate_series({first}::bigint, {last}::bigint) AS t(g) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, at = excluded.at; REFRESH TABLE shop.people"
        ),
    );
}

fn made(kind: Kind, existing: &str) -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        &format!(
            "CREATE TABLE shop.people (id BIGINT PRIMARY KEY, name TEXT, at {}) CLUSTERED INTO 2 SHARDS \
             WITH (number_of_replicas = 0)",
            kind.data_type
        ),
    );
    let workspace = pair.workspace();
    declare(&workspace, "", existing);
    (pair, workspace)
}

/// Ten rows that were copied.
fn begun(kind: Kind) -> (Pair, Workspace) {
    let (pair, workspace) = made(kind, "upsert");
    insert(&pair, kind, (1, 10), 0);
    workspace.apply();
    (pair, workspace)
}

fn rows(pair: &Pair, cluster: &str) -> Vec<Vec<Option<String>>> {
    pair.sql(cluster, "REFRESH TABLE shop.people");
    pair.sql(cluster, "SELECT id, name, at FROM shop.people ORDER BY id").texts
}

/// Both sides are equal, and nothing is to be done.
fn holds(pair: &Pair, workspace: &Workspace) -> Result<(), String> {
    same_and_settled(workspace, (rows(pair, "shop"), rows(pair, "analytics")))
}

#[track_caller]
fn equal(pair: &Pair, workspace: &Workspace) {
    holds(pair, workspace).unwrap_or_else(|problem| panic!("{problem}"));
}

/// How far the ledger has it that the table has come.
fn come(pair: &Pair) -> Value {
    let row = noted(&pair.sandbox, "analytics").into_iter().find(|row| row.flow == "keep").expect("a row");
    row.document["copies"]["shop.people"]["cursor"]["value"].clone()
}

/// How many slices were read so far.
fn read(pair: &Pair) -> i64 {
    pair.number("shop", &format!("SELECT count(*) FROM sys.jobs_log WHERE stmt LIKE {READ}"))
}

#[test]
fn what_is_new_is_brought_by_every_kind_of_cursor() {
    for kind in KINDS {
        let (pair, workspace) = begun(kind);
        equal(&pair, &workspace);
        insert(&pair, kind, (8, 14), 10);
        let plan = workspace.run(&["plan", "--explain"]);
        assert!(plan.all().contains("rows since at = ") && plan.all().contains("sys.jobs"), "{}", plan.all());
        let applied = workspace.apply();
        let overlap = kind.data_type.starts_with("TIMESTAMP");
        // With an overlap of a minute the seven that were there are read, too; otherwise only that at the watermark.
        let expected = if overlap { "14 rows" } else { "7 rows" };
        assert!(applied.all().contains(expected), "{kind:?}: {}", applied.all());
        equal(&pair, &workspace);
    }
}

#[test]
fn late_rows_ties_and_rows_without_a_value_are_found() {
    let (pair, workspace) = begun(KINDS[0]);
    insert(&pair, KINDS[0], (200, 200), 0);
    workspace.apply();
    equal(&pair, &workspace);
    let watermark = come(&pair);
    // Within the minute before the watermark, at it, and without a value.
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) VALUES (300, 'late', 1700000000000 + 141 * 1000), \
         (301, 'tie', 1700000000000 + 200 * 1000), (302, 'none', NULL); REFRESH TABLE shop.people",
    );
    workspace.apply();
    equal(&pair, &workspace);
    assert_eq!(come(&pair), watermark, "it never goes back");
    pair.sql("shop", "UPDATE shop.people SET name = 'changed' WHERE id = 302; REFRESH TABLE shop.people");
    workspace.apply();
    equal(&pair, &workspace);
    // Later than that is what nobody promises.
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) VALUES (303, 'too late', 1700000000000); REFRESH TABLE shop.people",
    );
    workspace.apply();
    assert_eq!(rows(&pair, "shop").len(), rows(&pair, "analytics").len() + 1);
    workspace.run(&["apply", "--auto-approve", "--resync", "keep"]).expect(0);
    equal(&pair, &workspace);
}

#[test]
fn a_row_from_the_future_hides_nothing() {
    let (pair, workspace) = begun(KINDS[0]);
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) VALUES (99, 'f', '9999-01-01'); REFRESH TABLE shop.people",
    );
    workspace.apply();
    equal(&pair, &workspace);
    insert(&pair, KINDS[0], (11, 12), 0);
    workspace.apply();
    equal(&pair, &workspace);
}

#[test]
fn rows_that_are_only_added_are_never_doubled() {
    let (pair, workspace) = made(KINDS[2], "append");
    insert(&pair, KINDS[2], (1, 10), 0);
    workspace.apply();
    equal(&pair, &workspace);
    insert(&pair, KINDS[2], (11, 15), 0);
    let applied = workspace.apply();
    assert!(applied.all().contains("6 rows, 1 of which were there"), "{}", applied.all());
    equal(&pair, &workspace);
    // An append that is cut goes on.
    insert(&pair, KINDS[2], (16, 60), 0);
    let place = ("analytics", "insert into \"shop\".\"people\"", 25);
    pair.sandbox.faults(vec![lasting(place, What::DropConnectionAfter)]);
    let cut = workspace.run(&["apply", "--auto-approve"]);
    assert_ne!(cut.code, 0, "{}", cut.all());
    pair.sandbox.faults(Vec::new());
    workspace.apply();
    equal(&pair, &workspace);
}

#[test]
fn a_source_that_begins_anew_is_read_anew() {
    let (pair, workspace) = begun(KINDS[2]);
    // All that was above is gone, and what is there is below what the ledger has.
    pair.sql("shop", "DELETE FROM shop.people; REFRESH TABLE shop.people");
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) VALUES (1, 'anew', 1), (2, 'anew', 2); REFRESH TABLE shop.people",
    );
    workspace.apply();
    assert_eq!(come(&pair), "2");
    let anew = "SELECT count(*) FROM shop.people WHERE name = 'anew'";
    assert_eq!(pair.number("analytics", anew), 2);
    pair.sql("shop", "DROP TABLE shop.people");
    pair.sql(
        "shop",
        "CREATE TABLE shop.people (id BIGINT PRIMARY KEY, name TEXT, at BIGINT) WITH (number_of_replicas = 0)",
    );
    pair.sql(
        "shop",
        "INSERT INTO shop.people (id, name, at) VALUES (1, 'new', 1), (7, 'new', 7); REFRESH TABLE shop.people",
    );
    let applied = workspace.apply();
    assert!(applied.all().contains("was made again"), "{}", applied.all());
    assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people WHERE name = 'new'"), 2);
}

#[test]
fn a_target_that_was_made_again_gets_all_rows() {
    let pair = Pair::start();
    let made = "CREATE TABLE shop.people (id BIGINT, at BIGINT, day TEXT, PRIMARY KEY (id, day)) PARTITIONED BY (day) \
                WITH (number_of_replicas = 0)";
    pair.sql("shop", made);
    let insert = |id: u32| {
        let sql = format!("INSERT INTO shop.people (id, at, day) VALUES ({id}, {id}, 'd{}')", id % 2);
        pair.sql("shop", &sql);
        pair.sql("shop", "REFRESH TABLE shop.people");
    };
    (1..=4).for_each(insert);
    let workspace = pair.workspace();
    declare(&workspace, "", "upsert");
    workspace.apply();
    let emptied = ["DELETE FROM shop.people WHERE day = 'd0'", "DELETE FROM shop.people WHERE day = 'd1'"];
    for again in [["DROP TABLE shop.people", made], emptied] {
        for sql in again {
            pair.sql("analytics", sql);
        }
        let applied = workspace.apply();
        assert!(applied.all().contains("no partition left"), "{}", applied.all());
        pair.sql("analytics", "REFRESH TABLE shop.people");
        assert_eq!(pair.number("analytics", "SELECT count(*) FROM shop.people"), 4);
        workspace.is_settled();
    }
}

#[test]
fn a_cursor_that_is_declared_later_begins_with_all_rows() {
    let (pair, workspace) = made(KINDS[0], "upsert");
    insert(&pair, KINDS[0], (1, 10), 0);
    workspace.write(
        "flows.yaml",
        "version: 1\nflows:\n  keep:\n    from: shop\n    to: analytics\n    tables: [shop.people]\n    \
         strategy: { custom: { engine: stream } }\n    existing: upsert\n",
    );
    workspace.apply();
    pair.sql("shop", "UPDATE shop.people SET name = 'changed' WHERE id = 1; REFRESH TABLE shop.people");
    declare(&workspace, "", "upsert");
    let applied = workspace.apply();
    assert!(applied.all().contains("was copied before it had its `cursor`"), "{}", applied.all());
    equal(&pair, &workspace);
}

/// A backlog of several slices, cut by `fault`; rows come and change before the next run.
fn cut((kind, fault): (Kind, Fault)) -> Result<(), String> {
    let (pair, workspace) = begun(kind);
    insert(&pair, kind, (5, 70), 10);
    let meanwhile = || insert(&pair, kind, (60, 75), 40);
    let survived = survives((&pair, &workspace), &fault, meanwhile, || holds(&pair, &workspace));
    survived.map_err(|problem| format!("{kind:?}: {problem}"))
}

/// Where a run is cut: each statement that a run sends while it follows.
const PLACES: [(&str, &str, u32); 9] = [
    ("analytics", "from sys.jobs where", 1),
    ("shop", "max(\"at\")", 1),
    ("shop", "_docid %", 1),
    ("shop", "$2::text", 2),
    ("shop", "$2::text", 5),
    ("analytics", "insert into \"shop\".\"people\"", 1),
    ("analytics", "insert into \"shop\".\"people\"", 4),
    ("analytics", "insert into \"transship\".\"flows\"", 3),
    ("analytics", "refresh table \"shop\".\"people\"", 1),
];

#[test]
fn a_run_that_is_cut_anywhere_is_gone_on_with() {
    let mut cases = Vec::new();
    for place in PLACES {
        for (kind, what) in [(KINDS[0], What::DropConnectionBefore), (KINDS[4], What::DropConnectionAfter)] {
            cases.push((kind, lasting(place, what)));
        }
    }
    all_converge(cases, cut);
}

#[test]
fn whole_slices_are_not_read_again() {
    let kind = KINDS[2];
    let (pair, workspace) = begun(kind);
    insert(&pair, kind, (11, 70), 0);
    let before = read(&pair);
    let lost = |nth| lasting(("shop", "$2::text", nth), What::DropConnectionBefore);
    pair.sandbox.faults(vec![lost(5)]);
    let cut = workspace.run(&["apply", "--auto-approve"]);
    pair.sandbox.faults(Vec::new());
    assert_ne!(cut.code, 0);
    let (whole, value) = (read(&pair) - before, come(&pair));
    assert!(whole >= 3 && value != "10", "{whole} slices, {value}");
    workspace.apply();
    equal(&pair, &workspace);
    let all = read(&pair) - before;
    assert!(all <= 9, "{all} slices were read, {whole} of them by the first run");
}
