//! Situations in which a careless planner loses data, each with what has to happen instead.

use transship_model::Finding;
use transship_model::ledger::{FlowState, LedgerView};
use transship_model::observed::{Lease, Privilege, RelationState, User};
use transship_model::plan::{ObjectKind, Precondition, StepKind};
use transship_plan::{FlowStatus, PlanInput, Planned, audit, fingerprint, plan};

use super::world::{allow_all, applied, at, flow, id, name, now, plain_table, replication, table, tables, world};

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

fn codes(input: &PlanInput) -> Vec<&'static str> {
    let findings: Vec<Finding> = plan(input).map(|planned| planned.plan.steps).expect_err("is refused");
    findings.iter().map(|finding| finding.code).collect()
}

/// A flow `live` of `s.t` and `s.u` from a to b that runs.
fn running() -> PlanInput {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    replication(&mut input, "live", "a", "b", &["s.t", "s.u"]);
    applied(&mut input, "live", "a", "b", &["s.t", "s.u"]);
    input
}

fn object(flow: &str) -> String {
    transship_plan::derived(&name("ws"), None, &id(flow))
}

#[test]
fn two_flows_that_are_made_again_in_order_lose_no_step() {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.r", "s.w"]);
    replication(&mut input, "w", "a", "b", &["s.w"]);
    let declared = serde_json::json!({
        "from": "a", "to": "b", "tables": ["s.r"], "strategy": { "logical-replication": {} }, "depends_on": ["w"],
    });
    flow(&mut input, "r", declared);
    applied(&mut input, "w", "a", "b", &["s.w"]);
    applied(&mut input, "r", "a", "b", &["s.r"]);
    input.options.resync = vec![id("r"), id("w")];
    allow_all(&mut input);
    let plan = planned(&input).plan;
    let kinds = |flow: &str| -> Vec<StepKind> {
        plan.steps.iter().filter(|step| step.flow == Some(id(flow))).map(|step| step.kind).collect()
    };
    let whole = [
        StepKind::UnpublishTables,
        StepKind::WaitReleased,
        StepKind::DropSubscription,
        StepKind::WaitLeasesGone,
        StepKind::DropTable,
        StepKind::PublishTables,
        StepKind::CreateSubscription,
        StepKind::WaitSynced,
    ];
    assert_eq!((kinds("r"), kinds("w")), (whole.to_vec(), whole.to_vec()));
}

#[test]
fn a_table_that_was_made_again_is_another_one_partitions_or_not() {
    let mut input = running();
    let seen = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
    seen.partitioned_by = vec!["id".to_owned()];
    seen.primaries[0].partition = "04732".to_owned();
    at(&mut input, "b").subscriptions.clear();
    allow_all(&mut input);
    let plan = planned(&input).plan;
    let drop = plan.steps.iter().find(|step| step.kind == StepKind::DropTable).unwrap();
    let Some(Precondition::Unchanged(indices)) = drop.preconditions.iter().find(
        |precondition| matches!(precondition, Precondition::Unchanged(object) if object.kind == ObjectKind::Indices),
    ) else {
        panic!("the indices are guarded: {:?}", drop.preconditions)
    };
    let before = fingerprint(&input.observation, indices);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().primaries[0].uuid = Some("another".to_owned());
    assert_ne!(fingerprint(&input.observation, indices), before);
}

#[test]
fn a_table_that_the_subscriber_may_not_read_is_not_dropped_for_nothing() {
    let mut input = running();
    input.endpoints.get_mut(&name("a")).unwrap().subscriber = "repl".to_owned();
    at(&mut input, "a").users.as_mut().unwrap().insert("repl".to_owned(), User::default());
    at(&mut input, "a").privileges = Some(vec![Privilege {
        grantee: "repl".to_owned(),
        kind: "DQL".to_owned(),
        class: "TABLE".to_owned(),
        ident: Some("s.u".to_owned()),
        granted: true,
    }]);
    at(&mut input, "b").subscriptions.get_mut(&object("live")).unwrap().tables.remove(&table("s.t"));
    assert_eq!(codes(&input), ["plan::missing-privilege"]);
}

