//! Export and import between real clusters: from YAML to equal data through a directory and a bucket, and what goes wrong.

use crate::real::{Copies, Outcome, Transship};
use crate::real_mover::types::{ROWS, TYPES};
use crate::real_mover::unordered;
use crate::real_snapshot::{SIX, six_but, six_tables};
use crate::s3::{ACCESS_KEY, Fault, S3, SECRET_KEY};

const ALL: &str = "id, name, email, active, amount::text, at, month";

/// A flow through a shared directory, with one table entry and more keys.
struct Exports {
    copies: Copies,
    /// What both clusters have under `path.repo`, below which this test has a place of its own.
    folder: String,
}

impl Exports {
    fn new(name: &str) -> Option<Self> {
        Copies::new(name).map(Self::of)
    }

    fn bare(name: &str) -> Option<Self> {
        Copies::bare(name).map(Self::of)
    }

    fn of(copies: Copies) -> Self {
        let repo = "SELECT settings['path']['repo'][1] FROM sys.nodes LIMIT 1";
        let of_nodes =
            copies.alpha().try_sql(repo).ok().and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
        let exchange = std::env::temp_dir().join(format!("transship-it-{}", std::process::id())).join("exchange");
        let folder = of_nodes.unwrap_or_else(|| exchange.display().to_string());
        let folder = format!("{folder}/{}", copies.scope.schema);
        copies
            .workspace
            .write("stores.yaml", &format!("version: 1\nstores:\n  disk:\n    directory: {{ path: {folder} }}\n"));
        Self { copies, folder }
    }

    fn declare(&self, entry: &str, strategy: &str, more: &str) {
        let entry = entry.replace("SCHEMA", &self.copies.scope.schema);
        let flow = format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables:\n      - {entry}\n    \
             strategy: {{ export-import: {{ {strategy} }} }}\n    {more}\n"
        );
        self.copies.workspace.write("flows.yaml", &flow);
    }

    /// The files below the folder, without it.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(std::path::Path::new(&self.folder), &mut found);
        let mut found: Vec<String> =
            found.into_iter().map(|path| path.strip_prefix(&self.folder).unwrap_or(&path).to_owned()).collect();
        // Two small files of the marker stay.
        found.retain(|path| !path.contains("/marker/"));
        found.sort();
        found
    }

    /// Nothing is left but the target and the files: no repository, no copy aside.
    #[track_caller]
    fn is_clean(&self) {
        self.copies.aside(0);
        for cluster in [self.copies.alpha(), self.copies.beta()] {
            let mine = format!("SELECT name FROM sys.repositories WHERE name LIKE '%{}%'", self.copies.scope.schema);
            assert!(cluster.sql(&mine).is_empty());
        }
    }
}

fn collect(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.path().is_dir() {
            collect(&entry.path(), found);
        } else {
            found.push(entry.path().display().to_string());
        }
    }
}

fn apply(exports: &Exports) -> Outcome {
    exports.copies.workspace.apply()
}

#[test]
fn real_a_table_goes_through_a_directory_and_the_second_plan_is_empty() {
    let Some(exports) = Exports::new("exp-whole") else { return };
    let copies = &exports.copies;
    copies.alpha().sql(&format!("UPDATE {0} SET name = NULL WHERE id < 10; REFRESH TABLE {0}", copies.people()));
    for (strategy, suffix) in [("store: disk", ".json"), ("store: disk, compression: gzip", ".json.gz")] {
        exports.declare("SCHEMA.people", strategy, "existing: error");
        let kinds = copies.kinds();
        // The first import has shown that both see the same store.
        let kinds = if strategy == "store: disk" {
            assert_eq!(kinds[0], "check-store");
            &kinds[1..]
        } else {
            &kinds[..]
        };
        assert_eq!(kinds[..4], ["export-rows", "create-table", "import-rows", "rename-table"]);
        let _ = apply(&exports);
        copies.is_equal(ALL, 1000);
        let nulls = format!("SELECT count(*) FROM {} WHERE name IS NULL", copies.people());
        assert_eq!(copies.beta().value(&nulls).as_deref(), Some("9"), "NULL under a DEFAULT");
        copies.workspace.is_settled();
        exports.is_clean();
        // The export before is gone, and this one is kept.
        let files = exports.files();
        assert!(files.len() == 2 && files.iter().all(|file| file.ends_with(suffix)), "{files:?}");
        copies.beta().sql(&format!("DROP TABLE {}", copies.people()));
    }
}

