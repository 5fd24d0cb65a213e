//! `prune`: when rows are deleted that the source no longer has, with whose consent, by which statements, and what is refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transship_model::ledger::LedgerView;
use transship_model::plan::{Action, ConsentBy, Plan, Precondition, PruneRows, RowWrite, Step, StepKind};
use transship_plan::{PlanInput, Planned, Rule, audit, plan, project};

use super::world::{
    at, copying, digest_again, id, later, plain_definition, plain_table, table, tables, world, write_to,
};

/// A flow of `s.t` from a to b that prunes.
fn start(entry: &Value, more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    let mut declared = json!({ "from": "s.t", "prune": true });
    declared.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    let mut keys = json!({ "existing": "upsert", "repeat": "on-change" });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    copying(&mut input, "keep", &json!([declared]), &keys);
    input
}

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

/// The same once it was applied, and the source has changed since.
fn changed(entry: &Value, more: &Value) -> PlanInput {
    let mut input = start(entry, more);
    input.observation = project(&input, &planned(&input).plan);
    at(&mut input, "b").tables.insert(table("s.t"), plain_table("b-s.t"));
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("a ledger") };
    let copies = &mut rows.get_mut(&id("keep")).expect("a row").row.copies;
    copies.get_mut(&table("s.t")).expect("a copy").indices = BTreeSet::from(["b-s.t".to_owned()]);
    write_to(&mut input, "a", "s.t");
    later(&mut input, 60);
    input
}

/// A table of somebody else's has the name.
fn theirs(entry: &Value, more: &Value) -> PlanInput {
    let mut input = start(entry, more);
    tables(&mut input, "b", &["s.t"]);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input
}

/// A plan that deletes rows.
pub(super) fn pruning() -> PlanInput {
    changed(&json!({}), &json!({}))
}

fn pruned(plan: &Plan) -> (&Step, &PruneRows) {
    let step = plan.all_steps().find(|step| step.kind == StepKind::PruneRows).expect("rows are pruned");
    let Some(Action::PruneRows(rows)) = &step.action else { panic!() };
    (step, rows)
}

fn kinds(plan: &Plan) -> Vec<StepKind> {
    plan.all_steps().map(|step| step.kind).collect()
}

fn code(input: &PlanInput) -> (String, String) {
    let findings = plan(input).expect_err("it is refused");
    let first = findings.into_iter().next().unwrap();
    (first.code.to_owned(), first.message)
}

#[test]
fn nothing_is_pruned_where_a_table_is_made() {
    let plan = planned(&start(&json!({}), &json!({}))).plan;
    assert!(!kinds(&plan).contains(&StepKind::PruneRows));
    assert!(plan.warnings.iter().all(|note| note.code != "plan::prunes"));
}

#[test]
fn rows_go_before_others_are_written_and_without_another_consent() {
    let input = pruning();
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), [StepKind::PruneRows, StepKind::CopyRows]);
    assert!(plan.steps.is_empty() && plan.due.len() == 1, "it merely fell due");
    let (step, rows) = pruned(&plan);
    assert!(step.destructive && step.consent.as_ref().unwrap().given == Some(ConsentBy::Prune));
    assert!(rows.at_source.buckets.contains("CAST(CAST(\"id\" AS bigint) AS text)"), "{}", rows.at_source.buckets);
    assert_eq!(
        rows.delete,
        "DELETE FROM \"s\".\"t\" WHERE \"id\" = $1::text::bigint AND \"_seq_no\" = $2::text::bigint AND \
         \"_primary_term\" = $3::text::bigint"
    );
    let prunes = plan.warnings.iter().chain(&plan.due[0].warnings).any(|note| note.code == "plan::prunes");
    assert!(prunes, "{:?}", plan.warnings);
    let mut input = input;
    input.observation = project(&input, &plan);
    assert!(planned(&input).plan.is_empty());
}

#[test]
fn rows_of_others_need_a_consent() {
    let mut input = theirs(&json!({}), &json!({}));
    let plan = planned(&input).plan;
    assert_eq!(pruned(&plan).0.consent.as_ref().unwrap().given, None);
    assert_eq!(plan.blocked.len(), 1, "{:?}", plan.blocked);
    assert!(plan.blocked[0].help.contains("--allow-drop 'rows:b.s.t'"), "{:?}", plan.blocked);
    input.options.allow_drop = vec!["rows:b.s.*".parse().unwrap()];
    let plan = planned(&input).plan;
    assert!(
        plan.blocked.is_empty() && matches!(pruned(&plan).0.consent.as_ref().unwrap().given, Some(ConsentBy::Flag(_)))
    );
}

#[test]
fn another_choice_of_rows_needs_a_consent() {
    // The flow copied without `prune`, or with another `where`: what is there may be more than anybody meant to go.
    for (before, after) in [(json!({ "prune": false }), json!({})), (json!({}), json!({ "where": "id > 5" }))] {
        let mut input = changed(&before, &json!({}));
        let declared = start(&after, &json!({})).spec.flows;
        input.spec.flows = declared;
        let plan = planned(&input).plan;
        assert_eq!(kinds(&plan), [StepKind::PruneRows, StepKind::CopyRows], "{after}");
        assert_eq!(plan.blocked.len(), 1, "{after}");
    }
}

#[test]
fn both_sides_are_compared_by_what_the_flow_makes_of_the_key() {
    let entry = json!({ "where": "v > 1", "columns": { "id": { "sql": "v + 1", "cast": "BIGINT" }, "v": "v" } });
    let plan = planned(&theirs(&entry, &json!({}))).plan;
    let rows = pruned(&plan).1;
    assert!(rows.at_source.buckets.contains("CAST(CAST(CAST((v + 1) AS BIGINT) AS bigint) AS text)"));
    assert!(rows.at_source.buckets.contains(" WHERE (v > 1)") && !rows.at_target.buckets.contains("WHERE"));
}

