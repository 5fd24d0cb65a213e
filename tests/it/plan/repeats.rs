//! Copies that are done again: when they are due, where that stands in the plan, and what it leaves alone.

use serde_json::{Value, json};
use transship_model::ledger::{FlowRow, FlowState, LedgerView};
use transship_model::plan::{Plan, Step, StepKind};
use transship_plan::{FlowStatus, PlanInput, Planned, audit, due_digest, plan, project};

use super::world::{at, copying, id, later, name, plain_definition, table, tables, world, write_to};

const DAY: i64 = 86_400;

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

/// A world of three clusters in which `a` has the tables `s.t` and `s.u`.
fn start() -> PlanInput {
    let mut input = world(&["a", "b", "c"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    for name in ["s.t", "s.u"] {
        at(&mut input, "a").tables.get_mut(&table(name)).unwrap().definition = Some(plain_definition(name));
    }
    input
}

/// The input once its plan has been applied.
fn done(mut input: PlanInput) -> PlanInput {
    input.observation = project(&input, &planned(&input).plan);
    input
}

/// A flow `copy` of `s.t` from a to b that was applied.
fn copied(existing: &str, repeat: &Value) -> PlanInput {
    let mut input = start();
    copying(&mut input, "copy", &json!(["s.t"]), &json!({ "existing": existing, "repeat": repeat }));
    done(input)
}

fn kinds<'a>(steps: impl IntoIterator<Item = &'a Step>) -> String {
    steps.into_iter().map(|step| step.kind.as_str()).collect::<Vec<_>>().join(" ")
}

/// What is due, by flow; nothing else is to be done.
fn due(input: &PlanInput) -> Vec<String> {
    let Planned { plan, report } = planned(input);
    assert_eq!((kinds(&plan.steps), plan.records.len(), plan.basis.len()), (String::new(), 0, 0));
    for due in &plan.due {
        assert_eq!((&due.record.flow, report.flows[&due.flow].status), (&due.flow, FlowStatus::Due));
        assert!(report.flows[&due.flow].differences.is_empty(), "no drift");
    }
    plan.due.iter().map(|due| format!("{}: {}", due.flow, kinds(&due.steps))).collect()
}

fn row(input: &mut PlanInput, flow: &str, change: impl FnOnce(&mut FlowRow)) {
    let LedgerView::Present(rows) = &mut at(input, "b").ledger else { panic!("a ledger") };
    change(&mut rows.get_mut(&id(flow)).expect("a row").row);
}

#[test]
fn every_counts_from_the_start_of_the_last_run() {
    for (existing, expected) in [("replace", "copy: create-table copy-rows swap-table"), ("upsert", "copy: copy-rows")]
    {
        let mut input = copied(existing, &json!({ "every": "1d" }));
        later(&mut input, DAY - 1);
        assert_eq!(due(&input), Vec::<String>::new());
        later(&mut input, 1);
        assert_eq!(due(&input), [expected]);
        let again = done(input);
        assert_eq!(due(&again), Vec::<String>::new(), "done is done");
    }
}

#[test]
fn on_change_is_due_after_a_write() {
    for (existing, expected) in [("replace", "copy: create-table copy-rows swap-table"), ("upsert", "copy: copy-rows")]
    {
        let mut input = copied(existing, &json!("on-change"));
        later(&mut input, 1_000 * DAY);
        assert_eq!(due(&input), Vec::<String>::new());
        write_to(&mut input, "a", "s.t");
        assert_eq!(due(&input), [expected]);
        assert_eq!(due(&done(input)), Vec::<String>::new());
    }
}

#[test]
fn a_write_during_the_copy_is_found_afterwards() {
    let mut input = start();
    copying(&mut input, "copy", &json!(["s.t"]), &json!({ "existing": "upsert", "repeat": "on-change" }));
    let first = planned(&input).plan;
    let after = project(&input, &first);
    // The marks are those of the beginning of the copy, whatever came while it ran.
    input.observation = after;
    write_to(&mut input, "a", "s.t");
    assert_eq!(due(&input), ["copy: copy-rows"]);
}

#[test]
fn a_failed_run_stays_due() {
    let mut input = copied("replace", &json!({ "every": "1d" }));
    later(&mut input, DAY);
    row(&mut input, "copy", |row| row.state = FlowState::Applying);
    assert_eq!(due(&input), ["copy: create-table copy-rows swap-table"]);
    assert_eq!(due(&done(input)), Vec::<String>::new());
}

#[test]
fn modes_that_leave_copies_alone_never_repeat_and_say_so() {
    for existing in ["error", "append", "skip"] {
        let mut input = copied(existing, &json!("on-change"));
        write_to(&mut input, "a", "s.t");
        let plan = planned(&input).plan;
        assert!(plan.is_empty(), "{existing}");
        let codes: Vec<&str> = plan.warnings.iter().map(|note| note.code.as_str()).collect();
        assert_eq!(codes, ["plan::never-repeats"], "{existing}");
    }
}

#[test]
fn what_fell_due_beside_other_work_of_its_flow_is_ordinary_work() {
    let mut input = copied("replace", &json!("on-change"));
    write_to(&mut input, "a", "s.t");
    copying(&mut input, "copy", &json!(["s.t", "s.u"]), &json!({ "existing": "replace", "repeat": "on-change" }));
    let Planned { plan, report } = planned(&input);
    assert_eq!(kinds(&plan.steps), "create-table copy-rows swap-table create-table copy-rows rename-table");
    assert!(plan.due.is_empty());
    assert_eq!(report.flows[&id("copy")].status, FlowStatus::Changes);
    assert_eq!(report.flows[&id("copy")].differences.len(), 2);
    input.options.resync = vec![id("copy")];
    assert!(planned(&input).plan.due.is_empty(), "what is done from scratch is asked for");
    input = copied("replace", &json!("on-change"));
    write_to(&mut input, "a", "s.t");
    row(&mut input, "copy", |row| row.prevent_destroy = true);
    assert!(planned(&input).plan.due.is_empty(), "the row says something else");
}

#[test]
fn what_cannot_be_seen_is_neither_due_nor_clean() {
    let mut input = copied("replace", &json!("on-change"));
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().primaries[0].max_seq_no = None;
    let Planned { plan, report } = planned(&input);
    assert!(plan.is_empty());
    assert_eq!(report.flows[&id("copy")].status, FlowStatus::NotObservable);
    assert!(plan.unseen[0].text.contains("primary shard 0: it is not started"), "{}", plan.unseen[0].text);
}

#[test]
fn falling_due_changes_nothing_of_what_was_reviewed() {
    let mut input = copied("replace", &json!({ "every": "1d" }));
    copying(&mut input, "other", &json!([{ "from": "s.u", "to": "s.v" }]), &json!({ "depends_on": ["copy"] }));
    let before = planned(&input).plan;
    later(&mut input, DAY);
    let after = planned(&input).plan;
    assert_eq!((before.due.len(), after.due.len(), before.steps.len()), (0, 1, 3));
    assert_eq!(before.digest, after.digest);
    assert!(after.steps[0].depends_on.contains(&after.due[0].steps.last().unwrap().id), "it waits all the same");
    // What stays due stays the same, too: the time of the plan is no part of it.
    later(&mut input, DAY);
    assert_eq!(planned(&input).plan.due, after.due);
    // Without it, nothing waits for it.
    let without = after.clone().with_due(|_| false);
    assert_eq!((audit(&without), &without.steps), (vec![], &before.steps));
    assert_eq!(due_digest(&after, &after.due[0]), after.due[0].digest);
}

#[test]
fn clusters_that_only_due_work_touches_are_no_part_of_the_digest() {
    let mut input = start();
    copying(
        &mut input,
        "far",
        &json!(["s.t"]),
        &json!({ "to": "c", "existing": "upsert", "repeat": { "every": "1d" } }),
    );
    let mut input = done(input);
    copying(&mut input, "near", &json!(["s.u"]), &json!({}));
    let before = planned(&input).plan;
    later(&mut input, DAY);
    let after = planned(&input).plan;
    assert_eq!((before.clusters.len(), after.clusters.len()), (2, 3));
    assert_eq!(before.digest, after.digest);
}

/// `first` copies `s.t` from a to b, `second` copies it on from b to c.
fn chain(first: &Value, second: &Value) -> PlanInput {
    let mut input = start();
    tables(&mut input, "b", &["s.t"]);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    copying(&mut input, "first", &json!(["s.t"]), &json!({ "existing": "replace", "repeat": first }));
    let on = json!({ "from": "b", "to": "c", "existing": "upsert", "repeat": second });
    copying(&mut input, "second", &json!(["s.t"]), &on);
    done(input)
}

fn order(plan: &Plan) -> Vec<String> {
    let mut flows: Vec<String> = plan.all_steps().map(|step| step.flow.as_ref().unwrap().to_string()).collect();
    flows.dedup();
    flows
}

#[test]
fn who_reads_what_is_copied_again_comes_after_it() {
    let mut input = chain(&json!({ "every": "1d" }), &json!({ "every": "1d" }));
    assert_eq!(due(&input), Vec::<String>::new());
    later(&mut input, DAY);
    assert_eq!(due(&input), ["first: create-table copy-rows swap-table", "second: copy-rows"]);
    assert_eq!(order(&planned(&input).plan), ["first", "second"]);
    // The names of flows have no say in it.
    let mut input = start();
    tables(&mut input, "b", &["s.t"]);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    copying(&mut input, "z", &json!(["s.t"]), &json!({ "existing": "replace", "repeat": { "every": "1d" } }));
    let on = json!({ "from": "b", "to": "c", "existing": "upsert", "repeat": { "every": "1d" } });
    copying(&mut input, "y", &json!(["s.t"]), &on);
    let mut input = done(input);
    later(&mut input, DAY);
    assert_eq!(order(&planned(&input).plan), ["z", "y"]);
}

#[test]
fn what_a_plan_writes_anew_has_changed_for_who_reads_it() {
    let mut input = chain(&json!({ "every": "1d" }), &json!("on-change"));
    assert_eq!(due(&input), Vec::<String>::new());
    later(&mut input, DAY);
    assert_eq!(due(&input), ["first: create-table copy-rows swap-table", "second: copy-rows"]);
    assert_eq!(due(&done(input)), Vec::<String>::new());
    // So it has where that is ordinary work, and then work that fell due waits for it.
    let mut input = chain(&json!("once"), &json!("on-change"));
    input.options.resync = vec![id("first")];
    let plan = planned(&input).plan;
    assert_eq!((kinds(&plan.steps), plan.due.len()), ("create-table copy-rows swap-table".to_owned(), 1));
    assert_eq!(order(&plan), ["first", "second"]);
    let copy = plan.due[0].steps.iter().find(|step| step.kind == StepKind::CopyRows).unwrap();
    assert!(copy.depends_on.contains(&plan.steps.last().unwrap().id));
}

#[test]
fn ordinary_work_between_due_work_runs_between() {
    let mut input = chain(&json!({ "every": "1d" }), &json!("once"));
    let third = json!({ "from": "c", "to": "a", "existing": "upsert", "repeat": { "every": "1d" } });
    let entry = json!([{ "from": "s.t", "to": "r.t" }]);
    copying(&mut input, "third", &entry, &third);
    let mut input = done(input);
    later(&mut input, DAY);
    input.options.resync = vec![id("second")];
    let plan = planned(&input).plan;
    assert_eq!(plan.due.iter().map(|due| due.flow.to_string()).collect::<Vec<_>>(), ["first", "third"]);
    assert_eq!(order(&plan), ["first", "second", "third"]);
    assert_eq!(plan.steps[0].flow.as_ref().unwrap(), &id("second"));
}

#[test]
fn due_work_that_may_not_be_done_blocks_the_plan() {
    let mut input = copied("replace", &json!("on-change"));
    write_to(&mut input, "a", "s.t");
    at(&mut input, "b").privileges = None;
    let Planned { plan, report } = planned(&input);
    assert_eq!((plan.due.len(), report.flows[&id("copy")].status), (1, FlowStatus::Blocked));
    let blocked = plan.all_blocked().next().unwrap();
    assert_eq!(
        (blocked.code.as_str(), blocked.step.as_ref()),
        ("plan::grants-unknown", Some(&plan.due[0].steps[2].id))
    );
    assert_eq!(input.observation.clusters[&name("b")].tables[&table("s.t")].primaries.len(), 1);
}

#[test]
fn what_cannot_be_seen_and_is_written_anew_is_due() {
    let mut input = chain(&json!({ "every": "1d" }), &json!("on-change"));
    later(&mut input, DAY);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().primaries[0].max_seq_no = None;
    let flows: Vec<_> = planned(&input).plan.due.iter().map(|due| due.flow.to_string()).collect();
    assert_eq!(flows, ["first", "second"]);
}

#[test]
fn two_writers_are_told_though_one_is_not_judged() {
    let mut input = copied("replace", &json!("on-change"));
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().primaries[0].max_seq_no = None;
    copying(&mut input, "other", &json!([{ "from": "s.u", "to": "s.t" }]), &json!({ "existing": "replace" }));
    let codes: Vec<_> = plan(&input).err().into_iter().flatten().map(|finding| finding.code).collect();
    assert!(codes.contains(&"plan::two-writers"), "{codes:?}");
}

#[test]
fn due_work_that_is_blocked_leaves_the_digest_alone() {
    let mut input = copied("replace", &json!({ "every": "1d" }));
    at(&mut input, "b").privileges = None;
    copying(&mut input, "other", &json!([{ "from": "s.u", "to": "s.v" }]), &json!({}));
    let before = planned(&input).plan.digest;
    later(&mut input, DAY);
    let plan = planned(&input).plan;
    assert_eq!(plan.digest, before);
    assert!(plan.is_blocked() && plan.blocked.is_empty(), "it is blocked for itself");
}
