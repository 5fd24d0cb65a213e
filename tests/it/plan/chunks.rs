//! Copies that are filled by chunks: how their rows are divided, and which copy that a cut run left is gone on with.

use serde_json::json;
use transship_model::TableName;
use transship_model::ledger::{ChunkRow, CopyingRow, FlowRow, LedgerView};
use transship_model::plan::{Action, Chunks, CopyRows, Plan, Precondition, StepKind};
use transship_plan::{PlanInput, Rule, audit, project};

use super::copies::{copy_of, done, existing, outcome, planned, there};
use super::world::{at, digest_again, id, later, ledger, name, now, plain_table, table, tables};

fn copied(plan: &Plan) -> CopyRows {
    let copied = plan.all_steps().find_map(|step| match &step.action {
        Some(Action::CopyRows(rows)) => Some(rows.clone()),
        _ => None,
    });
    copied.expect("rows are copied")
}

fn chunks(input: &PlanInput) -> Option<Chunks> {
    copied(&planned(input).plan).chunks
}

/// The row that a run has written that was cut after some of its chunks.
fn noted(input: &PlanInput, done: &[Option<u64>]) -> (FlowRow, TableName) {
    let plan = planned(input).plan;
    let rows = copied(&plan);
    let chunks = rows.chunks.expect("it can be divided");
    let chunk = |(at, rows): (usize, &Option<u64>)| {
        let from = (at > 0).then(|| (at * 5).to_string());
        ChunkRow { from, rows: *rows }
    };
    let copying = CopyingRow {
        cursor: None,
        copy: rows.into.clone(),
        from: rows.from,
        asked: chunks.asked,
        made: chunks.made,
        indices: ["of the copy".to_owned()].into(),
        began: now(),
        marks: [("/0".to_owned(), ("a-s.t".to_owned(), 9))].into(),
        by: chunks.by[0].name.clone(),
        chunks: done.iter().enumerate().map(chunk).collect(),
    };
    let mut row = plan.all_records().next().expect("a row").row.clone();
    row.copying.insert(chunks.table, copying);
    (row, rows.into)
}

/// A run of `input` was cut after some of its chunks.
fn cut_after(mut input: PlanInput, done: &[Option<u64>]) -> (PlanInput, TableName) {
    let (row, copy) = noted(&input, done);
    ledger(&mut input, "b", "copy", row);
    at(&mut input, "b").tables.insert(copy.clone(), plain_table("of the copy"));
    (input, copy)
}

const SOME: &[Option<u64>] = &[Some(5), None, Some(2), None];

