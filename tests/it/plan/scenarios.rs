//! What is planned in which situation: the steps in a few words each, and what is refused.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use transship_model::Finding;
use transship_model::ledger::{FlowRow, FlowState, LedgerView};
use transship_model::observed::{Privilege, RelationState, Shard, Writable};
use transship_model::plan::{ConsentBy, ObjectRef, Plan, Precondition, StepKind};
use transship_plan::{FlowStatus, PlanInput, Planned, Rule, audit, plan};

use super::world::{allow_all, applied, at, flow, id, name, replication, table, tables, world};

const THREE: [&str; 3] = ["shop.customers", "shop.empty", "shop.orders"];

fn shop() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &THREE);
    replication(&mut input, "live", "a", "b", &["shop.*"]);
    input
}

fn running() -> PlanInput {
    let mut input = shop();
    applied(&mut input, "live", "a", "b", &THREE);
    input
}

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {}", refused(&findings)));
    assert_eq!(audit(&planned.plan), [], "the audit finds nothing");
    planned
}

fn refused(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect::<Vec<_>>().join("\n")
}

fn refusal(input: &PlanInput) -> String {
    refused(&plan(input).map(|planned| brief(&planned.plan)).expect_err("is refused"))
}

/// Every step as `CLUSTER ID: SQL`, then what is blocked, unseen and warned about.
fn brief(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan
        .steps
        .iter()
        .map(|step| format!("{} {}: {}", step.cluster, step.id, step.sql.first().map_or("", String::as_str)))
        .map(|line| line.chars().take(130).collect())
        .collect();
    lines.extend(plan.blocked.iter().map(|blocked| format!("BLOCKED {}: {}", blocked.code, blocked.reason)));
    lines.extend(plan.unseen.iter().map(|note| format!("UNSEEN {}", note.text)));
    lines.extend(plan.warnings.iter().map(|note| format!("WARNING {}", note.code)));
    lines.join("\n")
}

