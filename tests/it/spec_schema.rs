//! The published schema and transship agree on shapes: over every value of a rich workspace, changed in several ways,
//! what one refuses the other refuses.

use std::path::Path;

use serde_json::{Value, json};
use transship_spec::{LoadOptions, load};

/// The codes of findings about shape, which a schema can tell.
const SHAPE: [&str; 9] = [
    "spec::bad-name",
    "spec::bad-variable-name",
    "spec::exactly-one-of",
    "spec::literal-secret",
    "spec::missing-key",
    "spec::unknown-key",
    "spec::unknown-value",
    "spec::unknown-version",
    "spec::wrong-type",
];
/// Every third change is tried: all of them take long in a debug build, and have been tried.
const EVERY: usize = 3;
/// Codes of faults that a schema tells in part: they need a calendar, or other keys.
const BEYOND: [&str; 4] = ["spec::bad-date", "spec::bad-span", "spec::empty-value", "spec::out-of-range"];

/// Every document that comes from `value` by one change, with what was changed.
fn changed(value: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for pointer in pointers(value, "") {
        for (what, with) in [
            ("a number", json!(42)),
            ("a text", json!("Some Text")),
            ("a list", json!([[]])),
            ("a map", json!({ "nothing": 1 })),
        ] {
            let mut document = value.clone();
            *document.pointer_mut(&pointer).unwrap() = with;
            all.push((format!("{pointer} is {what}"), document));
        }
        if let Some(map) = value.pointer(&pointer).and_then(Value::as_object) {
            let mut more = value.clone();
            more.pointer_mut(&pointer).unwrap()["unheard-of"] = json!("x");
            all.push((format!("{pointer} has one more key"), more));
            for key in map.keys() {
                let mut less = value.clone();
                less.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(key);
                all.push((format!("{pointer} lacks {key}"), less));
            }
        }
    }
    all
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = children.into_iter().flat_map(|(key, value)| pointers(value, &format!("{at}/{key}")));
    std::iter::once(at.to_owned()).filter(|at| !at.is_empty()).chain(below).collect()
}

/// The codes of transship's findings about a document.
fn codes(folder: &Path, document: &Value) -> Vec<&'static str> {
    fs_err::write(folder.join("a.yaml"), document.to_string()).unwrap();
    let options = LoadOptions { directory: folder.to_owned(), ..LoadOptions::default() };
    load(&options).err().map(|error| error.findings.iter().map(|finding| finding.code).collect()).unwrap_or_default()
}

#[test]
fn the_schema_and_transship_agree() {
    let validator = jsonschema::validator_for(&transship_spec::workspace_schema()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs_err::read_to_string(root.join("tests/spec/good/everything.txt")).unwrap();
    let yaml = text.split_once("-- a.yaml --\n").unwrap().1;
    let yaml = yaml.split_once("\n-- ").map_or(yaml, |(yaml, _)| yaml);
    let base: Value = serde_yaml::from_str(yaml).unwrap();
    assert!(validator.is_valid(&base));
    let folder = std::env::temp_dir().join(format!("transship-agree-{}", std::process::id()));
    fs_err::create_dir_all(&folder).unwrap();
    let (mut refused, mut taken) = (0, 0);
    for (what, document) in changed(&base).into_iter().step_by(EVERY) {
        let codes = codes(&folder, &document);
        let shape = codes.iter().any(|code| SHAPE.contains(code));
        let valid = validator.is_valid(&document);
        let beyond = codes.iter().any(|code| BEYOND.contains(code));
        assert!(valid != shape || beyond, "{what}: the schema says {valid}, transship says {codes:?}");
        *(if valid { &mut taken } else { &mut refused }) += 1;
    }
    fs_err::remove_dir_all(&folder).unwrap();
    assert!(refused > 200 && taken > 20, "{refused} are refused, {taken} are taken");
}