#[test]
fn rows_are_divided_by_what_the_copy_has_as_well() {
    let chunks = chunks(&existing("error")).expect("chunks");
    let text = format!("{}\n{}\n{}\n{}", chunks.sample, chunks.by[0].select, chunks.by[0].clear, chunks.by[0].count);
    let aside = text.split('"').find(|name| name.starts_with("transship__")).expect("a copy").to_owned();
    insta::assert_snapshot!(text.replace(&aside, "ASIDE"), @r#"
    SELECT "id"::bigint FROM "s"."t" WHERE _docid % $1 = 0
    SELECT "id", "v" FROM "s"."t" WHERE (($1::text IS NULL AND "id" IS NULL) OR (($1::text IS NULL OR "id" >= $1::text::bigint) AND ($2::text IS NULL OR "id" < $2::text::bigint)))
    DELETE FROM "s"."ASIDE" WHERE (($1::text IS NULL AND "id" IS NULL) OR (($1::text IS NULL OR "id" >= $1::text::bigint) AND ($2::text IS NULL OR "id" < $2::text::bigint)))
    SELECT count(*) AS count FROM "s"."ASIDE" WHERE (($1::text IS NULL AND "id" IS NULL) OR (($1::text IS NULL OR "id" >= $1::text::bigint) AND ($2::text IS NULL OR "id" < $2::text::bigint)))
    "#);
    assert_eq!((chunks.rows, chunks.by.len()), (None, 1));
    let rows = json!({ "strategy": { "custom": { "engine": "stream", "chunk_rows": 7 } } });
    assert_eq!(self::chunks(&copy_of(&json!(["s.t"]), &rows)).expect("chunks").rows, Some(7));
}

#[test]
fn what_is_renamed_or_chosen_is_divided_and_what_is_not_carried_is_not() {
    let of = |entry| chunks(&copy_of(&json!([entry]), &json!({})));
    let renamed = of(json!({ "from": "s.t", "where": "v > 1 OR v = 0", "columns": { "key": "id", "v": "v" } }));
    let by = renamed.expect("chunks").by.remove(0);
    assert!(by.select.contains("WHERE (v > 1 OR v = 0) AND ((") && by.select.contains("\"id\" >= $1"), "{}", by.select);
    assert!(by.clear.contains("\"key\" >= $1") && !by.clear.contains("\"id\""), "{}", by.clear);
    assert_eq!(of(json!({ "from": "s.t", "columns": ["v"] })), None, "the copy has no key");
    let computed = json!({ "id": { "sql": "id + 1", "cast": "BIGINT" }, "v": "v" });
    assert_eq!(of(json!({ "from": "s.t", "columns": computed })), None);
    assert_eq!(of(json!({ "from": "s.t", "sensitive": ["id"] })), None, "the ledger shows no such value");
}

#[test]
fn columns_of_partitions_come_first_and_every_column_can_be_compared() {
    let mut input = existing("error");
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).expect("the source");
    source.partitioned_by = vec!["v".to_owned()];
    source.primary_key = vec!["id".to_owned(), "v".to_owned()];
    let names = |input: &PlanInput| -> Vec<(String, bool)> {
        let by = chunks(input).map(|chunks| chunks.by).unwrap_or_default();
        by.into_iter().map(|column| (column.name, column.partitions)).collect()
    };
    assert_eq!(names(&input), [("v".to_owned(), true), ("id".to_owned(), false)]);
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).expect("the source");
    source.columns[0].data_type = "boolean".to_owned();
    assert_eq!(names(&input), [("v".to_owned(), true)]);
}

#[test]
fn rows_that_go_into_a_table_that_is_there_are_not_divided() {
    for mode in ["append", "upsert"] {
        assert_eq!(chunks(&there(existing(mode))), None, "{mode}");
    }
}

#[test]
fn a_copy_that_was_cut_is_gone_on_with() {
    let (input, _) = cut_after(existing("error"), SOME);
    assert_eq!(outcome(&input), "copy-rows rename-table");
    let plan = planned(&input).plan;
    let step = plan.steps.iter().find(|step| step.kind == StepKind::CopyRows).expect("a step");
    let because = "table b.s.t does not exist; a run that was cut copied 2 of 4 chunks";
    assert_eq!(step.because, because);
    assert_eq!(plan.records[0].row.copying.len(), 1);
    let after = done(input);
    assert_eq!(outcome(&after), "");
    let row = after.observation.clusters[&name("b")].ledger.row(&id("copy")).expect("a row").clone();
    assert_eq!((row.copying.len(), row.copies[&table("s.t")].marks["/0"].1), (0, 9));
}

