//! Flows by snapshot: what is made, restored, put in place and aged out, and what is refused.

use serde_json::{Value, json};
use transship_model::observed::{RelationState, Repository, SubscribedTable, Subscription};
use transship_model::plan::{Action, StepKind};
use transship_model::store::{DirectoryLocation, StoreLocation};
use transship_plan::{PlanInput, Rule, plan, project};

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
    assert_eq!(
        kinds(&plan),
        "check-store create-repository create-snapshot create-repository restore-table rename-table"
    );
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
    // What did not become whole goes with the next run, whatever `keep` says; the new one stays, and so does what no ledger
    // has, whatever its name.
    let snapshots = at(&mut input, "a").repositories.get_mut(REPOSITORY).unwrap().snapshots.as_mut().unwrap();
    snapshots.extend([("copy-4".to_owned(), "PARTIAL".to_owned()), ("copy-2026".to_owned(), "SUCCESS".to_owned())]);
    let mut row = input.observation.clusters[&name("b")].ledger.row(&id("copy")).cloned().unwrap();
    row.snapshots.insert("copy-4".to_owned());
    super::world::ledger(&mut input, "b", "copy", row);
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
    assert!(
        kinds(&plan).starts_with("check-store drop-repository create-repository create-snapshot"),
        "{}",
        kinds(&plan)
    );
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
    let followed = SubscribedTable::new(RelationState::Monitoring);
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

/// A flow to two targets.
fn fanned(more: &Value) -> PlanInput {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input.stores.insert(name("disk"), StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }));
    let mut keys = json!({ "to": ["b", "c"], "existing": "replace" });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    declare(&mut input, &keys);
    input
}

/// `FLOW: kinds` of the steps of each flow, and what of other flows they wait for.
fn by_flow(input: &PlanInput) -> Vec<String> {
    let plan = planned(input).plan;
    let mut flows = std::collections::BTreeMap::<String, Vec<String>>::new();
    for step in plan.all_steps() {
        let Some(flow) = &step.flow else { continue };
        let foreign =
            |id: &&transship_model::plan::StepId| !id.0.starts_with(&format!("{flow}/")) && !id.0.starts_with('@');
        let waits: Vec<String> = step.depends_on.iter().filter(foreign).map(|id| format!("({})", id.0)).collect();
        flows.entry(flow.to_string()).or_default().push(format!("{}{}", step.kind, waits.concat()));
    }
    flows.into_iter().map(|(flow, kinds)| format!("{flow}: {}", kinds.join(" "))).collect()
}

fn writable(input: &mut PlanInput) {
    for cluster in ["b", "c"] {
        at(input, cluster).tables.get_mut(&table("s.t")).unwrap().writable =
            Some(transship_model::observed::Writable::Yes);
    }
}

#[test]
fn all_targets_share_one_snapshot_and_wait_for_nothing_else_of_each_other() {
    let input = fanned(&json!({}));
    assert_eq!(
        by_flow(&input),
        [
            "copy@b: check-store create-repository create-snapshot create-repository restore-table rename-table",
            "copy@c: check-store create-repository(copy@b/03-create-snapshot) restore-table rename-table",
        ]
    );
    let plan = planned(&input).plan;
    let shared = |kind| plan.steps.iter().find(|step| step.kind == kind).unwrap();
    assert_eq!(shared(StepKind::CreateSnapshot).depends_on, [shared(StepKind::CreateRepository).id.clone()]);
    // What is shared waits for no target, but for the ledger and for whoever comes before the flow.
    let first = &shared(StepKind::CreateRepository).depends_on;
    assert_eq!(first.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["@b/01-create-ledger"]);
    for record in &plan.records {
        assert!(record.row.snapshots.contains("copy-1"), "{record:?}");
    }
    let mut input = done(input);
    assert_eq!(outcome(&input), "");

    // Again for both: one snapshot, one that is aged out; and for one of them alone.
    input.options.resync = vec![id("copy@b"), id("copy@c")];
    writable(&mut input);
    assert_eq!(
        by_flow(&input),
        [
            "copy@b: create-snapshot restore-table swap-table drop-snapshot",
            "copy@c: restore-table(copy@b/01-create-snapshot) swap-table",
        ]
    );
    let plan = planned(&input).plan;
    let drop = plan.steps.iter().find(|step| step.kind == StepKind::DropSnapshot).unwrap();
    let taken = plan.steps.iter().find(|step| step.kind == StepKind::CreateSnapshot).unwrap();
    assert_eq!(drop.depends_on, std::slice::from_ref(&taken.id), "retention waits for no target");
    let mut input = done(input);
    input.options.resync = vec![id("copy@c")];
    writable(&mut input);
    assert_eq!(by_flow(&input), ["copy@c: create-snapshot restore-table swap-table drop-snapshot"]);
    let made = planned(&input).plan;
    assert!(made.steps[0].sql[0].contains("\"copy-3\""), "{}", made.steps[0].sql[0]);
    let mut input = done(input);
    input.options.resync.clear();
    assert_eq!(outcome(&input), "");
    let left: Vec<String> =
        at(&mut input, "a").repositories[REPOSITORY].snapshots.clone().unwrap().into_keys().collect();
    assert_eq!(left, ["copy-3"], "retention counts by flow");
}

