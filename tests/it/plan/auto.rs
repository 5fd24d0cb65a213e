//! `strategy: auto`: what is chosen, that it stays, and what is said of it.

use serde_json::{Value, json};
use transship::diagnostics::Sources;
use transship::view::explain::Explained;
use transship::view::{Human, Json, View as _};
use transship_model::ledger::LedgerView;
use transship_model::observed::{
    Lease, Publication, RelationState, Repository, SubscribedTable, Subscription, TableKind, Writable,
};
use transship_model::plan::Plan;
use transship_model::spec::way::Way;
use transship_model::spec::{Store, StrategyChoice};
use transship_model::store::{DirectoryLocation, StoreLocation};
use transship_model::{TableName, Version};
use transship_plan::{Explanation, PlanInput, State, Subject, Verdict, explain, plan, project, wanted};
use transship_sql::connection;

use super::copies::{codes, kinds, outcome, planned};
use super::world::{at, flow, id, name, now, plain_definition, table, tables, world};
use crate::views::{golden, plain};

/// A flow `copy` of `s.t` from a to b whose strategy is to be chosen, with more keys.
fn auto(more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    declare(&mut input, more);
    defined(input)
}

fn declare(input: &mut PlanInput, more: &Value) {
    let mut declared = json!({ "from": "a", "to": "b", "tables": ["s.t"], "strategy": "auto" });
    declared.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow(input, "copy", declared);
}

/// The input with the definition of every table.
fn defined(mut input: PlanInput) -> PlanInput {
    for observed in input.observation.clusters.values_mut() {
        for (name, table) in &mut observed.tables {
            if table.kind == TableKind::Table {
                table.definition = Some(plain_definition(&name.to_string()));
                table.writable.get_or_insert(Writable::Yes);
            }
        }
    }
    input
}

/// The input with a directory that both clusters see.
fn with_store(mut input: PlanInput, store: &str) -> PlanInput {
    let path = format!("/{store}");
    let declared: Store = serde_json::from_value(json!({ "directory": { "path": path } })).unwrap();
    input.spec.stores.insert(name(store), declared);
    input.stores.insert(name(store), StoreLocation::Directory(DirectoryLocation { path }));
    input
}

/// The input whose spec says where other clusters reach `a`.
fn with_tunnel(mut input: PlanInput) -> PlanInput {
    let cluster = input.spec.clusters.get_mut(&name("a")).unwrap();
    cluster.tunnel = Some(serde_json::from_value(json!("a.internal:5432")).unwrap());
    input
}

/// The input in which `b` follows another table of `a`, and did so lately or not.
fn with_subscription(mut input: PlanInput, lately: bool) -> PlanInput {
    tables(&mut input, "a", &["s.other"]);
    tables(&mut input, "b", &["s.other"]);
    let renewed = now() - jiff::SignedDuration::from_secs(if lately { 30 } else { 600 });
    let lease = Lease { subscriber: "crate-b".to_owned(), retaining: 10, renewed };
    at(&mut input, "a").tables.get_mut(&table("s.other")).unwrap().primaries[0].leases.push(lease);
    let set = [table("s.other")];
    let publication = Publication { all_tables: false, tables: set.clone().into() };
    at(&mut input, "a").publications.insert("p".to_owned(), publication);
    let connection = connection::catalog_form(&input.endpoints[&name("a")], Default::default());
    let followed = SubscribedTable::new(RelationState::Monitoring);
    let tables = set.into_iter().map(|table: TableName| (table, followed.clone())).collect();
    let subscription = Subscription { connection, publications: vec!["p".to_owned()], tables };
    at(&mut input, "b").subscriptions.insert("theirs".to_owned(), subscription);
    defined(input)
}

/// The input once its plan has been applied.
fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    defined(input)
}

fn strategy(input: &PlanInput) -> StrategyChoice {
    let plan = planned(input).plan;
    plan.all_records().next().expect("a record").row.auto.clone().expect("a choice")
}

fn way(input: &PlanInput) -> Way {
    Way::of(&strategy(input))
}

fn note(plan: &Plan) -> String {
    plan.warnings.iter().find(|note| note.code == "plan::chosen").expect("the choice is told").text.clone()
}