#[test]
fn what_takes_the_place_of_a_table_or_is_read_by_a_view_is_gone_on_with_too() {
    let (input, _) = cut_after(there(existing("replace")), SOME);
    assert_eq!(outcome(&input), "copy-rows swap-table");
    let view = copy_of(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" }));
    let (input, copy) = cut_after(view, SOME);
    assert_eq!(outcome(&input), "copy-rows switch-view");
    assert_eq!(copied(&planned(&input).plan).into, copy);
    assert!(copy.table.contains("__v1__"), "{copy}");
    assert_eq!(outcome(&done(input)), "");
}

#[test]
fn a_copy_that_fell_due_is_gone_on_with_and_due_still() {
    let daily = json!({ "existing": "replace", "repeat": { "every": "1d" } });
    let mut input = done(copy_of(&json!(["s.t"]), &daily));
    later(&mut input, 86_400);
    let (row, copy) = noted(&input, SOME);
    ledger(&mut input, "b", "copy", row);
    at(&mut input, "b").tables.insert(copy, plain_table("of the copy"));
    let plan = planned(&input).plan;
    let kinds: Vec<_> = plan.due[0].steps.iter().map(|step| step.kind).collect();
    assert_eq!((plan.steps.len(), kinds), (0, vec![StepKind::CopyRows, StepKind::SwapTable]));
}

#[test]
fn the_marks_are_those_of_the_very_beginning() {
    let often = json!({ "existing": "replace", "repeat": "on-change" });
    let (mut input, _) = cut_after(copy_of(&json!(["s.t"]), &often), SOME);
    at(&mut input, "a").tables.get_mut(&table("s.t")).expect("the source").primaries[0].max_seq_no = Some(20);
    assert_eq!(outcome(&input), "copy-rows rename-table", "a change takes nothing from what is there");
    let mut after = input.clone();
    after.observation = project(&input, &planned(&input).plan);
    let plan = planned(&after).plan;
    assert_eq!((plan.steps.len(), plan.due.len()), (0, 1), "what came meanwhile may be missing");
}

#[test]
fn where_anything_does_not_fit_it_is_made_from_scratch() {
    let scratch = "drop-table create-table copy-rows rename-table";
    let check = |what: &str, change: &dyn Fn(&mut PlanInput, &TableName)| {
        let (mut input, copy) = cut_after(existing("error"), SOME);
        change(&mut input, &copy);
        assert_eq!(outcome(&input), scratch, "{what}");
        assert!(planned(&input).plan.records[0].row.copying.is_empty(), "{what}");
    };
    check("the copy was made again", &|input, copy| {
        at(input, "b").tables.insert(copy.clone(), plain_table("another"));
    });
    check("the source was made again", &|input, _| {
        at(input, "a").tables.get_mut(&table("s.t")).expect("the source").primaries[0].uuid = Some("x".to_owned());
    });
    check("the source has another shard", &|input, _| {
        let source = at(input, "a").tables.get_mut(&table("s.t")).expect("the source");
        source.primaries.extend(plain_table("y").primaries);
    });
    check("other rows are asked for", &|input, _| {
        super::world::copying(input, "copy", &json!([{ "from": "s.t", "where": "v > 1" }]), &json!({}));
    });
    check("the copy is made in another way", &|input, _| {
        let source = at(input, "a").tables.get_mut(&table("s.t")).expect("the source");
        source.definition =
            source.definition.as_ref().map(|text| text.replace("\"v\" BIGINT", "\"v\" BIGINT NOT NULL"));
    });
    check("somebody asks for it", &|input, _| input.options.resync = vec![id("copy")]);
    check("the ledger does not know of it", &|input, _| {
        let (mut row, _) = noted(input, SOME);
        row.copying.clear();
        ledger(input, "b", "copy", row);
    });
    let (input, _) = cut_after(existing("error"), &[None, None]);
    assert_eq!(outcome(&input), scratch, "nothing is whole");
    let (mut input, copy) = cut_after(existing("error"), SOME);
    at(&mut input, "b").tables.remove(&copy);
    assert_eq!(outcome(&input), "create-table copy-rows rename-table", "it is gone");
}

#[test]
fn partitions_may_come_and_none_may_go() {
    let partitioned = |uuids: &[&str]| {
        let mut seen = plain_table("x");
        seen.partitioned_by = vec!["v".to_owned()];
        seen.primary_key = vec!["id".to_owned(), "v".to_owned()];
        seen.primaries = uuids.iter().flat_map(|uuid| plain_table(uuid).primaries).collect();
        seen.definition = Some(super::world::plain_definition("s.t"));
        seen
    };
    let outcome_of = |source: &[&str], copy_has: &[&str]| {
        let mut input = existing("error");
        at(&mut input, "a").tables.insert(table("s.t"), partitioned(&["a-s.t"]));
        let (mut input, copy) = cut_after(input, SOME);
        at(&mut input, "a").tables.insert(table("s.t"), partitioned(source));
        at(&mut input, "b").tables.insert(copy, partitioned(copy_has));
        let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("there is a ledger") };
        let noted = rows.get_mut(&id("copy")).expect("a row").row.copying.values_mut().next().expect("a copy");
        // That of a chunk that was not whole goes when its rows are deleted.
        noted.indices.insert("of an open chunk".to_owned());
        outcome(&input)
    };
    let (again, scratch) = ("copy-rows rename-table", "drop-table create-table copy-rows rename-table");
    assert_eq!(outcome_of(&["a-s.t", "new"], &["of the copy", "more"]), again);
    assert_eq!(outcome_of(&["new"], &["of the copy"]), scratch);
    assert_eq!(outcome_of(&["a-s.t"], &["more"]), scratch);
}

