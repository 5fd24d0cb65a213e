//! Every rule of the audit fails on a plan that is broken for it.

use transship_model::plan::{Action, Afterwards, Note, Plan, Precondition, StepId, StepKind};
use transship_plan::{PlanInput, Rule, audit, plan, project};

use super::world::{
    allow_all, applied, at, copying, digest_again, id, later, name, plain_definition, replication, tables, world,
};

/// A flow that is made again over a dropped publication, with consents: every kind of step but the removals.
fn repaired() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    replication(&mut input, "live", "a", "b", &["s.*"]);
    applied(&mut input, "live", "a", "b", &["s.t", "s.u"]);
    at(&mut input, "a").publications.clear();
    allow_all(&mut input);
    input
}

fn removed() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    applied(&mut input, "live", "a", "b", &["s.t"]);
    allow_all(&mut input);
    input
}

fn fresh() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    replication(&mut input, "live", "a", "b", &["s.t"]);
    input
}

/// A table that is copied.
fn copied() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&"s.t".parse().unwrap()).unwrap().definition = Some(plain_definition("s.t"));
    copying(&mut input, "copy", &serde_json::json!(["s.t"]), &serde_json::json!({}));
    input
}

/// A table that is copied once by a subscription.
fn detached() -> PlanInput {
    let mut input = copied();
    let strategy = serde_json::json!({ "strategy": { "logical-replication": { "then": "detach" } } });
    copying(&mut input, "copy", &serde_json::json!(["s.t"]), &strategy);
    input
}

/// A table that is copied each day, a day later.
fn due() -> PlanInput {
    let mut input = copied();
    let daily = serde_json::json!({ "existing": "replace", "repeat": { "every": "1d" } });
    copying(&mut input, "copy", &serde_json::json!(["s.t"]), &daily);
    let first = plan(&input).unwrap_or_else(|findings| panic!("{findings:?}")).plan;
    input.observation = project(&input, &first);
    later(&mut input, 86_400);
    input
}

fn step(plan: &mut Plan, kind: StepKind) -> &mut transship_model::plan::Step {
    plan.steps.iter_mut().find(|step| step.kind == kind).expect("the plan has such a step")
}

fn forget_dependencies(plan: &mut Plan, kind: StepKind) {
    step(plan, kind).depends_on.clear();
}

