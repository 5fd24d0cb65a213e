//! Runs whose locks are lost.

use transship_cluster::ErrorKind;

use super::harness::{Options, apply, execute, lost_when};
use crate::fake::{Draft, FakeServers, Fault, World, name};
use crate::{ApplyError, Lost};

fn unlocked() -> Lost {
    Lost::Unlocked { flow: "one".parse().unwrap(), holder: "ops@desk".to_owned() }
}

#[tokio::test]
async fn without_locks_nothing_is_begun() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let options = Options { lost: Some(&unlocked()), ..Options::default() };
    let error = apply(&servers, &plan, options).await.err().expect("it is refused");
    assert!(matches!(error, ApplyError::LockLost(_)), "{error}");
    assert_eq!(error.to_string(), "the lock was lost: flow one was unlocked by ops@desk");
    assert_eq!(servers.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn once_the_locks_are_lost_nothing_more_is_sent_that_changes_anything() {
    let parts = [
        "CREATE PUBLICATION",
        "ALTER PUBLICATION",
        "CREATE SUBSCRIPTION",
        "seq_no_stats",
        r#"INTO "transship"."steps""#,
    ];
    for part in parts {
        let servers = FakeServers::new(World::new());
        let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
        let ran = lost_when(&servers, &plan, part, &unlocked()).await;
        assert_eq!(
            ran.failure(),
            ("apply::lock-lost".to_owned(), "the lock was lost: flow one was unlocked by ops@desk".to_owned())
        );
        assert!(!ran.outcome.is_success() && !ran.outcome.cancelled, "{part}");
        assert_eq!(ran.outcome.warnings, ["the lock was lost: flow one was unlocked by ops@desk"], "{part}");
        let sent = servers.sent();
        let at = sent.iter().position(|sql| sql.contains(part)).expect("it came so far");
        let changes = ["CREATE ", "ALTER ", "DROP ", "INSERT ", "UPDATE ", "DELETE "];
        let after: Vec<_> = sent[at + 1..].iter().filter(|sql| changes.iter().any(|it| sql.contains(it))).collect();
        assert!(after.is_empty(), "after {part}: {after:#?}");
    }
}

#[tokio::test]
async fn a_row_that_a_newer_run_has_written_stays_and_ends_the_run() {
    let servers = FakeServers::new(World::new());
    let first = Draft::new(&servers.world()).ledger().adopt("one", &["t"]).build();
    let _ = execute(&servers, &first).await;
    let row = |servers: &FakeServers| servers.world().clusters[&name("b")].ledger["flows"]["shop-sync||one"].clone();
    let newer = vec!["{}".to_owned(), "applying".to_owned(), "newer".to_owned(), "7".to_owned()];
    servers.change(|world| {
        world.at("b").ledger.get_mut("flows").unwrap().insert("shop-sync||one".to_owned(), newer.clone());
    });
    let plan = Draft::new(&servers.world()).replicate("one", &["t"]).build();
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    let text = "the lock was lost: run newer has written the row of flow one since";
    assert_eq!(ran.failure(), ("apply::lock-lost".to_owned(), text.to_owned()));
    assert_eq!(row(&servers), newer);
    assert!(servers.world().clusters[&name("a")].publications.is_empty());
}

#[tokio::test]
async fn a_failure_of_its_own_is_told_as_it_is() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.set_fault(Some(Fault::Refuse("CREATE SUBSCRIPTION", ErrorKind::Other)));
    let ran = apply(&servers, &plan, Options::default()).await.unwrap();
    assert_eq!(ran.failure().0, "cluster::error");
}
