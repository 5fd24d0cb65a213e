//! The examples in `specs/` load and resolve with made-up variables; the schema is fresh, and its keys are documented.

use std::collections::BTreeSet;
use std::env::VarError;
use std::path::{Path, PathBuf};

use crate::{LoadOptions, Variables, load, resolve, workspace_schema};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Answers any variable: addresses for `…_URL`, a secret for everything else.
struct AnyVariable;

impl Variables for AnyVariable {
    fn get(&self, name: &str) -> Result<String, VarError> {
        let address = || format!("postgres://transship@{}.example.org/", name.to_lowercase().replace('_', "-"));
        Ok(if name.ends_with("_URL") { address() } else { format!("secret of {name}") })
    }
}

fn check(example: &str, environment: Option<&str>) {
    let options = LoadOptions {
        directory: root().join("specs").join(example),
        environment: environment.map(|name| name.parse().unwrap()),
        allow_roots: Vec::new(),
    };
    let loaded = load(&options).map_err(|error| error.findings).unwrap();
    assert_eq!(loaded.warnings, [], "{example}");
    assert_eq!(loaded.spec.workspace.as_str(), example);
    let resolved = resolve(&loaded, &options, &AnyVariable).unwrap();
    assert_eq!(resolved.warnings, [], "{example}");
    assert!(resolved.access.keys().eq(loaded.spec.clusters.keys()));
    // The clusters of the tutorial have no passwords.
    if example != "quickstart" {
        assert_eq!(resolved.redactor.redact("secret of SHOP_PASSWORD"), "***");
    }
}

#[test]
fn every_example_loads_and_resolves() {
    let mut examples: Vec<String> = fs_err::read_dir(root().join("specs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    examples.sort();
    for example in examples {
        if root().join("specs").join(&example).join("environments").is_dir() {
            check(&example, Some("staging"));
            check(&example, Some("production"));
        } else {
            check(&example, None);
        }
    }
}

#[test]
fn the_published_schema_is_fresh() {
    let path = root().join("schemas/workspace.json");
    let fresh = format!("{}\n", serde_json::to_string_pretty(&workspace_schema()).unwrap());
    if std::env::var_os("TRANSSHIP_BLESS").is_some() {
        fs_err::write(&path, fresh).unwrap();
        return;
    }
    let published = fs_err::read_to_string(path).unwrap_or_default();
    assert!(published == fresh, "schemas/workspace.json is stale: run the tests with TRANSSHIP_BLESS=1");
}

/// The keys and the words of a schema.
fn words(schema: &serde_json::Value, all: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            for (keyword, inner) in object {
                if keyword == "properties" {
                    all.extend(inner.as_object().unwrap().keys().cloned());
                }
                all.extend(inner.as_str().filter(|_| keyword == "const").map(str::to_owned));
                words(inner, all);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| words(item, all)),
        _ => {}
    }
}

#[test]
fn every_key_and_word_is_documented() {
    let documentation = fs_err::read_to_string(root().join("docs/spec.md")).unwrap();
    let documented: BTreeSet<&str> =
        documentation.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').collect();
    let mut all = BTreeSet::new();
    words(&workspace_schema(), &mut all);
    let missing: Vec<&String> = all.iter().filter(|word| !documented.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "docs/spec.md does not mention {missing:?}");
}
