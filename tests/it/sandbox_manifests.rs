//! Exports to a store and imports from one, from the YAML to an empty second plan: through a directory, through a bucket,
//! after runs that were cut, and with files that are not what they were.

use serde_json::Value;
use transship::args::SchemaOf;
use transship::commands::schema::schema;
use transship_sandbox::{Fault, What};

use crate::real::{Outcome, Workspace};
use crate::s3::{ACCESS_KEY, S3, SECRET_KEY};
use crate::sandbox::{PASSWORD, Pair};

/// Two clusters, and two workspaces: `source` exports from `shop`, `target` imports into `analytics`.
struct Ends {
    pair: Pair,
    source: Workspace,
    target: Workspace,
    /// The bucket's server, where the store is one.
    server: Option<S3>,
}

impl Ends {
    /// Through a directory that the clusters and this machine see under one path.
    fn directory() -> Self {
        let pair = Pair::on_machine();
        let store = format!("directory: {{ path: {} }}", pair.folder().display());
        Self::of(pair, &store, None)
    }

    /// Through a bucket.
    fn bucket() -> Self {
        let server = S3::start(&["bucket"]);
        let store = format!(
            "s3: {{ bucket: bucket, prefix: hand/over, region: eu-central-1, endpoint: \"{}\", path_style: true, \
             protocol: http, access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}",
            server.address
        );
        Self::of(Pair::on_machine(), &store, Some(server))
    }

    fn of(pair: Pair, store: &str, server: Option<S3>) -> Self {
        pair.sql(
            "shop",
            "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', total NUMERIC(30, 2))
               CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);
             INSERT INTO shop.people (id, name, total) VALUES (1, 'Ada', 1.5), (2, NULL, NULL), (3, 'Cyd', 3);
             CREATE TABLE shop.empty (id INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0);
             REFRESH TABLE shop.people",
        );
        let workspace = |name: &str, flow: &str| {
            let mut workspace = pair.workspace();
            let clusters = workspace.read("clusters.yaml").replace("sandboxed", name).replace("tool@", "crate@");
            let clusters: String =
                clusters.lines().filter(|line| !line.contains("TOOL")).map(|line| format!("{line}\n")).collect();
            workspace.write("clusters.yaml", &clusters);
            workspace.write("stores.yaml", &format!("version: 1\nstores:\n  disk:\n    {store}\n"));
            workspace.write("flows.yaml", &format!("version: 1\nflows:\n  {flow}\n"));
            workspace.variables =
                vec![("S3_KEY".to_owned(), ACCESS_KEY.to_owned()), ("S3_SECRET".to_owned(), SECRET_KEY.to_owned())];
            workspace
        };
        let source = workspace("source", &export("", ""));
        let target = workspace("target", &import("shop.*", ""));
        Self { pair, source, target, server }
    }

    /// The content of an object.
    fn read(&self, key: &str) -> Vec<u8> {
        fs_err::read(self.path(key)).expect("the object is there")
    }

    fn path(&self, key: &str) -> std::path::PathBuf {
        match &self.server {
            Some(server) => server.bucket("bucket").join("hand/over").join(key),
            None => self.pair.folder().join(key),
        }
    }

    fn manifest(&self, key: &str) -> Value {
        serde_json::from_slice(&self.read(key)).expect("JSON")
    }

    /// The keys of all objects.
    fn keys(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.path(""), "", &mut found);
        found.sort();
        found
    }

    /// The rows of the imported table.
    fn people(&self) -> String {
        let answer = self.pair.sql("analytics", "SELECT id, name, total::text FROM shop.people ORDER BY id");
        let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
        answer.texts.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
    }

    fn tables(&self) -> i64 {
        let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'";
        self.pair.number("analytics", sql)
    }
}

fn collect(folder: &std::path::Path, below: &str, found: &mut Vec<String>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let key = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        match entry.path().is_dir() {
            true => collect(&entry.path(), &key, found),
            // The server's own files are none of ours.
            false if !name.starts_with('.') => found.push(key),
            false => {}
        }
    }
}

fn export(settings: &str, more: &str) -> String {
    format!(
        "out:\n    from: shop\n    to: {{ store: disk }}\n    tables: [shop.*]\n    strategy: {{ export-import: {{ \
         {settings} }} }}\n    {more}\n"
    )
}

fn import(entry: &str, more: &str) -> String {
    format!(
        "in:\n    from: {{ store: disk }}\n    to: analytics\n    tables: [{entry}]\n    strategy: {{ export-import: \
         {{}} }}\n    {more}\n"
    )
}

fn declare(workspace: &Workspace, flow: &str) {
    workspace.write("flows.yaml", &format!("version: 1\nflows:\n  {flow}\n"));
}