#[test]
fn what_is_left_of_a_flow_that_needs_nothing_is_cleared() {
    let mut input = done(existing("replace"));
    let (row, copy) = {
        let mut again = input.clone();
        again.options.resync = vec![id("copy")];
        noted(&again, SOME)
    };
    ledger(&mut input, "b", "copy", row);
    at(&mut input, "b").tables.insert(copy, plain_table("of the copy"));
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).expect("the source").definition =
        Some(super::world::plain_definition("s.t"));
    assert_eq!(outcome(&input), "drop-table");
    assert_eq!(outcome(&done(input)), "");
}

#[test]
fn the_audit_knows_chunks_and_what_was_left() {
    let check = |rule: Rule, break_it: &dyn Fn(&mut Plan)| {
        let mut plan = planned(&cut_after(existing("error"), SOME).0).plan;
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "{rule:?} is not found; found are {broken:?}");
    };
    let with = |change: fn(&mut Chunks)| {
        move |plan: &mut Plan| {
            let action = plan.steps.iter_mut().find(|step| step.kind == StepKind::CopyRows).expect("a step");
            let Some(Action::CopyRows(CopyRows { chunks: Some(chunks), .. })) = &mut action.action else { panic!() };
            change(chunks);
        }
    };
    check(Rule::KindMatches, &with(|chunks| chunks.by[0].clear = "DELETE FROM \"s\".\"t\"".to_owned()));
    check(Rule::KindMatches, &with(|chunks| chunks.by[0].select.push_str(" OR true")));
    check(Rule::KindMatches, &with(|chunks| chunks.by[0].count.push_str(" OR true")));
    check(Rule::KindMatches, &with(|chunks| chunks.by[0].to = "v".to_owned()));
    check(Rule::KindMatches, &with(|chunks| chunks.sample.push_str(" AND (true)")));
    check(Rule::KindMatches, &with(|chunks| chunks.by.clear()));
    check(Rule::CopyBeforePlace, &with(|chunks| chunks.made.push('x')));
    check(Rule::CopyBeforePlace, &with(|chunks| chunks.table = table("s.u")));
    check(Rule::CopyBeforePlace, &|plan| plan.records[0].row.copying.clear());
    check(Rule::CopyBeforePlace, &|plan| {
        let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::CopyRows).expect("a step");
        step.preconditions.retain(|it| !matches!(it, Precondition::Unchanged(object) if object.name.contains("__")));
    });
    let mut fresh = planned(&existing("error")).plan;
    fresh.records[0].row.copying = noted(&existing("error"), SOME).0.copying;
    digest_again(&mut fresh);
    let broken: Vec<Rule> = audit(&fresh).iter().map(|violation| violation.rule).collect();
    assert!(broken.contains(&Rule::CopyBeforePlace), "what is made just then was not left: {broken:?}");
}