#[test]
fn real_every_type_arrives_exactly_through_json_and_csv_or_is_refused() {
    let Some(exports) = Exports::bare("exp-types") else { return };
    let copies = &exports.copies;
    let table = copies.scope.table("every_type");
    copies
        .alpha()
        .sql(&format!("CREATE TABLE {table} ({TYPES}) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"));
    for (columns, rows) in ROWS {
        for row in *rows {
            copies.alpha().sql(&format!("INSERT INTO {table} ({columns}) VALUES ({row})"));
        }
    }
    copies.alpha().sql(&format!("REFRESH TABLE {table}"));
    let sql = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' AND table_name = 'every_type' \
         AND column_details['path'] = [] ORDER BY ordinal_position",
        copies.scope.schema
    );
    let names: Vec<String> =
        copies.alpha().sql(&sql).into_iter().map(|mut row| row[0].take().expect("a name")).collect();
    // What only transship writes so that CrateDB reads it, and what CrateDB reads from no CSV.
    let (bent, no_csv) = (["o", "bt", "ao", "abt", "aan"], ["gs", "fv", "ag"]);
    let without = |left_out: &[&str]| -> Vec<String> {
        names.iter().filter(|name| !left_out.contains(&name.as_str())).cloned().collect()
    };
    exports.declare("SCHEMA.every_type", "store: disk, format: csv", "existing: replace");
    let refused = copies.workspace.run(&["plan"]).expect(1).all();
    for column in no_csv {
        assert!(refused.contains(&format!("column {column} of")), "{column} {refused}");
    }
    assert_eq!(refused.matches("plan::export-bends").count(), no_csv.len(), "{refused}");
    for (strategy, kept, kind) in [
        ("store: disk", without(&bent), "export-rows"),
        ("store: disk, compression: gzip", names.clone(), "write-files"),
        ("store: disk, format: csv", without(&no_csv), "write-files"),
        ("store: disk, format: csv, compression: gzip", without(&no_csv), "write-files"),
    ] {
        let entry = format!("{{ from: SCHEMA.every_type, columns: [{}] }}", kept.join(", "));
        exports.declare(&entry, strategy, "existing: replace");
        if strategy.contains("csv, compression") {
            copies.beta().sql(&format!("DROP TABLE {table}"));
        }
        let kinds = copies.kinds();
        assert_eq!(kinds.iter().find(|it| *it != "check-store").map(String::as_str), Some(kind), "{strategy}");
        let _ = apply(&exports);
        copies.workspace.is_settled();
        are_equal(copies, &table, &kept);
        exports.is_clean();
    }
    let files = exports.files();
    assert!(files.iter().any(|file| file.ends_with("/rows-1.csv.gz")), "{files:?}");
    assert!(files.iter().any(|file| file.ends_with("/rest-1.json.gz")), "an empty text and a line break: {files:?}");
}

/// The columns `kept` of a table are the same on both clusters, value by value, read past the column store.
#[track_caller]
fn are_equal(copies: &Copies, table: &str, kept: &[String]) {
    let values: Vec<String> = kept.iter().map(|name| format!("_doc['{name}']")).collect();
    let select = format!("SELECT id, {} FROM {table} ORDER BY id", values.join(", "));
    let (source, target) = (copies.alpha().sql(&select), copies.beta().sql(&select));
    assert!(source.len() > 30 && source.len() == target.len(), "{} rows", target.len());
    for (source, target) in source.iter().zip(&target) {
        for (name, (source, target)) in kept.iter().zip(source.iter().zip(target).skip(1)) {
            let is_equal = source == target || source.as_deref().map(unordered) == target.as_deref().map(unordered);
            assert!(is_equal, "column {name}: {source:?} became {target:?}");
        }
    }
}

