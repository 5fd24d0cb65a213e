//! The sandbox held against answers that a real CrateDB gave, statement by statement. Where it answers otherwise, the
//! statement stands with the reason in `tests/recordings/exceptions.txt`; anything else, and any line there that is no
//! longer needed, fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;
use tokio::runtime::Runtime;
use transship_sandbox::{Answer, Clock, ClusterSpec, Sandbox, SqlError};

use crate::figures::Figures;

/// The ports in recorded connection strings.
const PORTS: [&str; 2] = [":4300", ":5432"];

/// How often it is looked again for what takes a while.
const LOOKS: u32 = 8;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recordings"))
}

/// A recorded statement with its answer.
struct Recorded {
    cluster: String,
    user: String,
    sql: String,
    answer: Json,
}

fn read(file: &str) -> Vec<(usize, Recorded)> {
    let text = fs_err::read_to_string(folder().join(file)).expect("a recording");
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let answer: Json = serde_json::from_str(line).expect("a line of JSON");
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        if answer["sql"].is_string() {
            let recorded = Recorded { cluster: text("cluster"), user: text("user"), sql: text("sql"), answer };
            found.push((number + 1, recorded));
        }
    }
    found
}

/// A text without what differs each time: ports, a node's name, and the identity of a Java object.
fn steady(text: &str, port: u16) -> String {
    let text = text.replace(&format!(":{port}"), ":PORT").replace("NODE: b-1", "NODE: b");
    let text = PORTS.iter().fold(text, |text, known| text.replace(known, ":PORT"));
    match text.split_once("AnalyzedAlterSubscription@") {
        Some((before, _)) => format!("{before}AnalyzedAlterSubscription"),
        None => text,
    }
}

/// A cell without what may differ: ports, the identity of a node, and the order of the keys of objects.
fn cell(cell: Option<&str>, port: u16) -> String {
    let Some(text) = cell else { return "NULL".to_owned() };
    let text = &steady(text, port);
    match text.starts_with('{').then(|| serde_json::from_str::<Json>(text)) {
        Some(Ok(Json::Object(node))) if node.keys().eq(["id", "name"]) => "a node".to_owned(),
        Some(Ok(json)) => json.to_string(),
        _ => text.to_owned(),
    }
}

