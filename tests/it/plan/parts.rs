//! Plans of parts of the flows: together they are the plan of all, but for removals and waits.

use std::collections::BTreeSet;

use serde_json::json;
use transship_model::ledger::{FlowState, LedgerView};
use transship_model::plan::{Action, Part, Plan, Step, StepId, StepKind, WaitFlows};
use transship_plan::{PlanInput, Rule, audit, plan};

use super::world::{
    allow_all, applied, at, copying, digest_again, id, name, plain_definition, replication, table, tables, world,
};

/// Flows of every kind that waits: by what they read, by `depends_on`, and for nobody; one flow is gone from the spec.
fn many() -> PlanInput {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t0", "s.t1", "s.t2", "s.t3", "s.t4", "s.live", "s.gone"]);
    tables(&mut input, "b", &["s.t0"]);
    for cluster in ["a", "b"] {
        for (name, seen) in &mut at(&mut input, cluster).tables {
            seen.definition = Some(plain_definition(&name.to_string()));
        }
    }
    at(&mut input, "b").tables.get_mut(&table("s.t0")).unwrap().writable =
        Some(transship_model::observed::Writable::Yes);
    for number in 0..5 {
        let depends: Vec<String> = if number > 1 { vec![format!("copy-{}", number - 1)] } else { Vec::new() };
        let more = json!({ "depends_on": depends, "existing": "replace" });
        copying(&mut input, &format!("copy-{number}"), &json!([format!("s.t{number}")]), &more);
    }
    copying(&mut input, "onwards", &json!(["s.t0"]), &json!({ "from": "b", "to": "c" }));
    replication(&mut input, "live", "a", "b", &["s.live"]);
    applied(&mut input, "gone", "a", "b", &["s.gone"]);
    input.spec.flows.remove(&name("gone"));
    allow_all(&mut input);
    input
}

fn part(input: &PlanInput, index: u32, of: u32) -> Plan {
    let mut input = input.clone();
    input.options.part = Some(format!("{index}/{of}").parse().unwrap());
    let plan = plan(&input).unwrap_or_else(|findings| panic!("{index}/{of} is refused: {findings:#?}")).plan;
    assert_eq!(audit(&plan), [], "{index}/{of}");
    assert!(plan.partial);
    plan
}

fn wait(step: &Step) -> Option<&WaitFlows> {
    match &step.action {
        Some(Action::WaitFlows(wait)) => Some(wait),
        _ => None,
    }
}

#[test]
fn a_flow_that_is_refused_is_refused_in_every_part() {
    let mut input = many();
    at(&mut input, "b").tables.remove(&table("s.t0"));
    for index in 1..=3 {
        input.options.part = Some(format!("{index}/3").parse().unwrap());
        let refused: Vec<_> = plan(&input).expect_err("onwards has no source").iter().map(|it| it.code).collect();
        assert_eq!(refused, ["plan::no-such-table"], "{index}/3");
    }
}

/// The steps of flows, with what they wait for within their own flow: waits across flows are another test's.
fn own(plan: &Plan) -> BTreeSet<String> {
    let of_flows = plan.all_steps().filter(|step| step.flow.is_some() && wait(step).is_none());
    of_flows
        .map(|step| {
            let flow = format!("{}/", step.flow.as_ref().unwrap());
            let is_own = |id: &StepId| id.0.starts_with(&flow) && !id.0.ends_with("wait-flows");
            let depends_on = step.depends_on.iter().filter(|id| is_own(id)).cloned().collect();
            serde_json::to_string(&Step { depends_on, ..step.clone() }).unwrap()
        })
        .collect()
}

