//! Copies that are kept up by a cursor: what is read, when, from which value on, and what is refused.

use serde_json::{Value, json};
use transship_model::ledger::{CopyRow, CursorRow, LedgerView};
use transship_model::plan::{Action, CopyRows, Plan, RowWrite, StepKind};
use transship_model::spec::Existing;
use transship_plan::{FlowStatus, PlanInput, Planned, Rule, audit, plan, project};

use super::world::{at, copying, digest_again, id, plain_definition, table, tables, world, write_to};

/// A flow of `s.t`, which has the columns `id` and `at` of a type, from a to b.
fn start(data_type: &str, existing: &str, entry: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).expect("a table");
    source.columns[1].name = "at".to_owned();
    source.columns[1].data_type = data_type.to_owned();
    let declared = data_type.to_uppercase();
    source.definition = Some(plain_definition("s.t").replace("\"v\" BIGINT", &format!("\"at\" {declared}")));
    let mut table = json!({ "from": "s.t", "cursor": "at" });
    table.as_object_mut().expect("an object").extend(entry.as_object().expect("an object").clone());
    copying(&mut input, "keep", &json!([table]), &json!({ "existing": existing }));
    input
}

fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

fn note(input: &mut PlanInput, change: impl FnOnce(&mut CopyRow)) {
    let LedgerView::Present(rows) = &mut at(input, "b").ledger else { panic!("a ledger") };
    change(rows.get_mut(&id("keep")).expect("a row").row.copies.get_mut(&table("s.t")).expect("a copy"));
}

/// The same once it was applied and came as far as `value`.
fn kept(data_type: &str, existing: &str, entry: &Value, value: &str) -> PlanInput {
    let mut input = start(data_type, existing, entry);
    input.observation = project(&input, &planned(&input).plan);
    let definition = at(&mut input, "a").tables[&table("s.t")].definition.clone();
    at(&mut input, "b").tables.get_mut(&table("s.t")).expect("a copy").definition = definition;
    note(&mut input, |note| {
        assert_eq!(note.cursor.as_ref().map(|cursor| cursor.column.as_str()), Some("at"));
        note.cursor.as_mut().unwrap().value = Some(value.to_owned());
    });
    input
}

fn copied(plan: &Plan) -> (&CopyRows, &str) {
    let step = plan.all_steps().find(|step| step.kind == StepKind::CopyRows).expect("rows are copied");
    let Some(Action::CopyRows(rows)) = &step.action else { panic!() };
    (rows, &step.because)
}

/// A table with rows that are new.
pub(super) fn behind() -> PlanInput {
    let mut input = kept("bigint", "upsert", &json!({}), "7");
    write_to(&mut input, "a", "s.t");
    input
}

const TIME: &str = "timestamp with time zone";

#[test]
fn what_is_there_is_followed_once_the_source_has_changed() {
    let mut input = kept(TIME, "upsert", &json!({}), "1700000000000");
    let still = planned(&input);
    assert!(still.plan.is_empty() && still.report.flows[&id("keep")].status == FlowStatus::UpToDate);
    write_to(&mut input, "a", "s.t");
    let plan = planned(&input).plan;
    assert!(plan.steps.is_empty() && plan.due.len() == 1, "new rows are no part of what was reviewed");
    let (rows, because) = copied(&plan);
    assert_eq!(
        because,
        "a.s.t has changed since it was last copied; rows since at = 2023-11-14 22:13:20.000 UTC, less 1m, and rows \
         without at"
    );
    let since = rows.cursor.as_ref().unwrap().slices.as_ref().unwrap().since.as_ref().unwrap();
    assert_eq!((since.value.as_str(), since.from.as_str()), ("1700000000000", "1699999940000"));
    let reads = "(\"at\" >= '1699999940000'::bigint::timestamp with time zone OR \"at\" IS NULL)";
    assert!(since.read.select.contains(reads), "{}", since.read.select);
    input.observation = project(&input, &plan);
    assert!(planned(&input).plan.is_empty());
}

