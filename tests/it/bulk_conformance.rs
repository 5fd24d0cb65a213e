//! Snapshots and COPY on two clusters, the same statements to the sandbox and to real clusters, as `conformance.rs` does
//! for everything else. `bulk.sql` names the cluster of each statement and, behind ` -- `, what its parameter is;
//! `settle` waits for what runs on, `files` looks at what was written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use transship_sandbox::{ClusterSpec, Sandbox};

use crate::conformance::{ask, connect, file, golden, hold, numbered, written};
use crate::real::{Clusters, Scope};

/// Directories that there are, beside those that statements make.
const DIRECTORIES: [&str; 7] = ["bulk-out", "bulk-one", "bulk-where", "bulk-both", "bulk-key", "bulk-true", "bulk-in"];

/// Files to import.
const FILES: [(&str, &str); 4] = [
    (
        "bad.json",
        concat!(
            "{\"id\":10,\"n\":\"12345678901234.567891\",\"d\":null}\n{\"id\":11,\"d\":\"x\"}\n{\"id\":12,\"zzz\":1}\n{bad\n\n",
            "{\"id\":13,\"g\":99}\n{\"id\":14,\"g\":15,\"b\":\"1010\"}\n{\"id\":15,\"b\":\"B'1010'\"}\n{\"s\":\"x\"}\n{\"id\":10}\n"
        ),
    ),
    ("ä.json", "{\"id\":16}\n"),
    ("a.csv", "id,s,d\n20,\"a,b\",\n21,\"q\"\"x\",5\n22,x,y\n23,,\n24,\"l\nm\",1\n"),
    ("plain.csv", "30,\"a,b\",7\n31,\"\",\n32\n"),
];

/// Two clusters that share a directory.
struct Ends {
    a: Client,
    b: Client,
    folder: PathBuf,
    schema: String,
}

impl Ends {
    /// Every statement with its answer.
    async fn transcript(&self) -> Vec<(String, String)> {
        for directory in DIRECTORIES {
            fs_err::create_dir_all(self.folder.join(directory)).expect("a directory");
        }
        for (name, text) in FILES {
            fs_err::write(self.folder.join("bulk-in").join(name), text).expect("written");
        }
        let text = fs_err::read_to_string(file("bulk.sql")).expect("the statements");
        let mut found = Vec::new();
        for line in text.lines() {
            let answer = match line.split_once(": ") {
                Some(("a", sql)) => self.ask(&self.a, sql).await,
                Some((_, sql)) => self.ask(&self.b, sql).await,
                None if line == "files" => files(&self.folder),
                None => self.settle().await,
            };
            found.push((line.to_owned(), self.steady(&answer)));
        }
        found
    }

    async fn ask(&self, client: &Client, sql: &str) -> String {
        let (sql, value) = sql.split_once(" -- ").unwrap_or((sql, ""));
        let sql = sql.replace("bulk", &self.schema);
        let value = value.replace("DIR", &self.folder.display().to_string());
        let list = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        let parameters: Vec<(Box<dyn ToSql + Sync>, Type)> = match list {
            _ if value.is_empty() => Vec::new(),
            Some(list) => vec![(Box::new(list.split(',').map(str::to_owned).collect::<Vec<_>>()), Type::TEXT_ARRAY)],
            None => vec![(Box::new(value), Type::TEXT)],
        };
        ask(client, &sql, parameters).await
    }

