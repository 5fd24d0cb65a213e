//! `apply --follow` on real clusters under constant writes, killed again and again: no row is lost or doubled, and the lag
//! stays bounded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::random::{Random, SEED, seed};
use crate::real::{Cluster, Copies, Running, Transship, say};

const FOLLOW: [&str; 3] = ["apply", "--follow", "--auto-approve"];

/// Longer than a run that was killed needs to be gone on with.
const BOUND: Duration = Duration::from_secs(25);

fn prepared(name: &str) -> Option<Copies> {
    let copies = Copies::bare(name)?;
    let (people, log) = (copies.people(), copies.scope.table("log"));
    copies.alpha().sql(&format!(
        "CREATE TABLE {people} (id BIGINT PRIMARY KEY, name TEXT, at TIMESTAMP WITH TIME ZONE NOT NULL) \
         CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0); \
         CREATE TABLE {log} (id BIGINT, part INTEGER, at TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY (id, part)) \
         CLUSTERED INTO 2 SHARDS PARTITIONED BY (part) WITH (number_of_replicas = 0)"
    ));
    let schema = &copies.scope.schema;
    let flow = |name: &str, table: &str, existing: &str| {
        format!(
            "  {name}:\n    from: alpha\n    to: beta\n    tables: [{{ from: {schema}.{table}, cursor: at, overlap: 15s }}]\n    \
             strategy: {{ custom: {{ engine: stream, chunk_rows: 2000 }} }}\n    existing: {existing}\n"
        )
    };
    let flows = [flow("change", "people", "upsert"), flow("add", "log", "append")].concat();
    copies.workspace.write("flows.yaml", &format!("version: 1\nflows:\n{flows}"));
    Some(copies)
}

/// Inserts and changes rows until it is told to end; gives how many statements it sent.
fn write(copies: &Copies, seed: u64, done: &AtomicBool) -> u64 {
    let (alpha, people, log) = (copies.alpha(), copies.people(), copies.scope.table("log"));
    let (mut random, mut next, mut sent) = (Random::new(seed), 1_usize, 0);
    while !done.load(Ordering::Relaxed) {
        let last = next + 20 + random.below(60);
        let series = format!("FROM generate_series({next}::bigint, {last}::bigint) AS t(g)");
        alpha.sql(&format!("INSERT INTO {people} (id, name, at) SELECT g, 'new', now() {series}"));
        alpha.sql(&format!("INSERT INTO {log} (id, part, at) SELECT g, g % 3, now() {series}"));
        let (from, to) = (random.below(last), random.below(40));
        alpha.sql(&format!(
            "UPDATE {people} SET name = 'c{sent}', at = now() WHERE id >= {from} AND id <= {}",
            from + to
        ));
        (next, sent) = (last + 1, sent + 3);
        std::thread::sleep(Duration::from_millis(30));
    }
    sent
}

fn newest(cluster: &Cluster, table: &str) -> i64 {
    let there = cluster.try_sql(&format!("REFRESH TABLE {table}"));
    let newest = there.and_then(|_| cluster.try_sql(&format!("SELECT max(at)::bigint::text FROM {table}")));
    newest.ok().and_then(|rows| rows.first()?.first()?.clone()?.parse().ok()).unwrap_or(0)
}

/// How far the target is behind, in milliseconds.
fn lag(copies: &Copies) -> u64 {
    let behind = |table: String| {
        let there = newest(copies.beta(), &table);
        if there == 0 { 0 } else { u64::try_from(newest(copies.alpha(), &table) - there).unwrap_or(0) }
    };
    behind(copies.people()).max(behind(copies.scope.table("log")))
}

fn start(copies: &Copies) -> Running {
    Transship::new(&copies.workspace, &FOLLOW).start()
}

/// Follows for a while, killed so often.
fn followed(name: &str, length: Duration, kills: u32) {
    let Some(copies) = prepared(name) else { return };
    let (seed, done, worst) = (seed(), AtomicBool::new(false), AtomicU64::new(0));
    let mut random = Random::new(seed);
    let mut lags = Vec::new();
    let each = length / (kills + 1);
    let (sent, mut running) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&copies, seed, &done));
        let mut running = start(&copies);
        for number in 0..=kills {
            let moment = each.saturating_sub(Duration::from_millis(random.next() % 2_000).min(each / 3));
            let began = Instant::now();
            while began.elapsed() < moment {
                std::thread::sleep(Duration::from_millis(500));
                let lag = lag(&copies);
                worst.fetch_max(lag, Ordering::Relaxed);
                lags.push(lag);
                if running.has_ended() {
                    done.store(true, Ordering::Relaxed);
                    panic!("it ended by itself: {}", running.wait().all());
                }
            }
            if number < kills {
                running.kill();
                copies.workspace.run(&["unlock", "--all", "--auto-approve"]).expect(0);
                running = start(&copies);
            }
        }
        done.store(true, Ordering::Relaxed);
        (writer.join().expect("the writer ends"), running)
    });
    let caught = Instant::now();
    while lag(&copies) > 0 && caught.elapsed() < Duration::from_secs(60) && !running.has_ended() {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(3));
    running.signal("TERM");
    let ended = running.wait();
    assert!(ended.code == 0 || ended.code == 8, "{}", ended.all());
    copies.workspace.run(&["apply", "--auto-approve", "--lock-timeout", "40s"]).expect(0);
    lags.sort_unstable();
    let (rows, median) = (copies.alpha().count(&copies.people()), lags[lags.len() / 2]);
    let worst = worst.into_inner();
    say(&format!(
        "{rows} rows by {sent} statements in {} s, {kills} kills, {SEED}={seed}: lag {median} ms (median), {worst} ms (most)",
        length.as_secs()
    ));
    for (table, columns) in [(copies.people(), "id, name, at"), (copies.scope.table("log"), "id, part, at")] {
        let all = |cluster: &Cluster| {
            cluster.sql(&format!("REFRESH TABLE {table}"));
            cluster.sql(&format!("SELECT {columns} FROM {table} ORDER BY id"))
        };
        let (source, target) = (all(copies.alpha()), all(copies.beta()));
        assert_eq!(source.len(), target.len(), "{table}");
        let differ = source.iter().zip(&target).find(|(source, target)| source != target);
        assert_eq!(differ, None, "{table}");
    }
    assert!(Duration::from_millis(worst) < BOUND, "{worst} ms");
    copies.workspace.is_settled();
}

#[test]
fn real_a_follower_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    followed("followshort", Duration::from_secs(32), 3);
}

#[test]
#[ignore = "it takes eleven minutes"]
fn real_ten_minutes_of_constant_writes_with_a_kill_every_minute() {
    followed("followlong", Duration::from_secs(600), 10);
}