/// The rows of an answer, sorted: most statements leave the order of some rows open.
fn rows(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

/// What differs between an answer and the recorded one; empty if nothing does.
fn difference(recorded: &Recorded, found: &Result<Answer, SqlError>, port: u16) -> String {
    let expected = &recorded.answer;
    match (found, expected.get("error")) {
        (Err(error), Some(wanted)) => {
            let (state, message) =
                (wanted["sqlstate"].as_str(), steady(wanted["message"].as_str().unwrap_or_default(), port));
            let is_syntax = state == Some("42601") && error.sqlstate == "42601";
            let same = state.is_none_or(|state| state == error.sqlstate);
            if same && (is_syntax || message == error.message) {
                String::new()
            } else {
                format!("{error} instead of {message}")
            }
        }
        (Err(error), None) => format!("{error}"),
        (Ok(answer), Some(_)) => format!("{} instead of an error", answer.tag),
        (Ok(answer), None) => answer_difference(recorded, answer, port),
    }
}

fn answer_difference(recorded: &Recorded, answer: &Answer, port: u16) -> String {
    let expected = &recorded.answer;
    if expected["status"].as_str() != Some(&answer.tag) {
        return format!("{} instead of {}", answer.tag, expected["status"]);
    }
    let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let columns: Vec<(String, u64)> = list(&expected["columns"])
        .iter()
        .map(|column| (column["name"].as_str().unwrap_or_default().to_owned(), column["oid"].as_u64().unwrap_or(0)))
        .collect();
    let found: Vec<(String, u64)> =
        answer.columns.iter().cloned().zip(answer.oids.iter().map(|oid| (*oid).into())).collect();
    if columns != found {
        return format!("columns {found:?} instead of {columns:?}");
    }
    let expected = list(&expected["rows"])
        .iter()
        .map(|row| list(row).iter().map(|text| cell(text.as_str(), port)).collect())
        .collect();
    let found = answer.texts.iter().map(|row| row.iter().map(|text| cell(text.as_deref(), port)).collect()).collect();
    let (expected, found) = (rows(expected), rows(found));
    if expected == found { String::new() } else { format!("rows {found:?} instead of {expected:?}") }
}

/// Runs all files in one world, one after the other; the number of statements by file and the differences by place.
fn replay(runtime: &Runtime, files: &[String]) -> (BTreeMap<String, usize>, BTreeMap<String, String>) {
    let clock = Clock::still(1_767_225_600_000);
    // What was mounted on both clusters, of which `exp` was there.
    let root = std::env::temp_dir().join(format!("transship-recordings-{}", std::process::id()));
    fs_err::create_dir_all(root.join("exchange/exp")).expect("a directory");
    let spec = |name: &str| ClusterSpec::new(name).root(&root).path_repo("/exchange/repo");
    let sandbox = runtime.block_on(Sandbox::start_still(&[spec("a"), spec("b")], clock.clone())).expect("free ports");
    sandbox.make_bucket("127.0.0.1:9000", "bkt", Some(("k", "s")));
    let port = sandbox.port("a").expect("a cluster");
    let (mut counts, mut differences) = (BTreeMap::new(), BTreeMap::new());
    for file in files {
        for (line, recorded) in read(file) {
            *counts.entry(file.clone()).or_default() += 1;
            let sql = PORTS.iter().fold(recorded.sql.clone(), |sql, known| sql.replace(known, &format!(":{port}")));
            let ask = || {
                sandbox.execute_as(&recorded.cluster, &recorded.user, &sql).map_err(|mut error| {
                    error.message = steady(&error.message, port);
                    error
                })
            };
            let mut found = difference(&recorded, &ask(), port);
            for _ in 0..if sql.starts_with("SELECT") { LOOKS } else { 0 } {
                if found.is_empty() {
                    break;
                }
                clock.advance(300);
                sandbox.tick();
                found = difference(&recorded, &ask(), port);
            }
            if !found.is_empty() {
                differences.insert(format!("{file}:{line}"), found);
            }
            clock.advance(50);
        }
    }
    fs_err::remove_dir_all(&root).expect("it was made");
    (counts, differences)
}

/// The listed exceptions: place and reason.
fn exceptions() -> BTreeMap<String, String> {
    let text = fs_err::read_to_string(folder().join("exceptions.txt")).expect("the list of exceptions");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_once(' ').expect("a place and a reason"))
        .map(|(place, why)| (place.to_owned(), why.to_owned()))
        .collect()
}

#[test]
fn recorded_statements_are_answered_alike() {
    let runtime = Runtime::new().expect("a runtime");
    let mut files: Vec<String> = fs_err::read_dir(folder())
        .expect("the recordings")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.contains(".jsonl"))
        .collect();
    files.sort();
    let (counts, differences) = replay(&runtime, &files);
    let (count, reasons): (usize, _) = (counts.values().sum(), exceptions());
    let listed: BTreeSet<&String> = reasons.keys().collect();
    let new: Vec<String> = differences
        .iter()
        .filter(|(place, _)| !listed.contains(place))
        .map(|(place, what)| format!("{place} {what}"))
        .collect();
    let gone: Vec<&&String> = listed.iter().filter(|place| !differences.contains_key(**place)).collect();
    assert!(new.is_empty(), "{} of {count} differ; not listed are\n{}", differences.len(), new.join("\n"));
    assert!(gone.is_empty(), "answered alike, yet listed as exceptions: {gone:?}");
    let part = |(file, count): (&String, &usize)| {
        let others = differences.keys().filter(|place| place.starts_with(&format!("{file}:"))).count();
        (format!("`{file}`"), *count, count - others)
    };
    let figures = Figures { parts: counts.iter().map(part).collect(), reasons: reasons.into_values().collect() };
    figures.stand_in_the_page("recordings");
}