fn apply(workspace: &Workspace) -> Outcome {
    workspace.run(&["apply", "--auto-approve"])
}

const ALL: &str = "1 Ada 1.50, 2 NULL NULL, 3 Cyd 3.00";

#[test]
fn tables_go_into_a_store_and_out_of_it_again() {
    for (ends, settings, written) in [
        (Ends::directory(), "", "4 rows in 3 files"),
        (Ends::directory(), "format: csv", "4 rows in 2 files"),
        (Ends::bucket(), "compression: gzip", "4 rows in 3 files"),
        (Ends::bucket(), "format: csv, compression: gzip", "4 rows in 2 files"),
    ] {
        // CSV has no empty text: such rows go to a file of JSON beside.
        ends.pair.sql("shop", "INSERT INTO shop.people (id, name) VALUES (4, ''); REFRESH TABLE shop.people");
        declare(&ends.source, &export(settings, ""));
        ends.source.run(&["plan", "--detailed-exitcode"]).expect(2);
        let said = apply(&ends.source).expect(0).all();
        assert!(said.contains(written), "{said}");
        ends.source.is_settled();
        ends.source.run(&["drift"]).expect(0);
        let keys = ends.keys();
        let others: Vec<&String> = keys.iter().filter(|key| !key.contains("/shop.")).collect();
        assert_eq!(others, ["source/out/1/manifest.json", "source/out/latest.json"], "{keys:?}");

        let manifest = ends.manifest("source/out/1/manifest.json");
        let validator = jsonschema::validator_for(&schema(SchemaOf::Manifest)).expect("a schema");
        assert!(validator.is_valid(&manifest), "{manifest}");
        let pointer = ends.manifest("source/out/latest.json");
        assert_eq!(pointer["manifest"], "1/manifest.json");
        assert!(jsonschema::validator_for(&schema(SchemaOf::Pointer)).expect("a schema").is_valid(&pointer));
        let people = &manifest["tables"][1];
        assert_eq!((&people["rows"], &people["as_text"][0]), (&Value::from(4), &Value::from("total")));
        let rows: u64 = people["files"].as_array().into_iter().flatten().filter_map(|it| it["rows"].as_u64()).sum();
        assert_eq!(rows, 4);
        assert_eq!(manifest["exported"]["flow"], "out");

        // Nothing says where it is: there is one export in the store.
        let said = ends.target.run(&["plan", "--detailed-exitcode"]).expect(2).all();
        assert!(said.contains("store disk → analytics") && said.contains("compared with the manifest"), "{said}");
        apply(&ends.target).expect(0);
        assert_eq!((ends.people(), ends.tables()), (format!("{ALL}, 4  NULL"), 2), "{settings}");
        ends.target.is_settled();
        ends.target.run(&["drift"]).expect(0);
    }
}

#[test]
fn rows_are_added_overwritten_and_replaced_from_a_manifest() {
    for (mode, there, expected) in [
        ("append", "(9, 'theirs')", "1 Ada 1.50, 2 NULL NULL, 3 Cyd 3.00, 9 theirs NULL"),
        ("upsert", "(2, 'old'), (9, 'theirs')", "1 Ada 1.50, 2 NULL NULL, 3 Cyd 3.00, 9 theirs NULL"),
        ("replace", "(9, 'theirs')", ALL),
        ("replace\n    replace_by: view", "(9, 'theirs')", ALL),
        ("skip", "(9, 'theirs')", "9 theirs NULL"),
    ] {
        let ends = Ends::directory();
        apply(&ends.source).expect(0);
        ends.pair.sql(
            "analytics",
            &format!(
                "CREATE TABLE shop.people (id INTEGER PRIMARY KEY, name TEXT, total NUMERIC(30, 2)) WITH (number_of_replicas = 0);
                 INSERT INTO shop.people (id, name) VALUES {there}; REFRESH TABLE shop.people"
            ),
        );
        declare(&ends.target, &import("shop.people", "existing: error"));
        ends.target.run(&["plan"]).expect(1);
        declare(&ends.target, &import("shop.people", &format!("existing: {mode}")));
        apply(&ends.target).expect(0);
        assert_eq!(ends.people(), expected, "{mode}");
        ends.target.is_settled();
    }
}