#[test]
fn what_falls_due_shares_a_snapshot_and_stands_or_falls_with_it() {
    let mut input = done(fanned(&json!({ "repeat": { "every": "1d" } })));
    super::world::later(&mut input, 86_400);
    writable(&mut input);
    assert_eq!(
        by_flow(&input),
        [
            "copy@b: create-snapshot restore-table swap-table drop-snapshot",
            "copy@c: restore-table(copy@b/01-create-snapshot) swap-table",
        ]
    );
    let plan = planned(&input).plan;
    assert_eq!(plan.due.len(), 2);
    let without = plan.clone().with_due(|due| due.flow != id("copy@b"));
    assert!(without.due.is_empty(), "nobody makes the snapshot that it restores");
    assert_eq!(plan.with_due(|due| due.flow != id("copy@c")).due.len(), 1);
    // One of them is no longer as declared: what was reviewed makes the snapshot, also for what fell due.
    input.options.resync = vec![id("copy@c")];
    assert_eq!(
        by_flow(&input),
        [
            "copy@b: restore-table(copy@c/01-create-snapshot) swap-table",
            "copy@c: create-snapshot restore-table swap-table drop-snapshot",
        ]
    );
    assert_eq!(
        outcome(&{
            let mut after = done(input);
            after.options.resync.clear();
            after
        }),
        ""
    );
}

#[test]
fn snapshots_of_targets_that_had_their_own_are_understood() {
    let mut input = done(fanned(&json!({})));
    let repository = at(&mut input, "a").repositories.get_mut(REPOSITORY).unwrap();
    let own = ["copy-at-b-7", "copy-at-c-4"];
    repository.snapshots = Some(own.map(|name| (name.to_owned(), "SUCCESS".to_owned())).into());
    for (cluster, own) in ["b", "c"].into_iter().zip(own) {
        let flow = format!("copy@{cluster}");
        let mut row = input.observation.clusters[&name(cluster)].ledger.row(&id(&flow)).cloned().unwrap();
        row.snapshots = [own.to_owned()].into();
        super::world::ledger(&mut input, cluster, &flow, row);
    }
    assert_eq!(outcome(&input), "");
    input.options.resync = vec![id("copy@b"), id("copy@c")];
    writable(&mut input);
    let plan = planned(&input).plan;
    let named = |kind| -> Vec<&str> {
        plan.steps.iter().filter(|it| it.kind == kind).filter_map(|it| it.sql[0].split('"').nth(3)).collect()
    };
    assert_eq!(named(StepKind::CreateSnapshot), ["copy-8"]);
    assert_eq!(named(StepKind::DropSnapshot), ["copy-at-b-7", "copy-at-c-4"]);
    let mut after = done(input);
    after.options.resync.clear();
    assert_eq!(outcome(&after), "");
}