/// The plan to break for a rule, and how.
fn breaker(rule: Rule) -> (PlanInput, fn(&mut Plan)) {
    match rule {
        Rule::Format => (fresh(), |plan| plan.format_version += 1),
        Rule::Digest => (fresh(), |plan| plan.digest = "0".repeat(64)),
        Rule::UniqueIds => (fresh(), |plan| plan.steps.push(plan.steps[0].clone())),
        Rule::DerivedIds => (fresh(), |plan| plan.steps.last_mut().unwrap().id = StepId("live/x".to_owned())),
        Rule::DependenciesPrecede => (fresh(), |plan| plan.steps.reverse()),
        Rule::KnownClusters => (fresh(), |plan| {
            plan.clusters.remove(&name("a"));
        }),
        Rule::ChoiceMatches => (copied(), |plan| {
            plan.records[0].row.auto =
                Some(serde_json::from_value(serde_json::json!({ "snapshot": { "store": "s" } })).unwrap());
            digest_again(plan);
        }),
        Rule::Because => (fresh(), |plan| plan.steps[0].because.clear()),
        Rule::KindMatches => (fresh(), |plan| {
            step(plan, StepKind::CreatePublication).sql = vec!["DROP TABLE \"s\".\"t\"".to_owned()];
        }),
        Rule::SingleStatement => (fresh(), |plan| {
            step(plan, StepKind::CreatePublication).sql[0].push_str("; DROP TABLE x");
        }),
        Rule::ParamsMatch => (fresh(), |plan| step(plan, StepKind::CreateSubscription).params.clear()),
        Rule::NoSecret => (fresh(), |plan| {
            step(plan, StepKind::CreateSubscription).params[0].shown = "crate://h?password=hunter2".to_owned();
        }),
        Rule::DropsMarked => (repaired(), |plan| step(plan, StepKind::DropTable).destructive = false),
        Rule::ConsentOrBlocked => (repaired(), |plan| {
            step(plan, StepKind::DropTable).consent.as_mut().unwrap().given = None;
        }),
        Rule::DropsGuarded => (repaired(), |plan| {
            let drop = step(plan, StepKind::DropTable);
            drop.preconditions.retain(|precondition| !matches!(precondition, Precondition::Writable(_)));
        }),
        Rule::DropsOwn => (repaired(), |plan| plan.records[0].row.tables.clear()),
        Rule::BasisCovers => (repaired(), |plan| plan.basis.clear()),
        Rule::PublishSubscribeWait => (fresh(), |plan| forget_dependencies(plan, StepKind::WaitSynced)),
        Rule::RoomFirst => (repaired(), |plan| forget_dependencies(plan, StepKind::CreateSubscription)),
        Rule::SubscriptionGoesFirst => (removed(), |plan| forget_dependencies(plan, StepKind::DropPublication)),
        Rule::LedgerFirst => (fresh(), |plan| plan.records.clear()),
        Rule::PartialRemovesNothing => (fresh(), |plan| {
            plan.partial = true;
            plan.records[0].then = Afterwards::Forget;
        }),
        Rule::UnseenUntouched => (fresh(), |plan| {
            let note = Note { code: "x".to_owned(), flow: Some(id("live")), text: String::new() };
            plan.unseen.push(note);
        }),
        Rule::DropsLeadOn => (repaired(), |plan| {
            plan.steps.retain(|step| step.kind.takes_down() || step.flow.is_none());
        }),
        Rule::DueApart => (due(), |plan| plan.records.push(plan.due[0].record.clone())),
        Rule::DueCopiesAgain => (due(), |plan| plan.due[0].record.then = Afterwards::Forget),
        Rule::CopyBeforePlace => (copied(), |plan| forget_dependencies(plan, StepKind::RenameTable)),
        Rule::SyncedFirst => (detached(), |plan| forget_dependencies(plan, StepKind::DropSubscription)),
        Rule::FilesOwn => (super::export::existing("error"), |plan| {
            plan.records[0].row.exports.get_mut(&1).unwrap().path.push('x');
        }),
        Rule::ForeignOwn => (super::foreign::existing("error"), |plan| {
            plan.steps.retain(|step| step.kind != StepKind::DropServer);
        }),
        Rule::ManifestLast => (super::manifests::to_store(&serde_json::json!({})), |plan| {
            step(plan, StepKind::WriteManifest).depends_on.clear();
        }),
        Rule::CursorCovers => (super::cursor::behind(), |plan| {
            plan.due[0].record.row.copies.values_mut().for_each(|note| note.cursor = None);
        }),
        Rule::PruneLeadsOn => (super::prune::pruning(), |plan| {
            plan.due[0].steps.retain(|step| step.kind != StepKind::CopyRows);
        }),
        Rule::DropsApart => (repaired(), |plan| forget_dependencies(plan, StepKind::CreateSubscription)),
    }
}

#[test]
fn every_rule_fails_on_a_plan_broken_for_it() {
    for rule in Rule::ALL {
        let (input, break_it) = breaker(rule);
        let mut plan = plan(&input).unwrap_or_else(|findings| panic!("{findings:?}")).plan;
        assert_eq!(audit(&plan), [], "sound before it is broken for {rule:?}");
        break_it(&mut plan);
        if rule != Rule::Digest {
            digest_again(&mut plan);
        }
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "{rule:?} is not found; found are {broken:?}");
    }
}

#[test]
fn statements_and_waits_are_the_builders_to_the_letter() {
    let breakers: [fn(&mut Plan); 6] = [
        |plan| wait_of(plan).states = "DROP TABLE s.t".to_owned(),
        |plan| wait_of(plan).mark.push(' '),
        |plan| wait_of(plan).refresh = "REFRESH TABLE \"s\".\"t\"; DROP TABLE s.t".to_owned(),
        |plan| wait_of(plan).subscription = "another".to_owned(),
        |plan| step(plan, StepKind::CreateSubscription).sql[0].push_str(" WITH (x = 1)"),
        |plan| step(plan, StepKind::CreatePublication).sql[0] = "CREATE PUBLICATION \"another\"".to_owned(),
    ];
    for (index, break_it) in breakers.into_iter().enumerate() {
        let mut plan = plan(&fresh()).unwrap_or_else(|findings| panic!("{findings:?}")).plan;
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&Rule::KindMatches), "breaker {index}: found are {broken:?}");
    }
}

fn wait_of(plan: &mut Plan) -> &mut transship_model::plan::WaitSynced {
    match &mut step(plan, StepKind::WaitSynced).action {
        Some(Action::WaitSynced(wait)) => wait,
        other => panic!("not a wait: {other:?}"),
    }
}

/// A running flow that is made again, tables taken out of the publication first.
fn resynced() -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    replication(&mut input, "live", "a", "b", &["s.*"]);
    applied(&mut input, "live", "a", "b", &["s.t", "s.u"]);
    input.options.resync = vec![id("live")];
    allow_all(&mut input);
    input
}

