//! How long and how much memory `transship plan` takes for 1,000 flows of 10 tables from a saved observation: the
//! whole process, from reading YAML to the printed plan. `cargo bench --bench plan_scale [-- FLOWS [TABLES [RUNS]]]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people who measure")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use transship_model::ledger::LedgerView;
use transship_model::observed::{
    Column, Health, OBSERVATION_FORMAT, Observation, Observed, Shard, Table, TableKind, User,
};
use transship_model::{Name, TableName, Version};

/// As many flows, tables of each and runs as are not said otherwise.
const FLOWS: usize = 1_000;
const TABLES: usize = 10;
const SHARDS: i32 = 4;
const RUNS: usize = 7;

fn main() {
    let directory = std::env::temp_dir().join(format!("transship-bench-{}", std::process::id()));
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let mut next = |default: usize| numbers.next().unwrap_or(default);
    let (flows, tables, times) = (next(FLOWS), next(TABLES), next(RUNS));
    let observed = write_workspace(&directory, flows, tables);
    let mut runs: Vec<(Duration, u64)> = (0..=times).map(|_| plan(&directory, &observed)).skip(1).collect();
    runs.sort();
    let peak = runs.iter().map(|(_, kib)| *kib).max().unwrap();
    println!("plan of {flows} flows of {tables} tables, {times} runs of the whole process");
    println!(
        "wall   min {:.3} s   median {:.3} s   max {:.3} s",
        runs[0].0.as_secs_f64(),
        runs[times / 2].0.as_secs_f64(),
        runs[times - 1].0.as_secs_f64()
    );
    println!("memory peak {} MiB", peak / 1024);
    fs_err::remove_dir_all(&directory).unwrap();
}

fn write_workspace(directory: &Path, flows: usize, tables: usize) -> PathBuf {
    fs_err::create_dir_all(directory).unwrap();
    let clusters = "version: 1\nworkspace: bench\nclusters:\n  a: { url: 'postgres://crate@a.example/' }\n  b: { url: 'postgres://crate@b.example/' }\n";
    fs_err::write(directory.join("clusters.yaml"), clusters).unwrap();
    for file in 0..10 {
        let mut text = "version: 1\nflows:\n".to_owned();
        for flow in (0..flows).filter(|flow| flow % 10 == file) {
            let names: Vec<String> = (0..tables).map(|table| format!("s{flow}.t{table}")).collect();
            writeln!(
                text,
                "  flow-{flow}:\n    from: a\n    to: b\n    tables: [{}]\n    strategy: {{ logical-replication: {{ mode: tunnel }} }}",
                names.join(", ")
            )
            .unwrap();
        }
        fs_err::write(directory.join(format!("flows-{file}.yaml")), text).unwrap();
    }
    let path = directory.join("observed.json");
    fs_err::write(&path, serde_json::to_string(&observation(flows, tables)).unwrap()).unwrap();
    path
}

fn observation(flows: usize, tables: usize) -> Observation {
    let cluster = |name: &str, tables| (name.parse::<Name>().unwrap(), observed(name, tables));
    let clusters = BTreeMap::from([cluster("a", all_tables(flows, tables)), cluster("b", BTreeMap::new())]);
    Observation { format_version: OBSERVATION_FORMAT, taken: now(), clusters, stores: BTreeMap::new() }
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn observed(name: &str, tables: BTreeMap<TableName, Table>) -> Observed {
    let version = Version::new(6, 4, 3);
    Observed {
        id: format!("id-{name}"),
        cluster_name: name.to_owned(),
        version,
        newest_version: version,
        user: "crate".to_owned(),
        superuser: Some(true),
        users: Some(BTreeMap::from([("crate".to_owned(), User { superuser: true, roles: Vec::new() })])),
        privileges: Some(Vec::new()),
        now: now(),
        tables,
        publications: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        ledger: LedgerView::Absent,
        repositories: BTreeMap::new(),
        servers: BTreeMap::new(),
        described: BTreeMap::new(),
        unseen: Vec::new(),
    }
}

fn all_tables(flows: usize, tables: usize) -> BTreeMap<TableName, Table> {
    let names = (0..flows).flat_map(|flow| (0..tables).map(move |table| (flow, table)));
    names.map(|(flow, table)| (TableName::new(format!("s{flow}"), format!("t{table}")), one_table())).collect()
}

fn one_table() -> Table {
    let column = |index: usize| Column {
        name: format!("column_{index}"),
        data_type: "bigint".to_owned(),
        nullable: true,
        generated: None,
        default: None,
    };
    let shard = |id| Shard {
        partition: String::new(),
        id,
        uuid: Some("d3b321359b2ad9697232b7".to_owned()),
        max_seq_no: Some(9),
        global_checkpoint: Some(9),
        docs: 10,
        bytes: 1_000,
        stalled: false,
        leases: Vec::new(),
    };
    Table {
        kind: TableKind::Table,
        columns: (0..10).map(column).collect(),
        primary_key: vec!["column_0".to_owned()],
        partitioned_by: Vec::new(),
        clustered_by: Some("column_0".to_owned()),
        shards: u32::try_from(SHARDS).ok(),
        replicas: Some("0-1".to_owned()),
        column_policy: Some("strict".to_owned()),
        created: Some(Version::new(6, 4, 3)),
        closed: false,
        primaries: (0..SHARDS).map(shard).collect(),
        health: Some(Health::Green),
        definition: None,
        writable: None,
        visible: true,
    }
}

/// Wall time and peak memory (KiB) of one process.
fn plan(workspace: &Path, observed: &Path) -> (Duration, u64) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_transship"))
        .args(["plan", "--observed"])
        .args([observed, workspace])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs_err::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = high.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(peak);
        if let Some(exit) = child.try_wait().unwrap() {
            assert!(exit.success(), "plan ended with {exit}");
            return (started.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
