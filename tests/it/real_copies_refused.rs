//! Rows that the target refuses in the middle of 10,000: found, named by key with the reason, the others there, nothing put
//! in place; and settled once they are corrected.

use std::time::Duration;

use crate::real::{Copies, Readers, wait_until};

/// A fault: its name, the column that stands for `n`, the one that stands for `m`, and the rows that are refused with a
/// part of the reason.
struct Fault {
    name: &'static str,
    n: &'static str,
    m: &'static str,
    refused: &'static [(&'static str, &'static str)],
}

const TAKEN: (&str, &str) = ("id = 5001", "primary key");
const NULL: (&str, &str) = ("id = 5002", "must not be null");
const CHECK: (&str, &str) = ("id = 5003", "not_negative");
const TYPE: (&str, &str) = ("id = 5004", "smallint");
const RANGE: (&str, &str) = ("id = 5005", "smallint");

/// The key is taken only where rows are appended: see [`taken`].
const FAULTS: &[Fault] = &[
    Fault { name: "null", n: "n_null", m: "m", refused: &[NULL] },
    Fault { name: "check", n: "n_check", m: "m", refused: &[CHECK] },
    Fault { name: "type", n: "n", m: "m_type", refused: &[TYPE] },
    Fault { name: "range", n: "n", m: "m_range", refused: &[RANGE] },
    Fault { name: "taken", n: "n", m: "m", refused: &[] },
    Fault { name: "all", n: "n_all", m: "m_all", refused: &[NULL, CHECK, TYPE, RANGE] },
];

impl Fault {
    fn refused(&self, mode: &str) -> Vec<(&'static str, &'static str)> {
        let taken = taken(mode, self).then_some(TAKEN);
        taken.into_iter().chain(self.refused.iter().copied()).collect()
    }
}

/// Whether the target has a row 5001 before, which an upsert overwrites and an append may not.
fn taken(mode: &str, fault: &Fault) -> bool {
    mode == "append" && ["taken", "all"].contains(&fault.name)
}

/// 10,000 rows on alpha; the columns with faults have them in rows 5002 to 5005.
fn rows(copies: &Copies) {
    let rows = copies.scope.table("rows");
    copies.alpha().sql(&format!(
        "CREATE TABLE {rows} (id INTEGER PRIMARY KEY, n INTEGER, n_null INTEGER, n_check INTEGER, n_all INTEGER, \
         m OBJECT(IGNORED), m_type OBJECT(IGNORED), m_range OBJECT(IGNORED), m_all OBJECT(IGNORED)) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         INSERT INTO {rows} (SELECT g, g, CASE WHEN g <> 5002 THEN g END, CASE g WHEN 5003 THEN -1 ELSE g END, \
         CASE g WHEN 5002 THEN NULL WHEN 5003 THEN -1 ELSE g END, {one}, CASE g WHEN 5004 THEN {word} ELSE {one} END, \
         CASE g WHEN 5005 THEN {over} ELSE {one} END, CASE g WHEN 5004 THEN {word} WHEN 5005 THEN {over} ELSE {one} END \
         FROM generate_series(1, 10000) AS t(g)); REFRESH TABLE {rows}",
        one = ONE,
        word = r#"'{"v": "canary"}'::object(ignored)"#,
        over = r#"'{"v": 99999}'::object(ignored)"#,
    ));
}

/// What most rows have: what is inside of an object that is not declared, no plan can compare.
const ONE: &str = r#"'{"v": 1}'::object(ignored)"#;