#[test]
fn the_first_time_a_copy_is_made_aside_and_notes_how_far_it_came() {
    let plan = planned(&start("bigint", "upsert", &json!({}))).plan;
    let cursor = copied(&plan).0.cursor.as_ref().expect("a cursor");
    assert!(cursor.slices.is_none());
    assert_eq!(cursor.all.highest, "SELECT max(\"at\")::bigint AS highest, count(*) AS n FROM \"s\".\"t\"");
}

#[test]
fn whole_numbers_and_texts_have_no_overlap() {
    for (data_type, value) in [("bigint", "7"), ("text", "k7")] {
        let mut input = kept(data_type, "upsert", &json!({}), value);
        write_to(&mut input, "a", "s.t");
        let plan = planned(&input).plan;
        let because = copied(&plan).1;
        assert!(because.ends_with(&format!("rows since at = {value}, and rows without at")), "{because}");
        let late = plan.due[0].warnings.iter().find(|note| note.code == "plan::cursor-late").expect("a warning");
        assert_eq!(late.text, "rows of a.s.t that show up after one with a higher at are not found");
    }
}

#[test]
fn rows_that_are_only_added_are_told_by_their_key() {
    let mut input = kept(TIME, "append", &json!({ "overlap": "5m" }), "1700000000000");
    write_to(&mut input, "a", "s.t");
    let plan = planned(&input).plan;
    let (rows, because) = copied(&plan);
    assert_eq!((rows.write, rows.many.is_none(), rows.keyed), (RowWrite::Keep, true, true));
    assert!(rows.insert.ends_with(" ON CONFLICT (\"id\") DO NOTHING") && because.contains(", less 5m"), "{because}");
    // A run that was cut before, and a table that was made again, are no reason to stop.
    let LedgerView::Present(ledger) = &mut at(&mut input, "b").ledger else { panic!() };
    ledger.get_mut(&id("keep")).unwrap().row.adding.insert(table("s.t"));
    note(&mut input, |note| note.indices = ["another".to_owned()].into());
    let plan = planned(&input).plan;
    assert!(copied(&plan).1.ends_with("all rows, by at"), "{}", copied(&plan).1);
}

#[test]
fn all_rows_are_read_where_nobody_knows_how_far_it_came() {
    let all = |input: &PlanInput, why: &str| {
        let plan = planned(input).plan;
        let (rows, because) = copied(&plan);
        assert!(rows.cursor.as_ref().unwrap().slices.as_ref().unwrap().since.is_none(), "{why}");
        assert_eq!(because, format!("{why}; all rows, by at"));
        let after = PlanInput { observation: project(input, &plan), ..input.clone() };
        assert!(planned(&after).plan.is_empty(), "{why}");
    };
    let base = kept("bigint", "upsert", &json!({}), "7");
    let mut remade = base.clone();
    at(&mut remade, "a").tables.get_mut(&table("s.t")).unwrap().primaries[0].uuid = Some("other".to_owned());
    all(&remade, "a.s.t was made again since it was last copied: all rows are read");
    for cursor in [None, Some(CursorRow { column: "id".to_owned(), value: Some("9".to_owned()) })] {
        let mut new = base.clone();
        note(&mut new, |note| note.cursor = cursor);
        all(&new, "b.s.t was copied before it had its `cursor`");
    }
    let mut cut = base.clone();
    note(&mut cut, |note| {
        note.cursor.as_mut().unwrap().value = None;
        note.marks.values_mut().for_each(|(_, highest)| *highest = -1);
    });
    all(&cut, "a.s.t has changed since it was last copied");
    let mut emptied = base.clone();
    for cluster in ["a", "b"] {
        at(&mut emptied, cluster).tables.get_mut(&table("s.t")).unwrap().partitioned_by = vec!["id".to_owned()];
    }
    at(&mut emptied, "b").tables.get_mut(&table("s.t")).unwrap().primaries.clear();
    note(&mut emptied, |note| {
        note.indices.insert("of a partition".to_owned());
    });
    assert_eq!(
        copied(&planned(&emptied).plan).1,
        "b.s.t has no partition left of those that were filled: all rows are read; all rows, by at",
        "though the source is as it was"
    );
    let mut edited = base;
    note(&mut edited, |note| note.asked = "otherwise".to_owned());
    all(&edited, "what is declared for b.s.t was edited since it was copied");
}