#[test]
fn changes_travel_by_on_change_and_old_exports_go() {
    let ends = Ends::directory();
    declare(&ends.source, &export("keep: 2", "repeat: on-change"));
    let renamed = import("{ from: shop.people, to: shop.persons }", "existing: replace\n    repeat: on-change");
    declare(&ends.target, &renamed.replace("{ store: disk }", "{ store: disk, export: source/out }"));
    for number in 1..=4 {
        apply(&ends.source).expect(0);
        ends.source.is_settled();
        apply(&ends.target).expect(0);
        ends.target.is_settled();
        let count = ends.pair.number("analytics", "SELECT count(*) FROM shop.persons");
        assert_eq!(count, 2 + number);
        let exports: std::collections::BTreeSet<String> =
            ends.keys().iter().filter_map(|key| key.split('/').nth(2).map(str::to_owned)).collect();
        let mut kept: Vec<String> = (number.max(2) - 1..=number).map(|number| number.to_string()).collect();
        kept.push("latest.json".to_owned());
        assert_eq!(exports.into_iter().collect::<Vec<_>>(), kept);
        let id = 10 + number;
        ends.pair.sql(
            "shop",
            &format!("INSERT INTO shop.people (id, name) VALUES ({id}, 'new'); REFRESH TABLE shop.people"),
        );
        ends.source.run(&["plan", "--detailed-exitcode"]).expect(2);
        ends.target.is_settled();
    }
}

#[test]
fn an_export_that_is_cut_is_none_and_the_next_run_ends_it() {
    for (statement, what) in [
        ("create repository", What::DropConnectionAfter),
        ("copy", What::DropConnectionBefore),
        ("copy", What::DropConnectionAfter),
        ("insert into \"transship\"", What::DropConnectionAfter),
    ] {
        for nth in [1, 2] {
            let ends = Ends::directory();
            let fault = Fault {
                cluster: "shop".to_owned(),
                statement: statement.to_owned(),
                nth,
                times: 1,
                what: what.clone(),
            };
            ends.pair.sandbox.faults(vec![fault]);
            let first = apply(&ends.source);
            let has_manifest =
                ends.keys().iter().any(|key| key.ends_with("manifest.json") || key.ends_with("latest.json"));
            assert!(first.code == 0 || !has_manifest, "{statement} {nth}: {}", first.all());
            if first.code != 0 {
                let said = ends.target.run(&["plan"]).expect(1).all();
                assert!(said.contains("plan::no-export"), "{said}");
            }
            apply(&ends.source).expect(0);
            ends.source.is_settled();
            let number = if first.code == 0 { "1" } else { "2" };
            let strays: Vec<String> =
                ends.keys().into_iter().filter(|key| !key.starts_with(&format!("source/out/{number}/"))).collect();
            assert_eq!(strays, ["source/out/latest.json"], "{statement} {nth}");
            apply(&ends.target).expect(0);
            assert_eq!(ends.people(), ALL);
        }
    }
}

#[test]
fn an_import_that_is_cut_leaves_nothing_in_place_and_the_next_run_ends_it() {
    for (statement, what) in [
        ("create table \"shop\"", What::DropConnectionAfter),
        ("copy", What::DropConnectionBefore),
        ("copy", What::DropConnectionAfter),
        ("alter table", What::DropConnectionAfter),
    ] {
        let ends = Ends::directory();
        apply(&ends.source).expect(0);
        let cluster = "analytics".to_owned();
        let fault = Fault { cluster, statement: statement.to_owned(), nth: 1, times: 1, what: what.clone() };
        ends.pair.sandbox.faults(vec![fault]);
        let _ = apply(&ends.target);
        apply(&ends.target).expect(0);
        assert_eq!((ends.people().as_str(), ends.tables()), (ALL, 2), "{statement} {what:?}");
        ends.target.is_settled();
    }
}

#[test]
fn files_that_are_not_what_the_manifest_says_are_refused_before_anything_is_changed() {
    let ends = Ends::directory();
    apply(&ends.source).expect(0);
    let manifest = ends.manifest("source/out/1/manifest.json");
    let file = manifest["tables"][1]["files"].as_array().into_iter().flatten().find(|file| file["size"] != 0);
    let file =
        ends.path(&format!("source/out/1/{}", file.expect("a file with rows")["path"].as_str().expect("a path")));
    let content = fs_err::read_to_string(&file).expect("the file is there");

    // The same size, another content: found when it is read, before a table is made.
    fs_err::write(&file, content.replace("Ada", "Bob").replace("Cyd", "Bob")).expect("written");
    ends.target.run(&["plan"]).expect(0);
    let said = apply(&ends.target).expect(7).all();
    assert!(said.contains("apply::file-broken") && said.contains("checksum"), "{said}");
    assert_eq!(ends.tables(), 0, "nothing was made");

    // Another size, and no file at all: found by the plan of either end.
    fs_err::write(&file, "").expect("written");
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::export-damaged") && said.contains("0 bytes instead of"), "{said}");
    fs_err::remove_file(&file).expect("removed");
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::export-damaged") && said.contains("it is not there"), "{said}");
    let said = ends.source.run(&["plan", "--detailed-exitcode"]).expect(2).all();
    assert!(said.contains("is not whole"), "{said}");
    apply(&ends.source).expect(0);
    apply(&ends.target).expect(0);
    assert_eq!(ends.people(), ALL);
}