#[test]
fn real_chosen_rows_of_partitions_travel_and_those_without_files_are_not_missed() {
    let Some(exports) = Exports::bare("exp-parts") else { return };
    let copies = &exports.copies;
    let table = copies.people();
    copies.alpha().sql(&format!(
        "CREATE TABLE {table} (id INTEGER, at TIMESTAMP WITH TIME ZONE, day INTEGER, \
         month TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', at), PRIMARY KEY (id, month, day)) \
         CLUSTERED BY (id) INTO 3 SHARDS PARTITIONED BY (month, day) WITH (number_of_replicas = 0);
         INSERT INTO {table} (id, at, day) SELECT g, '2026-01-15'::timestamp + (g % 3)::bigint * 2678400000, g % 2 \
         FROM generate_series(1, 600) AS t(g); REFRESH TABLE {table}"
    ));
    let count = |filter: &str| copies.alpha().value(&format!("SELECT count(*) FROM {table} WHERE {filter}"));
    for (filter, existing) in [
        ("true", "replace"),
        ("month >= '2026-02-01' AND day = 1", "replace\n    allow_shrink: true"),
        ("id = 7 AND month = '2026-02-01' AND day = 1", "replace\n    allow_shrink: true"),
        ("id = 7", "replace\n    allow_shrink: true"),
        ("id < 0", "replace\n    allow_shrink: true"),
    ] {
        exports.declare(
            &format!("{{ from: SCHEMA.people, where: \"{filter}\" }}"),
            "store: disk",
            &format!("existing: {existing}"),
        );
        let _ = apply(&exports);
        copies.workspace.is_settled();
        let rows = "SELECT id, at, day, month FROM {} WHERE {} ORDER BY id";
        let rows = |filter: &str| rows.replacen("{}", &table, 1).replacen("{}", filter, 1);
        assert_eq!(copies.beta().value(&format!("SELECT count(*) FROM {table}")), count(filter), "{filter}");
        assert_eq!(copies.alpha().sql(&rows(filter)), copies.beta().sql(&rows("true")), "{filter}");
        exports.is_clean();
    }
}

#[test]
fn real_rows_are_added_and_overwritten_and_refused_ones_are_told_by_file_and_line() {
    let Some(exports) = Exports::new("exp-into") else { return };
    let copies = &exports.copies;
    let people = copies.people();
    let columns = "id, name, email, active, at";
    let make = |check: &str| {
        copies.beta().sql(&format!(
            "DROP TABLE IF EXISTS {people}; CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT, email TEXT, \
             active BOOLEAN, at TIMESTAMP WITH TIME ZONE {check}) WITH (number_of_replicas = 0);
             INSERT INTO {people} (id, name) VALUES (5000, 'theirs'); REFRESH TABLE {people}"
        ));
    };
    let entry = format!("{{ from: SCHEMA.people, columns: [{columns}] }}");
    for mode in ["upsert", "append"] {
        copies.workspace.write("flows.yaml", "version: 1\n");
        copies.workspace.apply();
        make("");
        if mode == "upsert" {
            copies.beta().sql(&format!("INSERT INTO {people} (id, name) VALUES (1, 'old'); REFRESH TABLE {people}"));
        }
        exports.declare(&entry, "store: disk, compression: gzip", &format!("existing: {mode}"));
        assert_eq!(copies.kinds()[..3], ["check-store", "export-rows", "import-rows"]);
        let _ = apply(&exports);
        copies.workspace.is_settled();
        let named = |id: u32| copies.beta().value(&format!("SELECT name FROM {people} WHERE id = {id}"));
        assert_eq!((named(1).as_deref(), named(5000).as_deref()), (Some("n1"), Some("theirs")), "{mode}");
        assert_eq!(copies.beta().count(&people), 1001);
    }
    copies.workspace.write("flows.yaml", "version: 1\n");
    copies.workspace.apply();
    make(", CONSTRAINT low CHECK (id < 990 OR id = 5000)");
    exports.declare(&entry, "store: disk", "existing: append");
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7).all();
    assert!(failed.contains("989 of 1000 exported rows") && failed.contains("people_"), "{failed}");
    assert!(failed.contains("CONSTRAINT low") && failed.contains("line"), "{failed}");
    // Rows may be there: nothing is added again before somebody has looked.
    copies.workspace.run(&["plan"]).expect(1);
}