#[test]
fn a_table_that_was_cut_is_not_whole_when_its_cursor_is_gone() {
    let mut input = kept("bigint", "upsert", &json!({}), "7");
    let flow = input.spec.flows.values_mut().next().expect("a flow");
    let mut text = serde_json::to_value(&*flow).expect("it has a form");
    text["tables"][0].as_object_mut().expect("a table").remove("cursor");
    *flow = serde_json::from_value(text).expect("a flow");
    assert!(planned(&input).plan.steps.iter().all(|step| step.kind != StepKind::CopyRows), "it was read to its end");
    note(&mut input, |note| note.marks.values_mut().for_each(|(_, highest)| *highest = -1));
    assert!(copied(&planned(&input).plan).1.contains("was edited since it was copied"));
}

#[test]
fn what_cannot_be_a_cursor_is_refused() {
    let refused = |input: &PlanInput| {
        let findings = plan(input).expect_err("it is refused");
        findings.iter().map(|finding| finding.code.to_string()).collect::<Vec<_>>()
    };
    for data_type in ["byte", "boolean", "double precision", "ip"] {
        assert_eq!(refused(&start(data_type, "upsert", &json!({}))), ["plan::cursor-type"], "{data_type}");
    }
    assert_eq!(refused(&start("bigint", "upsert", &json!({ "cursor": "att" }))), ["plan::no-such-column"]);
    assert_eq!(refused(&start("bigint", "upsert", &json!({ "overlap": "1m" }))), ["plan::cursor-overlap"]);
    assert_eq!(refused(&start("bigint", "upsert", &json!({ "sensitive": ["at"] }))), ["plan::cursor-sensitive"]);
    let without = json!({ "columns": ["at"] });
    assert_eq!(refused(&start("bigint", "append", &without)), ["plan::cursor-needs-key"]);
    let input = start("bigint", "upsert", &json!({}));
    assert_eq!(input.spec.flows.values().next().unwrap().existing(), Existing::Upsert);
}

#[test]
fn reading_covers_what_the_ledger_has() {
    let mut input = kept(TIME, "upsert", &json!({}), "1700000000000");
    write_to(&mut input, "a", "s.t");
    let good = planned(&input).plan;
    let check = |rule: Rule, break_it: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        break_it(&mut plan);
        digest_again(&mut plan);
        assert!(audit(&plan).iter().any(|violation| violation.rule == rule), "{rule:?}");
    };
    let rows = |plan: &mut Plan, change: &dyn Fn(&mut CopyRows)| {
        let Some(Action::CopyRows(rows)) = &mut plan.due[0].steps[0].action else { panic!() };
        change(rows);
    };
    let since = |plan: &mut Plan, from: &str, to: &str| {
        let text = serde_json::to_string(&plan.due[0].steps[0]).unwrap();
        assert!(text.contains(from));
        plan.due[0].steps[0] = serde_json::from_str(&text.replace(from, to)).unwrap();
    };
    // Above the ledger's watermark, below it by another overlap, and by another column.
    check(Rule::CursorCovers, &|plan| since(plan, "1699999940000", "1700000000001"));
    check(Rule::CursorCovers, &|plan| since(plan, "1700000000000", "1700000000001"));
    check(Rule::CursorCovers, &|plan| {
        plan.due[0].record.row.copies.values_mut().for_each(|note| note.cursor = None);
    });
    check(Rule::CursorCovers, &|plan| {
        plan.due[0]
            .record
            .row
            .copies
            .values_mut()
            .for_each(|note| note.cursor.as_mut().unwrap().column = "id".to_owned());
    });
    check(Rule::KindMatches, &|plan| {
        rows(plan, &|rows| rows.cursor.as_mut().unwrap().all.select.push_str(" AND false"));
    });
    check(Rule::KindMatches, &|plan| {
        rows(plan, &|rows| rows.cursor.as_mut().unwrap().slices.as_mut().unwrap().writing.clear());
    });
    check(Rule::KindMatches, &|plan| rows(plan, &|rows| rows.cursor.as_mut().unwrap().slices = None));
    check(Rule::KindMatches, &|plan| rows(plan, &|rows| rows.write = RowWrite::Insert));
}