#[test]
fn the_choice_follows_the_rule() {
    use Way::{Detach, ExportImport, Replication, Snapshot, Stream};
    let renamed = json!({ "tables": [{ "from": "s.t", "to": "s.u" }] });
    let chosen_rows = json!({ "tables": [{ "from": "s.t", "where": "v > 1" }] });
    let computed = json!({ "tables": [{ "from": "s.t", "columns": { "id": "id", "w": "v" } }] });
    let view = json!({ "existing": "replace", "replace_by": "view" });
    let with = |needs: &[&str]| json!({ "needs": needs });
    // Without anything known of the network, with `tunnel`, with a store, with both.
    let rows: [(&str, Value, [Way; 4]); 9] = [
        ("as it is", json!({}), [Stream, Detach, Snapshot, Detach]),
        ("renamed", renamed, [Stream, Detach, Snapshot, Detach]),
        ("chosen rows", chosen_rows, [Stream; 4]),
        ("computed columns", computed, [Stream; 4]),
        ("a view", view, [Stream, Stream, Snapshot, Snapshot]),
        ("added rows", json!({ "existing": "append" }), [Stream; 4]),
        ("continuous", with(&["continuous"]), [Replication; 4]),
        ("transform", with(&["transform"]), [Stream; 4]),
        ("max_lag", json!({ "max_lag": "5m" }), [Replication; 4]),
    ];
    for (what, keys, expected) in rows {
        let input = || auto(&keys);
        let inputs =
            [input(), with_tunnel(input()), with_store(input(), "disk"), with_store(with_tunnel(input()), "disk")];
        assert_eq!(inputs.map(|input| way(&input)), expected, "{what}");
    }
    let open = with_store(auto(&with(&["open-format"])), "disk");
    assert_eq!([way(&open), way(&with_tunnel(open))], [ExportImport; 2]);
}

#[test]
fn a_network_that_works_is_seen_by_what_follows_over_it() {
    assert_eq!(way(&with_subscription(auto(&json!({})), true)), Way::Detach);
    assert_eq!(way(&with_subscription(auto(&json!({})), false)), Way::Stream);
    let mut elsewhere = with_subscription(auto(&json!({})), true);
    for subscription in at(&mut elsewhere, "b").subscriptions.values_mut() {
        subscription.connection = subscription.connection.replace("a.example", "c.example");
    }
    assert_eq!(way(&elsewhere), Way::Stream);
}

#[test]
fn what_a_planner_refuses_is_passed_over() {
    // A table of the name is in the way of a subscription, and a snapshot goes aside.
    let mut there = with_store(with_tunnel(auto(&json!({ "existing": "replace" }))), "disk");
    tables(&mut there, "b", &["s.t"]);
    let there = defined(there);
    assert_eq!(way(&there), Way::Snapshot);
    let told = note(&planned(&there).plan);
    assert!(told.contains("not `logical-replication` with `then: detach` (table b.s.t is there"), "{told}");
    // A source that is newer can only be read.
    let mut newer = with_store(with_tunnel(auto(&json!({}))), "disk");
    at(&mut newer, "a").version = Version::new(6, 5, 0);
    at(&mut newer, "a").newest_version = Version::new(6, 5, 0);
    assert_eq!(way(&newer), Way::Stream);
    // Two flows cannot both have s.t arrive under its name.
    let mut taken = with_store(with_tunnel(auto(&json!({ "tables": [{ "from": "s.t", "to": "s.u" }] }))), "disk");
    tables(&mut taken, "a", &["s.x"]);
    let beside = json!({ "from": "a", "to": "b", "tables": [{ "from": "s.x", "to": "s.t" }],
        "strategy": { "custom": { "engine": "stream" } } });
    flow(&mut taken, "beside", beside);
    let plan = planned(&defined(taken)).plan;
    let row = &plan.records.iter().find(|record| record.flow == id("copy")).unwrap().row;
    assert_eq!(row.auto.as_ref().map(Way::of), Some(Way::Snapshot));
}