/// A flow for each fault by each mode, into a table of its own that is there.
fn declare(copies: &Copies, cases: &[(&str, &Fault)]) {
    let mut text = "version: 1\nflows:\n".to_owned();
    for (mode, fault) in cases {
        let (table, Fault { name, n, m, .. }) = (target(copies, mode, fault), fault);
        copies.beta().sql(&format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, m OBJECT(DYNAMIC) AS (v SMALLINT), \
             CONSTRAINT not_negative CHECK (n >= 0)) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
        ));
        if taken(mode, fault) {
            copies.beta().sql(&format!("INSERT INTO {table} (id, n) VALUES (5001, 0); REFRESH TABLE {table}"));
        }
        let schema = &copies.scope.schema;
        text += &format!(
            "  {mode}-{name}:\n    from: alpha\n    to: beta\n    strategy: {{ custom: {{ engine: stream }} }}\n    \
             existing: {mode}\n    tables:\n      - {{ from: {schema}.rows, to: {schema}.{mode}_{name}, \
             columns: {{ id: id, n: {n}, m: {m} }} }}\n"
        );
    }
    copies.workspace.write("flows.yaml", &text);
}

fn target(copies: &Copies, mode: &str, fault: &Fault) -> String {
    copies.scope.table(&format!("{mode}_{}", fault.name))
}

/// What the run printed about one flow's step that copies.
fn about<'a>(printed: &'a str, flow: &str) -> &'a str {
    let start = printed.find(&format!("✗ {flow}/")).unwrap_or_else(|| panic!("{flow} does not fail:\n{printed}"));
    let rest = &printed[start + '✗'.len_utf8()..];
    rest.find("✗ ").map_or(rest, |end| &rest[..end])
}

#[test]
fn real_refused_rows_in_the_middle_are_named_and_the_others_are_there() {
    let Some(copies) = Copies::bare("middle") else { return };
    rows(&copies);
    let modes = ["append", "upsert"].into_iter();
    let all = modes.flat_map(|mode| FAULTS.iter().map(move |fault| (mode, fault)));
    let cases: Vec<(&str, &Fault)> = all.filter(|(mode, fault)| !fault.refused(mode).is_empty()).collect();
    assert_eq!(cases.len(), 11);
    declare(&copies, &cases);

    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    for (mode, fault) in &cases {
        let (flow, refused) = (format!("{mode}-{}", fault.name), fault.refused(mode));
        let said = about(&failed.stderr, &flow);
        for (key, reason) in &refused {
            assert!(said.contains(key) && said.contains(reason), "{flow}: {key}, {reason}:\n{said}");
        }
        assert!(said.contains(&format!("{} row", refused.len())), "{said}");
        assert!(!said.contains("canary") && !said.contains("99999"), "no values:\n{said}");
        let there = 10_000 - refused.len() as u64 + u64::from(taken(mode, fault));
        assert_eq!(copies.beta().count(&target(&copies, mode, fault)), there, "{flow}: the other rows");
    }

    // Corrected: an upsert goes on, an append has first to be told that somebody has looked.
    let rows = copies.scope.table("rows");
    copies.alpha().sql(&format!(
        "UPDATE {rows} SET n_null = id, n_check = id, n_all = id, m_type = {ONE}, m_range = {ONE}, m_all = {ONE}; \
         REFRESH TABLE {rows}"
    ));
    let refused = copies.workspace.run(&["plan"]).expect(1);
    assert!(refused.all().contains("plan::append-unfinished"), "{}", refused.all());
    let mut resync = vec!["apply".to_owned(), "--auto-approve".to_owned()];
    for (mode, fault) in cases.iter().filter(|(mode, _)| *mode == "append") {
        let table = target(&copies, mode, fault);
        copies.beta().sql(&format!("DELETE FROM {table}; REFRESH TABLE {table}"));
        resync.extend(["--resync".to_owned(), format!("{mode}-{}", fault.name)]);
    }
    let resync: Vec<&str> = resync.iter().map(String::as_str).collect();
    let _ = copies.workspace.run(&resync).expect(0);
    for (mode, fault) in &cases {
        let table = target(&copies, mode, fault);
        let sums =
            copies.beta().sql(&format!("REFRESH TABLE {table}; SELECT count(*), sum(n), sum(m['v']) FROM {table}"));
        assert_eq!(sums, [["10000", "50005000", "10000"].map(|text| Some(text.to_owned()))], "{mode}-{}", fault.name);
    }
    copies.workspace.is_settled();
    copies.aside(0);
}