#[test]
fn what_leaves_a_publication_is_not_left_out_of_it() {
    let check = |expected: Rule, break_it: fn(&mut Plan)| {
        let mut plan = plan(&resynced()).unwrap().plan;
        assert_eq!(audit(&plan), []);
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&expected), "{broken:?}");
    };
    check(Rule::DropsLeadOn, |plan| plan.steps.retain(|step| step.kind != StepKind::PublishTables));
    check(Rule::DropsLeadOn, |plan| plan.steps.truncate(2));
    check(Rule::DropsGuarded, |plan| {
        let Some(Action::ChangeTables(change)) = &mut step(plan, StepKind::UnpublishTables).action else { panic!() };
        change.before.remove(&"s.t".parse().unwrap());
    });
}

#[test]
fn what_fell_due_does_little_and_keeps_every_other_rule() {
    let check = |expected: Rule, break_it: fn(&mut Plan)| {
        let mut plan = plan(&due()).unwrap().plan;
        assert_eq!((audit(&plan), plan.steps.len()), (vec![], 0));
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&expected), "{expected:?} is not found; found are {broken:?}");
    };
    check(Rule::DueApart, |plan| plan.due.push(plan.due[0].clone()));
    check(Rule::DueApart, |plan| plan.due[0].steps.clear());
    check(Rule::DueApart, |plan| plan.due[0].steps[0].flow = Some(id("another")));
    check(Rule::DueApart, |plan| plan.due[0].record.flow = id("another"));
    check(Rule::DueCopiesAgain, |plan| plan.due[0].steps[0].kind = StepKind::CreatePublication);
    check(Rule::DueCopiesAgain, |plan| plan.due[0].steps[0].kind = StepKind::RenameTable);
    check(Rule::DueCopiesAgain, |plan| plan.due[0].steps[0].kind = StepKind::DropTable);
    check(Rule::DependenciesPrecede, |plan| plan.due[0].steps.reverse());
    check(Rule::BasisCovers, |plan| plan.basis = std::mem::take(&mut plan.due[0].basis));
    check(Rule::CopyBeforePlace, |plan| plan.due[0].steps.last_mut().unwrap().depends_on.clear());
    check(Rule::DropsOwn, |plan| plan.due[0].record.row.tables.clear());
    check(Rule::KnownClusters, |plan| plan.clusters.clear());
    check(Rule::PartialRemovesNothing, |plan| {
        let mut record = plan.due[0].record.clone();
        (record.flow, record.then, plan.partial) = (id("another"), Afterwards::Forget, true);
        plan.records.push(record);
    });
    check(Rule::NoSecret, |plan| plan.due[0].record.row.declaration = "?password=hunter2".to_owned());
}

#[test]
fn a_due_part_that_was_edited_is_found() {
    let breakers: [fn(&mut Plan); 6] = [
        |plan| plan.due[0].steps[0].because.push('!'),
        |plan| plan.due[0].record.row.prevent_destroy = true,
        |plan| plan.due[0].basis[0].fingerprint.push('0'),
        |plan| plan.due[0].warnings.clear(),
        |plan| plan.due[0].digest = "0".repeat(64),
        |plan| plan.clusters.get_mut(&name("a")).unwrap().id = "another".to_owned(),
    ];
    for (index, break_it) in breakers.into_iter().enumerate() {
        let mut plan = plan(&due()).unwrap().plan;
        break_it(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert_eq!(broken, [Rule::Digest], "breaker {index}");
    }
}

#[test]
fn what_transship_writes_itself_is_judged_as_what_nodes_write() {
    let input = super::export::csv();
    let breakers: [(Rule, fn(&mut Plan)); 4] = [
        (Rule::FilesOwn, |plan| plan.records[0].row.exports.get_mut(&1).unwrap().path.push('x')),
        (Rule::KindMatches, |plan| step(plan, StepKind::WriteFiles).sql[0] = "DELETE FROM \"s\".\"t\"".to_owned()),
        (Rule::KindMatches, |plan| {
            let Some(Action::ImportRows(rows)) = &mut step(plan, StepKind::ImportRows).action else { panic!() };
            rows.rest = Some("DROP TABLE \"s\".\"t\"".to_owned());
        }),
        (Rule::CopyBeforePlace, |plan| forget_dependencies(plan, StepKind::ImportRows)),
    ];
    for (rule, break_it) in breakers {
        let mut plan = plan(&input).unwrap_or_else(|findings| panic!("{findings:?}")).plan;
        assert_eq!(audit(&plan), []);
        break_it(&mut plan);
        digest_again(&mut plan);
        assert!(audit(&plan).iter().any(|violation| violation.rule == rule), "{rule:?}");
    }
}
