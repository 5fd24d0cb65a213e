//! Flows whose rows an external program moves: it is given copies aside alone, whatever is there.

use serde_json::{Value, json};
use transship_model::observed::Privilege;
use transship_model::plan::{Action, CommandTable, MergeRows, Plan, RunCommand, StepKind};
use transship_plan::{PlanInput, Rule, audit, project};

use super::copies::{check_existing, check_settled, codes, copy_of, done, outcome, planned, there};
use super::world::{at, digest_again, flow, name, plain_definition, table, tables, world};

fn etl(tables_of: &Value, more: &Value) -> PlanInput {
    let mut more = more.clone();
    more["strategy"] = json!({ "custom": { "engine": "command", "run": ["./etl", "--fast"] } });
    copy_of(tables_of, &more)
}

fn existing(mode: &str) -> PlanInput {
    etl(&json!(["s.t"]), &json!({ "existing": mode }))
}

fn command(plan: &Plan) -> &RunCommand {
    let found = plan.all_steps().find_map(|step| match &step.action {
        Some(Action::RunCommand(command)) => Some(command),
        _ => None,
    });
    found.expect("it runs a program")
}

#[test]
fn every_cell_of_the_table_of_existing() {
    let create = "create-table run-command rename-table";
    let replace = "create-table run-command swap-table";
    let merge = "create-table run-command merge-rows";
    check_existing(
        &etl,
        &[
            ("error", [create, "plan::target-exists", "", "plan::edited"]),
            ("replace", [create, replace, "", replace]),
            ("append", [create, merge, "", "plan::doubles-rows"]),
            ("upsert", [create, merge, "", merge]),
            ("skip", [create, "record-flow", "", ""]),
        ],
    );
}

#[test]
fn what_was_applied_is_empty_when_planned_again() {
    check_settled(&etl);
}

#[test]
fn another_program_or_other_arguments_are_another_declaration() {
    let mut input = done(existing("replace"));
    assert_eq!(outcome(&input), "");
    let tables_of = json!(["s.t"]);
    let more = json!({
        "existing": "replace",
        "strategy": { "custom": { "engine": "command", "run": ["./etl", "--slow"] } }
    });
    super::world::copying(&mut input, "copy", &tables_of, &more);
    assert_eq!(outcome(&input), "create-table run-command swap-table");
}

