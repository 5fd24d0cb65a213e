//! Every step can run twice, and again after it was cut anywhere.

use transship_model::plan::Plan;

use super::harness::execute;
use crate::fake::{Draft, FakeServers, Fault, World, name, table};

const TABLES: [&str; 2] = ["t", "p"];

/// What a plan is made for, and the world that it starts from.
async fn cases() -> Vec<(&'static str, World, Plan)> {
    let empty = World::new();
    let set_up = Draft::new(&empty).ledger().replicate("orders", &TABLES).build();
    let servers = FakeServers::new(empty.clone());
    assert!(execute(&servers, &set_up).await.outcome.is_success());
    let replicated = servers.world();
    let draft = || Draft::new(&replicated);
    vec![
        ("set up", empty, set_up),
        ("resync", replicated.clone(), draft().resync("orders", &TABLES).build()),
        ("unpublish", replicated.clone(), draft().unpublish("orders", &["t"], &["p"]).build()),
        ("remove", replicated.clone(), draft().remove("orders", &TABLES).build()),
        ("adopt", replicated.clone(), draft().adopt("orders", &TABLES).build()),
    ]
}

/// The plan that goes on after a cut: the same, unless its drops have been followed by a new subscription. Then they
/// are over, and the fingerprints of what they dropped would make the same plan stale.
fn next(case: &str, before: &World, now: &World, plan: &Plan) -> Plan {
    let made_again = |table| {
        let uuid = |world: &World| world.clusters[&name("b")].tables.get(&table).map(|table| table.uuid);
        uuid(now).is_some() && uuid(now) != uuid(before)
    };
    if case == "resync" && TABLES.map(table).into_iter().any(made_again) {
        return Draft::new(now).follow("orders", &TABLES).build();
    }
    plan.clone()
}

async fn ends_as(servers: &FakeServers, plan: &Plan, expected: &World, what: &str) {
    servers.set_fault(None);
    let ran = execute(servers, plan).await;
    assert!(ran.outcome.is_success(), "{what}: {:?}", ran.lines());
    assert_eq!(servers.world().settled(), *expected, "{what}");
}

#[tokio::test]
async fn a_step_that_runs_again_sends_nothing_again() {
    let changes = ["CREATE PUBLICATION", "ALTER PUBLICATION", "CREATE SUBSCRIPTION", "DROP ", "CREATE TABLE"];
    for (case, world, plan) in cases().await {
        let servers = FakeServers::new(world);
        assert!(execute(&servers, &plan).await.outcome.is_success(), "{case}");
        let expected = servers.world().settled();
        if case == "resync" {
            // The second run would make everything again: dropping is what it is for.
            continue;
        }
        ends_as(&servers, &plan, &expected, case).await;
        let sent: Vec<_> =
            servers.sent().into_iter().filter(|sql| changes.iter().any(|change| sql.contains(change))).collect();
        assert_eq!(sent, Vec::<String>::new(), "{case}");
    }
}

#[tokio::test]
async fn a_run_that_was_cut_anywhere_is_finished_by_the_next() {
    for (case, world, plan) in cases().await {
        let servers = FakeServers::new(world.clone());
        assert!(execute(&servers, &plan).await.outcome.is_success());
        let (expected, statements) = (servers.world().settled(), servers.sent().len());
        for at in 0..statements {
            for fault in [Fault::CutBefore(at), Fault::CutAfter(at)] {
                let what = format!("{case}, {fault:?} of {statements}");
                let servers = FakeServers::new(world.clone());
                servers.set_fault(Some(fault));
                let cut = execute(&servers, &plan).await;
                // The last statements only make the ledger visible.
                assert!(!cut.outcome.is_success() || at + 3 > statements, "{what}: {:?}", cut.lines());
                let plan = next(case, &world, &servers.world(), &plan);
                ends_as(&servers, &plan, &expected, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_lost_statement_or_answer_is_no_failure() {
    for (case, world, plan) in cases().await {
        let servers = FakeServers::new(world.clone());
        assert!(execute(&servers, &plan).await.outcome.is_success());
        let (expected, sent) = (servers.world().settled(), servers.sent());
        for (at, statement) in sent.iter().enumerate() {
            // An older row of the ledger that overtakes a newer one is another matter.
            let late = (1..=4).map(|by| Fault::Late(at, by)).filter(|_| !statement.contains("INTO \"transship\""));
            for fault in [Fault::LoseStatement(at), Fault::LoseAnswer(at)].into_iter().chain(late) {
                let what = format!("{case}, {fault:?} of {}", sent.len());
                let servers = FakeServers::new(world.clone());
                servers.set_fault(Some(fault));
                let ran = execute(&servers, &plan).await;
                assert!(ran.outcome.is_success(), "{what}: {:?} {:?}", ran.lines(), ran.events);
                assert_eq!(servers.world().settled(), expected, "{what}");
            }
        }
    }
}
