//! Rules about the crates themselves: who may depend on whom, and no test that nobody runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const OWN: &str = "transship-";

/// The system that this is built on, as Rust calls it.
fn platform() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

/// Every package to the packages that it depends on, without dev-dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        // What only other systems need is not fetched by a build.
        .args(["--filter-platform", &platform(), "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    // What only a browser needs is none of ours.
    let is_of_browsers = |kind: &Value| kind["target"].as_str().is_some_and(|target| target.contains("wasm"));
    let is_normal = |dependency: &Value| {
        list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null() && !is_of_browsers(kind))
    };
    list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let all = list(&node["deps"]);
            let on = all.iter().filter(|dependency| is_normal(dependency)).map(|it| names[&text(&it["pkg"])].clone());
            (names[&text(&node["id"])].clone(), on.collect())
        })
        .collect()
}

fn closure(of: &str, dependencies: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = vec![of.to_owned()];
    while let Some(package) = next.pop() {
        let new = dependencies.get(&package).into_iter().flatten().filter(|on| found.insert((*on).clone()));
        next.extend(new.cloned());
    }
    found
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_pure_crates_know_no_async_and_no_network() {
    let all = dependencies();
    for pure in ["model", "spec", "sql", "plan"] {
        let found = closure(&format!("{OWN}{pure}"), &all);
        assert!(found.contains("serde"), "{pure} is looked at");
        for forbidden in ["tokio", "futures-util", "tokio-postgres", "rustls", "socket2", "mio"] {
            assert!(!found.contains(forbidden), "{pure} depends on {forbidden}");
        }
    }
}

#[test]
fn dependencies_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[][..]),
        ("spec", &["model", "expr"]),
        ("sql", &["model"]),
        ("plan", &["model", "sql", "expr"]),
        ("cluster", &["model", "sql"]),
        ("mover", &["model", "sql", "cluster", "expr"]),
        ("apply", &["model", "sql", "plan", "cluster", "mover", "store", "expr"]),
        ("store", &["model"]),
        ("sandbox", &[]),
        ("expr", &[]),
    ]);
    let all = dependencies();
    for (of, may) in allowed {
        let on = all[&format!("{OWN}{of}")].iter().filter_map(|name| name.strip_prefix(OWN));
        let wrong: Vec<&str> = on.filter(|name| !may.contains(name)).collect();
        assert!(wrong.is_empty(), "{of} depends on {wrong:?}");
    }
    assert!(!closure("transship", &all).contains("serde_yaml"), "serde_yaml is an alias, never the archived crate");
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = root().join("tests/it");
    let main = fs_err::read_to_string(folder.join("main.rs")).expect("the list of tests");
    for entry in fs_err::read_dir(&folder).expect("the tests") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let module = name.trim_end_matches(".rs");
        let listed = module == "main" || main.contains(&format!("mod {module};"));
        assert!(listed, "tests/it/{name} is not listed in tests/it/main.rs");
    }
}

#[test]
fn commands_and_crates_of_the_readme_exist() {
    let readme = fs_err::read_to_string(root().join("README.md")).expect("the README");
    let runner = fs_err::read_to_string(root().join(".ci/run")).expect("what CI runs");
    assert!(readme.contains("cargo test --workspace") && runner.contains("cargo test --workspace"));
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
    for link in links.filter(|link| !link.contains("://")) {
        assert!(root().join(link).exists(), "README.md links to {link}, which does not exist");
    }
}
