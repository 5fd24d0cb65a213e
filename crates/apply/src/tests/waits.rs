//! Waits for replication, in virtual time.

use std::time::Duration;

use super::harness::{Ran, execute_at};
use crate::clock::Clock as _;
use crate::clock::manual::ManualClock;
use crate::fake::{Draft, FakeServers, World, table};

async fn wait(change: impl FnOnce(&mut World)) -> (Ran, Duration) {
    let servers = FakeServers::new(World::new());
    servers.change(change);
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t", "p"]).build();
    let clock = ManualClock::new();
    let ran = execute_at(&servers, &plan, &clock).await;
    (ran, clock.elapsed())
}

#[tokio::test]
async fn a_wait_ends_under_constant_writes() {
    let (ran, took) = wait(|world| (world.writes, world.speed) = (5, 3)).await;
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
    assert!(took < Duration::from_mins(1), "{took:?}");
    let progress = ran.progress();
    assert!(progress.iter().any(|text| text.starts_with("0 of 2 tables in sync, ")), "{progress:?}");
}

#[tokio::test]
async fn tables_that_are_followed_and_get_nothing_are_given_up_after_two_minutes() {
    let (ran, took) = wait(|world| world.speed = 0).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "apply::stalled");
    assert!(message.starts_with("nothing changed for 2 min: 0 of 2 tables in sync, "), "{message}");
    assert!((120..140).contains(&took.as_secs()), "{took:?}");
    // A report a second at most.
    assert!(ran.progress().len() <= 140, "{}", ran.progress().len());
}

#[tokio::test]
async fn a_whole_copy_that_the_target_has_forgotten_ends_the_wait_after_half_a_minute() {
    let (ran, took) = wait(|world| (world.endless, world.forgotten) = (true, true)).await;
    assert!(ran.outcome.is_success(), "{:?}", ran.lines());
    assert!((30..40).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_wait_that_comes_forward_too_slowly_ends_with_its_limit() {
    let (ran, took) = wait(|world| {
        world.add_table("a", "t", &[("", 0, 1_000_000)]);
        world.speed = 1;
    })
    .await;
    let (code, message) = ran.failure();
    assert_eq!(code, "apply::timed-out");
    assert!(message.starts_with("not done within 3600 s: 1 of 2 tables in sync, "), "{message}");
    assert!((3600..3620).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_table_that_fails_ends_the_wait_at_once() {
    let (ran, took) = wait(|world| {
        world.failing.insert(table("p"), "Relation already exists".to_owned());
    })
    .await;
    assert_eq!(
        ran.failure(),
        ("apply::replication-failed".into(), "replication of shop.p failed: Relation already exists".into())
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_copy_of_a_partition_that_the_source_has_dropped_is_given_up_after_two_minutes() {
    let (ran, took) = wait(|world| (world.endless, world.dead_shard) = (true, true)).await;
    assert_eq!(ran.failure().0, "apply::endless-copy");
    assert!((120..140).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_copy_that_has_everything_and_goes_on_is_waited_for() {
    let (ran, took) = wait(|world| world.endless = true).await;
    assert_eq!(ran.failure().0, "apply::stalled");
    assert!((600..640).contains(&took.as_secs()), "{took:?}");
}
