//! Every rule of the audit fails on a plan that is broken for it.

use transship_model::plan::{Action, Afterwards, Note, Plan, Precondition, StepId, StepKind};
use transship_plan::{PlanInput, Rule, audit, digest, plan};

use super::world::{allow_all, applied, at, copying, id, name, plain_definition, replication, tables, world};

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
        Rule::NothingDue => (fresh(), |plan| {
            plan.due.insert(id("live"), Vec::new());
        }),
        Rule::CopyBeforePlace => (copied(), |plan| forget_dependencies(plan, StepKind::RenameTable)),
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
            plan.digest = digest(&plan);
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
        plan.digest = digest(&plan);
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
        plan.digest = digest(&plan);
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
