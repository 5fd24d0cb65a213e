//! Every cell of the matrix, against a table that is written a second time, and through whole workspaces.

use transship_model::spec::matrix::ROWS;

use crate::check::findings_of;

/// The ways in the order of the columns below, with the strategy that a spec writes.
const WAYS: [&str; 8] = [
    "{ logical-replication: {} }",
    "{ logical-replication: { then: detach } }",
    "{ snapshot: { store: s } }",
    "{ export-import: { store: s } }",
    "{ custom: { engine: stream } }",
    "{ custom: { engine: foreign-table } }",
    "{ custom: { engine: command, run: [x] } }",
    "auto",
];

/// A key, its level (on the flow `F`, on a table `T`, on a column `C`), what a spec writes, its code, and its cells.
#[rustfmt::skip]
const CELLS: &[(&str, &str, &str, &str, &str)] = &[
    ("where", "T", "where: a", "where-needs-copy", "---xxxxx"),
    ("columns", "T", "columns: [a]", "columns-needs-copy", "---xxxxx"),
    ("to", "T", "to: x.renamed", "rename-needs-copy", "-xxxxxxx"),
    ("partitions", "T", "partitions: [{ p: 1 }]", "partitions-needs-copy", "--xxxxxx"),
    ("repeat", "F", "repeat: once", "repeat-needs-copy", "-xxxxxxx"),
    ("repeat", "F", "repeat: on-change", "repeat-needs-copy", "-xxxxxxx"),
    ("cursor", "T", "cursor: a", "cursor-needs-stream", "----x--x"),
    ("overlap", "T", "overlap: 5m", "overlap-needs-stream", "----x--x"),
    ("prune", "T", "prune: true", "prune-needs-stream", "----x--x"),
    ("mask", "C", "mask: { hmac: { env: K } }", "mask-needs-stream", "----x--x"),
    ("hash", "C", "hash: sha256", "hash-needs-stream", "----x--x"),
    ("redact", "C", "redact: true", "redact-needs-stream", "----x--x"),
    ("partial", "C", "partial: { first: 1 }", "partial-needs-stream", "----x--x"),
    ("lookup", "C", "lookup: { file: f, key: k, value: v }", "lookup-needs-stream", "----x--x"),
    ("truncate", "C", "truncate: day", "truncate-needs-stream", "----x--x"),
    ("round", "C", "round: 2", "round-needs-stream", "----x--x"),
    ("cast", "C", "cast: text", "cast-needs-stream", "----x--x"),
    ("const", "C", "const: 1", "const-needs-stream", "----x--x"),
    ("default", "C", "default: 1", "default-needs-stream", "----x--x"),
    ("expr", "C", "expr: a", "expr-needs-stream", "----x--x"),
    ("sql", "C", "sql: a", "columns-needs-copy", "---xxxxx"),
    ("replace_by", "F", "replace_by: view", "replace-by-needs-copy", "-xxxxxxx"),
    ("target", "F", "target: { shards: 4 }", "target-needs-copy", "-xxxxxxx"),
    ("allow_shrink", "F", "allow_shrink: true", "allow-shrink-needs-copy", "-xxxxxxx"),
    ("on_new_column", "F", "on_new_column: add", "on-new-column-needs-copy", "---xxx-x"),
    ("max_lag", "F", "max_lag: 5m", "max-lag-needs-continuous", "x---x--x"),
    ("names.publication", "F", "names: { publication: p }", "names-publication", "xx------"),
    ("names.subscription", "F", "names: { subscription: p }", "names-subscription", "xx------"),
    ("names.repository", "F", "names: { repository: p }", "names-repository", "--x-----"),
    ("sensitive", "T", "sensitive: [a]", "-", "xxxxxxxx"),
    ("exclude", "F", "exclude: [x.y]", "-", "xxxxxxxx"),
    ("verify", "F", "verify: full", "-", "xxxxxxxx"),
    ("timeout", "F", "timeout: 1h", "-", "xxxxxxxx"),
    ("labels", "F", "labels: { a: b }", "-", "xxxxxxxx"),
    ("ignore", "F", "ignore: [{ path: x, reason: y }]", "-", "xxxxxxxx"),
    ("prevent_destroy", "F", "prevent_destroy: true", "-", "xxxxxxxx"),
    ("existing: error", "F", "existing: error", "-", "xxxxxxxx"),
    ("existing: replace", "F", "existing: replace", "-", "xxxxxxxx"),
    ("existing: append", "F", "existing: append", "append-needs-copy", "---xxxxx"),
    ("existing: upsert", "F", "existing: upsert", "upsert-needs-copy", "---xxxxx"),
    ("existing: skip", "F", "existing: skip", "skip-needs-copy", "-xxxxxxx"),
];