#[test]
fn a_publication_is_not_taken_over_from_its_other_readers() {
    let mut input = running();
    at(&mut input, "b").ledger = LedgerView::Absent;
    replication(&mut input, "live", "a", "b", &["s.t"]);
    let names = serde_json::json!({ "publication": object("live"), "subscription": object("live") });
    input.spec.flows.get_mut(&name("live")).unwrap().names = serde_json::from_value(names).unwrap();
    assert_eq!(codes(&input), ["plan::adopts-more"]);
}

#[test]
fn other_readers_of_a_table_that_leaves_are_named() {
    let mut input = running();
    replication(&mut input, "live", "a", "b", &["s.t"]);
    let lease = Lease { subscriber: "crate-c".to_owned(), retaining: 10, renewed: now() };
    at(&mut input, "a").tables.get_mut(&table("s.u")).unwrap().primaries[0].leases.push(lease);
    let plan = planned(&input).plan;
    assert!(plan.warnings.iter().any(|note| note.code == "plan::other-subscribers" && note.text.contains("crate-c")));
}

#[test]
fn a_table_is_published_only_while_nothing_is_in_its_way() {
    let mut input = running();
    tables(&mut input, "a", &["s.v"]);
    replication(&mut input, "live", "a", "b", &["s.*"]);
    let plan = planned(&input).plan;
    let publish = plan.steps.iter().find(|step| step.kind == StepKind::PublishTables).unwrap();
    let guards = |object: &&transship_model::plan::ObjectRef| object.cluster == name("b") && object.name == "s.v";
    let absent = publish.preconditions.iter().filter_map(|precondition| match precondition {
        Precondition::Absent(object) => Some(object),
        _ => None,
    });
    assert_eq!(absent.filter(guards).count(), 1);
    assert!(plan.basis.iter().any(|basis| guards(&&basis.object) && basis.fingerprint == "absent"));
}

#[test]
fn a_run_that_made_nothing_claims_nothing() {
    let mut input = running();
    at(&mut input, "b").subscriptions.clear();
    if let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger {
        let row = &mut rows.get_mut(&id("live")).unwrap().row;
        row.state = FlowState::Applying;
        row.made.clear();
    }
    assert_eq!(codes(&input), ["plan::target-exists"; 2]);
    input.options.resync = vec![id("live")];
    assert_eq!(codes(&input), ["plan::target-exists"; 2], "--resync claims nothing either");
}

#[test]
fn another_source_means_another_flow() {
    let mut input = running();
    tables(&mut input, "c", &["s.t", "s.u"]);
    replication(&mut input, "live", "c", "b", &["s.t", "s.u"]);
    assert_eq!(codes(&input), ["plan::moved"]);
}

#[test]
fn no_subscription_is_made_beside_a_failed_one() {
    let mut input = running();
    let followed = at(&mut input, "b").subscriptions.get_mut(&object("live")).unwrap();
    followed.tables.get_mut(&table("s.t")).unwrap().state = RelationState::Failed;
    tables(&mut input, "a", &["r.x"]);
    replication(&mut input, "next", "a", "b", &["r.x"]);
    assert_eq!(planned(&input).report.flows[&id("live")].status, FlowStatus::Blocked, "repaired in the same plan");
    input.options.targets = vec![transship_model::Glob("next".to_owned())];
    assert_eq!(codes(&input), ["plan::failed-subscription"]);
}

#[test]
fn a_subscriber_of_the_same_cluster_name_counts_though_it_is_left_out() {
    let mut input = running();
    at(&mut input, "c").cluster_name = "crate-b".to_owned();
    replication(&mut input, "next", "a", "c", &["s.t"]);
    input.options.targets = vec![transship_model::Glob("next".to_owned())];
    assert_eq!(codes(&input), ["plan::same-cluster-name"]);
}

#[test]
fn a_view_in_the_way_is_no_table_to_drop() {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    let view =
        transship_model::observed::Table { kind: transship_model::observed::TableKind::View, ..plain_table("view") };
    at(&mut input, "b").tables.insert(table("s.t"), view);
    let declared = serde_json::json!({
        "from": "a", "to": "b", "tables": ["s.t"], "strategy": { "logical-replication": {} }, "existing": "replace",
    });
    flow(&mut input, "live", declared);
    assert_eq!(codes(&input), ["plan::target-exists"]);
}

