//! Columns that transship itself changes between two sandbox clusters, from the YAML to an empty second plan.

use crate::real::Workspace;
use crate::sandbox::Pair;

/// The key of the masks; it may show nowhere.
const KEY: &str = "canary of the mask";

/// Computed by another program.
const HASHES: [&str; 3] = [
    "6814ef46f686990cf4e946f966167b0507e1d642c44e51f61bffb0bba2d4672b",
    "ecc76c19c9f3c5108773d6c3a18a6c25c9bf1131c4e250b71213274e3b2b5d08",
    "NULL",
];
const MASKS: [&str; 3] = [
    "9503ef044a1e177bf4a773aca0f080d480b43af713f365ea9e86d79bef7e1300",
    "NULL",
    "0ea40c079148b104729eb25d4aa65b6da01c5d409ba49fd65f1b51455eb2eeeb",
];

fn declare(workspace: &Workspace, columns: &str, more: &str) {
    workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  copy:\n    from: shop\n    to: analytics\n    tables:\n      - from: shop.orders\n        \
             to: crm.orders\n{more}        columns:\n          id: id\n{columns}    strategy: {{ custom: {{ engine: stream }} }}\n    existing: replace\n"
        ),
    );
}

fn filled() -> (Pair, Workspace) {
    let pair = Pair::start();
    pair.sql(
        "shop",
        "CREATE TABLE shop.orders (id INTEGER PRIMARY KEY, email TEXT, country TEXT, n INTEGER, total NUMERIC(12, 3),
           rate DOUBLE PRECISION, at TIMESTAMP WITH TIME ZONE) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
         INSERT INTO shop.orders (id, email, country, n, total, rate, at) VALUES
           (1, 'ada@example.org', 'DE', 1250, 12.345, 2.675, 1709212455999),
           (2, NULL, 'XX', -7, -0.005, -2.5, -1),
           (3, 'cyd@example.org', NULL, NULL, NULL, NULL, NULL);
         REFRESH TABLE shop.orders",
    );
    pair.sql(
        "analytics",
        "CREATE TABLE crm.countries (code TEXT PRIMARY KEY, name TEXT, vat NUMERIC(4, 1)) WITH (number_of_replicas = 0);
         INSERT INTO crm.countries (code, name, vat) VALUES ('DE', 'Germany', 19.0), ('AT', NULL, 20.0);
         REFRESH TABLE crm.countries",
    );
    let workspace = pair.workspace();
    (pair, workspace)
}

