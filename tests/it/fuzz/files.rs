//! Workspaces as text: clusters, stores and flows in several files, with references and an environment, mostly right.

use std::fmt::Write as _;

use crate::random::Random;

/// A file's name and its text.
pub(super) type File = (String, String);

const CLUSTERS: [&str; 3] = ["a", "b", "c"];
const STORES: [(&str, &str); 5] = [
    ("disk", "directory: { path: /exchange }"),
    (
        "bucket",
        "s3: { bucket: b, prefix: p/q, region: eu, endpoint: \"minio:9000\", path_style: true, protocol: http, \
         access_key: { env: KEY }, secret_key: { env: SECRET } }",
    ),
    ("blob", "azure: { account: acc, container: con, key: { env: SECRET } }"),
    (
        "cold",
        "gcs: { bucket: b, project_id: p, private_key_id: { env: KEY }, private_key: { env: SECRET }, \
         client_id: { env: KEY }, client_email: { env: KEY } }",
    ),
    ("web", "url: { url: \"http://files.example/x\" }"),
];

/// The tables that there may be.
pub(super) const TABLES: [&str; 7] = ["s.t0", "s.t1", "s.t2", "r.t0", "r.Upper", "s.parts", "s.t3"];

/// The variables that references name.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("URL", "postgres://u%3Av@host.example:5433/"),
    ("KEY", "a key"),
    ("SECRET", "s/e+c=r%"),
    ("HOST", "name.example:5432"),
];

/// A workspace of which all may be wrong.
pub(super) fn wild(random: &mut Random) -> Vec<File> {
    let mut parts = vec!["workspace: fuzzed\n".to_owned(), clusters(random), stores(random, 50)];
    parts.extend((0..=random.below(5)).map(|number| wild_flow(random, number)));
    in_files(parts, random)
}

/// A workspace in which the keys go together.
pub(super) fn tame(random: &mut Random) -> Vec<File> {
    let mut parts = vec!["workspace: fuzzed\n".to_owned(), clusters(random), stores(random, 100)];
    let mut numbers: Vec<usize> = (0..TABLES.len()).collect();
    random.shuffle(&mut numbers);
    numbers.truncate(1 + random.below(5));
    parts.extend(numbers.into_iter().map(|number| tame_flow(random, number)));
    in_files(parts, random)
}

fn in_files(mut parts: Vec<String>, random: &mut Random) -> Vec<File> {
    if random.chance(10) {
        parts.push("allow_drop: [{ kind: table, name: \"*\", until: 2027-01-01 }]\n".to_owned());
    }
    if random.chance(5) {
        parts.push("fingerprint_key: { env: SECRET }\n".to_owned());
    }
    let mut files: Vec<File> = Vec::new();
    for part in parts {
        let number = random.below(3);
        let name = format!("{number}.yaml");
        let at = files.iter().position(|(found, _)| *found == name).unwrap_or_else(|| {
            files.push((name, "version: 1\n".to_owned()));
            files.len() - 1
        });
        put(&mut files[at].1, &part);
    }
    if random.chance(15) {
        files.push(("environments/dev.yaml".to_owned(), overlay(random)));
    }
    files
}

/// Adds what stands under one key to a file that may have the key.
fn put(text: &mut String, part: &str) {
    let (key, below) = part.split_once('\n').expect("a part has lines");
    match text.find(&format!("\n{key}\n")).filter(|_| key.ends_with(':')) {
        Some(at) => text.insert_str(at + key.len() + 2, below),
        None => text.push_str(part),
    }
}

fn clusters(random: &mut Random) -> String {
    let mut text = "clusters:\n".to_owned();
    for name in CLUSTERS {
        let url = random.pick(&["\"postgres://u@NAME.example/\"", "\"postgres://u%40v@[::1]:5433/\"", "{ env: URL }"]);
        write!(text, "  {name}:\n    url: {}\n", url.replace("NAME", name)).expect("a String");
        let keys = [
            "password: { env: SECRET }",
            "tls: disable",
            "tls: require",
            "transport: host:4300",
            "tunnel: { env: HOST }",
            "tunnel: there:5432",
            "subscriber: { user: repl, password: { env: SECRET } }",
            "protected: true",
            "limits: { connections: 4, copies: 1 }",
            "id: id-NAME",
        ];
        let keys = keys.map(|key| key.replace("NAME", name));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        add(&mut text, &random.some(&keys, 8));
    }
    text
}

/// Adds keys to a cluster or a flow, the first of each name.
fn add(text: &mut String, keys: &[&str]) {
    for key in first_of_each(keys) {
        writeln!(text, "    {key}").expect("a String");
    }
}

