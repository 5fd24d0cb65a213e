//! Columns that the source gets or loses, by every value of `on_new_column`.

use serde_json::json;
use transship_model::Finding;
use transship_model::observed::Column;
use transship_model::plan::{Action, Plan, StepKind};
use transship_plan::{PlanInput, Planned, Rule, audit, plan, project};

use super::world::{at, copying, digest_again, id, plain_definition, table, tables, world, write_to};

const ADDED: &str = "ALTER TABLE \"s\".\"t\" ADD COLUMN \"new\" TEXT DEFAULT 'x'";

fn source(input: &mut PlanInput) {
    tables(input, "a", &["s.t"]);
    at(input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
}

/// A flow of `s.t`, by default again on every change, that was applied once.
fn copied(existing: &str, rule: Option<&str>, entry: &serde_json::Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    source(&mut input);
    let mut more = json!({ "existing": existing, "repeat": "on-change" });
    if entry.get("cursor").is_some() || existing == "append" {
        more.as_object_mut().unwrap().remove("repeat");
    }
    if let Some(rule) = rule {
        more["on_new_column"] = json!(rule);
    }
    copying(&mut input, "keep", &json!([entry]), &more);
    input.observation = project(&input, &planned(&input).plan);
    input
}

/// The source gets a column, and rows.
fn grow(input: &mut PlanInput, declared: &str) {
    let source = at(input, "a").tables.get_mut(&table("s.t")).unwrap();
    source.columns.push(Column {
        name: "new".to_owned(),
        data_type: "text".to_owned(),
        nullable: true,
        generated: declared.contains("GENERATED").then(|| "'x'".to_owned()),
        default: None,
    });
    let columns = format!("\"v\" BIGINT,\n   \"new\" {declared}");
    source.definition = Some(plain_definition("s.t").replace("\"v\" BIGINT", &columns));
    write_to(input, "a", "s.t");
}

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

fn refused(input: &PlanInput) -> Vec<Finding> {
    plan(input).expect_err("it is refused")
}

fn kinds(plan: &Plan) -> Vec<StepKind> {
    plan.all_steps().map(|step| step.kind).collect()
}

fn whole() -> serde_json::Value {
    json!("s.t")
}

/// After the plan nothing is left to do.
#[track_caller]
fn ends(mut input: PlanInput, plan: &Plan) {
    input.observation = project(&input, plan);
    assert!(planned(&input).plan.is_empty());
}

#[test]
fn a_column_is_added_before_rows_are_written_with_it() {
    let mut input = copied("upsert", Some("add"), &whole());
    grow(&mut input, "TEXT DEFAULT 'x' NOT NULL");
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), [StepKind::AlterTable, StepKind::CopyRows]);
    let steps: Vec<_> = plan.all_steps().collect();
    assert_eq!((steps[0].sql.as_slice(), steps[0].destructive), (&[ADDED.to_owned()][..], false));
    assert_eq!(steps[0].because, "a.s.t has columns that b.s.t has not (on_new_column: add): new");
    assert!(steps[1].depends_on.contains(&steps[0].id));
    let Some(Action::CopyRows(rows)) = &steps[1].action else { panic!() };
    assert!(rows.insert.contains("\"new\""), "{}", rows.insert);
    ends(input, &plan);
}

#[test]
fn rows_of_a_cursor_are_all_read_again_with_a_new_column() {
    for existing in ["upsert", "append"] {
        let mut input = copied(existing, Some("add"), &json!({ "from": "s.t", "cursor": "v" }));
        let transship_model::ledger::LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!() };
        let note = rows.get_mut(&id("keep")).unwrap().row.copies.get_mut(&table("s.t")).unwrap();
        assert_eq!(note.columns.iter().collect::<Vec<_>>(), ["id", "v"]);
        note.cursor.as_mut().unwrap().value = Some("7".to_owned());
        let before = input.clone();
        for declared in ["TEXT", ""] {
            let mut input = before.clone();
            if declared.is_empty() {
                // Somebody gave it to the target by hand, or a run was cut right after it did.
                grow(&mut input, "TEXT");
                let source = at(&mut input, "a").tables[&table("s.t")].clone();
                let target = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
                (target.columns, target.definition) = (source.columns, source.definition);
            } else {
                grow(&mut input, declared);
            }
            let plan = planned(&input).plan;
            let rows = plan.all_steps().find_map(|step| match &step.action {
                Some(Action::CopyRows(rows)) => rows.cursor.as_ref(),
                _ => None,
            });
            let since = &rows.expect("a cursor").slices.as_ref().expect("slices").since;
            assert_eq!(since.is_some(), existing == "append", "{existing} {declared}");
            let warned = plan.all_warnings().any(|warning| warning.code == "plan::added-before");
            assert_eq!(warned, existing == "append" && !declared.is_empty(), "{existing} {declared}");
            ends(input, &plan);
        }
    }
}

#[test]
fn a_column_is_left_out_and_named() {
    for existing in ["upsert", "replace"] {
        let mut input = copied(existing, Some("ignore"), &whole());
        grow(&mut input, "TEXT");
        let planned = planned(&input);
        let written = planned.plan.all_steps().find_map(|step| match &step.action {
            Some(Action::CopyRows(rows)) => Some(rows.insert.clone()),
            _ => None,
        });
        assert!(!written.expect("rows").contains("\"new\""));
        assert!(!kinds(&planned.plan).contains(&StepKind::AlterTable));
        let notes = &planned.report.flows[&id("keep")].notes;
        let text = "a.s.t has columns that are not copied (on_new_column: ignore): new";
        assert!(notes.iter().any(|note| note == text), "{notes:?}");
        ends(input, &planned.plan);
    }
    // What is not there yet gets all columns.
    let mut input = world(&["a", "b"]);
    source(&mut input);
    copying(&mut input, "keep", &json!(["s.t"]), &json!({ "existing": "replace", "on_new_column": "ignore" }));
    grow(&mut input, "TEXT");
    let made = planned(&input).plan;
    assert!(made.all_steps().any(|step| step.sql.iter().any(|sql| sql.contains("\"new\" TEXT"))));
}