fn workspace(strategy: &str, level: &str, key: &str) -> String {
    let (flow, table) = match level {
        "F" => (key.to_owned(), String::new()),
        "T" => (String::new(), format!(", {key}")),
        _ => (String::new(), format!(", columns: {{ a: {{ {key} }} }}")),
    };
    format!(
        "version: 1
workspace: w
clusters: {{ a: {{ url: \"postgres://u@a/\" }}, b: {{ url: \"postgres://u@b/\" }} }}
stores: {{ s: {{ directory: {{ path: /x }} }} }}
flows:
  f:
    from: a
    to: b
    tables: [{{ from: x.t{table} }}]
    strategy: {strategy}
    {flow}
"
    )
}

#[test]
fn every_cell_is_as_documented() {
    let mut codes = Vec::new();
    for (key, level, yaml, code, cells) in CELLS {
        let code = format!("spec::{code}");
        for (strategy, cell) in WAYS.iter().zip(cells.chars()) {
            let findings = findings_of(&workspace(strategy, level, yaml));
            let matching: Vec<_> = findings.iter().filter(|finding| finding.code == code).collect();
            assert_eq!(matching.is_empty(), cell == 'x', "{key} with {strategy}: {findings:#?}");
            let is_shape = |code| ["spec::wrong-type", "spec::unknown-key", "spec::internal"].contains(&code);
            assert!(!findings.iter().any(|finding| is_shape(finding.code)), "{key} with {strategy}: {findings:#?}");
            assert!(matching.iter().all(|finding| finding.help.as_ref().unwrap().contains("strategy")), "{key}");
        }
        codes.push(code);
    }
    for row in ROWS.iter().filter(|row| !["run", "chunk_rows"].contains(&row.key)) {
        assert!(codes.iter().any(|code| code == row.code), "{} is not in the table", row.key);
    }
}

#[test]
fn each_key_has_its_own_code() {
    let mut codes: Vec<&str> = ROWS.iter().map(|row| row.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ROWS.len());
}

#[test]
fn run_goes_with_a_command_alone() {
    let code = |engine: &str| {
        let strategy = format!("{{ custom: {{ engine: {engine} }} }}");
        findings_of(&workspace(&strategy, "F", "")).first().map(|finding| finding.code)
    };
    assert_eq!(code("stream, run: [x]"), Some("spec::run-needs-command"));
    assert_eq!(code("foreign-table, run: [x]"), Some("spec::run-needs-command"));
    assert_eq!(code("command, run: [x]"), None);
    assert_eq!(code("command"), Some("spec::command-needs-run"));
}

#[test]
fn chunks_are_those_of_a_stream() {
    let code = |engine: &str| {
        let strategy = format!("{{ custom: {{ engine: {engine}, chunk_rows: 7 }} }}");
        findings_of(&workspace(&strategy, "F", "")).first().map(|finding| finding.code)
    };
    assert_eq!(code("stream"), None);
    assert_eq!(code("foreign-table"), None);
    assert_eq!(code("command, run: [x]"), Some("spec::chunk-rows-needs-stream"));
}

#[test]
fn auto_takes_what_some_strategy_with_these_needs_can() {
    let codes = |needs: &str, level: &str, key: &str| -> Vec<&str> {
        let text = workspace(&format!("auto\n    needs: [{needs}]"), level, key);
        findings_of(&text).into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes("open-format", "T", "where: a"), [""; 0]);
    assert_eq!(codes("open-format", "C", "mask: { hmac: { env: K } }"), ["spec::mask-needs-stream"]);
    assert_eq!(codes("continuous", "T", "partitions: [{ p: 1 }]"), [""; 0]);
    assert_eq!(codes("open-format, continuous", "F", ""), ["spec::needs-conflict"]);
}