#[test]
fn the_plan_says_what_was_chosen_and_what_is_still_to_be_shown() {
    let told = note(&planned(&with_store(auto(&json!({})), "disk")).plan);
    insta::assert_snapshot!(told, @"`auto` chose `snapshot` through store disk: tables as they are, copied once as files; still to be shown: a and b see one place in store disk; not `logical-replication` with `then: detach` (nothing shows that b reaches a at a.example:5432 (`tunnel` of cluster a would say so))");
    let told = note(&planned(&auto(&json!({ "needs": ["continuous"] }))).plan);
    insta::assert_snapshot!(told, @"`auto` chose `logical-replication`: tables as they are, followed from then on; still to be shown: b reaches a at a.example:5432 (`tunnel` of cluster a would say so)");
    let told = note(&planned(&with_subscription(auto(&json!({})), true)).plan);
    insta::assert_snapshot!(told, @"`auto` chose `logical-replication` with `then: detach`: tables as they are, copied once as files from cluster to cluster");
}

#[test]
fn the_choice_stays_whatever_comes_to_be_known() {
    for first in [
        auto(&json!({ "existing": "replace" })),
        with_store(auto(&json!({ "existing": "replace" })), "disk"),
        with_store(auto(&json!({ "existing": "replace", "needs": ["open-format"] })), "disk"),
        with_tunnel(auto(&json!({ "existing": "replace", "tables": [{ "from": "s.t", "to": "s.u" }] }))),
        auto(&json!({ "needs": ["continuous"] })),
    ] {
        let chosen = strategy(&first);
        let applied = done(first);
        assert_eq!(outcome(&applied), "");
        let mut more = with_store(with_tunnel(applied), "a-store");
        assert_eq!(outcome(&more), "", "{chosen:?}");
        more.options.resync = vec![id("copy")];
        super::world::allow_all(&mut more);
        let again = planned(&more).plan;
        assert_eq!(again.records[0].row.auto.as_ref(), Some(&chosen));
        assert!(again.warnings.iter().all(|note| note.code != "plan::chosen"), "it was chosen before");
    }
}

#[test]
fn a_flow_that_was_made_by_a_declared_strategy_stays_with_it() {
    let declared = json!({ "existing": "replace", "strategy": { "snapshot": { "store": "disk", "keep": 2 } } });
    let mut input = done(with_store(with_store(auto(&declared), "disk"), "a-store"));
    declare(&mut input, &json!({ "existing": "replace" }));
    assert_eq!(outcome(&input), "");
    input.options.resync = vec![id("copy")];
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), "create-snapshot restore-table swap-table drop-snapshot");
    // And what was chosen can be written down.
    let mut input = done(with_store(auto(&json!({})), "disk"));
    declare(&mut input, &json!({ "strategy": { "snapshot": { "store": "disk" } } }));
    assert_eq!(outcome(&input), "");
}

#[test]
fn what_the_choice_cannot_keep_is_refused_and_told() {
    let mut input = done(with_tunnel(auto(&json!({}))));
    declare(&mut input, &json!({ "tables": [{ "from": "s.t", "columns": { "id": "id", "v": "v + 1" } }] }));
    let findings = plan(&input).unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, "plan::moved");
    insta::assert_snapshot!(findings[0].message, @"flow copy was made by `logical-replication` with `then: detach`, which `auto` cannot keep: `columns`: it copies whole tables as they are");
    // A store that is not to be had any more is not exchanged for another one.
    let mut input = done(with_store(auto(&json!({})), "disk"));
    input.stores.clear();
    assert_eq!(codes(&with_store(input.clone(), "a-store")), ["plan::moved"]);
    input.spec.stores.clear();
    let findings = plan(&with_store(input, "a-store")).unwrap_err();
    insta::assert_snapshot!(findings[0].message, @"flow copy was made by `snapshot`, which `auto` cannot keep: the workspace does not declare the store that it goes through");
    // Its findings are those of the strategy that it stays with.
    let mut input = done(with_store(auto(&json!({ "existing": "replace" })), "disk"));
    at(&mut input, "a").newest_version = Version::new(7, 0, 0);
    input.options.resync = vec![id("copy")];
    assert_eq!(codes(&input), ["plan::newer-source"]);
}

