//! Steps that refuse to act.

use transship_model::plan::{Plan, Precondition, StepKind};

use super::harness::execute;
use crate::fake::{Draft, FakeServers, World, name, step_of, table};

/// A world with flow `one` in place.
async fn replicated() -> FakeServers {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    assert!(execute(&servers, &plan).await.outcome.is_success());
    servers
}

fn changed(mut plan: Plan, kind: StepKind, change: impl FnOnce(&mut transship_model::plan::Step)) -> Plan {
    change(plan.steps.iter_mut().find(|step| step.kind == kind).unwrap());
    plan
}

#[tokio::test]
async fn a_table_that_was_made_again_is_not_dropped() {
    let servers = replicated().await;
    let plan = Draft::new(&servers.world()).resync("one", &["t"]).build();
    // Between the steps somebody puts another table under the name.
    let mut first = plan.clone();
    first.steps.truncate(2);
    assert!(execute(&servers, &first).await.outcome.is_success());
    servers.change(|world| world.add_table("b", "t", &[("", 0, 100)]));
    let ran = execute(&servers, &plan).await;
    assert_eq!(ran.failure(), ("apply::precondition".into(), "table b.shop.t changed since the plan was made".into()));
    assert_eq!(servers.world().clusters[&name("b")].tables[&table("t")].shards[&(String::new(), 0)], 100);
}

#[tokio::test]
async fn a_table_that_is_replicated_into_is_not_dropped() {
    let servers = replicated().await;
    let mut plan = Draft::new(&servers.world()).resync("one", &["t"]).build();
    plan.steps.retain(|step| step.kind == StepKind::DropTable);
    plan.steps[0].depends_on.clear();
    let ran = execute(&servers, &plan).await;
    assert_eq!(ran.failure().0, "apply::precondition");
    assert!(servers.world().clusters[&name("b")].tables.contains_key(&table("t")));
}

#[tokio::test]
async fn a_drop_insists_on_its_guard_and_its_consent() {
    let servers = replicated().await;
    let plan = || Draft::new(&servers.world()).resync("one", &["t"]).build();
    let unguarded = changed(plan(), StepKind::DropTable, |step| {
        step.preconditions.retain(|condition| !matches!(condition, Precondition::Unchanged(_)));
    });
    let unpermitted = changed(plan(), StepKind::DropTable, |step| step.consent.as_mut().unwrap().given = None);
    for plan in [unguarded, unpermitted] {
        assert_eq!(execute(&servers, &plan).await.failure().0, "apply::not-of-its-kind");
        assert!(servers.world().clusters[&name("b")].tables.contains_key(&table("t")));
    }
}

#[tokio::test]
async fn a_statement_of_another_kind_is_not_sent() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let plan = changed(plan, StepKind::PublishTables, |step| step.sql = vec![r#"DROP TABLE "shop"."t""#.to_owned()]);
    assert_eq!(execute(&servers, &plan).await.failure().0, "apply::not-of-its-kind");
    assert!(servers.world().clusters[&name("a")].tables.contains_key(&table("t")));
}

#[tokio::test]
async fn a_connection_that_nobody_reviewed_is_not_sent() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let plan = changed(plan, StepKind::CreateSubscription, |step| {
        step.params[0].shown = step.params[0].shown.replace("crate://a", "crate://elsewhere");
    });
    let ran = execute(&servers, &plan).await;
    assert_eq!(ran.failure().0, "apply::parameter-changed");
    assert!(servers.world().clusters[&name("b")].subscriptions.is_empty());
}

#[tokio::test]
async fn a_subscription_of_the_same_name_that_differs_is_left_alone() {
    let servers = replicated().await;
    servers.change(|world| {
        world.at("b").subscriptions.get_mut("one").unwrap().publication = "other".to_owned();
    });
    let mut plan = Draft::new(&servers.world()).replicate("one", &["t"]).build();
    plan.steps.retain(|step| step.kind == StepKind::CreateSubscription);
    plan.steps[0].depends_on.clear();
    let ran = execute(&servers, &plan).await;
    assert_eq!(
        ran.failure(),
        ("apply::differs".into(), "subscription b.one exists already and differs: it reads publication other".into())
    );
}

#[tokio::test]
async fn somebody_elses_subscription_is_never_dropped() {
    let servers = replicated().await;
    let mut plan = Draft::new(&servers.world()).remove("one", &["t"]).build();
    plan.steps.retain(|step| step.kind == StepKind::DropSubscription);
    plan.steps[0].depends_on.clear();
    servers.change(|world| {
        world.at("b").subscriptions.get_mut("one").unwrap().owner = "else".to_owned();
    });
    let ran = execute(&servers, &plan).await;
    assert_eq!(step_of(&plan, "drop-subscription").id.0, "one/03-drop-subscription");
    assert_eq!(ran.failure().0, "apply::left-followed");
    assert!(servers.world().clusters[&name("b")].subscriptions.contains_key("one"));
}

#[tokio::test]
async fn no_subscription_is_made_beside_one_that_has_failed_meanwhile() {
    let servers = FakeServers::new(World::new());
    servers.change(|world| {
        world.add_table("a", "x", &[("", 0, 3)]);
        world.failing.insert(table("t"), "Relation already exists".to_owned());
    });
    let first = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    assert!(!execute(&servers, &first).await.outcome.is_success());
    let second = Draft::new(&servers.world()).replicate("two", &["x"]).build();
    let ran = execute(&servers, &second).await;
    let told = "subscription b.one has failed, and can take every other one down when another is made";
    assert_eq!(ran.failure(), ("apply::failed-neighbour".into(), told.into()));
    assert!(!servers.world().clusters[&name("b")].subscriptions.contains_key("two"));
}
