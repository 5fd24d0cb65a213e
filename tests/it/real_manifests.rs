//! Exports to a store and imports from one on real clusters: every type there and back, and files that somebody changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::real::Copies;
use crate::real_snapshot::{SIX, six_but, six_tables};
use crate::s3::{ACCESS_KEY, S3, SECRET_KEY};

/// A directory that this machine and the nodes of both clusters see, and that both may write to.
fn shared(copies: &Copies) -> PathBuf {
    let repo = "SELECT settings['path']['repo'][1] FROM sys.nodes LIMIT 1";
    let of_nodes = copies.alpha().try_sql(repo).ok().and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
    let exchange = std::env::temp_dir().join(format!("transship-it-{}", std::process::id())).join("exchange");
    let folder = of_nodes.map_or(exchange, PathBuf::from).join(&copies.scope.schema);
    fs_err::create_dir_all(&folder).expect("the directory can be made");
    fs_err::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    folder
}

/// A flow `out` of alpha's tables to the store, and a flow `in` that imports them into beta.
fn declare(copies: &Copies, store: &str, (tables, settings, more): (&str, &str, &str)) {
    let tables = tables.replace("SCHEMA", &copies.scope.schema);
    let place = format!("{}/out", copies.scope.workspace);
    copies.workspace.write(
        "flows.yaml",
        &format!(
            "version: 1\nstores:\n  disk:\n    {store}\nflows:\n  out:\n    from: alpha\n    to: {{ store: disk }}\n    \
             tables: {tables}\n    strategy: {{ export-import: {{ {settings} }} }}\n    repeat: on-change\n  in:\n    \
             from: {{ store: disk, export: {place} }}\n    to: beta\n    tables: {tables}\n    strategy: {{ \
             export-import: {{}} }}\n    existing: replace\n    repeat: on-change\n    {more}\n"
        ),
    );
}

/// Exports, and imports what was exported.
fn there_and_back(copies: &Copies) -> String {
    let mut said = copies.workspace.run(&["plan", "--target", "out", "--explain"]).expect(0).all();
    said += &copies.workspace.run(&["apply", "--auto-approve", "--target", "out"]).expect(0).all();
    said += &copies.workspace.run(&["plan", "--explain"]).expect(0).all();
    said += &copies.workspace.apply().all();
    copies.workspace.is_settled();
    said
}

#[test]
fn real_six_tables_go_into_a_directory_and_out_of_it_again() {
    let Some(copies) = Copies::new("man-dir") else { return };
    six_tables(&copies);
    let folder = shared(&copies);
    declare(&copies, &format!("directory: {{ path: {} }}", folder.display()), (SIX, "compression: gzip", ""));
    let _ = there_and_back(&copies);
    copies.aside(0);
    six_but(&copies, &[]);

    // What changes at the source travels on by both, and the export before is removed.
    copies.insert(2001, 2010);
    copies.workspace.run(&["plan"]).expect(1);
    let _ = there_and_back(&copies);
    assert_eq!(copies.beta().count(&copies.people()), 1010);
    six_but(&copies, &[]);
    let place = folder.join(&copies.scope.workspace).join("out");
    let mut left: Vec<String> = fs_err::read_dir(&place)
        .expect("the place of the flow")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file() || entry.path().join("manifest.json").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["2", "latest.json"]);
}

#[test]
fn real_six_tables_go_into_a_bucket_and_out_of_it_again_and_no_secret_shows() {
    let Some(mut copies) = Copies::new("man-s3") else { return };
    let server = S3::start(&["handover"]);
    six_tables(&copies);
    for (name, value) in [("S3_KEY", ACCESS_KEY), ("S3_SECRET", SECRET_KEY)] {
        copies.workspace.variables.push((name.to_owned(), value.to_owned()));
    }
    let store = format!(
        "s3: {{ bucket: handover, prefix: it, region: eu-central-1, endpoint: \"{}\", path_style: true, protocol: http, \
         access_key: {{ env: S3_KEY }}, secret_key: {{ env: S3_SECRET }} }}",
        server.address
    );
    // Not packed: what CrateDB fails to write into a bucket, transship writes.
    declare(&copies, &store, (SIX, "", ""));
    let mut said = there_and_back(&copies);
    six_but(&copies, &[]);
    for key in server.keys("handover").into_iter().filter(|key| !key.contains("/rows")) {
        said += &String::from_utf8_lossy(&fs_err::read(server.bucket("handover").join(key)).expect("it is there"));
    }
    for cluster in [copies.alpha(), copies.beta()] {
        let log = "SELECT stmt, error FROM sys.jobs_log WHERE stmt LIKE 'COPY%' OR error IS NOT NULL";
        said += &format!("{:?}", cluster.sql(log));
        said += &format!("{:?}", cluster.try_sql("SELECT * FROM transship.flows").ok());
    }
    let encoded = |secret: &str| transship_model::redact::percent_encode(secret, false);
    for secret in [ACCESS_KEY, SECRET_KEY] {
        assert!(!said.contains(secret) && !said.contains(&encoded(secret)), "a secret shows");
    }
}

#[test]
fn real_csv_and_views_and_files_that_somebody_changed() {
    let Some(copies) = Copies::new("man-csv") else { return };
    let folder = shared(&copies);
    let store = format!("directory: {{ path: {} }}", folder.display());
    let people = copies.people();
    copies.alpha().sql(&format!("UPDATE {people} SET name = '' WHERE id = 7; REFRESH TABLE {people}"));
    declare(&copies, &store, ("[SCHEMA.people]", "format: csv", "replace_by: view"));
    let _ = there_and_back(&copies);
    copies.is_equal("id, name, email, active, amount::text, at, month", 1000);

    copies.insert(3001, 3010);
    copies.workspace.run(&["apply", "--auto-approve", "--target", "out"]).expect(0);
    let file = folder.join(&copies.scope.workspace).join("out/2").join(format!("{}.people", copies.scope.schema));
    let file = file.join("rows-1.csv");
    let content = fs_err::read_to_string(&file).expect("the file is there");
    fs_err::write(&file, content.replace("n11", "n22")).expect("written");
    let failed = copies.workspace.run(&["apply", "--auto-approve"]).expect(7).all();
    assert!(failed.contains("apply::file-broken") && failed.contains("checksum"), "{failed}");
    let count = || copies.beta().value(&format!("SELECT count(*) FROM {people}"));
    assert_eq!(count().as_deref(), Some("1000"), "readers see what was there");
    fs_err::remove_file(&file).expect("removed");
    let refused = copies.workspace.run(&["plan", "--target", "in"]).expect(1).all();
    assert!(refused.contains("plan::export-damaged"), "{refused}");
    let _ = there_and_back(&copies);
    assert_eq!(count().as_deref(), Some("1010"));
}