/// A fault of a copy that is made aside: a column with its rule, and the refused row. A NULL and a taken key cannot come
/// about there: what refuses them is copied from a source that refuses them as well, or goes where a column is computed.
const ASIDE: &[(&str, &str, &[(&str, &str)])] = &[
    ("check", "until: until", &[("id = 6001", "not_over")]),
    ("shape", "o: { sql: o, cast: 'OBJECT(STRICT) AS (a INTEGER)' }", &[("id = 6002", "strict")]),
    ("vector", "v: { sql: v, cast: 'FLOAT_VECTOR(2)' }", &[("id = 6003", "dimensions")]),
    (
        "all",
        "until: until, o: { sql: o, cast: 'OBJECT(STRICT) AS (a INTEGER)' }, v: { sql: v, cast: 'FLOAT_VECTOR(2)' }",
        &[("id = 6001", "not_over"), ("id = 6002", "strict"), ("id = 6003", "dimensions")],
    ),
    // The source itself cannot read this one.
    ("cast", "m: { sql: m, cast: SMALLINT }", &[("smallint", "Cannot cast")]),
];

/// 10,000 rows on alpha, three of which can be written no more.
fn passing(copies: &Copies) {
    let rows = copies.scope.table("rows");
    copies.alpha().sql(&format!(
        "CREATE TABLE {rows} (id INTEGER PRIMARY KEY, o OBJECT(DYNAMIC) AS (a INTEGER), v ARRAY(REAL), m TEXT, \
         until TIMESTAMP WITH TIME ZONE, CONSTRAINT not_over CHECK (until > now())) \
         CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         INSERT INTO {rows} (SELECT g, CASE g WHEN 6002 THEN {{a = 1, z = 2}} ELSE {{a = g}} END, \
         CASE g WHEN 6003 THEN [1.0, 2.0, 3.0] ELSE [1.0, 2.0] END, CASE g WHEN 6004 THEN 'canary' ELSE '1' END, \
         CASE g WHEN 6001 THEN now() + '4 seconds'::interval ELSE '2999-01-01' END FROM generate_series(1, 10000) AS t(g)); \
         REFRESH TABLE {rows}"
    ));
    let is_over = format!("SELECT until < now() FROM {rows} WHERE id = 6001");
    wait_until("a row is over", Duration::from_secs(20), || copies.alpha().value(&is_over).as_deref() == Some("t"));
}