/// The same to a table.
fn add_below(text: &mut String, keys: &[&str]) {
    for key in first_of_each(keys) {
        writeln!(text, "        {key}").expect("a String");
    }
}

fn first_of_each<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let names = |key: &str| key.lines().filter_map(|line| line.trim().split(':').next()).map(str::to_owned).collect();
    let mut taken: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for key in keys {
        let names: Vec<String> = names(key);
        if names.iter().all(|name| !taken.contains(name)) {
            taken.extend(names);
            found.push(*key);
        }
    }
    found
}

fn stores(random: &mut Random, percent: usize) -> String {
    let mut text = "stores:\n".to_owned();
    for (name, kind) in STORES {
        if name == "disk" || random.chance(percent) {
            write!(text, "  {name}:\n    {kind}\n").expect("a String");
        }
    }
    text
}

const STRATEGIES: [&str; 16] = [
    "{ logical-replication: {} }",
    "{ logical-replication: { mode: sniff } }",
    "{ logical-replication: { then: detach } }",
    "{ snapshot: { store: disk } }",
    "{ snapshot: { store: STORE, keep: 3 } }",
    "{ export-import: { store: disk } }",
    "{ export-import: { store: STORE, format: csv, compression: gzip } }",
    "{ export-import: {} }",
    "{ export-import: { store: bucket, keep: 2 } }",
    "{ custom: { engine: stream } }",
    "{ custom: { engine: stream } }",
    "{ custom: { engine: stream } }",
    "{ custom: { engine: foreign-table } }",
    "{ custom: { engine: command, run: [cp, \"-a\"] } }",
    "auto",
    "auto",
];

const KEYS: [&str; 32] = [
    "existing: error",
    "existing: replace",
    "existing: replace",
    "existing: append",
    "existing: upsert",
    "existing: skip",
    "replace_by: view",
    "replace_by: swap",
    "repeat: on-change",
    "repeat: { every: 1h30m }",
    "repeat: once",
    "allow_shrink: true",
    "target: { shards: 3, replicas: \"0-all\", refresh_interval: 500, \"blocks.write\": true }",
    "target: { replicas: 1 }",
    "labels: { team: x }",
    "depends_on: [f0]",
    "enabled: false",
    "prevent_destroy: true",
    "allow_drop: [{ kind: rows, name: \"b.*\" }, { kind: table, name: \"*\", until: 2026-12-31 }]",
    "on_new_column: add",
    "max_lag: 15m",
    "ignore: [{ path: \"x.*\", reason: known, until: 2026-04-01 }]",
    "timeout: 10s",
    "verify: full",
    "names: { publication: p, subscription: q }",
    "names: { repository: mine }",
    "needs: [continuous]",
    "needs: [transform, open-format]",
    "exclude: [s.t1]",
    "exclude: [\"r.*\"]",
    "unknown: 1",
    "timeout: 18446744073709551615w",
];

fn wild_flow(random: &mut Random, number: usize) -> String {
    let store = STORES[random.below(STORES.len())].0;
    let from = match random.below(20) {
        0 => format!("{{ store: {store}, export: w/f/1 }}"),
        _ => CLUSTERS[random.below(3)].to_owned(),
    };
    let to = match random.below(12) {
        0 => format!("{{ store: {store} }}"),
        1 => "[b, c]".to_owned(),
        _ => CLUSTERS[random.below(3)].to_owned(),
    };
    let tables: Vec<String> = (0..=random.below(3)).map(|_| entry(random)).collect();
    let strategy = random.pick(&STRATEGIES).replace("STORE", store);
    let mut text = format!(
        "flows:\n  f{number}:\n    from: {from}\n    to: {to}\n    tables:\n{}    strategy: {strategy}\n",
        tables.concat()
    );
    let percent = [0, 4, 4, 12][random.below(4)];
    let mut keys = random.some(&KEYS, percent);
    random.shuffle(&mut keys);
    add(&mut text, &keys);
    text
}