#[test]
fn the_parts_are_disjoint_and_together_the_whole_but_for_removals() {
    let input = many();
    let whole = plan(&input).unwrap_or_else(|findings| panic!("{findings:#?}")).plan;
    let is_removal = |step: &Step| step.flow == Some(id("gone"));
    assert!(whole.steps.iter().any(is_removal));
    let mut expected = whole.clone();
    expected.steps.retain(|step| !is_removal(step));
    for of in 1..=6 {
        let parts: Vec<Plan> = (1..=of).map(|index| part(&input, index, of)).collect();
        let all: Vec<BTreeSet<String>> = parts.iter().map(own).collect();
        let together: BTreeSet<String> = all.iter().flatten().cloned().collect();
        assert_eq!(all.iter().map(BTreeSet::len).sum::<usize>(), together.len(), "{of}: disjoint");
        assert_eq!(together, own(&expected), "{of}: the whole");
        let records: usize = parts.iter().map(|plan| plan.records.len()).sum();
        assert_eq!(records, whole.records.len() - 1, "{of}: ledger rows");
    }
}

/// The flows before a flow in the plan of all, by the steps that wait for each other.
fn before(plan: &Plan) -> BTreeSet<(String, String)> {
    let owner = |id: &StepId| id.0.split_once('/').unwrap().0.to_owned();
    let steps = plan.all_steps().filter(|step| step.flow.is_some());
    steps
        .flat_map(|step| step.depends_on.iter().map(move |before| (owner(before), owner(&step.id))))
        .filter(|(before, after)| before != after && !before.starts_with('@') && before != "gone")
        .collect()
}

#[test]
fn what_orders_flows_in_one_plan_is_waited_for_across_parts() {
    let input = many();
    let expected = before(&plan(&input).unwrap().plan);
    assert!(expected.contains(&("copy-0".to_owned(), "onwards".to_owned())), "{expected:?}");
    assert!(expected.contains(&("copy-3".to_owned(), "copy-4".to_owned())), "{expected:?}");
    let mut crossed = 0;
    for of in 1..=6 {
        let mut found = BTreeSet::new();
        for plan in (1..=of).map(|index| part(&input, index, of)) {
            found.extend(before(&plan));
            for step in plan.all_steps() {
                let Some(wait) = wait(step) else { continue };
                let flow = step.flow.clone().unwrap();
                assert_eq!(
                    plan.all_steps().filter(|other| other.flow == step.flow).map(|it| &it.id).min(),
                    Some(&step.id)
                );
                for awaited in &wait.flows {
                    assert_ne!(awaited.part, Part::of(&flow.flow, of));
                    found.insert((awaited.flow.to_string(), flow.to_string()));
                    crossed += 1;
                }
            }
        }
        assert_eq!(found, expected, "{of}");
    }
    assert!(crossed > 5, "{crossed}");
}

/// The number of parts for which two flows are in different ones, and the part of the second.
fn apart(first: &str, second: &str) -> Part {
    let of = (2..100).find(|of| Part::of(&name(first), *of) != Part::of(&name(second), *of)).unwrap();
    Part::of(&name(second), of)
}

/// Two flows, the second after the first, planned for the part of the second.
fn second(more: &serde_json::Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t0", "s.t1"]);
    for (name, seen) in &mut at(&mut input, "a").tables {
        seen.definition = Some(plain_definition(&name.to_string()));
    }
    copying(&mut input, "first", &json!(["s.t0"]), more);
    copying(&mut input, "second", &json!(["s.t1"]), &json!({ "depends_on": ["first"] }));
    input.options.part = Some(apart("first", "second"));
    input
}

#[test]
fn a_flow_is_waited_for_only_where_it_has_work() {
    let kinds = |input: &PlanInput| super::copies::kinds(&super::copies::planned(input).plan);
    let copy = "create-table copy-rows rename-table";
    let waits = format!("wait-flows {copy}");
    let fresh = second(&json!({}));
    assert_eq!(kinds(&fresh), waits);
    assert_eq!(kinds(&second(&json!({ "enabled": false }))), copy, "a flow that is not in use");
    let mut left_out = second(&json!({}));
    left_out.options.exclude = vec![transship_model::Glob("first".to_owned())];
    assert_eq!(kinds(&left_out), copy, "a flow that nobody does in this round");
    let mut done = fresh.clone();
    done.options.part = Some(apart("second", "first"));
    let first = super::copies::planned(&done).plan;
    assert_eq!(super::copies::kinds(&first), copy);
    done.observation = transship_plan::project(&done, &first);
    done.options.part = fresh.options.part;
    for seen in ["s.t0", "s.t1"] {
        at(&mut done, "a").tables.get_mut(&table(seen)).unwrap().definition = Some(plain_definition(seen));
    }
    assert_eq!(kinds(&done), copy, "a flow that is done");
}