#[test]
fn a_store_is_checked_first_and_again_only_where_a_repository_is_made() {
    let input = copied(&json!({ "existing": "replace" }));
    let plan = planned(&input).plan;
    assert!(plan.warnings.iter().any(|warning| warning.code == "plan::store-to-show"));
    let step = plan.steps.iter().find(|step| step.kind == StepKind::CheckStore).unwrap();
    assert_eq!(step.cluster, name("b"));
    let Some(Action::CheckStore(check)) = &step.action else { panic!("it has an action") };
    assert_eq!(check.writer, name("a"));
    let sent = [&check.create_writer, &check.create_table, &check.create_marker, &check.create_reader];
    assert_eq!(
        sent.map(String::as_str),
        [
            "CREATE REPOSITORY \"transship_marker__ws__copy\" TYPE fs WITH (\"location\" = '/exchange/ws/copy/marker')",
            "CREATE TABLE IF NOT EXISTS \"transship\".\"store_marker\" (p INTEGER) PARTITIONED BY (p)",
            "CREATE SNAPSHOT \"transship_marker__ws__copy\".\"marker-RUN\" TABLE \"transship\".\"store_marker\" WITH \
             (wait_for_completion = false)",
            "CREATE REPOSITORY \"transship_marker__ws__copy\" TYPE fs WITH (\"location\" = '/exchange/ws/copy/marker', \
             \"readonly\" = 'true')",
        ]
    );
    for broken in ["DROP REPOSITORY \"other\"", ""] {
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            if let Some(Action::CheckStore(check)) = &mut step.action {
                check.drop_repository = broken.to_owned();
            }
        }
        super::world::digest_again(&mut plan);
        let found = transship_plan::audit(&plan);
        assert!(found.iter().any(|it| it.rule == Rule::KindMatches), "{found:?}");
    }
    let mut input = done(input);
    input.options.resync = vec![id("copy")];
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable =
        Some(transship_model::observed::Writable::Yes);
    assert!(!outcome(&input).contains("check-store"), "a restore has shown it");
    at(&mut input, "b").repositories.clear();
    assert!(outcome(&input).starts_with("check-store create-snapshot create-repository"), "{}", outcome(&input));
}

#[test]
fn a_table_whose_name_a_view_has_is_in_a_snapshot_of_its_own() {
    let mut input = copied(&json!({ "existing": "replace", "replace_by": "view", "tables": ["s.t", "s.u"] }));
    tables(&mut input, "a", &["s.t", "s.u"]);
    for name in ["s.t", "s.u"] {
        at(&mut input, "a").tables.get_mut(&table(name)).unwrap().definition = Some(plain_definition(name));
    }
    let mut input = done(input);
    let snapshots = |input: &PlanInput| -> Vec<String> {
        input.observation.clusters[&name("a")].repositories[REPOSITORY]
            .snapshots
            .iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert_eq!(snapshots(&input), ["copy-1"]);
    // Both names are views from the first run on, and CrateDB restores nothing by the name of a view.
    for _ in 0..2 {
        input.options.resync = vec![id("copy")];
        let plan = planned(&input).plan;
        let restored: Vec<&str> = plan.steps.iter().map(|it| it.sql.first().map_or("", String::as_str)).collect();
        let by_name = restored.iter().filter(|sql| sql.starts_with("RESTORE ") && sql.contains(" TABLE ")).count();
        let whole = restored.iter().filter(|sql| sql.starts_with("RESTORE ") && sql.contains(" TABLES ")).count();
        assert_eq!((by_name, whole), (0, 2), "{restored:#?}");
        let mut more = plan.clone();
        for step in &mut more.steps {
            if let Some(Action::CreateSnapshot(made)) = &mut step.action {
                made.tables.push(table("s.other"));
            }
        }
        let broken: Vec<Rule> = transship_plan::audit(&more).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&Rule::CopyBeforePlace), "what has more is not restored whole: {broken:?}");
        input = done(input);
        input.options.resync.clear();
        assert_eq!(outcome(&input), "");
    }
    assert_eq!(snapshots(&input), ["copy-3.1", "copy-3.2"], "those of one run go together");
}