#[test]
fn without_a_rule_rows_are_refused_and_copies_have_the_columns() {
    let mut input = copied("upsert", None, &whole());
    grow(&mut input, "TEXT");
    let findings = refused(&input);
    assert_eq!(findings[0].code, "plan::no-such-column");
    assert!(findings[0].help.as_ref().is_some_and(|help| help.contains("on_new_column: add")), "{findings:?}");

    let mut input = copied("replace", None, &whole());
    grow(&mut input, "TEXT");
    let plan = planned(&input).plan;
    assert!(plan.all_steps().any(|step| step.sql.iter().any(|sql| sql.contains("\"new\" TEXT"))));

    let mut input = copied("replace", Some("error"), &whole());
    grow(&mut input, "TEXT");
    assert_eq!(refused(&input)[0].code, "plan::new-column");
}

#[test]
fn what_cannot_be_added_is_refused() {
    for rule in [None, Some("error")] {
        let mut input = copied("upsert", rule, &whole());
        grow(&mut input, "TEXT GENERATED ALWAYS AS 'x'");
        assert_eq!(refused(&input)[0].code, "plan::no-such-column");
    }
    let mut input = copied("upsert", Some("add"), &whole());
    grow(&mut input, "TEXT GENERATED ALWAYS AS 'x'");
    let findings = refused(&input);
    assert_eq!(findings[0].code, "plan::cannot-add-column", "{findings:?}");
    assert!(findings[0].message.contains("it is generated"), "{findings:?}");
}

#[test]
fn a_column_that_is_gone_is_refused() {
    for rule in [None, Some("add"), Some("ignore")] {
        let mut input = copied("upsert", rule, &whole());
        let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
        source.columns.retain(|column| column.name != "v");
        source.definition = Some(plain_definition("s.t").replace("   \"v\" BIGINT,\n", ""));
        write_to(&mut input, "a", "s.t");
        let findings = refused(&input);
        assert_eq!(findings[0].code, "plan::column-gone", "{findings:?}");
        let help = findings[0].help.as_ref().unwrap();
        assert!(help.contains("ALTER TABLE \"s\".\"t\" DROP COLUMN \"v\""), "{help}");
        // Once it is gone there, too, all is well.
        let target = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
        target.columns.retain(|column| column.name != "v");
        target.definition = Some(plain_definition("s.t").replace("   \"v\" BIGINT,\n", ""));
        ends(input.clone(), &planned(&input).plan);
    }
}

#[test]
fn columns_of_another_declaration_are_not_gone() {
    let entry =
        json!({ "from": "s.t", "columns": { "id": "id", "v": "v", "twice": { "sql": "v * 2", "cast": "BIGINT" } } });
    let mut input = copied("upsert", None, &entry);
    copying(&mut input, "keep", &json!(["s.t"]), &json!({ "existing": "upsert", "repeat": "on-change" }));
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), [StepKind::CopyRows]);
    let left = plan.all_warnings().find(|warning| warning.code == "plan::no-longer-written").expect("it is told");
    assert_eq!(left.text, "rows of b.s.t keep what an earlier declaration of the flow wrote into twice");
    // The columns of this one are noted then.
    input.observation = project(&input, &plan);
    write_to(&mut input, "a", "s.t");
    let again = planned(&input).plan;
    assert!(again.all_warnings().all(|warning| warning.code != "plan::no-longer-written"));
}

#[test]
fn chosen_columns_have_no_new_ones() {
    for entry in [
        json!({ "from": "s.t", "columns": ["id", "v"] }),
        json!({ "from": "s.t", "columns": { "id": "id", "v": "v" } }),
    ] {
        let mut input = copied("upsert", Some("error"), &entry);
        grow(&mut input, "TEXT");
        assert_eq!(kinds(&planned(&input).plan), [StepKind::CopyRows]);
    }
}

#[test]
fn a_column_that_rows_cannot_do_without_is_no_added_one() {
    let mut input = copied("upsert", Some("add"), &whole());
    grow(&mut input, "TEXT DEFAULT 'x'");
    for broken in [
        "ALTER TABLE \"s\".\"t\" ADD COLUMN \"new\" TEXT NOT NULL",
        "ALTER TABLE \"s\".\"t\" ADD COLUMN \"new\" TEXT GENERATED ALWAYS AS 'x'",
        "ALTER TABLE \"s\".\"t\" DROP COLUMN \"v\"",
        "ALTER TABLE \"s\".\"other\" ADD COLUMN \"new\" TEXT",
    ] {
        let mut plan = planned(&input).plan;
        let steps = plan.due.iter_mut().flat_map(|due| &mut due.steps).chain(&mut plan.steps);
        let step = steps.into_iter().find(|step| step.kind == StepKind::AlterTable).unwrap();
        step.sql = vec![broken.to_owned()];
        digest_again(&mut plan);
        let found = audit(&plan);
        assert!(found.iter().any(|it| matches!(it.rule, Rule::KindMatches | Rule::DropsOwn)), "{broken}: {found:?}");
    }
}
