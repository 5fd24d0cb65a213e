//! Copies whose runs were cut, or whose tables somebody else took away: what the next plan makes of it.

use serde_json::json;
use transship_model::TableName;
use transship_model::ledger::{CopyRow, FlowRow, FlowState, LedgerView};
use transship_model::observed::{Privilege, Table, TableKind};
use transship_model::plan::{Action, StepKind};
use transship_plan::{PlanInput, project};

use super::copies::{copy_of, done, existing, outcome, planned, there};
use super::world::{at, id, ledger, name, now, plain_definition, table, tables};

fn by_view() -> PlanInput {
    copy_of(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" }))
}

fn row(input: &PlanInput) -> FlowRow {
    input.observation.clusters[&name("b")].ledger.row(&id("copy")).cloned().expect("a row")
}

/// The row that a run writes before a copy is put in place, as its plan has it.
fn about_to_place(input: &PlanInput, indices: &[&str]) -> (FlowRow, TableName, Option<TableName>) {
    let plan = planned(input).plan;
    let put = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::PutInPlace(put)) => Some(put.clone()),
        _ => None,
    });
    let put = put.expect("a copy is put in place");
    let note = CopyRow {
        cursor: None,
        partitions: std::collections::BTreeSet::new(),
        columns: std::collections::BTreeSet::new(),
        from: put.done.from,
        asked: put.done.asked,
        holds: put.done.holds,
        indices: indices.iter().map(|index| (*index).to_owned()).collect(),
        began: now(),
        rows: 10,
        marks: std::collections::BTreeMap::new(),
    };
    let mut row = plan.records[0].row.clone();
    row.placing.insert(put.table, note);
    (row, put.copy, put.aside)
}

fn view_over(copy: &TableName) -> Table {
    let mut view = super::world::plain_table("view");
    view.kind = TableKind::View;
    view.primaries.clear();
    view.definition = Some(format!("SELECT *\nFROM \"{}\".\"{}\"\n", copy.schema, copy.table));
    view
}

#[test]
fn a_copy_that_got_its_name_is_taken_for_what_it_is() {
    for mode in ["error", "replace", "append", "upsert", "skip"] {
        let mut input = existing(mode);
        let (row, ..) = about_to_place(&input, &["b-s.t"]);
        tables(&mut input, "b", &["s.t"]);
        ledger(&mut input, "b", "copy", row);
        assert_eq!(outcome(&input), "record-flow", "{mode}: renamed, and the run was cut");
        let after = done(input);
        assert_eq!(row_of(&after).copies[&table("s.t")].rows, 10);
        assert_eq!(outcome(&after), "");
    }
}

fn row_of(input: &PlanInput) -> FlowRow {
    let row = row(input);
    assert!(row.placing.is_empty() && row.adding.is_empty() && row.state == FlowState::Done, "{row:?}");
    row
}

#[test]
fn a_copy_that_did_not_get_its_name_is_made_again() {
    let mut input = there(existing("replace"));
    let (row, copy, _) = about_to_place(&input, &["of the copy"]);
    tables(&mut input, "b", &[&copy.to_string()]);
    ledger(&mut input, "b", "copy", row);
    assert_eq!(outcome(&input), "drop-table create-table copy-rows swap-table");
}

#[test]
fn a_table_that_somebody_made_again_is_not_ours() {
    let remade = |mode: &str| {
        let mut input = done(existing(mode));
        let mut row = row(&input);
        row.copies.get_mut(&table("s.t")).expect("a copy").indices = ["of before".to_owned()].into();
        ledger(&mut input, "b", "copy", row);
        there(input)
    };
    let outcomes = |mode: &str| outcome(&remade(mode));
    assert_eq!(outcomes("error"), "plan::target-exists");
    assert_eq!(outcomes("replace"), "create-table copy-rows swap-table");
    assert_eq!(outcomes("append"), "plan::doubles-rows", "it may have been restored, or got other shards");
    let mut input = remade("append");
    input.options.resync = vec![id("copy")];
    assert_eq!(outcome(&input), "copy-rows", "somebody has looked");
    assert_eq!(outcomes("skip"), "");
}

#[test]
fn an_append_that_was_cut_is_not_done_again() {
    let mut input = there(existing("append"));
    let mut row = planned(&input).plan.records[0].row.clone();
    ledger(&mut input, "b", "copy", row.clone());
    assert_eq!(outcome(&input), "copy-rows", "it had not begun");
    row.adding.insert(table("s.t"));
    ledger(&mut input, "b", "copy", row);
    assert_eq!(outcome(&input), "plan::append-unfinished");
    input.options.resync = vec![id("copy")];
    assert_eq!(outcome(&input), "copy-rows", "somebody has looked");
}