#[test]
fn a_flow_that_cannot_be_planned_just_now_is_waited_for() {
    let mut input = second(&json!({ "existing": "error" }));
    tables(&mut input, "b", &["s.t0"]);
    assert_eq!(super::copies::codes(&input), ["plan::target-exists"], "nobody is at it");
    applied(&mut input, "first", "a", "b", &["s.t0"]);
    let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("there is a ledger") };
    rows.get_mut(&id("first")).expect("a row").row.state = FlowState::Applying;
    assert_eq!(
        super::copies::kinds(&super::copies::planned(&input).plan),
        "wait-flows create-table copy-rows rename-table"
    );
    input.options.part = Some(apart("second", "first"));
    assert!(!super::copies::codes(&input).is_empty(), "its own part tells of it");
}

#[test]
fn whoever_waits_for_a_blocked_flow_is_blocked_too() {
    let mut input = second(&json!({}));
    tables(&mut input, "a", &["s.live"]);
    replication(&mut input, "first", "a", "b", &["s.live"]);
    applied(&mut input, "first", "a", "b", &["s.live"]);
    at(&mut input, "a").publications.clear();
    let plan = super::copies::planned(&input).plan;
    let codes: Vec<&str> = plan.blocked.iter().map(|blocked| blocked.code.as_str()).collect();
    assert_eq!(codes, ["plan::awaits-blocked"], "{:#?}", plan.blocked);
}

#[test]
fn subscriptions_that_have_to_go_first_are_not_left_to_another_job() {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t0", "s.t1"]);
    replication(&mut input, "first", "a", "b", &["s.t0"]);
    applied(&mut input, "first", "a", "b", &["s.t0"]);
    at(&mut input, "a").publications.clear();
    replication(&mut input, "second", "a", "b", &["s.t1"]);
    allow_all(&mut input);
    assert!(plan(&input).unwrap().plan.blocked.is_empty(), "one plan has an order");
    input.options.part = Some(apart("first", "second"));
    let plan = super::copies::planned(&input).plan;
    let codes: Vec<&str> = plan.blocked.iter().map(|blocked| blocked.code.as_str()).collect();
    assert_eq!(codes, ["plan::drops-apart"]);
    assert_eq!(plan.steps.iter().filter(|step| step.kind == StepKind::DropSubscription).count(), 0);
}

#[test]
fn the_audit_knows_what_a_wait_for_other_jobs_is() {
    fn wait_of(plan: &mut Plan) -> &mut WaitFlows {
        let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::WaitFlows).expect("it waits");
        match &mut step.action {
            Some(Action::WaitFlows(wait)) => wait,
            other => panic!("{other:?}"),
        }
    }
    let breakers: [(Rule, fn(&mut Plan)); 4] = [
        (Rule::KindMatches, |plan| wait_of(plan).flows.clear()),
        (Rule::KindMatches, |plan| wait_of(plan).look.push_str(" LIMIT 1")),
        (Rule::KindMatches, |plan| wait_of(plan).run = "DELETE FROM transship.runs".to_owned()),
        (Rule::KnownClusters, |plan| wait_of(plan).flows[0].cluster = name("c")),
    ];
    for (index, (rule, break_it)) in breakers.into_iter().enumerate() {
        let mut plan = super::copies::planned(&second(&json!({}))).plan;
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "breaker {index}: found are {broken:?}");
    }
}