    /// Waits until nothing is being made or restored.
    async fn settle(&self) -> String {
        for _ in 0..200 {
            let mut is_busy = false;
            for client in [&self.a, &self.b] {
                for sql in [
                    "SELECT id FROM sys.snapshot_restore",
                    "SELECT id FROM sys.snapshots WHERE state = 'IN_PROGRESS'",
                    "SELECT table_name FROM sys.health WHERE missing_shards > 0",
                ] {
                    let parameters = Vec::<(String, Type)>::new();
                    is_busy |= ask(client, sql, parameters).await != "  Some(0)\n";
                }
            }
            if !is_busy {
                return "  settled\n".to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        "  never settled\n".to_owned()
    }

    /// An answer without what differs each time.
    fn steady(&self, answer: &str) -> String {
        let text = answer.replace(&self.folder.display().to_string(), "DIR").replace(&self.schema, "bulk");
        text.lines().fold(String::new(), |mut found, line| {
            let node = line.strip_prefix("  {\"id\":\"").and_then(|rest| rest.split_once('}'));
            match node {
                Some((_, rest)) if line.contains("\"name\"") => writeln!(found, "  NODE{rest}"),
                _ => writeln!(
                    found,
                    "{}",
                    line.split(", stmt=").flat_map(|part| part.split(" characters [")).next().unwrap_or(line)
                ),
            }
            .expect("writing to a String");
            found
        })
    }
}

/// The files that were written, with what is in those that are not packed, the keys of objects in order.
fn files(folder: &Path) -> String {
    let mut found = Vec::new();
    for directory in DIRECTORIES.iter().filter(|directory| **directory != "bulk-in") {
        for entry in fs_err::read_dir(folder.join(directory)).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            let is_text = Path::new(&name).extension().is_some_and(|extension| extension == "json");
            let text = if is_text { fs_err::read_to_string(entry.path()).expect("a text") } else { String::new() };
            let mut lines: Vec<String> = text.lines().map(sorted).collect();
            lines.sort();
            found.push(format!("  {directory}/{name} {}\n", lines.join(" ")));
        }
    }
    found.sort();
    found.concat()
}

fn sorted(line: &str) -> String {
    serde_json::from_str::<Json>(line).map_or_else(|error| error.to_string(), |json| json.to_string())
}

#[test]
fn bulk_copies_are_answered_as_cratedb_did() {
    let folder = std::env::temp_dir().join(format!("transship-bulk-{}", std::process::id()));
    fs_err::create_dir_all(&folder).expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let found = runtime.block_on(async {
        let spec = |name: &str| ClusterSpec::new(name).path_repo(&folder);
        let sandbox = Sandbox::start(&[spec("alpha"), spec("beta")]).await.expect("free ports");
        let port = |name| sandbox.port(name).expect("a cluster");
        let a = connect("127.0.0.1", port("alpha"), "crate", None).await;
        let b = connect("127.0.0.1", port("beta"), "crate", None).await;
        let ends = Ends { a, b, folder: folder.clone(), schema: "bulk".to_owned() };
        numbered(ends.transcript().await)
    });
    fs_err::remove_dir_all(&folder).expect("it was made");
    hold(&found, "bulk-answers.txt", "bulk-exceptions.txt", "bulk", "`bulk.sql`");
}

#[test]
fn real_clusters_answer_bulk_copies_as_on_file() {
    let Some(clusters) = Clusters::require("real_clusters_answer_bulk_copies_as_on_file") else { return };
    let exchange = std::env::temp_dir().join(format!("transship-it-{}", std::process::id())).join("exchange");
    if !exchange.is_dir() {
        // Nobody knows a directory that clusters share which this program did not start.
        return;
    }
    let scope = Scope::new(clusters, "bulk");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let found = runtime.block_on(async {
        let [a, b] = [&clusters.alpha, &clusters.beta];
        let a = connect(&a.host, a.port, &a.admin.user, a.admin.password.as_deref()).await;
        let b = connect(&b.host, b.port, &b.admin.user, b.admin.password.as_deref()).await;
        let folder = exchange.join(&scope.schema);
        Ends { a, b, folder, schema: scope.schema.clone() }.transcript().await
    });
    if std::env::var_os("TRANSSHIP_BLESS").is_some() {
        fs_err::write(file("bulk-answers.txt"), written(&found)).expect("written");
        return;
    }
    let found = numbered(found);
    for (statement, expected) in golden("bulk-answers.txt") {
        assert_eq!(found.get(&statement), Some(&expected), "{statement}");
    }
}