#[test]
fn a_view_takes_the_name_of_a_table_with_its_privileges() {
    let mut input = there(by_view());
    privilege(&mut input, "TABLE", "s.t");
    let plan = planned(&input).plan;
    let step = plan.steps.iter().find(|step| step.kind == StepKind::ReplaceByView).expect("a view takes the name");
    let names: Vec<&str> = step.sql[1].split('"').collect();
    let (copy, aside) = (names[7], step.sql[0].split('"').nth(5).expect("a name"));
    assert!(aside.contains("__was1__") && copy.contains("__v1__"), "{aside} {copy}");
    let sql = step.sql.join("\n").replace(copy, "COPY").replace(aside, "ASIDE");
    insta::assert_snapshot!(sql, @r#"
    ALTER TABLE "s"."t" RENAME TO "ASIDE"
    CREATE OR REPLACE VIEW "s"."t" AS SELECT * FROM "s"."COPY"
    GRANT DQL ON VIEW "s"."t" TO "app"
    "#);
    assert!(plan.warnings.iter().any(|warning| warning.code == "plan::view-takes-name"));
    at(&mut input, "b").privileges = None;
    assert!(planned(&input).plan.blocked.iter().any(|blocked| blocked.code == "plan::grants-unknown"));
}

fn privilege(input: &mut PlanInput, class: &str, ident: &str) {
    let privilege = Privilege {
        grantee: "app".to_owned(),
        kind: "DQL".to_owned(),
        class: class.to_owned(),
        ident: Some(ident.to_owned()),
        granted: true,
    };
    at(input, "b").privileges.get_or_insert_default().push(privilege);
}

/// A run was cut after the table had got its other name: the copy is there, the table is there, the name is not.
fn cut_without_a_name() -> (PlanInput, TableName, TableName) {
    let mut input = there(by_view());
    let (row, copy, aside) = about_to_place(&input, &["of the copy"]);
    let aside = aside.expect("the table gets another name");
    let seen = at(&mut input, "b");
    seen.tables.remove(&table("s.t"));
    seen.tables.insert(copy.clone(), super::world::plain_table("of the copy"));
    seen.tables.insert(aside.clone(), super::world::plain_table("b-s.t"));
    ledger(&mut input, "b", "copy", row);
    privilege(&mut input, "TABLE", &aside.to_string());
    (input, copy, aside)
}

#[test]
fn a_name_that_a_cut_run_took_away_is_given_at_once() {
    let (mut input, copy, aside) = cut_without_a_name();
    assert_eq!(outcome(&input), "switch-view grant-privileges");
    let after = project(&input, &planned(&input).plan);
    let target = &after.clusters[&name("b")];
    assert_eq!(target.tables[&table("s.t")].kind, TableKind::View);
    assert!(target.tables.contains_key(&aside), "what was replaced stays until the next run");
    assert_eq!(target.ledger.row(&id("copy")).expect("a row").copies[&table("s.t")].holds, Some(copy.clone()));
    // The copy is another one: then nothing but a new copy will do, and that one may be what somebody else reads.
    at(&mut input, "b").tables.insert(copy, super::world::plain_table("made again"));
    assert_eq!(outcome(&input), "create-table copy-rows switch-view grant-privileges");
}

#[test]
fn a_view_that_a_cut_run_made_gets_the_privileges() {
    let (mut input, copy, _) = cut_without_a_name();
    at(&mut input, "b").tables.insert(table("s.t"), view_over(&copy));
    assert_eq!(outcome(&input), "grant-privileges");
    privilege(&mut input, "VIEW", "s.t");
    assert_eq!(outcome(&input), "record-flow");
    let mut after = done(input);
    assert_eq!(outcome(&after), "");
    let notes = &planned(&after).report.flows[&id("copy")].notes;
    assert!(notes.iter().any(|note| note.contains("__was1__t stays")), "{notes:?}");
    after.options.resync = vec![id("copy")];
    assert_eq!(outcome(&after), "create-table copy-rows switch-view", "CrateDB cannot drop it now");
}

#[test]
fn what_a_view_took_the_name_of_stays_once_there_is_no_view() {
    // The flow did not make it, no shrink guard has counted it, and not every mode consents to dropping what was there.
    for mode in ["replace", "error", "append", "upsert", "skip"] {
        let (mut input, ..) = cut_without_a_name();
        super::world::copying(&mut input, "copy", &json!(["s.t"]), &json!({ "existing": mode }));
        assert_eq!(outcome(&input), "create-table copy-rows rename-table grant-privileges", "{mode}");
        // The version that the cut run was about to give the name goes with the plan after.
        let after = done(done(input));
        assert_eq!(outcome(&after), "", "{mode}");
        let notes = &planned(&after).report.flows[&id("copy")].notes;
        assert!(notes.iter().any(|note| note.contains("__was1__t stays")), "{notes:?}");
    }
}

#[test]
fn a_view_that_reads_something_else_is_not_ours() {
    let mut input = done(by_view());
    at(&mut input, "b").tables.insert(table("s.t"), view_over(&table("s.other")));
    assert_eq!(outcome(&input), "plan::not-a-table");
}

#[test]
fn left_overs_go_though_nothing_else_is_to_be_done() {
    let mut input = done(by_view());
    let holds = row(&input).copies[&table("s.t")].holds.clone().expect("a version");
    let newer = holds.to_string().replace("__v1__", "__v2__");
    tables(&mut input, "b", &[&newer]);
    assert_eq!(outcome(&input), "drop-table", "of a run that was cut before it switched");
    let plan = planned(&input).plan;
    assert!(plan.blocked.is_empty() && plan.steps[0].sql[0].contains("__v2__"), "{:?}", plan.steps[0].sql);

    // One that the view reads, though the ledger does not know, is never dropped.
    let newer: TableName = newer.parse().expect("a name");
    at(&mut input, "b").tables.insert(table("s.t"), view_over(&newer));
    assert_eq!(outcome(&input), "plan::not-a-table");
    input.spec.flows.clear();
    assert_eq!(outcome(&input), "record-flow", "what is forgotten stays");

    let mut input = done(existing("error"));
    let aside = planned(&existing("error")).plan.steps[1].sql[0].split('"').nth(3).expect("a name").to_owned();
    tables(&mut input, "b", &[&format!("s.{aside}")]);
    assert_eq!(outcome(&input), "drop-table");
    at(&mut input, "a").tables.get_mut(&table("s.t")).expect("a table").definition = Some(plain_definition("s.t"));
    let LedgerView::Present(rows) = &at(&mut input, "b").ledger else { panic!("a ledger") };
    assert_eq!(rows.len(), 1);
}

/// A flow whose view reads the second version, with the first one kept.
fn second_version() -> (PlanInput, TableName, TableName) {
    let mut input = done(by_view());
    let first = row(&input).copies[&table("s.t")].holds.clone().expect("a version");
    input.options.resync = vec![id("copy")];
    let mut input = done(input);
    input.options.resync.clear();
    let second = row(&input).copies[&table("s.t")].holds.clone().expect("a version");
    assert!(second.table.contains("__v2__") && first.table.contains("__v1__"));
    (input, first, second)
}

#[test]
fn a_version_that_somebody_set_the_view_back_to_is_not_dropped() {
    let (mut input, first, _) = second_version();
    at(&mut input, "b").tables.insert(table("s.t"), view_over(&first));
    super::world::copying(&mut input, "copy", &json!(["s.t"]), &json!({ "existing": "skip" }));
    let plan = planned(&input).plan;
    let sql: Vec<_> = plan.steps.iter().flat_map(|step| &step.sql).collect();
    assert!(!sql.iter().any(|sql| sql.contains("DROP")), "{sql:?}");
}

#[test]
fn a_version_that_another_view_reads_is_not_dropped() {
    let (mut input, first, _) = second_version();
    at(&mut input, "b").tables.insert(table("s.yesterday"), view_over(&first));
    input.options.resync = vec![id("copy")];
    let plan = planned(&input).plan;
    let sql: Vec<_> = plan.steps.iter().flat_map(|step| &step.sql).collect();
    assert!(!sql.iter().any(|sql| sql.contains("DROP")), "{sql:?}");
}

#[test]
fn a_view_can_be_given_up_for_a_swap() {
    let mut input = done(there(by_view()));
    at(&mut input, "b").tables.remove(&table("s.t"));
    super::world::copying(&mut input, "copy", &json!(["s.t"]), &json!({ "existing": "replace" }));
    let planned = transship_plan::plan(&input).expect("a plan");
    let kinds: Vec<_> = planned.plan.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(transship_plan::audit(&planned.plan), [], "{kinds:?}");
}

#[test]
fn privileges_pass_to_a_view_over_another_copy_after_a_cut() {
    let (mut input, _, _) = cut_without_a_name();
    input.options.resync = vec![id("copy")];
    assert_eq!(outcome(&input), "create-table copy-rows switch-view grant-privileges", "resync");
    input.options.resync.clear();
    let entry = json!([{ "from": "s.t", "columns": ["id"] }]);
    super::world::copying(&mut input, "copy", &entry, &json!({ "existing": "replace", "replace_by": "view" }));
    assert_eq!(outcome(&input), "create-table copy-rows switch-view grant-privileges", "edited");
}

#[test]
fn privileges_pass_to_a_view_that_is_due_after_a_cut() {
    let (mut input, copy, _) = cut_without_a_name();
    at(&mut input, "b").tables.insert(table("s.t"), view_over(&copy));
    let keys = json!({ "existing": "replace", "replace_by": "view", "repeat": "on-change" });
    super::world::copying(&mut input, "copy", &json!(["s.t"]), &keys);
    let planned = planned(&input).plan;
    let kinds: Vec<_> = planned.all_steps().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds.join(" "), "create-table copy-rows switch-view grant-privileges");
}

#[test]
fn names_of_kept_tables_are_not_taken_twice() {
    // The flow was forgotten; the view and its version were dropped, the table that it kept stayed, and there is a new one.
    let (mut input, copy, _) = cut_without_a_name();
    at(&mut input, "b").tables.remove(&copy);
    let input = {
        let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("a ledger") };
        rows.clear();
        there(input)
    };
    let plan = planned(&input).plan;
    let step = plan.steps.iter().find(|step| step.kind == StepKind::ReplaceByView).expect("a view takes the name");
    assert!(!step.sql[0].contains("__was1__"), "{}", step.sql[0]);
}