#[test]
fn a_row_that_was_written_by_a_cursor_is_pruned_too() {
    let mut input = changed(&json!({ "cursor": "v" }), &json!({}));
    input.spec.flows = start(&json!({ "cursor": "v" }), &json!({ "repeat": "once" })).spec.flows;
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), [StepKind::PruneRows, StepKind::CopyRows]);
}

#[test]
fn keys_that_the_source_cannot_compute_are_refused() {
    let entry = json!({ "columns": { "id": { "sql": "id", "default": 7 }, "v": "v" } });
    let (code, message) = code(&theirs(&entry, &json!({})));
    assert!(code == "plan::prune-key" && message.contains("transship itself makes id"), "{code}: {message}");
}

#[test]
fn keys_of_types_without_one_text_are_refused() {
    let mut input = theirs(&json!({}), &json!({}));
    for cluster in ["a", "b"] {
        let seen = at(&mut input, cluster).tables.get_mut(&table("s.t")).unwrap();
        seen.columns[0].data_type = "numeric".to_owned();
        seen.definition = Some(plain_definition("s.t").replace("\"id\" BIGINT", "\"id\" NUMERIC(10, 2)"));
    }
    let (code, message) = code(&input);
    assert!(code == "plan::prune-key" && message.contains("numeric"), "{code}: {message}");
}

#[test]
fn a_sensitive_key_is_read_only_as_it_is() {
    let input = theirs(&json!({ "sensitive": ["id"] }), &json!({}));
    assert!(plan(&input).is_ok());
    let entry = json!({ "sensitive": ["id"], "columns": { "id": { "sql": "id + 1", "cast": "BIGINT" }, "v": "v" } });
    let (code, message) = code(&theirs(&entry, &json!({})));
    assert!(code == "plan::prune-key" && message.contains("sensitive"), "{code}: {message}");
}

#[test]
fn a_flow_that_must_not_destroy_prunes_nothing() {
    let plan = planned(&changed(&json!({}), &json!({ "prevent_destroy": true }))).plan;
    assert!(plan.all_blocked().any(|blocked| blocked.code == "plan::prevent-destroy"));
}

/// Changes of a plan that make it delete other rows than it says.
#[test]
fn a_plan_that_was_edited_is_found_out() {
    type Edit = fn(&mut Step);
    fn action(step: &mut Step) -> &mut PruneRows {
        let Some(Action::PruneRows(rows)) = &mut step.action else { panic!() };
        rows
    }
    let edits: [(Rule, Edit); 9] = [
        (Rule::KindMatches, |step| action(step).delete = "DELETE FROM \"s\".\"t\" WHERE \"id\" = $1".to_owned()),
        (Rule::KindMatches, |step| action(step).at_source.among.push_str(" LIMIT 0")),
        (Rule::KindMatches, |step| action(step).at_target.in_buckets.clear()),
        (Rule::KindMatches, |step| action(step).unreadable.push_str(" LIMIT 0")),
        (Rule::KindMatches, |step| action(step).key.clear()),
        (Rule::DropsOwn, |step| action(step).into = table("s.other")),
        (Rule::DropsGuarded, |step| step.preconditions.retain(|it| !matches!(it, Precondition::Writable(_)))),
        (Rule::DropsMarked, |step| step.destructive = false),
        (Rule::PruneLeadsOn, |step| {
            let rows = action(step);
            let key = rows.key.clone();
            rows.at_source.filter = Some("v > 1".to_owned());
            rows.key = key;
        }),
    ];
    let sound = planned(&pruning()).plan;
    for (at, (rule, edit)) in edits.into_iter().enumerate() {
        let mut plan = sound.clone();
        edit(plan.due[0].steps.iter_mut().find(|step| step.kind == StepKind::PruneRows).unwrap());
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "edit {at}: {rule:?} is not among {broken:?}");
    }
    // Consent by the ledger holds for the very declaration that it has.
    let mut plan = sound.clone();
    plan.due[0].record.row.copies.values_mut().for_each(|note| note.asked.push('x'));
    digest_again(&mut plan);
    assert!(audit(&plan).iter().any(|violation| violation.rule == Rule::ConsentOrBlocked));
    // Rows that are refused by their key are no rows that were compared by it.
    let mut plan = sound;
    for step in &mut plan.due[0].steps {
        if let Some(Action::CopyRows(rows)) = &mut step.action {
            rows.write = RowWrite::Insert;
        }
    }
    digest_again(&mut plan);
    assert!(audit(&plan).iter().any(|violation| violation.rule == Rule::PruneLeadsOn));
}

#[test]
fn a_table_without_partitions_is_the_very_one() {
    let mut input = pruning();
    let plan = planned(&input).plan;
    let step = pruned(&plan).0;
    let guarded = |step: &Step| {
        step.preconditions
            .iter()
            .filter(|it| matches!(it, Precondition::Unchanged(object) if object.cluster.as_str() == "b"))
            .count()
    };
    assert_eq!(guarded(step), 2, "{:?}", step.preconditions);
    // Another table of the name, made since: not ours any more.
    at(&mut input, "b").tables.insert(table("s.t"), plain_table("another"));
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    let again = planned(&input).plan;
    assert_eq!(pruned(&again).0.consent.as_ref().unwrap().given, None);
}
