//! The program as scripts see it: sessions under `tests/sessions/`, exit codes, and what goes to which stream.
//!
//! A session is a file: files to begin with (`--- NAME` and the text), then commands (`$ transship …`), each followed
//! by its exit code (`? 1`), its output, and its errors (each line after `! `). `TRANSSHIP_BLESS=1` writes them anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use transship_model::observed::Observation;

use crate::views::golden;
use crate::views_plans::{change, observation};

/// A directory of its own that is gone afterwards.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("transship-cli-{}-{number}", std::process::id()));
        fs_err::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    /// Runs the program here, in an environment of its own.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transship"));
        command.args(arguments).current_dir(&self.0).env_clear().envs(variables.iter().copied());
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn sessions() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sessions");
    let mut files: Vec<_> = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        golden(&format!("../sessions/{name}"), &play(&fs_err::read_to_string(&file).unwrap()));
    }
}

/// Plays a session and gives its transcript.
fn play(session: &str) -> String {
    let scratch = Scratch::new();
    let mut transcript = String::new();
    let mut lines = session.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("--- ") {
            let mut content = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("--- ") && !line.starts_with("$ ")) {
                content.push_str(line);
                content.push('\n');
            }
            scratch.write(name, &format!("{}\n", content.trim_end()));
            transcript.push_str(&format!("{line}\n{content}"));
        } else if let Some(command) = line.strip_prefix("$ ") {
            while lines.next_if(|line| !line.starts_with("$ ")).is_some() {}
            transcript.push_str(&format!("{line}\n{}\n", spoken(&scratch, command)));
        }
    }
    format!("{}\n", transcript.trim_end())
}

fn spoken(scratch: &Scratch, command: &str) -> String {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    let variables: Vec<_> = words.iter().map_while(|word| word.split_once('=')).collect();
    words.drain(..=variables.len());
    let output = scratch.run(&words, &variables);
    let mut spoken = format!("? {}\n{}", output.status.code().unwrap(), text(&output.stdout));
    for line in text(&output.stderr).lines() {
        spoken.push_str(format!("! {line}").trim_end());
        spoken.push('\n');
    }
    spoken
}

const SHOP: &str = "version: 1
workspace: shop-sync
clusters:
  shop:
    url: postgres://transship@shop.example.org/
    password: { env: SHOP_PASSWORD }
  analytics:
    url: postgres://transship@analytics.example.org/
flows:
  orders-live: { from: shop, to: analytics, tables: [shop.orders], strategy: { logical-replication: {} } }
";

/// The workspace above and what was seen of it, without and with the source table.
fn offline() -> (Scratch, Observation) {
    let scratch = Scratch::new();
    scratch.write("shop.yaml", SHOP);
    let mut seen = observation();
    let table = serde_json::json!({
        "kind": "table", "columns": [{ "name": "id", "data_type": "integer", "nullable": false }],
        "primary_key": ["id"], "partitioned_by": [], "clustered_by": "id", "shards": 1, "replicas": "0",
        "column_policy": "strict", "created": "6.4.0", "closed": false, "health": "GREEN",
        "writable": "yes",
        "primaries": [{ "partition": "", "id": 0, "uuid": "u", "max_seq_no": 9, "global_checkpoint": 9, "docs": 10,
                        "bytes": 100 }],
    });
    let shop = seen.clusters.get_mut(&"shop".parse().unwrap()).unwrap();
    shop.tables.insert("shop.orders".parse().unwrap(), serde_json::from_value(table).unwrap());
    shop.superuser = Some(true);
    seen.clusters.get_mut(&"analytics".parse().unwrap()).unwrap().superuser = Some(true);
    for cluster in seen.clusters.values_mut() {
        cluster.cluster_name = format!("crate-{}", cluster.id);
    }
    scratch.write("seen.json", &serde_json::to_string(&seen).unwrap());
    (scratch, seen)
}