#[test]
fn nothing_is_said_to_have_arrived_where_nothing_follows() {
    let mut input = running();
    assert_eq!(planned(&input).report.flows[&id("live")].notes, ["every operation has arrived"]);
    at(&mut input, "a").publications.clear();
    assert_eq!(planned(&input).report.flows[&id("live")].notes, [""; 0]);
    let mut input = running();
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().closed = true;
    assert!(planned(&input).report.flows[&id("live")].unhealthy[0].contains("is closed"));
}

#[test]
fn a_followed_table_may_get_partitions_before_it_is_dropped() {
    let mut input = running();
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().partitioned_by = vec!["id".to_owned()];
    input.options.resync = vec![id("live")];
    allow_all(&mut input);
    let plan = planned(&input).plan;
    let mut later = input.observation.clone();
    let seen = later.clusters.get_mut(&name("b")).unwrap().tables.get_mut(&table("s.t")).unwrap();
    let another = seen.primaries[0].clone();
    seen.primaries.push(another);
    seen.primaries[1].uuid = Some("of a new partition".to_owned());
    assert!(plan.basis.iter().all(|basis| fingerprint(&later, &basis.object) == basis.fingerprint), "still the same");
    later.clusters.get_mut(&name("b")).unwrap().subscriptions.clear();
    assert!(plan.basis.iter().any(|basis| fingerprint(&later, &basis.object) != basis.fingerprint), "nobody holds it");
}

#[test]
fn a_plan_is_used_once() {
    let mut input = running();
    input.options.resync = vec![id("live")];
    allow_all(&mut input);
    let plan = planned(&input).plan;
    let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("a ledger") };
    rows.get_mut(&id("live")).unwrap().run = "another".to_owned();
    let moved: Vec<_> = plan
        .basis
        .iter()
        .filter(|basis| fingerprint(&input.observation, &basis.object) != basis.fingerprint)
        .map(|basis| basis.object.to_string())
        .collect();
    assert_eq!(moved, ["row of flow live in the ledger on b"]);
}

#[test]
fn tables_leave_the_publication_before_a_live_subscription_is_dropped() {
    let dropped_outright = |input: &PlanInput| {
        let plan = planned(input).plan;
        let first = plan.steps.iter().find(|step| step.flow.is_some()).unwrap().kind;
        assert!(matches!(first, StepKind::UnpublishTables | StepKind::DropSubscription), "{first}");
        first == StepKind::DropSubscription
    };
    let mut resync = running();
    resync.options.resync = vec![id("live")];
    allow_all(&mut resync);
    assert!(!dropped_outright(&resync));

    let mut removed = running();
    removed.spec.flows.clear();
    allow_all(&mut removed);
    assert!(!dropped_outright(&removed));

    // One that has failed looks at nothing any more, and would only be waited for in vain.
    let tables = &mut at(&mut removed, "b").subscriptions.get_mut(&object("live")).unwrap().tables;
    tables.get_mut(&table("s.t")).unwrap().state = RelationState::Failed;
    assert!(dropped_outright(&removed));
}

#[test]
fn a_table_that_counts_as_followed_without_a_subscription_has_a_way_out() {
    let mut input = running();
    at(&mut input, "b").subscriptions.clear();
    let seen = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
    seen.writable = Some(transship_model::observed::Writable::Subscribed);
    allow_all(&mut input);
    let findings = plan(&input).expect_err("is refused");
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["plan::left-followed"]);
    assert!(findings[0].help.as_deref().unwrap().contains("Relation already exists"));
}

#[test]
fn the_publication_that_strangers_may_read_is_not_emptied() {
    let mut input = running();
    input.options.resync = vec![id("live")];
    allow_all(&mut input);
    let lease = |subscriber: &str| Lease { subscriber: subscriber.to_owned(), retaining: 0, renewed: now() };
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().primaries[0].leases.push(lease("stranger"));
    let plan = planned(&input).plan;
    assert!(!plan.steps.iter().any(|step| step.kind == StepKind::UnpublishTables));
    let warned = plan.warnings.iter().find(|note| note.code == "plan::other-subscribers").expect("a warning");
    assert!(warned.text.contains("stranger"), "{}", warned.text);
}

#[test]
fn a_publication_for_all_tables_is_dropped_as_it_is() {
    let mut input = running();
    input.spec.flows.clear();
    at(&mut input, "a").publications.get_mut(&object("live")).unwrap().all_tables = true;
    allow_all(&mut input);
    assert!(!planned(&input).plan.steps.iter().any(|step| step.kind == StepKind::UnpublishTables));
}
