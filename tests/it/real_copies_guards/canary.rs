//! A value of a sensitive column in rows that are refused: no output, file, ledger row or statement of a server holds it.

use std::path::Path;

use crate::real::{Clusters, Scope, Workspace};

/// The value, also as the bytes of it that CrateDB's messages may give instead.
const CANARY: &str = "c4n4ry";
const BYTES: &str = "99, 52, 110, 52, 114, 121";

/// A table on both clusters whose rows are refused.
struct Case {
    name: &'static str,
    /// Its columns on the source.
    source: &'static str,
    /// A row of it.
    row: &'static str,
    /// Its columns on the target; none where the flow makes the table.
    target: &'static str,
    /// More of its entry in the spec.
    entry: &'static str,
    /// What is told.
    told: &'static str,
}

const CASES: [Case; 9] = [
    Case {
        name: "broken",
        source: "id INTEGER PRIMARY KEY, email TEXT",
        row: "1, 'CANARY'",
        target: "id INTEGER PRIMARY KEY, email TEXT, CONSTRAINT short CHECK (length(email) < 3)",
        entry: "sensitive: [email]",
        told: "id = 1: constraint short is broken",
    },
    Case {
        name: "within",
        source: "id INTEGER PRIMARY KEY, o OBJECT(IGNORED)",
        row: "1, {k = 'CANARY'}",
        target: "id INTEGER PRIMARY KEY, o OBJECT(DYNAMIC) AS (k INTEGER)",
        entry: "sensitive: [o]",
        told: "id = 1: a value cannot be cast to type",
    },
    Case {
        name: "named",
        source: "id INTEGER PRIMARY KEY, o OBJECT(IGNORED)",
        row: "1, {\"CANARY\" = 1}",
        target: "id INTEGER PRIMARY KEY, o OBJECT(STRICT) AS (k INTEGER)",
        entry: "sensitive: [o]",
        told: "id = 1: an object has a column that is not declared",
    },
    Case {
        name: "listed",
        source: "id INTEGER PRIMARY KEY, tags ARRAY(TEXT), n INTEGER",
        row: "1, ['a', 'CANARY'], NULL",
        target: "id INTEGER PRIMARY KEY, tags ARRAY(TEXT), n INTEGER NOT NULL, CHECK (array_length(tags, 1) < 1)",
        entry: "sensitive: [tags]",
        told: "id = 1: column n must not be null",
    },
    Case {
        name: "keyed",
        source: "email TEXT, id INTEGER, n INTEGER, PRIMARY KEY (email, id)",
        row: "'CANARY', 7, 0",
        target: "email TEXT, id INTEGER, n INTEGER CHECK (n > 0), PRIMARY KEY (email, id)",
        entry: "sensitive: [email]",
        told: "id = 7: constraint ",
    },
    Case {
        name: "doubled",
        source: "email TEXT PRIMARY KEY, n INTEGER",
        row: "'CANARY', 0",
        target: "email TEXT PRIMARY KEY, n INTEGER",
        entry: "sensitive: [email]",
        told: "row 1 of those read: a row with the same primary key is there",
    },
    Case {
        name: "computed",
        source: "id INTEGER PRIMARY KEY, email TEXT",
        row: "1, 'CANARY'",
        target: "",
        entry: "sensitive: [email], columns: { id: id, n: { sql: 'email::integer', cast: INTEGER } }",
        told: "a value cannot be cast to type",
    },
    Case {
        name: "immense",
        source: "id INTEGER PRIMARY KEY, email TEXT INDEX OFF STORAGE WITH (columnstore = false)",
        row: "1, repeat('CANARY', 10000)",
        target: "id INTEGER PRIMARY KEY, email TEXT STORAGE WITH (columnstore = false)",
        entry: "sensitive: [email]",
        told: "id = 1: a value is too large to be indexed",
    },
    Case {
        name: "derived",
        source: "email TEXT, upper TEXT GENERATED ALWAYS AS upper(email), n INTEGER, PRIMARY KEY (upper)",
        row: "'CANARY', 0",
        target: "email TEXT, upper TEXT GENERATED ALWAYS AS upper(email), n INTEGER CHECK (n > 0), PRIMARY KEY (upper)",
        entry: "sensitive: [email]",
        told: "row 1 of those read: constraint ",
    },
];

#[track_caller]
fn is_clean(place: &str, text: &str) {
    let lower = text.to_lowercase();
    let at = lower.find(CANARY).or_else(|| lower.find(BYTES));
    let around = at.map(|at| lower.get(at.saturating_sub(200)..(at + 60).min(lower.len())));
    assert!(at.is_none(), "{place} holds the value: …{around:?}…");
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

/// Makes the tables, and gives the flow of a case.
fn prepare(clusters: &Clusters, scope: &Scope, case: &Case) -> String {
    let (table, row) = (scope.table(case.name), case.row.replace("CANARY", CANARY));
    let columns = case.source.split_once(", upper").map_or("", |_| "(email, n)");
    clusters.alpha.sql(&format!(
        "CREATE TABLE {table} ({}) WITH (number_of_replicas = 0); INSERT INTO {table} {columns} VALUES ({row}); REFRESH TABLE {table}",
        case.source
    ));
    if !case.target.is_empty() {
        clusters.beta.sql(&format!("CREATE TABLE {table} ({}) WITH (number_of_replicas = 0)", case.target));
    }
    if case.name == "doubled" {
        clusters.beta.sql(&format!("INSERT INTO {table} VALUES ({row}); REFRESH TABLE {table}"));
    }
    format!(
        "  {}:\n    from: alpha\n    to: beta\n    tables:\n      - {{ from: {}.{}, {} }}\n    \
         strategy: {{ custom: {{ engine: stream }} }}\n    existing: append\n",
        case.name, scope.schema, case.name, case.entry
    )
}

#[test]
fn real_values_of_sensitive_columns_are_found_nowhere() {
    let Some(clusters) = Clusters::require("real_values_of_sensitive_columns_are_found_nowhere") else { return };
    let scope = Scope::new(clusters, "canary");
    let workspace = Workspace::of(&scope.workspace, clusters);
    let flows: Vec<String> = CASES.iter().map(|case| prepare(clusters, &scope, case)).collect();
    workspace.write("flows.yaml", &format!("version: 1\nflows:\n{}", flows.concat()));
    let plan = workspace.run(&["plan", "--explain", "-o", "plan.json", "--save-observed", "observed.json"]).expect(0);
    is_clean("the plan", &plan.all());
    let outcome = workspace.run(&["apply", "--auto-approve", "-v", "--json-out", "out.json"]).expect(7);
    is_clean("what is printed", &outcome.all());
    for case in &CASES {
        assert!(outcome.all().contains(case.told), "{}: {} is missing in\n{}", case.name, case.told, outcome.all());
    }
    let again = workspace.run(&["apply", "--auto-approve", "--format", "json"]);
    is_clean("what is printed as JSON", &again.all());
    let resync: Vec<&str> = CASES.iter().flat_map(|case| ["--resync", case.name]).collect();
    let json = workspace.run(&[&["apply", "--auto-approve", "--format", "json"], &resync[..]].concat()).expect(7);
    is_clean("what is printed as JSON", &json.all());
    files_are_clean(workspace.path());
    for ledger in ["meta", "flows", "runs", "steps"] {
        let rows = clusters.beta.sql(&format!("REFRESH TABLE transship.{ledger}; SELECT * FROM transship.{ledger}"));
        is_clean(&format!("transship.{ledger}"), &format!("{rows:?}"));
    }
}
