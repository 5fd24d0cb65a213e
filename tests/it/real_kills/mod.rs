//! transship, and the nodes that it copies between, killed on real clusters: after the next apply the data is equal and
//! the plan is empty.
//!
//! `TRANSSHIP_KILLS=20` kills as many processes, and with any number each node of every case; `TRANSSHIP_SEED` repeats the
//! moments of an earlier run.

mod story;

use std::time::{Duration, Instant};

use story::Story;

use crate::kill_points::KILLS;
use crate::random::{Random, SEED, seed};
use crate::real::{Clusters, Copies, Scope, Transship, Workspace, answers, say, wait_until};

/// One that uses the clusters, which are killed, at a time.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn kills() -> Option<u32> {
    std::env::var(KILLS).ok().map(|count| count.parse().unwrap_or(20))
}

const APPLY: [&str; 2] = ["apply", "--auto-approve"];

#[test]
fn real_a_process_that_is_killed_at_any_moment_is_gone_on_with() {
    let Some(clusters) = Clusters::mortal("killed process") else { return };
    let _turn = turn();
    let whole = Story::of_all(clusters, "killwhole");
    let started = Instant::now();
    whole.apply().expect(0);
    let length = u64::try_from(started.elapsed().as_millis()).expect("a short time");
    whole.is_as_declared();
    drop(whole);
    let (count, seed) = (u64::from(kills().unwrap_or(3)), seed());
    let mut random = Random::new(seed);
    say(&format!("{count} kills within {length} ms, {SEED}={seed}"));
    for number in 0..count {
        let story = Story::of_all(clusters, "killone");
        let moment = length * number / count + random.next() % (length / count);
        let run = Transship::new(&story.copies.workspace, &APPLY).start();
        std::thread::sleep(Duration::from_millis(moment));
        run.kill();
        let left = story.running();
        let again = story.apply_once_free();
        say(&format!("killed after {moment} ms in {left:?}; the next run exits {}", again.code));
        again.expect(0);
        story.is_as_declared();
    }
}

/// The step in which a node is killed, the flow, and which side. Through a tunnel, a subscriber that has got a part does not
/// come back from a restart of the source (`docs/observation.md`).
const NODES: [(&str, &str, &str); 8] = [
    ("copy-rows", "custom: { engine: stream }", "beta"),
    ("copy-rows", "custom: { engine: stream }", "alpha"),
    ("import-rows", "export-import: { store: place }", "beta"),
    ("export-rows", "export-import: { store: place }", "alpha"),
    ("restore-table", "snapshot: { store: place }", "beta"),
    ("create-snapshot", "snapshot: { store: place }", "alpha"),
    ("wait-synced", "logical-replication: {}", "beta"),
    ("wait-synced", "logical-replication: { mode: sniff }", "alpha"),
];

#[test]
fn real_a_node_that_is_killed_and_comes_back_loses_nothing() {
    let Some(clusters) = Clusters::mortal("killed node") else { return };
    let _turn = turn();
    let seed = seed();
    let mut random = Random::new(seed);
    let first = random.below(4);
    let chosen = |at: &usize| kills().is_some() || *at == 2 * first || *at == 2 * ((first + 1) % 4) + 1;
    for (_, (step, strategy, side)) in NODES.iter().enumerate().filter(|(at, _)| chosen(at)) {
        let story = Story::of_one(clusters, "killnode", strategy);
        let delay = random.next() % 300;
        let run = Transship::new(&story.copies.workspace, &APPLY).start();
        wait_until(step, Duration::from_secs(60), || story.running().iter().any(|kind| kind == step));
        std::thread::sleep(Duration::from_millis(delay));
        let node = clusters.node(side);
        node.kill();
        node.restart();
        let outcome = run.wait();
        let cluster = if *side == "alpha" { &clusters.alpha } else { &clusters.beta };
        answers(cluster);
        story.all_shards_are_there();
        say(&format!("{side} killed {delay} ms into {step}, {SEED}={seed}: the run exits {}", outcome.code));
        let again = story.apply_once_free();
        assert_eq!(again.code, 0, "{side} killed in {step}: {}\n--- the run before\n{}", again.all(), outcome.all());
        story.is_as_declared();
    }
}

/// A flow of a table with partitions, in sync.
fn following(clusters: &'static Clusters) -> Copies {
    let scope = Scope::new(clusters, "killtracker");
    let workspace = Workspace::of(&scope.workspace, clusters);
    let copies = Copies { clusters, scope, workspace };
    let (schema, parts) = (&copies.scope.schema, copies.scope.table("parts"));
    copies.alpha().sql(&format!(
        "CREATE TABLE {parts} (id INTEGER, month TEXT) PARTITIONED BY (month) CLUSTERED INTO 1 SHARDS WITH \
         (number_of_replicas = 0); INSERT INTO {parts} VALUES (1, 'may'); REFRESH TABLE {parts}"
    ));
    let flow = "from: alpha\n    to: beta\n    strategy: { logical-replication: {} }";
    let flows = format!("version: 1\nflows:\n  parts:\n    {flow}\n    tables: [{schema}.parts]\n");
    copies.workspace.write("flows.yaml", &flows);
    copies.workspace.run(&APPLY).expect(0);
    copies
}

#[test]
fn real_a_target_that_no_longer_looks_for_partitions_is_told() {
    let Some(clusters) = Clusters::mortal("restarted target") else { return };
    let _turn = turn();
    let copies = following(clusters);
    let node = clusters.node("beta");
    node.kill();
    node.restart();
    answers(&clusters.beta);
    let parts = copies.scope.table("parts");
    copies.alpha().sql(&format!("INSERT INTO {parts} VALUES (2, 'june'); REFRESH TABLE {parts}"));
    // CrateDB may get over the restart; then the partition comes.
    let arrived = format!("SELECT count(*) FROM {parts} WHERE month = 'june'");
    let has_come = || copies.beta().try_sql(&arrived).is_ok_and(|rows| rows == [[Some("1".to_owned())]]);
    let drift = copies.workspace.run(&["drift"]);
    let told = drift.code == 3 && drift.stdout.contains("lacks partitions of alpha");
    say(&format!("after a restart of the target new partitions {}", if told { "do not come" } else { "come" }));
    assert!(told || has_come(), "{}", drift.all());
}
