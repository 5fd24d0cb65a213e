//! Flows by snapshot: what is made, restored, put in place and aged out, and what is refused.

use serde_json::{Value, json};
use transship_model::observed::{RelationState, Repository, SubscribedTable, Subscription};
use transship_model::plan::StepKind;
use transship_model::store::{DirectoryLocation, StoreLocation};
use transship_plan::{PlanInput, plan, project};

use super::copies::{kinds, outcome, planned, there};
use super::world::{at, flow, id, name, plain_definition, table, tables, world};

const REPOSITORY: &str = "transship__ws__copy";

/// A flow `copy` of `s.t` from a to b by snapshot, through a directory.
fn copied(more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input.stores.insert(name("disk"), StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }));
    declare(&mut input, more);
    input
}

fn declare(input: &mut PlanInput, more: &Value) {
    let mut declared = json!({
        "from": "a", "to": "b", "tables": ["s.t"], "strategy": { "snapshot": { "store": "disk", "keep": 1 } },
    });
    declared.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow(input, "copy", declared);
}

fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    input
}

fn codes(input: &PlanInput) -> Vec<&'static str> {
    plan(input).expect_err("is refused").iter().map(|finding| finding.code).collect()
}

#[test]
fn a_flow_has_a_repository_of_its_own_which_targets_only_read() {
    let input = copied(&json!({}));
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), "create-repository create-repository create-snapshot restore-table rename-table");
    let repositories: Vec<_> = plan
        .steps
        .iter()
        .filter(|it| it.kind == StepKind::CreateRepository)
        .map(|it| (it.cluster.as_str(), it.sql[0].as_str()))
        .collect();
    assert_eq!(
        repositories,
        [
            ("a", "CREATE REPOSITORY \"transship__ws__copy\" TYPE fs WITH (\"location\" = '/exchange/ws/copy')"),
            (
                "b",
                "CREATE REPOSITORY \"transship__ws__copy\" TYPE fs WITH (\"location\" = '/exchange/ws/copy', \
                 \"readonly\" = 'true')"
            ),
        ]
    );
    assert_eq!(outcome(&done(input)), "");
}

#[test]
fn snapshots_are_numbered_kept_and_aged_out() {
    let mut input = done(copied(&json!({ "existing": "replace" })));
    for (number, kinds) in [
        (2, "create-snapshot restore-table swap-table drop-snapshot"),
        (3, "create-snapshot restore-table swap-table drop-snapshot"),
    ] {
        input.options.resync = vec![id("copy")];
        at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable =
            Some(transship_model::observed::Writable::Yes);
        assert_eq!(outcome(&input), kinds);
        let plan = planned(&input).plan;
        let made = plan.steps.iter().find(|step| step.kind == StepKind::CreateSnapshot).unwrap();
        assert!(made.sql[0].contains(&format!(".\"copy-{number}\" TABLE \"s\".\"t\" ")), "{}", made.sql[0]);
        let dropped = plan.steps.iter().find(|step| step.kind == StepKind::DropSnapshot).unwrap();
        assert!(dropped.sql[0].ends_with(&format!(".\"copy-{}\"", number - 1)), "{}", dropped.sql[0]);
        input = done(input);
        input.options.resync.clear();
        assert_eq!(outcome(&input), "");
    }
    let snapshots = at(&mut input, "a").repositories[REPOSITORY].snapshots.clone().unwrap();
    assert_eq!(snapshots.into_keys().collect::<Vec<_>>(), ["copy-3"]);
    // What did not become whole goes with the next run, whatever `keep` says; the new one stays.
    at(&mut input, "a")
        .repositories
        .get_mut(REPOSITORY)
        .unwrap()
        .snapshots
        .as_mut()
        .unwrap()
        .insert("copy-4".to_owned(), "PARTIAL".to_owned());
    input.options.resync = vec![id("copy")];
    let plan = planned(&input).plan;
    let dropped: Vec<_> =
        plan.steps.iter().filter(|step| step.kind == StepKind::DropSnapshot).map(|step| step.sql[0].clone()).collect();
    assert!(dropped.iter().any(|sql| sql.ends_with("\"copy-4\"")) && dropped.len() == 2, "{dropped:?}");
}

#[test]
fn a_repository_elsewhere_is_made_anew_with_consent() {
    let mut input = done(copied(&json!({ "existing": "replace" })));
    let settings = &mut at(&mut input, "a").repositories.get_mut(REPOSITORY).unwrap().settings;
    settings.insert("location".to_owned(), "/elsewhere".to_owned());
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable =
        Some(transship_model::observed::Writable::Yes);
    input.options.resync = vec![id("copy")];
    let plan = planned(&input).plan;
    assert!(kinds(&plan).starts_with("drop-repository create-repository create-snapshot"), "{}", kinds(&plan));
    assert!(plan.blocked.iter().any(|blocked| blocked.code == "plan::needs-consent"));
    super::world::allow_all(&mut input);
    assert!(planned(&input).plan.blocked.is_empty());
}