/// The values of a column in the order of the ids.
fn values(pair: &Pair, column: &str) -> String {
    let sql = format!("SELECT {column} FROM crm.orders ORDER BY id");
    let answer = pair.sandbox.execute("analytics", &sql).expect("rows");
    let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    answer.texts.iter().map(|row| text(&row[0])).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_verb_changes_its_column() {
    let (pair, mut workspace) = filled();
    workspace.variables.push(("MASK_KEY".to_owned(), KEY.to_owned()));
    workspace.write("names.csv", "code,name\nDE,\"Germany, again\"\nFR,France\n");
    for (column, rule, expected) in [
        ("c", "{ const: eu }", "eu, eu, eu"),
        ("c", "{ const: 7, cast: SMALLINT }", "7, 7, 7"),
        ("c", "{ const: null, cast: TEXT }", "NULL, NULL, NULL"),
        ("n", "{ default: 0 }", "1250, -7, 0"),
        ("at", "{ truncate: day }", "2024-02-29 00:00:00.000+00, 1969-12-31 00:00:00.000+00, NULL"),
        ("at", "{ truncate: week }", "2024-02-26 00:00:00.000+00, 1969-12-29 00:00:00.000+00, NULL"),
        ("n", "{ round: -2 }", "1300, 0, NULL"),
        ("total", "{ round: 2 }", "12.350, -0.010, NULL"),
        ("rate", "{ round: 0 }", "3.0, -3.0, NULL"),
        ("country", "{ lookup: { table: crm.countries, key: code, value: name } }", "Germany, NULL, NULL"),
        ("vat", "{ sql: country, lookup: { table: crm.countries, key: code, value: vat } }", "19.0, NULL, NULL"),
        (
            "country",
            "{ default: FR, lookup: { file: names.csv, key: code, value: name } }",
            "Germany, again, NULL, France",
        ),
        ("email", "{ redact: true }", "***, NULL, ***"),
        ("email", "{ redact: gone }", "gone, NULL, gone"),
        ("email", "{ partial: { first: 2, last: 4 } }", "ad***.org, NULL, cy***.org"),
        ("n", "{ default: 5, cast: TEXT }", "1250, -7, 5"),
        ("n", "{ expr: \"n == null ? 'none' : string(n + 1)\", cast: TEXT }", "1251, -6, none"),
        ("n", "{ expr: \"country == 'DE' ? n * id : 0\", default: 1, cast: BIGINT }", "1250, 0, 0"),
        ("country", "{ hash: sha256 }", &HASHES.join(", ")),
        ("email", "{ mask: { hmac: { env: MASK_KEY } } }", &MASKS.join(", ")),
    ] {
        declare(&workspace, &format!("          {column}: {rule}\n"), "");
        workspace.run(&["apply", "--auto-approve"]).expect(0);
        let found = values(&pair, column);
        assert_eq!(found, expected, "{column}: {rule}");
        workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    }
}

#[test]
fn rows_that_cannot_be_made_are_named_and_the_others_written() {
    let (pair, workspace) = filled();
    pair.sql("analytics", "CREATE TABLE crm.orders (id INTEGER PRIMARY KEY, n SMALLINT) WITH (number_of_replicas = 0)");
    declare(&workspace, "          n: { expr: \"100000 / (n + 7)\", cast: SMALLINT }\n", "");
    workspace.write("flows.yaml", &workspace.read("flows.yaml").replace("existing: replace", "existing: append"));
    let outcome = workspace.run(&["apply", "--auto-approve"]).expect(7);
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(text.contains("2 rows were refused; all others are written"), "{text}");
    assert!(text.contains("id = 2: column n cannot be made: `expr` fails: it divides by zero"), "{text}");
    assert!(text.contains("id = 3: column n cannot be made: `expr` fails: its parts have types"), "{text}");
    pair.sql("analytics", "REFRESH TABLE crm.orders");
    assert_eq!(values(&pair, "n"), "79");
}

#[test]
fn keys_show_nowhere_and_are_asked_for_only_by_a_run() {
    let (pair, mut workspace) = filled();
    declare(&workspace, "          email: { mask: { hmac: { env: MASK_KEY } } }\n", "        sensitive: [email]\n");
    let planned = workspace.run(&["plan", "--explain", "-o", "plan.json"]).expect(0);
    assert!(planned.stdout.contains("from email, then HMAC-SHA-256 under env:MASK_KEY"), "{}", planned.stdout);
    let refused = workspace.run(&["apply", "plan.json"]).expect(1);
    assert!(refused.stderr.contains("`MASK_KEY` is not set"), "{}", refused.stderr);
    workspace.variables.push(("MASK_KEY".to_owned(), KEY.to_owned()));
    let applied = workspace.run(&["apply", "plan.json", "--format", "json"]).expect(0);
    assert_eq!(values(&pair, "email"), MASKS.join(", "));
    let ledger = pair.sandbox.execute("analytics", "SELECT * FROM transship.flows").expect("rows").texts;
    let all = format!("{}{}{ledger:?}{}", applied.stdout, applied.stderr, workspace.read("plan.json"));
    assert!(!all.contains(KEY) && !all.contains("ada@"), "{all}");
}

#[test]
fn another_file_is_another_plan() {
    let (pair, workspace) = filled();
    workspace.write("names.csv", "code,name\nDE,Germany\n");
    declare(&workspace, "          country: { lookup: { file: names.csv, key: code, value: name } }\n", "");
    workspace.run(&["plan", "-o", "plan.json"]).expect(0);
    workspace.write("names.csv", "code,name\nDE,Deutschland\n");
    let stale = workspace.run(&["apply", "plan.json"]).expect(4);
    assert!(stale.stderr.contains("names.csv"), "{}", stale.stderr);
    workspace.apply();
    assert_eq!(values(&pair, "country"), "Deutschland, NULL, NULL");
    workspace.is_settled();
    workspace.write("names.csv", "code,name\nDE,Allemagne\n");
    workspace.run(&["plan", "--detailed-exitcode"]).expect(2);
    workspace.apply();
    assert_eq!(values(&pair, "country"), "Allemagne, NULL, NULL");
}

#[test]
fn a_lookup_comes_after_the_flow_that_fills_its_table() {
    let (pair, workspace) = filled();
    pair.sql("shop", "CREATE TABLE shop.countries (code TEXT PRIMARY KEY, name TEXT, vat NUMERIC(4, 1)) WITH (number_of_replicas = 0);
       INSERT INTO shop.countries (code, name, vat) VALUES ('DE', 'Allemania', 19.0); REFRESH TABLE shop.countries");
    declare(&workspace, "          country: { lookup: { table: crm.countries, key: code, value: name } }\n", "");
    workspace.write(
        "more.yaml",
        "version: 1\nflows:\n  z-countries:\n    from: shop\n    to: analytics\n    tables: [{ from: shop.countries, to: crm.countries }]\n    \
         strategy: { custom: { engine: stream } }\n    existing: replace\n",
    );
    workspace.apply();
    assert_eq!(values(&pair, "country"), "Allemania, NULL, NULL");
    workspace.is_settled();
}

#[test]
fn a_preview_shows_rows_before_and_after_and_writes_nothing() {
    let (pair, mut workspace) = filled();
    workspace.variables.push(("MASK_KEY".to_owned(), KEY.to_owned()));
    let columns = "          email: { mask: { hmac: { env: MASK_KEY } } }\n          mail: { sql: email, partial: { first: 1 } }\n          \
                   total: { round: 1 }\n          day: { sql: at, truncate: day }\n          n: n\n          \
                   share: { expr: \"100 / (n + 7)\", cast: INTEGER }\n";
    declare(&workspace, columns, "        sensitive: [email]\n");
    let shown = workspace.run(&["plan", "--preview", "2"]).expect(0).stdout;
    insta::assert_snapshot!(shown.split_once("Preview").expect("a preview").1, @"
    : 2 rows of copy, nothing is written
      shop.shop.orders → analytics.crm.orders

      row 1
        id     1
        email  (sensitive) → 9503ef044a1e177bf4a773aca0f080d480b43af713f365ea9e86d79bef7e1300
        mail   (sensitive) → (sensitive)
        n      1250
        total  12.345 → 12.3
        day    2024-02-29T13:14:15.999Z → 2024-02-29T00:00:00Z
        share  0

      row 2
        id     2
        email  NULL → —
        mail   NULL → —
        n      -7
        total  -0.005 → —
        day    1969-12-31T23:59:59.999Z → —
        share  NULL → —
        refused: column share cannot be made: `expr` fails: it divides by zero
    ");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let json = workspace.run(&["plan", "--preview", "3", "--format", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("a document");
    let rows = json["tables"][0]["rows"].as_array().expect("rows");
    let value = |row: usize, name: &str, key: &str| {
        let columns = rows[row]["columns"].as_array().expect("columns");
        columns.iter().find(|column| column["name"] == name).expect("a column")[key].clone()
    };
    assert_eq!((value(0, "email", "before"), value(0, "email", "after")), ("(sensitive)".into(), MASKS[0].into()));
    assert_eq!((value(0, "mail", "before"), value(0, "mail", "after")), ("(sensitive)".into(), "(sensitive)".into()));
    assert_eq!((value(0, "total", "before"), value(0, "total", "after")), ("12.345".into(), "12.3".into()));
    assert_eq!(value(0, "day", "after"), "2024-02-29T00:00:00Z");
    assert_eq!(rows[1]["refused"], "column share cannot be made: `expr` fails: it divides by zero");
    assert!(pair.sandbox.execute("analytics", "SELECT * FROM crm.orders").is_err(), "nothing is made");
    workspace.run(&["plan", "--preview", "0"]).expect(64);
    workspace.run(&["plan", "--preview", "1", "--observed", "x.json"]).expect(64);
    // What is done already can still be looked at.
    declare(&workspace, "          n: n\n", "");
    workspace.apply();
    let shown = workspace.run(&["plan", "--preview", "1"]).expect(0).stdout;
    assert!(shown.contains("No changes") && shown.contains("row 1") && shown.contains("1250"), "{shown}");
}