#[test]
fn what_was_chosen_falls_due_like_any_other() {
    let daily = json!({ "existing": "replace", "repeat": { "every": "1d" } });
    let mut input = done(with_store(auto(&daily), "disk"));
    super::world::later(&mut input, 86_400);
    let plan = planned(&input).plan;
    assert!(plan.steps.is_empty() && plan.due.len() == 1, "{plan:?}");
    assert_eq!(plan.due[0].record.row.auto.as_ref().map(Way::of), Some(Way::Snapshot));
    // Who may not read the ledger is told nothing of a choice.
    let mut unseen = auto(&json!({}));
    at(&mut unseen, "b").ledger = LedgerView::Unreadable("no".to_owned());
    let report = planned(&unseen).report;
    assert_eq!(report.flows[&id("copy")].notes, [""; 0]);
}

#[test]
fn where_nothing_can_it_is_said_why() {
    let mut input = auto(&json!({ "tables": ["s.gone"] }));
    assert_eq!(codes(&with_store(input.clone(), "disk")), ["plan::no-such-table"]);
    declare(&mut input, &json!({ "needs": ["open-format"] }));
    let findings = plan(&input).unwrap_err();
    assert_eq!(findings[0].code, "plan::no-strategy");
    assert!(findings[0].message.contains("`export-import`: the workspace declares no store"), "{findings:?}");
    // What a strategy alone lacks is told as its own.
    let mut input = with_store(auto(&json!({ "needs": ["open-format"] })), "disk");
    at(&mut input, "b").superuser = Some(false);
    assert_eq!(codes(&input), ["plan::needs-superuser"]);
}

#[test]
fn all_targets_of_a_flow_get_one_strategy() {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t"]);
    tables(&mut input, "c", &["s.t"]);
    declare(&mut input, &json!({ "to": ["b", "c"], "existing": "replace" }));
    let mut input = with_store(with_tunnel(defined(input)), "disk");
    let ways = |input: &PlanInput| -> Vec<Way> {
        planned(input).plan.records.iter().map(|record| Way::of(record.row.auto.as_ref().unwrap())).collect()
    };
    // On c a table is in the way of a subscription: none is made on b either.
    assert_eq!(ways(&input), [Way::Snapshot; 2]);
    // Who plans one target alone gets the same.
    input.options.targets = vec![transship_model::Glob("copy@b".to_owned())];
    assert_eq!(ways(&input), [Way::Snapshot]);
    let wanted = wanted(&input);
    assert!(wanted[&name("c")].definitions.contains(&table("s.t")), "{wanted:?}");
}

#[test]
fn a_flow_that_is_not_in_use_gets_no_strategy() {
    let mut input = auto(&json!({ "enabled": false }));
    assert_eq!(outcome(&input), "");
    declare(&mut input, &json!({}));
    input.options.exclude = vec![transship_model::Glob("copy".to_owned())];
    assert_eq!(outcome(&input), "");
    assert!(wanted(&input).is_empty());
}

fn explained(input: &PlanInput) -> Explanation {
    explain(input, &name("copy")).expect("the flow is declared")
}