#[test]
fn real_nothing_is_put_in_place_while_rows_are_refused() {
    let Some(copies) = Copies::bare("kept") else { return };
    passing(&copies);
    let schema = &copies.scope.schema;
    let mut text = "version: 1\nflows:\n".to_owned();
    let ways = [("create", "error"), ("swap", "replace"), ("view", "replace\n    replace_by: view")];
    let cases: Vec<_> =
        ways.iter().flat_map(|(way, keys)| ASIDE.iter().map(move |fault| (*way, *keys, fault))).collect();
    for (way, keys, (name, column, _)) in &cases {
        text += &format!(
            "  {way}-{name}:\n    from: alpha\n    to: beta\n    strategy: {{ custom: {{ engine: stream }} }}\n    \
             existing: {keys}\n    tables:\n      - {{ from: {schema}.rows, to: {schema}.{way}_{name}, \
             columns: {{ id: id, {column} }} }}\n"
        );
        if *way == "swap" {
            let table = copies.scope.table(&format!("{way}_{name}"));
            copies.beta().sql(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
                 INSERT INTO {table} (SELECT * FROM generate_series(1, 6000)); REFRESH TABLE {table}"
            ));
        }
    }
    copies.workspace.write("flows.yaml", &text);
    let readers = Readers::start(2, copies.beta(), &copies.scope.table("swap_all"));
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    for read in readers.stop() {
        assert_eq!(read.seen, Ok(6000), "readers see the old table all the time");
    }
    for (way, _, (name, _, refused)) in &cases {
        let said = about(&failed.stderr, &format!("{way}-{name}"));
        for (key, reason) in *refused {
            assert!(said.contains(key) && said.contains(reason), "{way}-{name}: {key}, {reason}:\n{said}");
        }
        assert!(!said.contains("canary"), "{said}");
        let table = copies.scope.table(&format!("{way}_{name}"));
        match *way {
            "swap" => assert_eq!(copies.beta().count(&table), 6000),
            _ => assert!(copies.beta().try_sql(&format!("SELECT 1 FROM {table}")).is_err(), "{way}-{name} is there"),
        }
    }

    let rows = copies.scope.table("rows");
    copies.alpha().sql(&format!(
        "UPDATE {rows} SET until = '2999-01-01', o = {{a = 1}}, v = [1.0, 2.0], m = '1'; REFRESH TABLE {rows}"
    ));
    copies.workspace.apply();
    for (way, _, (name, _, _)) in &cases {
        let sql = format!("SELECT count(*) FROM {}", copies.scope.table(&format!("{way}_{name}")));
        assert_eq!(copies.beta().value(&sql).as_deref(), Some("10000"), "{way}-{name}");
    }
    copies.workspace.is_settled();
    let left = copies.beta().sql(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' \
         AND table_name LIKE 'transship_%' AND NOT table_name LIKE '%view_%'"
    ));
    assert!(left.is_empty(), "only views have versions: {left:?}");
    // With a view the version of the run that failed is dropped as an old one by the run after the next.
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--resync", "view-all"]).expect(0);
    let versions = copies.beta().sql(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE '%view_all' \
         AND table_name LIKE 'transship_%' ORDER BY 1"
    ));
    assert_eq!(versions.len(), 2, "what the view reads, and what it read before: {versions:?}");
    copies.workspace.is_settled();
}

#[test]
fn real_a_refused_row_without_a_key_is_found_by_a_second_copy() {
    let Some(copies) = Copies::bare("loose") else { return };
    let (schema, rows) = (&copies.scope.schema, copies.scope.table("loose"));
    copies.alpha().sql(&format!(
        "CREATE TABLE {rows} (id INTEGER, until TIMESTAMP WITH TIME ZONE, CONSTRAINT not_over CHECK (until > now())) \
         CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         INSERT INTO {rows} (SELECT g, CASE g WHEN 6001 THEN now() + '4 seconds'::interval ELSE '2999-01-01' END \
         FROM generate_series(1, 10000) AS t(g)); REFRESH TABLE {rows}"
    ));
    let is_over = format!("SELECT until < now() FROM {rows} WHERE id = 6001");
    wait_until("a row is over", Duration::from_secs(20), || copies.alpha().value(&is_over).as_deref() == Some("t"));
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nflows:\n  loose:\n    from: alpha\n    to: beta\n    tables: [{schema}.loose]\n    \
             strategy: {{ custom: {{ engine: stream }} }}\n"
        ),
    );
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7);
    let said = about(&failed.stderr, "loose");
    assert!(said.contains("1 row was refused; all others are written"), "{said}");
    assert!(said.contains("of those read: Failed CONSTRAINT not_over"), "{said}");
    let aside = copies.beta().value(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE 'transship_%'"
    ));
    let aside = format!("\"{schema}\".\"{}\"", aside.expect("a copy aside"));
    assert_eq!(copies.beta().count(&aside), 9_999, "no row is there twice");

    copies.alpha().sql(&format!("UPDATE {rows} SET until = '2999-01-01' WHERE id = 6001; REFRESH TABLE {rows}"));
    copies.workspace.apply();
    assert_eq!(copies.beta().count(&rows), 10_000);
    copies.workspace.is_settled();
}
