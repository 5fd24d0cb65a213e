//! How fast a copy is, against `INSERT INTO … SELECT` inside the target cluster, and how much memory it takes.
//!
//! `throughput SOURCE TARGET [ROWS] [ROUNDS] [WRITERS] [BATCH]`, the first two `HOST:PORT` of the PostgreSQL wire of a
//! cluster that lets `crate` in without a password. It makes and drops tables in the schema `transship_bench` of both.
//! Each round copies the rows to the target and then once more inside it; the medians are compared.

#![allow(clippy::print_stdout, reason = "a program that shows figures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use transship_cluster::{ClusterError, Server as _, Session};
use transship_model::TableName;
use transship_model::access::{Access, Endpoint, HostPort};
use transship_model::spec::TlsMode;
use transship_mover::{End, Job, KeyColumn, Limits, Write, copy};
use transship_sql::copy::{Source, insert, select};

const COLUMNS: [(&str, &str); 8] = [
    ("id", "bigint"),
    ("customer", "integer"),
    ("status", "text"),
    ("note", "text"),
    ("amount", "numeric"),
    ("score", "double precision"),
    ("created", "timestamp with time zone"),
    ("active", "boolean"),
];

const DEFINITION: &str = "(id BIGINT PRIMARY KEY, customer INTEGER, status TEXT, note TEXT, amount NUMERIC(12, 2), \
    score DOUBLE PRECISION, created TIMESTAMP WITH TIME ZONE, active BOOLEAN) CLUSTERED INTO 4 SHARDS \
    WITH (number_of_replicas = 0)";

const LONG: Duration = Duration::from_mins(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target, numbers @ ..] = arguments.as_slice() else {
        return Err("usage: throughput SOURCE TARGET [ROWS] [ROUNDS] [WRITERS] [BATCH]".into());
    };
    let number = |at: usize, default: usize| numbers.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, rounds) = (number(0, 1_000_000)?, number(1, 5)?);
    let limits = Limits {
        writers: number(2, Limits::default().writers)?,
        rows: number(3, Limits::default().rows)?,
        ..Limits::default()
    };
    let (source, target) = (end("source", source)?, end("target", target)?);
    let at_source = Session::open(&source.name, &source.access, Arc::default()).await?;
    let at_target = Session::open(&target.name, &target.access, Arc::default()).await?;
    fill(&at_source, rows).await?;
    let (mut inside, mut moved) = (Vec::new(), Vec::new());
    // What both servers still do after the fill, and have not compiled yet, is not to be measured.
    between_two(&at_target, &job(&source, &target, limits)).await?;
    for round in 0..rounds {
        moved.push(between_two(&at_target, &job(&source, &target, limits)).await?);
        inside.push(inside_one(&at_target, rows).await?);
        println!("round {}: inside one {:.1} s, between two {:.1} s", round + 1, inside[round], moved[round]);
    }
    let (inside, moved) = (median(inside), median(moved));
    println!("rows {rows}, writers {}, batch {}", limits.writers, limits.rows);
    println!("inside one cluster: {:.0} rows/s", per_second(rows, inside));
    println!("between two clusters: {:.0} rows/s, ratio {:.2}", per_second(rows, moved), inside / moved);
    println!("peak memory of this process: {}", peak_memory());
    for session in [&at_source, &at_target] {
        for name in ["rows", "inside", "moved"] {
            session.execute(&format!("DROP TABLE IF EXISTS transship_bench.{name}"), &[]).await?;
        }
    }
    Ok(())
}

async fn fill(session: &Session, rows: usize) -> Result<(), ClusterError> {
    session.execute("DROP TABLE IF EXISTS transship_bench.rows", &[]).await?;
    session.execute(&format!("CREATE TABLE transship_bench.rows {DEFINITION}"), &[]).await?;
    let sql = format!(
        "INSERT INTO transship_bench.rows (SELECT i, i % 100000, CASE i % 3 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' ELSE 'sent' END, \
         'order number ' || i || ' of customer ' || (i % 100000), ((i % 1000000) / 100.0)::numeric(12, 2), sin(i), \
         (1767225600000 + i * 1000)::timestamp with time zone, i % 2 = 0 FROM generate_series(1, {rows}) AS g(i))"
    );
    let written = session.execute_within(LONG, &sql, &[]).await?;
    assert_eq!(written, rows as u64, "the source table is filled");
    session.execute_within(LONG, "REFRESH TABLE transship_bench.rows", &[]).await?;
    Ok(())
}

async fn inside_one(session: &Session, rows: usize) -> Result<f64, ClusterError> {
    session.execute_within(LONG, "REFRESH TABLE transship_bench.moved", &[]).await?;
    session.execute("DROP TABLE IF EXISTS transship_bench.inside", &[]).await?;
    session.execute(&format!("CREATE TABLE transship_bench.inside {DEFINITION}"), &[]).await?;
    let started = Instant::now();
    let sql = "INSERT INTO transship_bench.inside (SELECT * FROM transship_bench.moved)";
    let written = session.execute_within(LONG, sql, &[]).await?;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(written, rows as u64, "every row is written");
    Ok(seconds)
}

async fn between_two(session: &Session, job: &Job) -> Result<f64, Box<dyn std::error::Error>> {
    session.execute("DROP TABLE IF EXISTS transship_bench.moved", &[]).await?;
    session.execute(&format!("CREATE TABLE transship_bench.moved {DEFINITION}"), &[]).await?;
    let started = Instant::now();
    copy(job, &|_| (), std::future::pending()).await?;
    Ok(started.elapsed().as_secs_f64())
}

fn job(source: &End, target: &End, limits: Limits) -> Job {
    let columns = COLUMNS.map(|(name, data_type)| Source::Column { name, data_type });
    Job {
        source: source.clone(),
        target: target.clone(),
        select: select(&TableName::new("transship_bench", "rows"), columns, None),
        values: Vec::new(),
        insert: insert(&TableName::new("transship_bench", "moved"), &COLUMNS.map(|(name, _)| name)),
        write: Write::Insert,
        key: vec![KeyColumn { at: 0, name: "id".to_owned(), data_type: "bigint".to_owned(), sensitive: false }],
        keyed: true,
        sensitive: false,
        inner: Vec::new(),
        limits,
        gate: transship_cluster::Gate::default(),
    }
}

fn end(name: &str, address: &str) -> Result<End, Box<dyn std::error::Error>> {
    let address: HostPort = address.parse()?;
    let endpoint = Endpoint {
        address: address.clone(),
        user: "crate".to_owned(),
        tls: TlsMode::Disable,
        tunnel: address.clone(),
        transport: address,
        subscriber: "crate".to_owned(),
        subscriber_has_password: false,
        id: None,
    };
    let access = Access { endpoint, password: None, subscriber_password: None, ca: None, cert: None, key: None };
    Ok(End { name: name.parse()?, access, redactor: Arc::default() })
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(rows: usize, seconds: f64) -> f64 {
    rows as f64 / seconds
}

/// The highest resident set of this process, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::File::open("/proc/self/status").and_then(std::io::read_to_string).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "not known".to_owned(), |peak| peak.trim().to_owned())
}