#[test]
fn a_new_flow_is_made_from_nothing() {
    assert_snapshot!(brief(&planned(&shop()).plan), @r#"
    b @b/01-create-ledger: CREATE TABLE IF NOT EXISTS "transship"."meta" ("workspace" TEXT, "environment" TEXT, "key" TEXT, "value" TE
    a live/01-create-publication: CREATE PUBLICATION "transship__ws__live"
    a live/02-publish-tables: ALTER PUBLICATION "transship__ws__live" ADD TABLE "shop"."customers", "shop"."empty", "shop"."orders"
    b live/03-create-subscription: CREATE SUBSCRIPTION "transship__ws__live" CONNECTION $1 PUBLICATION "transship__ws__live"
    b live/04-wait-synced:
    "#);
}

#[test]
fn what_runs_as_declared_needs_nothing() {
    let planned = planned(&running());
    assert_eq!(brief(&planned.plan), "");
    assert_eq!(planned.report.flows[&id("live")].status, FlowStatus::UpToDate);
}

#[test]
fn a_new_table_is_published_and_waited_for() {
    let mut input = running();
    tables(&mut input, "a", &["shop.extra"]);
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    a live/01-publish-tables: ALTER PUBLICATION "transship__ws__live" ADD TABLE "shop"."extra"
    b live/02-wait-synced:
    "#);
}

#[test]
fn a_table_that_is_no_longer_meant_is_let_go() {
    let mut input = running();
    replication(&mut input, "live", "a", "b", &["shop.customers", "shop.orders"]);
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    a live/01-unpublish-tables: ALTER PUBLICATION "transship__ws__live" SET TABLE "shop"."customers", "shop"."orders"
    b live/02-wait-released: 
    WARNING plan::stays-writable
    "#);
}

#[test]
fn a_flow_that_is_gone_is_taken_down_with_consent() {
    let mut input = running();
    input.spec.flows.clear();
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    a live/01-unpublish-tables: ALTER PUBLICATION "transship__ws__live" DROP TABLE "shop"."customers", "shop"."empty", "shop"."orders"
    b live/02-wait-released: 
    b live/03-drop-subscription: DROP SUBSCRIPTION IF EXISTS "transship__ws__live"
    a live/04-wait-leases-gone: 
    a live/05-drop-publication: DROP PUBLICATION IF EXISTS "transship__ws__live"
    BLOCKED plan::needs-consent: drops subscription b.transship__ws__live
    BLOCKED plan::needs-consent: drops publication a.transship__ws__live
    WARNING plan::stays-writable
    "#);
    allow_all(&mut input);
    assert_eq!(planned(&input).plan.blocked, []);
}

#[test]
fn a_flow_that_is_gone_while_it_is_copied_leaves_half_tables() {
    let mut input = running();
    input.spec.flows.clear();
    set_state(&mut input, "shop.orders", RelationState::Restoring, None);
    let plan = planned(&input).plan;
    assert!(
        plan.warnings.iter().any(|note| note.code == "plan::stays-incomplete" && note.text.contains("shop.orders"))
    );
}

#[test]
fn a_disabled_flow_is_left_as_it_is() {
    let mut input = running();
    input.spec.flows.get_mut(&name("live")).unwrap().enabled = false;
    at(&mut input, "a").publications.clear();
    let planned = planned(&input);
    assert_eq!(brief(&planned.plan), "");
    assert_eq!(planned.report.flows[&id("live")].status, FlowStatus::Disabled);
}

#[test]
fn a_partial_plan_removes_nothing() {
    let mut input = running();
    tables(&mut input, "a", &["other.t"]);
    let live = input.spec.flows.remove(&name("live")).unwrap();
    replication(&mut input, "other", "a", "b", &["other.t"]);
    input.options.targets = vec![transship_model::Glob("other".to_owned())];
    let plan = planned(&input).plan;
    assert!(plan.partial && plan.steps.iter().all(|step| !step.destructive));
    input.spec.flows.insert(name("live"), live);
    assert_eq!(planned(&input).report.flows[&id("live")].status, FlowStatus::LeftOut);
}

#[test]
fn a_dropped_publication_is_made_again_though_the_subscription_looks_alive() {
    let mut input = running();
    at(&mut input, "a").publications.clear();
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    b live/01-drop-subscription: DROP SUBSCRIPTION IF EXISTS "transship__ws__live"
    a live/02-wait-leases-gone: 
    b live/03-drop-table: DROP TABLE "shop"."customers"
    b live/04-drop-table: DROP TABLE "shop"."empty"
    b live/05-drop-table: DROP TABLE "shop"."orders"
    a live/06-create-publication: CREATE PUBLICATION "transship__ws__live"
    a live/07-publish-tables: ALTER PUBLICATION "transship__ws__live" ADD TABLE "shop"."customers", "shop"."empty", "shop"."orders"
    b live/08-create-subscription: CREATE SUBSCRIPTION "transship__ws__live" CONNECTION $1 PUBLICATION "transship__ws__live"
    b live/09-wait-synced: 
    BLOCKED plan::needs-consent: drops subscription b.transship__ws__live
    BLOCKED plan::needs-consent: drops table b.shop.customers and its rows
    BLOCKED plan::needs-consent: drops table b.shop.empty and its rows
    BLOCKED plan::needs-consent: drops table b.shop.orders and its rows
    WARNING plan::copied-again
    "#);
    allow_all(&mut input);
    assert_eq!(planned(&input).plan.blocked, []);
}

#[test]
fn a_dropped_subscription_is_made_again_over_its_left_overs() {
    let mut input = running();
    at(&mut input, "b").subscriptions.clear();
    for table in at(&mut input, "a").tables.values_mut() {
        table.primaries[0].leases.clear();
    }
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    b live/01-drop-table: DROP TABLE "shop"."customers"
    b live/02-drop-table: DROP TABLE "shop"."empty"
    b live/03-drop-table: DROP TABLE "shop"."orders"
    b live/04-create-subscription: CREATE SUBSCRIPTION "transship__ws__live" CONNECTION $1 PUBLICATION "transship__ws__live"
    b live/05-wait-synced: 
    BLOCKED plan::needs-consent: drops table b.shop.customers and its rows
    BLOCKED plan::needs-consent: drops table b.shop.empty and its rows
    BLOCKED plan::needs-consent: drops table b.shop.orders and its rows
    WARNING plan::copied-again
    "#);
}

#[test]
fn a_failed_table_means_a_new_subscription() {
    let mut input = running();
    set_state(&mut input, "shop.orders", RelationState::Failed, Some("Relation already exists"));
    let planned = planned(&input);
    let steps: Vec<&str> = planned.plan.steps.iter().map(|step| step.kind.as_str()).collect();
    let expected = [
        "drop-subscription",
        "wait-leases-gone",
        "drop-table",
        "drop-table",
        "drop-table",
        "create-subscription",
        "wait-synced",
    ];
    assert_eq!(steps, expected);
    assert!(planned.report.flows[&id("live")].differences[0].contains("Relation already exists"));
}

#[test]
fn a_replication_that_stopped_in_silence_is_found_by_its_leases() {
    let mut input = running();
    for shard in &mut at(&mut input, "a").tables.get_mut(&table("shop.orders")).unwrap().primaries {
        shard.leases.clear();
    }
    assert_eq!(brief(&planned(&input).plan), "", "new partitions have no lease for a moment");
    at(&mut input, "b").tables.get_mut(&table("shop.orders")).unwrap().primaries[0].stalled = true;
    let planned = planned(&input);
    assert!(planned.report.flows[&id("live")].differences[0].contains("stopped following"));
    assert!(!planned.plan.blocked.is_empty());
}

#[test]
fn a_shard_that_gets_nothing_is_stuck_and_one_whose_lease_is_old_is_cut_off() {
    let mut input = running();
    at(&mut input, "b").tables.get_mut(&table("shop.orders")).unwrap().primaries[0].stalled = true;
    let stuck = planned(&input);
    assert!(stuck.report.flows[&id("live")].differences[0].contains("it is stuck"));
    assert!(!stuck.plan.blocked.is_empty());

    let long_ago = "2026-03-01T11:00:00Z".parse().unwrap();
    at(&mut input, "a").tables.get_mut(&table("shop.orders")).unwrap().primaries[0].leases[0].renewed = long_ago;
    let cut_off = planned(&input);
    assert_eq!(brief(&cut_off.plan), "", "what mends itself is not copied again");
    assert!(cut_off.report.flows[&id("live")].unhealthy[0].contains("is cut off"));

    ledger_row(&mut input, |row| (row.state, row.made) = (FlowState::Applying, BTreeSet::new()));
    assert_eq!(brief(&planned(&input).plan).lines().count(), 1, "leases that keep later operations would stay");
    let leases = at(&mut input, "a").tables.values_mut().flat_map(|table| &mut table.primaries);
    for lease in leases.flat_map(|shard| &mut shard.leases) {
        (lease.retaining, lease.renewed) = (0, long_ago);
    }
    for table in at(&mut input, "b").tables.values_mut() {
        table.primaries.iter_mut().for_each(|shard| shard.stalled = true);
    }
    assert_eq!(planned(&input).plan.destructive().count(), 0, "somebody may read what is there");
    for table in at(&mut input, "b").tables.values_mut() {
        table.primaries.iter_mut().for_each(|shard| shard.global_checkpoint = Some(-1));
    }
    assert_eq!(planned(&input).plan.destructive().count(), 0, "nobody has looked whose they are");
    at(&mut input, "b").tables.values_mut().for_each(|table| table.writable = Some(Writable::Subscribed));
    let never_filled = planned(&input);
    assert!(never_filled.report.flows[&id("live")].differences[0].contains("was never in sync"));
    assert_eq!(never_filled.plan.blocked, [], "what never was in sync is copied again without a consent");
}

fn ledger_row(input: &mut PlanInput, change: impl FnOnce(&mut FlowRow)) {
    let LedgerView::Present(rows) = &mut at(input, "b").ledger else { panic!("a ledger") };
    change(&mut rows.get_mut(&id("live")).expect("a row").row);
}

/// CrateDB has forgotten that it copies the table: one shard of it is there, or all of them.
fn forgotten(input: &mut PlanInput, table_name: &str, is_whole: bool) {
    let target = at(input, "b");
    for subscription in target.subscriptions.values_mut() {
        let known = subscription.tables.get_mut(&table(table_name)).unwrap();
        (known.state, known.abandoned) = (RelationState::Restoring, true);
    }
    for shard in &mut target.tables.get_mut(&table(table_name)).unwrap().primaries {
        if !is_whole {
            (shard.max_seq_no, shard.global_checkpoint) = (None, None);
        }
    }
    target.tables.get_mut(&table(table_name)).unwrap().writable = Some(Writable::Subscribed);
    if !is_whole {
        retain(input, table_name, 0);
    }
}

/// A first run was cut, and CrateDB has forgotten all that it copied; nothing of it is there.
fn all_forgotten() -> PlanInput {
    let mut input = running();
    for name in THREE {
        forgotten(&mut input, name, false);
    }
    ledger_row(&mut input, |row| (row.state, row.made) = (FlowState::Applying, BTreeSet::new()));
    input
}

/// Leases on the table keep operations from that one on.
fn retain(input: &mut PlanInput, table_name: &str, from: i64) {
    let shards = &mut at(input, "a").tables.get_mut(&table(table_name)).unwrap().primaries;
    shards.iter_mut().flat_map(|shard| &mut shard.leases).for_each(|lease| lease.retaining = from);
}

#[test]
fn a_forgotten_copy_is_made_anew_without_a_consent_only_where_nothing_was_in_sync() {
    let mut input = running();
    forgotten(&mut input, "shop.orders", true);
    assert_eq!(brief(&planned(&input).plan), "", "it has everything, whatever the word for it is");

    forgotten(&mut input, "shop.orders", false);
    let beside = planned(&input);
    assert!(beside.report.flows[&id("live")].differences[0].contains("shop.orders was copied in part"));
    assert!(!beside.plan.blocked.is_empty(), "the other tables were in sync");

    ledger_row(&mut input, |row| (row.state, row.made) = (FlowState::Applying, BTreeSet::new()));
    assert!(!planned(&input).plan.blocked.is_empty(), "the other tables get on, whatever the ledger knows of them");

    for other in ["shop.customers", "shop.empty"] {
        forgotten(&mut input, other, false);
    }
    let first = planned(&input).plan;
    assert_eq!(first.blocked, []);
    let given: Vec<_> = first.destructive().map(|step| step.consent.as_ref().unwrap().given.clone()).collect();
    assert_eq!(given, vec![Some(ConsentBy::Arriving); 4]);

    retain(&mut input, "shop.orders", 10);
    assert!(!planned(&input).plan.blocked.is_empty(), "its shard was followed once, and is only away");
    let shards = at(&mut input, "a").tables.values_mut().flat_map(|table| &mut table.primaries);
    shards.for_each(|shard| shard.leases.clear());
    assert!(!planned(&input).plan.blocked.is_empty(), "nobody knows whether they were followed");
}

/// A first run was cut, and CrateDB does not begin to copy what the subscription has.
fn none_begun() -> PlanInput {
    let mut input = all_forgotten();
    for known in at(&mut input, "b").subscriptions.values_mut().flat_map(|it| it.tables.values_mut()) {
        known.state = RelationState::Initializing;
    }
    at(&mut input, "b").tables.retain(|name, _| name.schema != "shop");
    input
}

#[test]
fn a_subscription_that_does_not_begin_is_made_anew_without_a_consent_only_while_nothing_is_there() {
    let again = planned(&none_begun());
    assert!(again.report.flows[&id("live")].differences[0].contains("shop.customers is not begun to be copied"));
    assert_eq!(again.plan.blocked, []);
    let drop = again.plan.destructive().next().expect("the subscription is dropped");
    assert_eq!(drop.kind, StepKind::DropSubscription);
    assert_eq!(drop.consent.as_ref().unwrap().given, Some(ConsentBy::Arriving));
    for name in THREE {
        let absent = Precondition::Absent(ObjectRef::table(&"b".parse().unwrap(), &table(name)));
        assert!(drop.preconditions.contains(&absent), "{name} may have come since");
    }
    let mut unguarded = again.plan.clone();
    for step in &mut unguarded.steps {
        step.preconditions.retain(|precondition| !matches!(precondition, Precondition::Absent(_)));
    }
    assert!(audit(&unguarded).iter().any(|found| found.rule == Rule::ConsentOrBlocked));
    let row = &again.plan.all_records().next().unwrap().row;
    assert!(row.made.is_empty(), "what is not there was not made");

    let mut known = none_begun();
    ledger_row(&mut known, |row| row.made = BTreeSet::from([table("shop.orders")]));
    assert!(!planned(&known).plan.blocked.is_empty(), "it was in sync once: who has dropped it?");

    let mut bare = all_forgotten();
    at(&mut bare, "b").tables.values_mut().for_each(|table| table.primaries.clear());
    at(&mut bare, "a").tables.values_mut().flat_map(|it| &mut it.primaries).for_each(|it| it.leases.clear());
    assert_eq!(planned(&bare).plan.blocked, [], "tables without an index hold nothing");

    let mut late = none_begun();
    let subscription = at(&mut late, "b").subscriptions.values_mut().next().unwrap();
    subscription.tables.get_mut(&table("shop.orders")).unwrap().abandoned = false;
    assert!(!planned(&late).plan.blocked.is_empty(), "CrateDB is at one of them");
}

#[test]
fn a_table_that_was_in_the_way_of_the_subscription_is_not_its_copy() {
    let mut input = running();
    ledger_row(&mut input, |row| (row.state, row.made) = (FlowState::Applying, BTreeSet::new()));
    for subscription in at(&mut input, "b").subscriptions.values_mut() {
        for known in subscription.tables.values_mut() {
            (known.state, known.reason) = (RelationState::Failed, Some("Relation already exists".to_owned()));
        }
    }
    let plan = planned(&input).plan;
    assert_eq!(plan.blocked.len(), plan.destructive().count(), "each drop asks");
}

#[test]
fn shards_that_are_away_for_a_while_are_no_half_copy() {
    let mut input = all_forgotten();
    for subscription in at(&mut input, "b").subscriptions.values_mut() {
        for known in subscription.tables.values_mut() {
            (known.state, known.abandoned) = (RelationState::Monitoring, false);
        }
    }
    input.options.resync.push(id("live"));
    let plan = planned(&input).plan;
    assert!(plan.destructive().count() > 0);
    assert_eq!(plan.blocked.len(), plan.destructive().count(), "each drop asks");
}

#[test]
fn what_a_rebuild_of_a_forgotten_copy_left_is_known_by_what_it_has() {
    let mut input = all_forgotten();
    let row = planned(&input).plan.all_records().next().unwrap().row.clone();
    assert_eq!(row.arriving.len(), 3);
    ledger_row(&mut input, |is| *is = row);
    at(&mut input, "b").subscriptions.clear();
    at(&mut input, "b").tables.values_mut().for_each(|table| table.writable = Some(Writable::Yes));
    assert_eq!(planned(&input).plan.blocked, []);
    let changed = |change: fn(&mut Shard)| {
        let mut input = input.clone();
        change(&mut at(&mut input, "b").tables.get_mut(&table("shop.orders")).unwrap().primaries[0]);
        refusal(&input)
    };
    let made_since = changed(|shard| shard.uuid = Some("another".to_owned()));
    assert!(made_since.contains("shop.orders"), "a table that somebody has made since is not dropped");
    let written_since = changed(|shard| shard.max_seq_no = Some(7));
    assert!(written_since.contains("shop.orders"), "a table into which somebody has written since is not dropped");
}

/// What has arrived when it comes to be taken down is looked at before the first statement.
#[test]
fn a_half_copy_is_guarded_by_what_has_arrived_in_it() {
    let mut input = all_forgotten();
    let plan = planned(&input).plan;
    let arrivals: Vec<ObjectRef> = THREE.iter().map(|it| ObjectRef::arrival(&name("b"), &table(it))).collect();
    let begins = plan.all_steps().find(|step| !step.sql.is_empty()).expect("a step that changes something");
    let guards = |arrival| begins.preconditions.contains(&Precondition::Unchanged(arrival));
    assert!(arrivals.iter().cloned().all(guards), "{:?}", begins.preconditions);
    let mut unguarded = plan.clone();
    for step in &mut unguarded.steps {
        step.preconditions.retain(|it| !arrivals.iter().any(|arrival| *it == Precondition::Unchanged(arrival.clone())));
    }
    assert!(!audit(&unguarded).is_empty(), "a plan without that look is none");
    let before = arrivals.iter().map(|it| transship_plan::fingerprint(&input.observation, it)).collect::<Vec<_>>();
    at(&mut input, "b").tables.get_mut(&table("shop.orders")).unwrap().primaries[0].global_checkpoint = Some(7);
    let after = arrivals.iter().map(|it| transship_plan::fingerprint(&input.observation, it)).collect::<Vec<_>>();
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
}

#[test]
fn an_unpublished_table_comes_back_over_its_left_over() {
    let mut input = running();
    let object = transship_plan::derived(&name("ws"), None, &id("live"));
    at(&mut input, "a").publications.get_mut(&object).unwrap().tables.remove(&table("shop.orders"));
    at(&mut input, "b").subscriptions.get_mut(&object).unwrap().tables.remove(&table("shop.orders"));
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    b live/01-drop-table: DROP TABLE "shop"."orders"
    a live/02-publish-tables: ALTER PUBLICATION "transship__ws__live" ADD TABLE "shop"."orders"
    b live/03-wait-synced: 
    BLOCKED plan::needs-consent: drops table b.shop.orders and its rows
    WARNING plan::copied-again
    "#);
}

#[test]
fn another_connection_means_a_new_subscription() {
    let mut input = running();
    input.endpoints.get_mut(&name("a")).unwrap().tunnel.port = 6543;
    let planned = planned(&input);
    assert!(planned.report.flows[&id("live")].differences[0].contains("6543"));
    assert_eq!(planned.plan.destructive().count(), 4);
}

#[test]
fn a_resync_starts_from_scratch_with_consent() {
    let mut input = running();
    input.options.resync = vec![id("live")];
    assert_eq!(planned(&input).plan.blocked.len(), 4);
    input.options.resync = vec![id("nope")];
    assert_eq!(refusal(&input), "plan::no-such-flow: --resync nope: there is no such flow");
}

#[test]
fn what_exists_by_name_is_taken_over_only_when_asked() {
    let mut input = running();
    at(&mut input, "b").ledger = LedgerView::Absent;
    assert_snapshot!(refusal(&input), @"
    plan::unmanaged: publication a.transship__ws__live exists, and the ledger does not know it
    plan::unmanaged: subscription b.transship__ws__live exists, and the ledger does not know it
    ");
    let object = transship_plan::derived(&name("ws"), None, &id("live"));
    let names = serde_json::json!({ "publication": object, "subscription": object });
    input.spec.flows.get_mut(&name("live")).unwrap().names = serde_json::from_value(names).unwrap();
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    b @b/01-create-ledger: CREATE TABLE IF NOT EXISTS "transship"."meta" ("workspace" TEXT, "environment" TEXT, "key" TEXT, "value" TE
    b live/01-wait-synced:
    "#);
}

#[test]
fn another_user_plans_nothing_and_says_so() {
    let mut input = running();
    for cluster in ["a", "b"] {
        let seen = at(&mut input, cluster);
        seen.user = "reader".to_owned();
        seen.publications.clear();
        seen.subscriptions.clear();
    }
    let judged = planned(&input);
    assert_snapshot!(brief(&judged.plan), @"UNSEEN publication a.transship__ws__live belongs to `crate`, and `reader` does not see it");
    assert_eq!(judged.report.flows[&id("live")].status, FlowStatus::NotObservable);
    at(&mut input, "b").ledger = LedgerView::Unreadable("Schema 'transship' unknown".to_owned());
    assert_snapshot!(brief(&planned(&input).plan), @"UNSEEN `reader` cannot read the ledger on b (Schema 'transship' unknown)");
}

#[test]
fn an_unfinished_run_is_confirmed() {
    let mut input = running();
    if let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger {
        rows.get_mut(&id("live")).unwrap().row.state = FlowState::Applying;
    }
    assert_snapshot!(brief(&planned(&input).plan), @"b live/01-wait-synced:");
}

#[test]
fn several_targets_are_several_flows() {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["shop.t"]);
    let declared = serde_json::json!({
        "from": "a", "to": ["b", "c"], "tables": ["shop.t"], "strategy": { "logical-replication": { "mode": "sniff" } },
    });
    flow(&mut input, "live", declared);
    assert_snapshot!(brief(&planned(&input).plan), @r#"
    b @b/01-create-ledger: CREATE TABLE IF NOT EXISTS "transship"."meta" ("workspace" TEXT, "environment" TEXT, "key" TEXT, "value" TE
    c @c/01-create-ledger: CREATE TABLE IF NOT EXISTS "transship"."meta" ("workspace" TEXT, "environment" TEXT, "key" TEXT, "value" TE
    a live@b/01-create-publication: CREATE PUBLICATION "transship__ws__live__at__b"
    a live@b/02-publish-tables: ALTER PUBLICATION "transship__ws__live__at__b" ADD TABLE "shop"."t"
    b live@b/03-create-subscription: CREATE SUBSCRIPTION "transship__ws__live__at__b" CONNECTION $1 PUBLICATION "transship__ws__live__
    b live@b/04-wait-synced: 
    a live@c/01-create-publication: CREATE PUBLICATION "transship__ws__live__at__c"
    a live@c/02-publish-tables: ALTER PUBLICATION "transship__ws__live__at__c" ADD TABLE "shop"."t"
    c live@c/03-create-subscription: CREATE SUBSCRIPTION "transship__ws__live__at__c" CONNECTION $1 PUBLICATION "transship__ws__live__
    c live@c/04-wait-synced: 
    WARNING plan::sniff-unauthenticated
    WARNING plan::sniff-unauthenticated
    "#);
    at(&mut input, "c").cluster_name = "crate-b".to_owned();
    assert_snapshot!(refusal(&input), @"plan::same-cluster-name: live@b (on b) and live@c subscribe to shop.t from two clusters that are both named `crate-b`");
}

#[test]
fn refusals() {
    let cases: [(&str, &dyn Fn(&mut PlanInput)); 12] = [
        ("plan::target-exists", &|input| tables(input, "b", &["shop.orders"])),
        ("plan::target-subscribed", &|input| {
            tables(input, "b", &["shop.orders"]);
            at(input, "b").tables.get_mut(&table("shop.orders")).unwrap().writable = Some(Writable::Subscribed);
        }),
        ("plan::source-subscribed", &|input| {
            at(input, "a").tables.get_mut(&table("shop.orders")).unwrap().writable = Some(Writable::Subscribed);
        }),
        ("plan::source-closed", &|input| at(input, "a").tables.get_mut(&table("shop.orders")).unwrap().closed = true),
        ("plan::source-newer", &|input| {
            at(input, "a").newest_version = transship_model::Version::new(6, 5, 0);
        }),
        ("plan::no-such-table", &|input| replication(input, "live", "a", "b", &["shop.order"])),
        ("plan::no-match", &|input| replication(input, "live", "a", "b", &["shops.*"])),
        ("plan::not-available-yet", &|input| {
            let declared = serde_json::json!({
                "from": "a", "to": "b", "tables": ["shop.orders"], "strategy": { "custom": { "engine": "stream" } }, "verify": "full",
            });
            flow(input, "live", declared);
        }),
        ("plan::same-cluster", &|input| at(input, "b").id = "id-a".to_owned()),
        ("plan::two-writers", &|input| replication(input, "other", "a", "b", &["shop.orders"])),
        ("plan::no-such-subscriber", &|input| {
            input.endpoints.get_mut(&name("a")).unwrap().subscriber = "repl".to_owned();
        }),
        ("plan::ledger-newer", &|input| at(input, "b").ledger = LedgerView::Newer(9)),
    ];
    for (code, change) in cases {
        let mut input = shop();
        change(&mut input);
        let text = refusal(&input);
        assert!(text.contains(code), "{code} is missing in: {text}");
    }
}

#[test]
fn privileges_that_the_steps_will_need_are_asked_for_before_anything_is_dropped() {
    let mut input = running();
    at(&mut input, "a").publications.clear();
    allow_all(&mut input);
    let seen = at(&mut input, "b");
    seen.users.as_mut().unwrap().get_mut("crate").unwrap().superuser = false;
    let granted = |kind: &str, class: &str, ident: Option<&str>| Privilege {
        grantee: "crate".to_owned(),
        kind: kind.to_owned(),
        class: class.to_owned(),
        ident: ident.map(str::to_owned),
        granted: true,
    };
    seen.privileges = Some(vec![granted("AL", "CLUSTER", None), granted("DQL", "TABLE", Some("shop.orders"))]);
    assert_snapshot!(refusal(&input), @"
    plan::missing-privilege: `crate` lacks DQL, DML, DDL on SCHEMA transship on b
    plan::missing-privilege: `crate` lacks DML on TABLE shop.customers, shop.empty, shop.orders on b
    plan::missing-privilege: `crate` lacks DDL on TABLE shop.customers, shop.empty, shop.orders on b
    plan::missing-privilege: `crate` lacks DQL on SCHEMA shop on b
    ");
    let schemas = ["transship", "shop"]
        .into_iter()
        .flat_map(|schema| ["DQL", "DML", "DDL"].map(|kind| granted(kind, "SCHEMA", Some(schema))));
    let all = schemas.chain([granted("AL", "CLUSTER", None)]).collect();
    at(&mut input, "b").privileges = Some(all);
    assert_eq!(planned(&input).plan.blocked, []);
}

#[test]
fn a_flow_that_is_refused_does_not_hide_the_others() {
    let mut input = running();
    replication(&mut input, "other", "a", "b", &["nope.*"]);
    let survey = transship_plan::survey(&input);
    assert_eq!(refused(&survey.findings), "plan::no-match: no table on the source matches nope.*");
    assert_eq!(survey.planned.report.flows[&id("live")].status, FlowStatus::UpToDate);
    assert!(plan(&input).is_err());
}

#[test]
fn a_ledger_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let mut input = running();
    at(&mut input, "a").ledger = LedgerView::Unreadable("no privilege".to_owned());
    assert!(planned(&input).plan.warnings[0].text.contains("gone from the spec are not seen"));
    at(&mut input, "a").ledger = LedgerView::Newer(2);
    assert!(refusal(&input).contains("plan::ledger-newer"));
}

#[test]
fn a_flow_that_moved_has_to_be_taken_down_first() {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &THREE);
    applied(&mut input, "live", "a", "b", &THREE);
    replication(&mut input, "live", "a", "c", &["shop.*"]);
    assert_snapshot!(refusal(&input), @"
    plan::moved: flow live goes elsewhere now, and was never taken down on b
    ");
    let declared = serde_json::json!({
        "from": "a", "to": ["b"], "tables": ["shop.*"], "strategy": { "logical-replication": {} },
    });
    flow(&mut input, "live", declared);
    assert!(refusal(&input).contains("plan::moved: flow live on b is called live@b now"));
}

#[test]
fn policies_stand_above_consents() {
    let mut input = running();
    at(&mut input, "a").publications.clear();
    allow_all(&mut input);
    input.spec.clusters.get_mut(&name("b")).unwrap().protected = true;
    let codes =
        |input: &PlanInput| planned(input).plan.blocked.iter().map(|blocked| blocked.code.clone()).collect::<Vec<_>>();
    assert_eq!(codes(&input), ["plan::protected"; 3]);
    input.spec.clusters.get_mut(&name("b")).unwrap().protected = false;
    input.spec.flows.get_mut(&name("live")).unwrap().prevent_destroy = true;
    assert_eq!(codes(&input), ["plan::prevent-destroy"; 4]);
}

#[test]
fn a_cluster_that_vanishes_is_an_error_that_names_its_flows() {
    let mut input = running();
    input.spec.flows.clear();
    input.spec.clusters.remove(&name("a"));
    input.observation.clusters.remove(&name("a"));
    assert_snapshot!(refusal(&input), @"plan::cluster-gone: cluster a is gone from the spec, but the ledger knows flow live on it");
}

fn set_state(input: &mut PlanInput, text: &str, state: RelationState, reason: Option<&str>) {
    let object = transship_plan::derived(&name("ws"), None, &id("live"));
    let subscription = at(input, "b").subscriptions.get_mut(&object).unwrap();
    let followed = subscription.tables.get_mut(&table(text)).unwrap();
    followed.state = state;
    followed.reason = reason.map(str::to_owned);
}
