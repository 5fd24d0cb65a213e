//! Runs in which something goes wrong on the way.

use transship_cluster::ErrorKind;
use transship_model::event::Happened;

use super::harness::{Options, apply, execute};
use crate::fake::{Draft, FakeServers, Fault, World, name, table};

#[tokio::test]
async fn a_failure_stops_its_own_branch_and_is_told_once() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).replicate("two", &["p"]).build();
    servers.set_fault(Some(Fault::Refuse(r#"ALTER PUBLICATION "one""#, ErrorKind::Other)));
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let lines = ran.lines();
    let told: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| ["failed", "skipped", "flow"].iter().any(|word| line.starts_with(word)))
        .collect();
    assert_eq!(
        told,
        [
            "failed one/02-publish-tables: cluster::error",
            "skipped one/03-create-subscription because of one/02-publish-tables",
            "skipped one/04-wait-synced because of one/02-publish-tables",
            "flow two done",
        ]
    );
    let outcome = ran.outcome;
    assert_eq!((outcome.done, outcome.failed, outcome.skipped), (6, 1, 2));
    let ledger = &servers.world().clusters[&name("b")].ledger;
    assert_eq!(ledger["flows"]["shop-sync||one"][1], "applying");
    assert_eq!(ledger["flows"]["shop-sync||two"][1], "done");
    assert_eq!(ledger["runs"].values().next().unwrap()[0], "failed");
    let state = |step: &str| ledger["steps"].iter().find(|(key, _)| key.ends_with(step)).unwrap().1.clone();
    assert_eq!(state("one/02-publish-tables")[2], "failed");
    assert_eq!(state("one/02-publish-tables")[5], "cluster::error");
    assert_eq!(state("one/04-wait-synced")[2], "skipped");
}

#[tokio::test]
async fn no_secret_comes_out_of_a_failure() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.set_fault(Some(Fault::Refuse("CREATE SUBSCRIPTION", ErrorKind::Other)));
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let (_, message) = ran.failure();
    assert!(message.contains("refused for password ***"), "{message}");
    let everything = format!(
        "{:?} {:?} {:?} {:?}",
        ran.events,
        ran.outcome,
        servers.world().clusters[&name("b")].ledger,
        servers.sent()
    );
    assert!(!everything.contains("canary"), "{everything}");
}

#[tokio::test]
async fn without_its_ledger_row_nothing_of_a_flow_is_made() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.set_fault(Some(Fault::Refuse(r#"INTO "transship"."flows""#, ErrorKind::Other)));
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "apply::ledger-write");
    assert!(!servers.sent().iter().any(|sql| sql.contains("CREATE PUBLICATION")));
    assert_eq!((ran.outcome.done, ran.outcome.failed, ran.outcome.skipped), (1, 1, 3));
}

#[tokio::test]
async fn a_newer_ledger_is_left_alone() {
    let servers = FakeServers::new(World::new());
    let first = Draft::new(&servers.world()).ledger().adopt("one", &["t"]).build();
    let _ = execute(&servers, &first).await;
    servers.change(|world| {
        world.at("b").ledger.get_mut("meta").unwrap().insert("shop-sync||format_version".into(), vec!["2".into()]);
    });
    let plan = Draft::new(&servers.world()).replicate("two", &["t"]).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "apply::ledger-newer");
    assert!(servers.world().clusters[&name("a")].publications.is_empty());
}

#[tokio::test]
async fn what_another_user_owns_is_said_so() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.change(|world| {
        world.at("a").publications.insert("one".to_owned(), ("else".to_owned(), [].into()));
    });
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let (code, message) = ran.failure();
    assert_eq!(code, "apply::owned-by-another");
    assert_eq!(message, "publication a.one exists already and belongs to another user: tool cannot see it");
}

#[tokio::test]
async fn a_table_that_the_subscriber_may_not_read_is_named_with_the_grant() {
    let servers = FakeServers::new(World::new());
    servers.change(|world| world.denied = [table("p")].into());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t", "p"]).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let (code, message) = ran.failure();
    assert_eq!(code, "apply::tables-missing");
    assert_eq!(message, "the subscription has not got shop.p: user `repl` may not read them on cluster `a`");
    let help = ran.events.iter().find_map(|event| match &event.what {
        Happened::StepFailed { help, .. } => help.clone(),
        _ => None,
    });
    let expected = r#"run on the source: GRANT DQL ON TABLE "shop"."p" TO "repl"; then plan again"#;
    assert_eq!(help.as_deref(), Some(expected));
}

#[tokio::test]
async fn nothing_is_subscribed_to_that_the_source_would_refuse() {
    let servers = FakeServers::new(World::new());
    servers.change(|world| world.at("a").users = ["tool".to_owned()].into());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "apply::no-subscriber");
    assert!(!servers.sent().iter().any(|sql| sql.contains("CREATE SUBSCRIPTION")));
}

#[tokio::test]
async fn a_subscription_without_an_answer_is_sent_once() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.set_fault(Some(Fault::Hang("CREATE SUBSCRIPTION")));
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "cluster::timeout");
    assert_eq!(servers.sent().iter().filter(|sql| sql.contains("CREATE SUBSCRIPTION")).count(), 1);
}