#[test]
fn a_plan_needs_neither_clusters_nor_secrets_when_what_was_seen_is_saved() {
    let (scratch, _) = offline();
    let plan = scratch.run(&["plan", "--observed", "seen.json", "-o", "plan.json", "--json-out", "too.json"], &[]);
    assert_eq!(
        (plan.status.code(), text(&plan.stderr).as_str()),
        (Some(0), "Saved to plan.json. To do exactly this: transship apply plan.json\n"),
        "{}",
        text(&plan.stdout)
    );
    golden("cli-offline-plan.txt", &text(&plan.stdout));
    let detailed = scratch.run(&["plan", "--observed", "seen.json", "--detailed-exitcode", "-q"], &[]);
    assert_eq!(detailed.status.code(), Some(2));
    let json = scratch.run(&["plan", "--observed", "seen.json", "--format", "json"], &[]);
    let saved = fs_err::read_to_string(scratch.0.join("plan.json")).unwrap();
    assert_eq!((text(&json.stdout), text(&json.stderr)), (saved.clone(), String::new()));
    assert_eq!(fs_err::read_to_string(scratch.0.join("too.json")).unwrap(), saved);
    let shown = scratch.run(&["show", "plan.json", "--format", "json"], &[]);
    assert_eq!((shown.status.code(), text(&shown.stdout)), (Some(0), saved));
}

#[test]
fn a_plan_that_was_edited_is_shown_with_a_warning_and_not_applied() {
    let (scratch, _) = offline();
    scratch.run(&["plan", "--observed", "seen.json", "-o", "plan.json"], &[]);
    let edited = fs_err::read_to_string(scratch.0.join("plan.json")).unwrap().replace("the flow is new", "trust me");
    scratch.write("plan.json", &edited);
    let shown = scratch.run(&["show", "plan.json"], &[]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stderr).contains("was changed after it was made"));
    let applied = scratch.run(&["apply", "plan.json"], &[]);
    assert_eq!(applied.status.code(), Some(1));
    assert!(text(&applied.stderr).contains("apply::plan-edited"), "{}", text(&applied.stderr));
}

#[test]
fn a_plan_that_is_applied_elsewhere_says_where_its_workspace_is() {
    let (scratch, _) = offline();
    scratch.run(&["plan", "--observed", "seen.json", "-o", "plan.json"], &[]);
    let elsewhere = Scratch::new();
    elsewhere.write("plan.json", &fs_err::read_to_string(scratch.0.join("plan.json")).unwrap());
    let applied = elsewhere.run(&["apply", "plan.json"], &[]);
    let told = text(&applied.stderr);
    assert_eq!(applied.status.code(), Some(1), "{told}");
    assert!(told.contains("cli::no-workspace") && told.contains("workspace shop-sync in `.`"), "{told}");
}

#[test]
fn a_plan_of_a_newer_format_is_refused() {
    let scratch = Scratch::new();
    let mut plan = serde_json::to_value(change()).unwrap();
    plan["format_version"] = 99.into();
    scratch.write("plan.json", &plan.to_string());
    for command in ["show", "apply"] {
        let output = scratch.run(&[command, "plan.json"], &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("cli::newer-format"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_secret_is_printed_nowhere() {
    let (scratch, _) = offline();
    let secret = "kanarienvogel";
    scratch.write("shop.yaml", &SHOP.replace("transship@shop", &format!("transship:{secret}@shop")));
    for command in [
        ["validate", ".", "--format", "human"],
        ["validate", ".", "--format", "json"],
        ["validate", ".", "--format", "sarif"],
        ["validate", ".", "--format", "github"],
        ["plan", ".", "--observed", "seen.json"],
    ] {
        let output = scratch.run(&command, &[]);
        assert_eq!(output.status.code(), Some(1));
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(all.contains("literal-password") && !all.contains(secret), "{all}");
    }
    scratch.write("shop.yaml", SHOP);
    let plan = scratch
        .run(&["plan", "--observed", "seen.json", "-o", "plan.json", "--explain", "-v"], &[("SHOP_PASSWORD", secret)]);
    assert_eq!(plan.status.code(), Some(0));
    let saved = fs_err::read_to_string(scratch.0.join("plan.json")).unwrap();
    for all in [text(&plan.stdout), text(&plan.stderr), saved] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let status = Command::new(env!("CARGO_BIN_EXE_transship"))
        .args(["schema", "plan"])
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