#[test]
fn real_a_table_goes_through_a_bucket_and_no_secret_is_left_anywhere() {
    let Some(exports) = Exports::new("exp-bucket") else { return };
    let copies = &exports.copies;
    let server = S3::start(&["bucket"]);
    let (host, port) = (server.address.ip(), server.address.port());
    copies.workspace.write(
        "stores.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    s3: {{ bucket: bucket, prefix: shop, region: eu-central-1, \
             endpoint: \"{host}:{port}\", path_style: true, protocol: http, access_key: {{ env: S3_KEY }}, \
             secret_key: {{ env: S3_SECRET }} }}\n"
        ),
    );
    let run = |arguments: &[&str]| {
        let program = Transship::new(&copies.workspace, arguments);
        program.env("S3_KEY", ACCESS_KEY).env("S3_SECRET", SECRET_KEY).run()
    };
    let mut said = String::new();
    for (entry, more) in [
        ("SCHEMA.people", "existing: replace"),
        ("{ from: SCHEMA.people, where: id = 7 }", "existing: replace\n    allow_shrink: true"),
        ("SCHEMA.people", "existing: replace\n    replace_by: view"),
    ] {
        exports.declare(entry, "store: disk, compression: gzip", more);
        said += &run(&["plan", "--explain"]).expect(0).all();
        said += &run(&["apply", "--auto-approve"]).expect(0).all();
        run(&["plan", "--detailed-exitcode"]).expect(0);
    }
    copies.is_equal(ALL, 1000);
    let mut keys = server.keys("bucket");
    keys.retain(|key| !key.contains("/marker/"));
    assert!(!keys.is_empty() && keys.iter().all(|key| key.contains("/copy/3/")), "only the last one is kept: {keys:?}");

    // The bucket forbids everything: the run fails before the target is touched, and says no secret.
    server.fail(Fault::Forbid);
    said += &run(&["apply", "--auto-approve", "--resync", "copy"]).expect(7).all();
    server.fail(Fault::None);
    said += &run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0).all();
    copies.is_equal(ALL, 1000);
    for cluster in [copies.alpha(), copies.beta()] {
        let log = "SELECT stmt, error FROM sys.jobs_log WHERE stmt LIKE '%people%' OR error IS NOT NULL";
        said += &format!("{:?}", cluster.sql(log));
        said += &format!("{:?}", cluster.try_sql("SELECT * FROM transship.flows").ok());
    }
    let encoded = |secret: &str| transship_model::redact::percent_encode(secret, false);
    for secret in [ACCESS_KEY, SECRET_KEY] {
        assert!(!said.contains(secret) && !said.contains(&encoded(secret)), "a secret shows: {said}");
    }
}

/// The store of an S3 server, as YAML; its keys are in the environment.
fn bucket(server: &S3) -> String {
    format!(
        "version: 1\nstores:\n  disk:\n    s3: {{ bucket: bucket, prefix: six, region: eu-central-1, endpoint: \"{}\", \
         path_style: true, protocol: http, access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}\n",
        server.address
    )
}

#[test]
fn real_six_tables_go_as_json_and_csv_through_a_directory_and_a_bucket() {
    let Some(mut exports) = Exports::new("exp-six") else { return };
    // transship never makes the root of a store: it would be a directory in place of a mount.
    fs_err::create_dir_all(&exports.folder).expect("the shared directory can be written");
    six_tables(&exports.copies);
    let server = S3::start(&["bucket"]);
    for (name, value) in [("S3_KEY", ACCESS_KEY), ("S3_SECRET", SECRET_KEY)] {
        exports.copies.workspace.variables.push((name.to_owned(), value.to_owned()));
    }
    let names = "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = 'every_type' AND \
                 column_details['path'] = [] AND column_name NOT IN ('gs', 'fv', 'ag') AND table_schema = ";
    let (copies, no_shapes) = (&exports.copies, ["gs", "fv", "ag"]);
    let names = copies.alpha().value(&format!("{names}'{}'", copies.scope.schema)).expect("columns");
    let but = SIX.replace("SCHEMA.every_type", &format!("{{ from: SCHEMA.every_type, columns: [{names}] }}"));
    for (tables, left_out, format, in_bucket) in [
        (SIX, &[][..], "format: json", false),
        (but.as_str(), &no_shapes[..], "format: csv, compression: gzip", false),
        (SIX, &[], "format: json, compression: gzip", true),
        (but.as_str(), &no_shapes, "format: csv", true),
    ] {
        if in_bucket {
            copies.workspace.write("stores.yaml", &bucket(&server));
        }
        let list = tables.trim_matches(['[', ']']).replace("SCHEMA", &copies.scope.schema);
        let flow = format!(
            "version: 1\nflows:\n  copy:\n    from: alpha\n    to: beta\n    tables: [{list}]\n    \
             strategy: {{ export-import: {{ store: disk, {format} }} }}\n    existing: replace\n"
        );
        copies.workspace.write("flows.yaml", &flow);
        let said = copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0).all();
        six_but(copies, left_out);
        copies.workspace.is_settled();
        exports.is_clean();
        for secret in [ACCESS_KEY, SECRET_KEY] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    let tables =
        format!("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'", copies.scope.schema);
    assert_eq!(copies.beta().value(&tables).as_deref(), Some("6"));
    let keys = server.keys("bucket");
    assert!(keys.iter().all(|key| key.contains("/copy/4/")), "only the last export is kept: {keys:?}");
    assert!(keys.iter().any(|key| key.ends_with(".large/rows-1.csv")), "{keys:?}");
}
