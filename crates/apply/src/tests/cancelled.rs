//! Runs that are told to stop.

use super::harness::{Options, apply};
use crate::cancellation;
use crate::fake::{Draft, FakeServers, World, name};

#[tokio::test]
async fn nothing_is_started_after_the_wish_to_stop() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let (canceller, cancel) = cancellation();
    canceller.cancel();
    let options = Options { cancel: Some(&cancel), ..Options::default() };
    let ran = apply(&servers, &plan, options).await.unwrap();
    assert!(ran.outcome.cancelled);
    assert_eq!((ran.outcome.done, ran.outcome.failed, ran.outcome.skipped), (0, 0, 5));
    assert_eq!(servers.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wait_ends_and_the_ledger_says_so() {
    let servers = FakeServers::new(World::new());
    servers.change(|world| world.speed = 0);
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let (canceller, cancel) = cancellation();
    let stop = async {
        loop {
            tokio::task::yield_now().await;
            if servers.sent().iter().any(|sql| sql.contains("seq_no_stats")) {
                canceller.cancel();
                return;
            }
        }
    };
    let options = Options { cancel: Some(&cancel), ..Options::default() };
    let (ran, ()) = tokio::join!(apply(&servers, &plan, options), stop);
    let ran = ran.unwrap();
    assert!(ran.outcome.cancelled);
    assert_eq!(ran.failure().0, "apply::cancelled");
    assert_eq!(ran.outcome.done, 4);
    let ledger = &servers.world().clusters[&name("b")].ledger;
    assert_eq!(ledger["runs"].values().next().unwrap()[0], "cancelled");
    assert_eq!(ledger["flows"]["shop-sync||one"][1], "applying");
}