fn entry(random: &mut Random) -> String {
    let from = match random.below(10) {
        0 => "s.*".to_owned(),
        1 => "\"*.t?\"".to_owned(),
        _ => format!("\"{}\"", TABLES[random.below(TABLES.len())]),
    };
    if random.chance(55) {
        return format!("      - {from}\n");
    }
    let keys = [
        "to: n.t0",
        "to: n.Other",
        "where: id > 5 AND v IS NOT NULL",
        "where: \"v = ')' OR (v = 'it''s')\"",
        "columns: [id, v]",
        "columns: { id: id, v: \"upper(v)\" }",
        "columns: { id: id, v: { sql: v, cast: \"NUMERIC(12, 2)\" } }",
        "columns: { id: id, v: { sql: v, mask: { hmac: { env: SECRET } } }, w: { const: 3 } }",
        "columns: { id: id, c: { lookup: { table: s.t1, key: k, value: v } } }",
        "partitions: [{ month: 1 }, { month: null }, { month: '2026-01-01' }]",
        "partitions: [{ month: 99999999999999999999 }]",
        "cursor: id",
        "overlap: 5m",
        "prune: true",
        "sensitive: [v]",
    ];
    let mut text = format!("      - from: {from}\n");
    add_below(&mut text, &random.some(&keys, 12));
    text
}

/// Strategies with the keys that go with them.
const TAME: [(&str, &[&str]); 9] = [
    ("{ logical-replication: {} }", &LIVE),
    ("{ logical-replication: { mode: sniff } }", &LIVE),
    ("{ logical-replication: { then: detach } }", &WHOLE),
    ("{ snapshot: { store: STORE, keep: 2 } }", &WHOLE),
    ("{ export-import: { store: disk } }", &ROWS),
    ("{ export-import: { store: bucket, format: csv, compression: gzip } }", &ROWS),
    ("{ custom: { engine: stream } }", &ROWS),
    ("{ custom: { engine: stream } }", &ROWS),
    ("auto", &["existing: replace", "repeat: on-change", "needs: [transform]", "needs: [open-format]"]),
];

const LIVE: [&str; 6] = [
    "existing: replace",
    "max_lag: 15m",
    "prevent_destroy: true",
    "labels: { team: x }",
    "timeout: 10s",
    "names: { publication: p, subscription: q }",
];
const WHOLE: [&str; 9] = [
    "existing: replace\n    replace_by: view",
    "existing: replace\n    repeat: on-change",
    "existing: replace\n    repeat: { every: 24h }",
    "existing: replace\n    allow_shrink: true",
    "existing: skip",
    "target: { replicas: \"0-all\", refresh_interval: 500 }",
    "allow_drop: [{ kind: rows, name: \"*\" }]",
    "verify: off",
    "enabled: false",
];
const ROWS: [&str; 9] = [
    "existing: replace\n    replace_by: view",
    "existing: replace\n    repeat: on-change",
    "existing: upsert\n    repeat: { every: 1ms }",
    "existing: upsert",
    "existing: append",
    "existing: skip",
    "target: { shards: 3, \"codec\": best_compression }",
    "allow_shrink: true\n    existing: replace",
    "on_new_column: ignore",
];

/// A flow of the table of that number.
fn tame_flow(random: &mut Random, number: usize) -> String {
    let (strategy, keys) = TAME[random.below(TAME.len())];
    let store = ["disk", "bucket", "blob", "cold"][random.below(4)];
    let table = TABLES[number];
    let moves = keys.len() != LIVE.len() || keys[1] != LIVE[1];
    let mut entry = format!("      - from: {table}\n");
    if moves && random.chance(40) {
        writeln!(entry, "        to: n.t{number}").expect("a String");
    }
    if table == "s.parts" && moves && strategy != "auto" && !strategy.contains("detach") && random.chance(70) {
        entry += "        partitions: [{ month: 1 }]\n";
    } else if keys.len() == ROWS.len() && keys[2] == ROWS[2] {
        let more = ["where: id > 5", "columns: [id, v]", "sensitive: [v]", "columns: { id: id, w: v }"];
        add_below(&mut entry, &random.some(&more, 25));
    }
    let to = random.pick(&["b", "b", "c", "[b, c]"]);
    let mut text = format!(
        "flows:\n  f{number}:\n    from: a\n    to: {to}\n    tables:\n{entry}    strategy: {}\n",
        strategy.replace("STORE", store)
    );
    let mut some = random.some(keys, 20);
    random.shuffle(&mut some);
    add(&mut text, &some);
    text
}

fn overlay(random: &mut Random) -> String {
    let mut text = "version: 1\n".to_owned();
    text += random.pick(&[
        "clusters:\n  a:\n    url: \"postgres://dev@dev.example/\"\n",
        "flows:\n  f0:\n    tables: [s.t2]\n",
        "flows:\n  f0:\n    existing: replace\n    strategy: { custom: { engine: stream } }\n",
        "flows:\n  f9:\n    from: a\n    to: b\n    tables: [s.t0]\n    strategy: auto\n",
        "stores:\n  disk:\n    s3: { bucket: dev, region: eu }\n",
        "clusters:\n  a:\n    protected: false\n",
        "flows:\n  f0: null\n",
        "",
    ]);
    text
}
