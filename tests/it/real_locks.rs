//! Locks on real clusters: one winner among many, one run at a time, what is left of runs that were killed or stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use transship_apply::{ApplyError, Locks, SystemClock};

use crate::conformance::connect;
use crate::leases::Party;
use crate::real::{Clusters, Copies, Running, Transship, wait_until};

const MANY: usize = 20;
const ROUNDS: usize = 10;
const LIMIT: Duration = Duration::from_mins(1);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// All ask at once. One gets all, and every other nothing; where two get one lease each, nobody does, and all ask again.
async fn a_winner(parties: &[Party<SystemClock>], round: usize) -> Locks<'_> {
    for _ in 0..10 {
        let mut held = Vec::new();
        for taken in futures_util::future::join_all(parties.iter().map(Party::take)).await {
            match taken {
                Ok(locks) => held.push(locks),
                Err(ApplyError::Locked { .. }) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert!(held.len() < 2, "round {round}: {} hold the same leases", held.len());
        if let Some(held) = held.pop() {
            return held;
        }
    }
    panic!("round {round}: nobody got the leases ten times")
}

#[test]
fn real_leases_have_one_winner_and_are_never_lost_to_those_who_ask() {
    let Some(clusters) = Clusters::require("leases") else { return };
    let workspace = format!("it-leases-{}", std::process::id());
    let party = |_| {
        Party::new(&clusters.beta, SystemClock::new(), "many@x", &["a", "b"]).of(Box::leak(workspace.clone().into()))
    };
    let parties: Vec<_> = (0..MANY).map(party).collect();
    runtime().block_on(async {
        // The first makes the table.
        parties[0].take().await.expect("they are free").release().await;
        for round in 0..ROUNDS {
            let held = a_winner(&parties, round).await;
            if round == 0 {
                // Past the end of the lease that was taken, while others ask.
                let asking = async {
                    for _ in 0..31 {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        let all = futures_util::future::join_all(parties.iter().take(5).map(Party::take)).await;
                        assert!(all.iter().all(|taken| matches!(taken, Err(ApplyError::Locked { .. }))));
                    }
                };
                held.keep(asking).await;
                assert_eq!(held.why_lost(), None);
            }
            assert!(held.release().await.is_empty());
        }
    });
    let epochs = clusters.beta.sql(&format!(
        "REFRESH TABLE transship.leases; SELECT flow, epoch FROM transship.leases WHERE workspace = '{workspace}' ORDER BY flow"
    ));
    let epochs: Vec<String> =
        epochs.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect();
    // Who gets but one of the two releases it again, which counts, too.
    let number = |text: &str| text.split(' ').nth(1).and_then(|epoch| epoch.parse::<usize>().ok()).unwrap_or_default();
    assert_eq!(epochs.len(), 2, "{epochs:?}");
    assert!(epochs.iter().all(|epoch| number(epoch) > ROUNDS), "{epochs:?}");
    clusters.beta.sql(&format!("DELETE FROM transship.leases WHERE workspace = '{workspace}'"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may take its time")]
fn real_leases_keep_older_epochs_out_of_the_ledger() {
    let Some(clusters) = Clusters::require("epochs") else { return };
    let workspace = format!("it-epochs-{}", std::process::id());
    for sql in transship_sql::ledger::create_tables() {
        clusters.beta.sql(&sql);
    }
    let (write, raise) = (transship_sql::ledger::upsert_flow(), transship_sql::ledger::raise_epoch());
    let delete = transship_sql::ledger::delete_flow();
    runtime().block_on(async {
        let start = Arc::new(Barrier::new(MANY));
        let writer = |epoch: usize| {
            let (start, write, workspace) = (Arc::clone(&start), write.clone(), workspace.clone());
            tokio::spawn(async move {
                let client = connect(&clusters.beta.host, clusters.beta.port, "crate", None).await;
                let (epoch, run) = (i64::try_from(epoch).expect("a number"), format!("run {epoch}"));
                start.wait().await;
                let mut won = 0;
                for _ in 0..30 {
                    let row = client
                        .query_one(&write, &[&workspace, &"", &"a", &run, &"applying", &run, &epoch])
                        .await
                        .expect("an answer");
                    let is_own = row.get::<_, i64>(0) == epoch && row.get::<_, String>(1) == run;
                    assert!(is_own || row.get::<_, i64>(0) > epoch);
                    won += usize::from(is_own);
                }
                won
            })
        };
        let won: Vec<_> = futures_util::future::join_all((1..=MANY).map(writer)).await;
        assert_eq!(*won.last().expect("there are some").as_ref().expect("it ended"), 30);
        let client = connect(&clusters.beta.host, clusters.beta.port, "crate", None).await;
        let read =
            "SELECT document, run, epoch FROM transship.flows WHERE workspace = $1 AND environment = '' AND flow = 'a'";
        let row = client.query_one(read, &[&workspace]).await.expect("a row");
        let last = format!("run {MANY}");
        assert_eq!((row.get::<_, String>(0), row.get::<_, String>(1)), (last.clone(), last.clone()));
        // Raised, it takes nothing more from who was the newest.
        let raised = client.execute(&raise, &[&workspace, &"", &"a", &50_i64]).await.expect("an answer");
        assert_eq!(raised, 1);
        let late = client
            .query_one(&write, &[&workspace, &"", &"a", &"late", &"applying", &last, &20_i64])
            .await
            .expect("an answer");
        assert_eq!(late.get::<_, i64>(0), 50);
        let row = client.query_one(read, &[&workspace]).await.expect("a row");
        assert_eq!((row.get::<_, String>(0), row.get::<_, i64>(2)), (last.clone(), 50));
        // Only the version that was written last is deleted.
        let newest = client
            .query_one(&write, &[&workspace, &"", &"a", &"x", &"removing", &"r", &51_i64])
            .await
            .expect("an answer");
        let (seq, term) = (newest.get::<_, i64>(2), newest.get::<_, i64>(3));
        let old = client.execute(&delete, &[&workspace, &"", &"a", &(seq - 1), &term]).await;
        assert_eq!(old.unwrap_or(0), 0);
        assert_eq!(client.execute(&delete, &[&workspace, &"", &"a", &seq, &term]).await.expect("an answer"), 1);
        assert!(client.query(read, &[&workspace]).await.expect("an answer").is_empty());
    });
}

/// The runs of the ledger that have begun, from the first.
fn runs(copies: &Copies) -> Vec<(String, String, i64, i64)> {
    let sql = format!(
        "REFRESH TABLE transship.runs; SELECT run, state, started::bigint, finished::bigint FROM transship.runs \
         WHERE workspace = '{}' ORDER BY started",
        copies.scope.workspace
    );
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(i64::MAX);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    copies.beta().sql(&sql).iter().map(|row| (text(&row[0]), text(&row[1]), number(&row[2]), number(&row[3]))).collect()
}

/// Holder and run of the lease of the flow, as long as it is held.
fn lease(copies: &Copies) -> Option<(String, String)> {
    let sql = format!(
        "REFRESH TABLE transship.leases; SELECT holder, run FROM transship.leases WHERE workspace = '{}' AND expires > now()",
        copies.scope.workspace
    );
    let row = copies.beta().try_sql(&sql).ok()?.into_iter().next()?;
    Some((row[0].clone()?, row[1].clone()?))
}

#[test]
fn real_locks_let_one_of_twenty_processes_work_at_a_time() {
    let Some(copies) = Copies::new("twenty") else { return };
    copies.declare("SCHEMA.people", "existing: upsert");
    // All of them want to work.
    let again = ["apply", "--auto-approve", "--resync", "copy", "--lock-timeout", "150s"];
    let all: Vec<_> = (0..MANY).map(|_| Transship::new(&copies.workspace, &again).start()).collect();
    let mut refused_at_once = 0;
    wait_until("one of them works", LIMIT, || lease(&copies).is_some());
    // Who does not wait is told who works.
    for _ in 0..3 {
        let outcome = Transship::new(&copies.workspace, &["apply", "--auto-approve", "--resync", "copy"]).run();
        refused_at_once += usize::from(outcome.code == 6);
        assert!([0, 6].contains(&outcome.code), "{}", outcome.all());
        let told = outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(outcome.code == 0 || told.contains("flow copy is being applied by "), "{told}");
    }
    for run in all {
        run.wait().expect(0);
    }
    let runs = runs(&copies);
    assert_eq!(runs.len(), MANY + 3 - refused_at_once, "{runs:?}");
    assert!(runs.iter().all(|(_, state, ..)| state == "done"), "{runs:?}");
    for pair in runs.windows(2) {
        assert!(pair[0].3 <= pair[1].2, "two at once: {pair:?}");
    }
    copies.is_equal("id, name, email", 1000);
    copies.aside(0);

    // A holder that stands still for a moment: everybody else is sent away.
    let holder = Transship::new(&copies.workspace, &again).start();
    wait_until("it works", LIMIT, || lease(&copies).is_some());
    holder.signal("STOP");
    let (who, run) = lease(&copies).expect("it is held");
    let others: Vec<_> = (1..MANY)
        .map(|_| Transship::new(&copies.workspace, &["apply", "--auto-approve", "--resync", "copy"]).start())
        .collect();
    for other in others {
        let outcome = other.wait().expect(6);
        let told = outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("flow copy is being applied by {who} (run {run}, since ")), "{told}");
    }
    holder.signal("CONT");
    let outcome = holder.wait();
    assert!([0, 7].contains(&outcome.code), "{}", outcome.all());
    copies.is_equal("id, name, email", 1000);
}

/// A table that takes some seconds to copy.
fn filled(name: &str) -> Option<Copies> {
    let copies = Copies::bare(name)?;
    let people = copies.people();
    copies.alpha().sql(&format!(
        "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)"
    ));
    for from in (1..=ROWS).step_by(100_000) {
        let to = from + 99_999;
        copies.alpha().sql(&format!(
            "INSERT INTO {people} (id, name) (SELECT g, repeat('name ' || g || ' ', 8) FROM generate_series({from}, {to}) AS t(g)); \
             REFRESH TABLE {people}"
        ));
    }
    copies.declare("SCHEMA.people", "existing: error");
    Some(copies)
}

/// A run that has copied a part of it.
fn begun(copies: &Copies) -> Running {
    let run = Transship::new(&copies.workspace, &["apply", "--auto-approve"]).start();
    wait_until("rows arrive", LIMIT, || {
        operations(copies).values().any(|highest| highest.parse::<i64>().unwrap_or(-1) > 1000)
    });
    run
}

const ROWS: u32 = 300_000;

/// The highest sequence number of every shard of the test's tables on beta.
fn operations(copies: &Copies) -> BTreeMap<String, String> {
    let sql = format!(
        "SELECT table_name || ' ' || id, seq_no_stats['max_seq_no']::text FROM sys.shards \
         WHERE schema_name = '{}' AND \"primary\"",
        copies.scope.schema
    );
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    copies.beta().sql(&sql).iter().map(|row| (cell(&row[0]), cell(&row[1]))).collect()
}

/// Everything that the ledger has of the workspace, with the versions of its rows.
fn ledger(copies: &Copies) -> Vec<String> {
    let all = |table: &str| {
        copies.beta().sql(&format!(
            "REFRESH TABLE transship.{table}; SELECT _doc::text, _seq_no::text FROM transship.{table} \
             WHERE workspace = '{}' ORDER BY _id",
            copies.scope.workspace
        ))
    };
    let tables = ["meta", "flows", "runs", "steps", "leases"].map(all);
    tables.concat().into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn real_locks_of_killed_and_of_stopped_runs_are_taken_over_and_those_that_wake_up_write_nothing() {
    let (Some(killed), Some(stopped)) = (filled("lock-killed"), filled("lock-stopped")) else { return };
    drop(begun(&killed));
    let sleeper = begun(&stopped);
    sleeper.signal("STOP");
    let wait = ["apply", "--auto-approve", "--lock-timeout", "1m"];
    // Both of them wait for a run that says nothing more, in two workspaces.
    for copies in [&killed, &stopped] {
        let refused = copies.workspace.run(&["apply", "--auto-approve"]).expect(6);
        assert!(refused.stderr.contains("is being applied by"), "{}", refused.stderr);
    }
    let next = [&killed, &stopped].map(|copies| Transship::new(&copies.workspace, &wait).start());
    for next in next {
        next.wait().expect(0);
    }
    let count = usize::try_from(ROWS).expect("a number");
    killed.is_equal("id, name", count);
    killed.aside(0);
    killed.workspace.is_settled();
    stopped.is_equal("id, name", count);
    stopped.workspace.is_settled();
    let before = (operations(&stopped), ledger(&stopped));
    sleeper.signal("CONT");
    let outcome = sleeper.wait().expect(7);
    assert!(outcome.stdout.contains("apply::lock-lost"), "{}", outcome.all());
    assert_eq!((operations(&stopped), ledger(&stopped)), before);
    stopped.is_equal("id, name", count);
    stopped.aside(0);
    stopped.workspace.is_settled();
}