#[test]
fn refusals() {
    let mut input = copied(&json!({}));
    input.stores.clear();
    assert_eq!(codes(&input), ["plan::store-unknown"]);

    let mut input = copied(&json!({}));
    at(&mut input, "a").repositories.insert(REPOSITORY.to_owned(), Repository::default());
    assert_eq!(codes(&input), ["plan::name-taken"]);

    let mut input = copied(&json!({}));
    let settings = [("location".to_owned(), "/exchange/ws/copy".to_owned())].into();
    let writer = Repository { kind: "fs".to_owned(), settings, snapshots: None };
    at(&mut input, "b").repositories.insert("other".to_owned(), writer);
    assert_eq!(codes(&input), ["plan::two-writers"]);

    let mut input = copied(&json!({}));
    let followed = SubscribedTable { state: RelationState::Monitoring, reason: None };
    let subscription = Subscription { tables: [(table("s.t"), followed)].into(), ..Subscription::default() };
    at(&mut input, "a").subscriptions.insert("sub".to_owned(), subscription);
    assert_eq!(codes(&input), ["plan::source-subscribed"]);

    // Another user's subscription shows only in what the table takes.
    let mut input = copied(&json!({}));
    let subscribed = Some(transship_model::observed::Writable::Subscribed);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().writable = subscribed;
    assert_eq!(codes(&input), ["plan::source-subscribed"]);

    for fixed in ["shards", "codec", "blocks.write"] {
        assert_eq!(codes(&copied(&json!({ "target": { fixed: 2 } }))), ["plan::fixed-setting"]);
    }
    let input = copied(&json!({ "target": { "replicas": "0-1", "refresh_interval": 5000 } }));
    let altering = planned(&input).plan;
    assert!(kinds(&altering).ends_with("restore-table alter-table rename-table"), "{}", kinds(&altering));
    let altered = altering.steps.iter().find(|step| step.kind == StepKind::AlterTable).unwrap();
    assert!(altered.sql[0].ends_with(" SET (\"number_of_replicas\" = '0-1', \"refresh_interval\" = 5000)"));
    assert_eq!(outcome(&done(input)), "");

    let mut input = copied(&json!({}));
    for cluster in ["a", "b"] {
        at(&mut input, cluster).users.as_mut().unwrap().get_mut("crate").unwrap().superuser = false;
    }
    let findings = plan(&input).expect_err("is refused");
    let lacks_ddl = |cluster: &str| {
        findings.iter().any(|it| it.help.as_deref() == Some(format!("on {cluster}: GRANT DDL TO \"crate\"").as_str()))
    };
    assert!(lacks_ddl("a") && lacks_ddl("b"), "{findings:?}");

    // Nothing forbids a flow that is done.
    let mut input = done(copied(&json!({})));
    at(&mut input, "a").newest_version = transship_model::Version::new(6, 5, 0);
    assert_eq!(outcome(&input), "");

    let mut input = copied(&json!({}));
    at(&mut input, "a").newest_version = transship_model::Version::new(6, 5, 0);
    assert_eq!(codes(&input), ["plan::newer-source"]);

    assert_eq!(outcome(&there(copied(&json!({})))), "plan::target-exists");
    assert_eq!(outcome(&there(copied(&json!({ "existing": "skip" })))), "record-flow");
}

#[test]
fn a_flow_that_is_gone_leaves_tables_and_snapshots() {
    let mut input = done(copied(&json!({})));
    input.spec.flows.clear();
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), "drop-repository drop-repository");
    assert_eq!(plan.blocked.len(), 2);
    super::world::allow_all(&mut input);
    let after = done(input);
    assert!(after.observation.clusters.values().all(|seen| seen.repositories.is_empty()));
    assert!(after.observation.clusters[&name("b")].tables.contains_key(&table("s.t")));
}

#[test]
fn every_target_has_snapshots_of_its_own() {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input.stores.insert(name("disk"), StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }));
    declare(&mut input, &json!({ "to": ["b", "c"] }));
    let plan = planned(&input).plan;
    let made: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::CreateSnapshot)
        .filter_map(|step| step.sql[0].split('"').nth(3))
        .collect();
    assert_eq!(made, ["copy-at-b-1", "copy-at-c-1"]);
    assert_eq!(outcome(&done(input)), "");
}