#[test]
fn manifests_that_nobody_can_use_are_told_with_their_path() {
    let ends = Ends::directory();
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::no-export"), "{said}");
    apply(&ends.source).expect(0);
    let path = ends.path("source/out/1/manifest.json");
    let text = fs_err::read_to_string(&path).expect("the manifest is there");
    fs_err::write(&path, text.replace("people", "folk")).expect("written");
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::bad-manifest") && said.contains("it is not the one that"), "{said}");
    fs_err::remove_file(ends.path("source/out/latest.json")).expect("removed");
    for (content, expected) in [
        ("{", "EOF"),
        ("{ \"format_version\": 9 }", "it has format 9"),
        ("{ \"format_version\": 1, \"format\": \"xml\", \"tables\": [] }", "unknown variant"),
    ] {
        fs_err::write(&path, content).expect("written");
        declare(&ends.target, &import("shop.*", "").replace("store: disk", "store: disk, export: source/out/1"));
        let said = ends.target.run(&["plan"]).expect(1).all();
        assert!(said.contains("plan::bad-manifest") && said.contains(expected), "{said}");
    }
    // Exports of two flows, and nothing that says which.
    declare(&ends.source, &export("", "").replace("out:", "other:"));
    apply(&ends.source).expect(0);
    declare(&ends.source, &export("", "").replace("out:", "third:"));
    apply(&ends.source).expect(0);
    declare(&ends.target, &import("shop.*", ""));
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::which-export") && said.contains("export: source/third"), "{said}");
    declare(&ends.target, &import("shop.*", "").replace("store: disk", "store: disk, export: source/third"));
    apply(&ends.target).expect(0);
}

#[test]
fn another_export_makes_a_saved_plan_stale_and_a_saved_observation_is_enough_to_plan() {
    let ends = Ends::directory();
    apply(&ends.source).expect(0);
    let in_target = |name: &str| ends.target.path().join(name).display().to_string();
    let (plan, seen) = (in_target("plan.json"), in_target("seen.json"));
    let first = ends.target.run(&["plan", "-o", &plan, "--save-observed", &seen, "--format", "json"]).expect(0);
    let moved = ends.pair.folder().with_extension("moved");
    fs_err::rename(ends.pair.folder(), &moved).expect("the store goes away");
    let offline = ends.target.run(&["plan", "--observed", &seen, "--format", "json"]).expect(0);
    assert_eq!(first.stdout, offline.stdout);
    // The machine does not see the store: nothing can be said, and nothing is done.
    let said = ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("plan::store-unreachable") && said.contains("store::no-directory"), "{said}");
    ends.source.run(&["plan"]).expect(1);
    fs_err::rename(&moved, ends.pair.folder()).expect("the store comes back");
    apply_again(&ends);
    let stale = ends.target.run(&["apply", &plan, "--auto-approve"]).expect(4).all();
    assert!(stale.contains("export in store disk"), "{stale}");
    assert_eq!(ends.tables(), 0);
}

fn apply_again(ends: &Ends) {
    ends.source.run(&["apply", "--auto-approve", "--resync", "out"]).expect(0);
}

#[test]
fn no_secret_of_a_bucket_shows() {
    let ends = Ends::bucket();
    let mut said = ends.source.run(&["plan", "--explain"]).expect(0).all();
    said += &ends.source.run(&["plan", "--format", "json"]).expect(0).all();
    said += &apply(&ends.source).expect(0).all();
    let seen = ends.target.path().join("seen.json").display().to_string();
    said += &ends.target.run(&["plan", "--format", "json", "--save-observed", &seen]).expect(0).all();
    said += &fs_err::read_to_string(&seen).expect("saved");
    said += &apply(&ends.target).expect(0).all();
    for key in ends.keys() {
        said += &String::from_utf8_lossy(&ends.read(&key));
    }
    for cluster in ["shop", "analytics"] {
        said += &format!("{:?}", ends.pair.sql(cluster, "SELECT * FROM transship.flows").texts);
    }
    let server = ends.server.as_ref().expect("a server");
    server.fail(crate::s3::Fault::Forbid);
    said += &ends.source.run(&["plan"]).expect(1).all();
    said += &ends.target.run(&["plan"]).expect(1).all();
    assert!(said.contains("store::forbidden"), "{said}");
    for secret in [ACCESS_KEY, SECRET_KEY, PASSWORD] {
        let encoded = transship_model::redact::percent_encode(secret, false);
        assert!(!said.contains(secret) && !said.contains(&encoded), "a secret shows: {said}");
    }
}