/// The verdicts in their order.
fn verdicts(explanation: &Explanation) -> String {
    let one = |it: &transship_plan::Considered| {
        let taken = if it.taken { " *" } else { "" };
        format!("{}: {:?}{taken}", it.words, it.verdict)
    };
    explanation.considered.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn states(explanation: &Explanation, words: &str) -> Vec<(Subject, State)> {
    let one = explanation.considered.iter().find(|it| it.words == words).expect("it is considered");
    one.requirements.iter().map(|it| (it.subject, it.state)).collect()
}

#[test]
fn an_explanation_judges_every_strategy() {
    let mut input = with_store(auto(&json!({ "existing": "replace" })), "disk");
    tables(&mut input, "b", &["s.t"]);
    let input = defined(input);
    let explanation = explained(&input);
    insta::assert_snapshot!(verdicts(&explanation), @r"
    `snapshot` through store disk: Possible *
    `export-import` through store disk: Possible
    `custom` with `engine: stream`: Possible
    `custom` with `engine: foreign-table`: Possible
    `logical-replication` with `then: detach`: Refused
    `logical-replication`: Unfit
    `custom` with `engine: command`: Unfit
    ");
    let taken = states(&explanation, "`snapshot` through store disk");
    assert!(taken.contains(&(Subject::Store, State::Open)), "{taken:?}");
    assert!(taken.iter().all(|(subject, state)| *subject == Subject::Store || *state == State::Holds), "{taken:?}");
    let told = |explanation: &Explanation| {
        explanation.considered[0].requirements.iter().any(|it| it.text.contains("path.repo"))
    };
    assert!(told(&explanation));
    let detach = states(&explanation, "`logical-replication` with `then: detach`");
    assert!(detach.contains(&(Subject::Target, State::Fails)), "{detach:?}");
    assert!(detach.contains(&(Subject::Network, State::Open)), "{detach:?}");
    assert!(detach.contains(&(Subject::Versions, State::Unjudged)), "{detach:?}");
    assert_eq!(explanation.findings, []);
    // Where a repository lies, `path.repo` has allowed it.
    let mut allowed = input;
    for cluster in ["a", "b"] {
        let settings = [("location".to_owned(), "/disk/elsewhere".to_owned())].into();
        let repository = Repository { kind: "fs".to_owned(), settings, snapshots: None };
        at(&mut allowed, cluster).repositories.insert("theirs".to_owned(), repository);
    }
    assert!(!told(&explained(&allowed)));
}

#[test]
fn an_explanation_is_shown() {
    let mut input = with_store(auto(&json!({ "existing": "replace" })), "disk");
    tables(&mut input, "b", &["s.t"]);
    let input = defined(input);
    let explained = Explained::new(&input, &explained(&input), &Sources::default());
    let human = |verbose| Human { width: 100, verbose, explain: false }.render(&explained);
    golden("explain.txt", &plain(&human(false)));
    golden("explain-verbose.txt", &plain(&human(true)));
    golden("explanation.json", &Json.render(&explained));
}

#[test]
fn an_explanation_tells_what_a_flow_is_and_could_be_instead() {
    let input = done(with_store(with_tunnel(auto(&json!({}))), "disk"));
    let explanation = explained(&input);
    assert_eq!(
        explanation.because,
        "`auto` keeps `logical-replication` with `then: detach`, by which the flow was made"
    );
    let taken = explanation.taken().unwrap();
    assert_eq!(taken.verdict, Verdict::Possible);
    assert!(taken.requirements.iter().any(|it| it.state == State::Unjudged && it.subject == Subject::Target));
    let snapshot = states(&explanation, "`snapshot` through store disk");
    assert!(snapshot.contains(&(Subject::History, State::Fails)), "{snapshot:?}");
    assert!(snapshot.contains(&(Subject::Target, State::Fails)), "its table would be in the way: {snapshot:?}");
    // The observation is as it was, and so is what is planned.
    assert!(matches!(&input.observation.clusters[&name("b")].ledger, LedgerView::Present(rows) if !rows.is_empty()));
}

#[test]
fn an_explanation_of_what_is_declared_tells_what_forbids_it() {
    let declared = json!({ "strategy": { "export-import": { "store": "disk" } }, "enabled": false });
    let mut input = with_store(auto(&declared), "disk");
    at(&mut input, "b").superuser = Some(false);
    let explanation = explained(&input);
    assert_eq!(explanation.because, "the flow declares it");
    assert_eq!(explanation.findings.iter().map(|it| it.code).collect::<Vec<_>>(), ["plan::needs-superuser"]);
    assert_eq!(explanation.taken().unwrap().verdict, Verdict::Refused);
    assert_eq!(explain(&input, &name("copi")), None);
    // What the users may do is not called good where nobody can see it.
    let mut unseen = auto(&json!({}));
    at(&mut unseen, "b").superuser = None;
    at(&mut unseen, "b").users = None;
    let states = states(&explained(&unseen), "`custom` with `engine: stream`");
    assert!(states.contains(&(Subject::Privileges, State::Open)), "{states:?}");
}
