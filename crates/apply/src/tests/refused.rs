//! Plans that do not run at all.

use transship_model::plan::{Blocked, DueFlow, Plan};

use super::harness::{Options, apply};
use crate::fake::{Draft, FakeServers, World};
use crate::{ApplyError, read_plan};

async fn refused(servers: &FakeServers, plan: &Plan) -> ApplyError {
    let Err(error) = apply(servers, plan, Options::default()).await else { panic!("the plan runs") };
    assert_eq!(servers.sent(), Vec::<String>::new(), "nothing is sent");
    assert!(error.help().is_some());
    error
}

fn digested(mut plan: Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    change(&mut plan);
    plan.digest = transship_plan::digest(&plan);
    plan
}

#[tokio::test]
async fn a_stale_plan_names_what_changed() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t", "p"]).build();
    servers.change(|world| world.add_table("b", "p", &[("", 0, 1)]));
    let error = refused(&servers, &plan).await;
    assert_eq!(error.code(), "apply::stale");
    assert_eq!(error.to_string(), "the plan is stale: 1 object changed since it was made: table b.shop.p");
}

#[tokio::test]
async fn rows_alone_make_no_plan_stale() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.change(|world| world.writes = 100);
    assert!(apply(&servers, &plan, Options::default()).await.unwrap().outcome.is_success());
}

#[tokio::test]
async fn a_plan_that_ran_is_stale() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    apply(&servers, &plan, Options::default()).await.unwrap();
    servers.set_fault(None);
    assert_eq!(refused(&servers, &plan).await.code(), "apply::stale");
}

#[tokio::test]
async fn another_cluster_under_the_same_name_is_refused() {
    let servers = FakeServers::new(World::new());
    let plan = Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    servers.change(|world| world.at("b").id = "id-c".to_owned());
    let error = refused(&servers, &plan).await;
    assert_eq!(error.to_string(), "cluster `b` has id id-c, the plan was made with id-b");
}

#[tokio::test]
async fn plans_that_are_blocked_edited_or_broken_are_refused() {
    let servers = FakeServers::new(World::new());
    let plan = || Draft::new(&servers.world()).ledger().replicate("one", &["t"]).build();
    let blocked = digested(plan(), |plan| {
        let (code, reason, help) = ("plan::x".to_owned(), "it may not".to_owned(), "let it".to_owned());
        plan.blocked.push(Blocked { code, step: None, flow: None, reason, help });
    });
    assert_eq!(refused(&servers, &blocked).await.code(), "apply::blocked");
    let mut edited = plan();
    edited.partial = true;
    assert_eq!(refused(&servers, &edited).await.code(), "apply::plan-edited");
    let hidden = digested(plan(), |plan| {
        let (record, steps) = (plan.records.remove(0), plan.steps.split_off(1));
        let flow = record.flow.clone();
        let (digest, basis, warnings) = (String::new(), std::mem::take(&mut plan.basis), Vec::new());
        plan.due.push(DueFlow { flow, digest, basis, record, steps, warnings, blocked: Vec::new() });
    });
    assert_eq!(refused(&servers, &hidden).await.code(), "apply::plan-edited", "the digest of what is due");
    let broken = digested(plan(), |plan| plan.steps[2].sql[0] = r#"DROP TABLE "shop"."t""#.to_owned());
    assert_eq!(refused(&servers, &broken).await.code(), "apply::plan-violations");
    let stranger = digested(plan(), |plan| {
        let cluster = plan.clusters.values().next().unwrap().clone();
        plan.clusters.insert("zoo".parse().unwrap(), cluster);
    });
    assert_eq!(refused(&servers, &stranger).await.code(), "apply::unknown-cluster");
}

#[test]
fn only_plans_of_the_known_format_are_read() {
    for (text, code) in [
        ("nonsense", "apply::not-a-plan"),
        ("{}", "apply::not-a-plan"),
        (r#"{"format_version": 2, "new": true}"#, "apply::plan-format"),
        (r#"{"format_version": 1, "new": true}"#, "apply::not-a-plan"),
    ] {
        assert_eq!(read_plan(text).unwrap_err().code(), code, "{text}");
    }
}