#[test]
fn one_step_fills_the_copies_of_all_tables_that_have_work() {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    for of in ["s.t", "s.u"] {
        at(&mut input, "a").tables.get_mut(&table(of)).unwrap().definition = Some(plain_definition(of));
    }
    let strategy = json!({ "custom": { "engine": "command", "run": ["etl"] } });
    flow(
        &mut input,
        "copy",
        json!({
            "from": "a", "to": "b", "tables": ["s.t", { "from": "s.u", "where": "v > 1", "columns": ["id"] }],
            "strategy": strategy, "existing": "replace"
        }),
    );
    let plan = planned(&input).plan;
    assert_eq!(super::copies::kinds(&plan), "create-table create-table run-command rename-table rename-table");
    let found = command(&plan);
    let told: Vec<(&str, Option<&str>)> =
        found.tables.iter().map(|table| (table.query.as_str(), table.filter.as_deref())).collect();
    assert_eq!(
        told,
        [(r#"SELECT "id", "v" FROM "s"."t""#, None), (r#"SELECT "id" FROM "s"."u" WHERE (v > 1)"#, Some("v > 1")),]
    );
    assert!(found.tables.iter().all(|table| table.into.is_aside() && table.into.schema == "s"));
    input.observation = project(&input, &plan);
    at(&mut input, "b").tables.remove(&table("s.u"));
    for of in ["s.t", "s.u"] {
        at(&mut input, "a").tables.get_mut(&table(of)).unwrap().definition = Some(plain_definition(of));
    }
    let again = planned(&input).plan;
    let tables: Vec<String> = command(&again).tables.iter().map(|table| table.to.to_string()).collect();
    assert_eq!(tables, ["s.u"], "what is there is left alone");
}

#[test]
fn what_a_cut_run_left_is_dropped_before_the_program_runs() {
    for (mode, is_there, expected) in [
        ("error", false, "drop-table create-table run-command rename-table"),
        ("append", true, "drop-table create-table run-command merge-rows"),
        ("upsert", true, "drop-table create-table run-command merge-rows"),
    ] {
        let fresh = if is_there { there(existing(mode)) } else { existing(mode) };
        let copy = command(&planned(&fresh).plan).tables[0].into.clone();
        let mut cut = fresh.clone();
        let left = at(&mut cut, "a").tables[&table("s.t")].clone();
        at(&mut cut, "b").tables.insert(copy, left);
        assert_eq!(outcome(&cut), expected, "{mode}");
    }
}

#[test]
fn sensitive_columns_keep_the_output_out_of_sight() {
    let plan = planned(&etl(&json!([{ "from": "s.t", "sensitive": ["v"] }]), &json!({}))).plan;
    assert!(command(&plan).sensitive);
    assert!(!command(&planned(&existing("error")).plan).sensitive);
}

#[test]
fn a_program_needs_the_schema_even_where_rows_are_added() {
    let mut input = there(existing("append"));
    let target = at(&mut input, "b");
    target.superuser = Some(false);
    target.user = "etl".to_owned();
    target.users.as_mut().unwrap().insert("etl".to_owned(), Default::default());
    for (kind, class, ident) in [
        ("DQL", "SCHEMA", "transship"),
        ("DML", "SCHEMA", "transship"),
        ("DDL", "SCHEMA", "transship"),
        ("DQL", "SCHEMA", "sys"),
        ("DQL", "TABLE", "s.t"),
        ("DML", "TABLE", "s.t"),
    ] {
        let [kind, class, ident] = [kind, class, ident].map(str::to_owned);
        let privilege = Privilege { grantee: "etl".to_owned(), kind, class, ident: Some(ident), granted: true };
        target.privileges.as_mut().unwrap().push(privilege);
    }
    assert_eq!(codes(&input), ["plan::missing-privilege"]);
}

type Break = fn(&mut Plan);

fn run(plan: &mut Plan) -> &mut RunCommand {
    let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::RunCommand).expect("it runs a program");
    match &mut step.action {
        Some(Action::RunCommand(command)) => command,
        other => panic!("{other:?}"),
    }
}

fn first(plan: &mut Plan) -> &mut CommandTable {
    &mut run(plan).tables[0]
}

fn merge(plan: &mut Plan) -> &mut MergeRows {
    let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::MergeRows).expect("it merges");
    match &mut step.action {
        Some(Action::MergeRows(merge)) => merge,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_audit_knows_what_a_program_may_be_given() {
    let breakers: [(Rule, Break); 15] = [
        (Rule::KindMatches, |plan| run(plan).run.clear()),
        (Rule::KindMatches, |plan| run(plan).tables.clear()),
        (Rule::KindMatches, |plan| first(plan).into = table("s.t")),
        (Rule::KindMatches, |plan| first(plan).query.push_str(" LIMIT 1")),
        (Rule::KindMatches, |plan| first(plan).clear = r#"DELETE FROM "s"."t""#.to_owned()),
        (Rule::KindMatches, |plan| first(plan).count = "SELECT 1 AS count".to_owned()),
        (Rule::KindMatches, |plan| merge(plan).clear = r#"DROP TABLE "s"."t""#.to_owned()),
        (Rule::KindMatches, |plan| merge(plan).rows.from = table("s.t")),
        (Rule::KindMatches, |plan| merge(plan).rows.select.push_str(" WHERE false")),
        (Rule::KindMatches, |plan| merge(plan).rows.source = name("a")),
        (Rule::DropsOwn, |plan| first(plan).to = table("s.other")),
        (Rule::KnownClusters, |plan| run(plan).source = name("c")),
        (Rule::CopyBeforePlace, |plan| plan.steps.retain(|step| step.kind != StepKind::MergeRows)),
        (Rule::CopyBeforePlace, |plan| plan.steps.retain(|step| step.kind != StepKind::CreateTable)),
        (Rule::CopyBeforePlace, |plan| {
            plan.steps.iter_mut().for_each(|step| step.depends_on.clear());
        }),
    ];
    for (index, (rule, break_it)) in breakers.into_iter().enumerate() {
        let mut plan = planned(&there(existing("upsert"))).plan;
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "breaker {index}: {rule:?} is not found; found are {broken:?}");
    }
}
