//! What forbids a copy of rows, and what is told before one begins.

use serde_json::json;
use transship_model::observed::{Lease, Publication};
use transship_model::plan::Action;
use transship_plan::{PlanInput, plan};

use super::copies::{codes, copy_of, existing, outcome, planned, there};
use super::world::{at, now, table};

/// The message of the only finding.
fn refusal(input: &PlanInput) -> String {
    let findings = plan(input).expect_err("is refused");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    format!("{}: {}", findings[0].code, findings[0].message)
}

#[test]
fn a_publication_of_all_tables_lets_none_be_renamed_or_replaced() {
    let publish = |mut input: PlanInput| {
        let publication = Publication { all_tables: true, tables: [table("s.other")].into() };
        at(&mut input, "b").publications.insert("all of it".to_owned(), publication);
        input
    };
    for input in [existing("error"), there(existing("replace"))] {
        let expected = "plan::target-published: publication all of it on b is FOR ALL TABLES: no table there can be renamed or replaced";
        assert_eq!(refusal(&publish(input)), expected);
    }
    assert_eq!(outcome(&publish(there(existing("append")))), "copy-rows");
    let view = copy_of(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" }));
    assert_eq!(outcome(&publish(view)), "create-table copy-rows switch-view");
}

#[test]
fn a_table_that_somebody_follows_is_not_replaced() {
    let follow = |mut input: PlanInput| {
        let lease = |subscriber: &str| Lease { subscriber: subscriber.to_owned(), retaining: 1, renewed: now() };
        let shard = &mut at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().primaries[0];
        shard.leases = vec![lease("reports"), lease("archive")];
        input
    };
    assert_eq!(
        refusal(&follow(there(existing("replace")))),
        "plan::target-published: table b.s.t is published by another user, and cannot be replaced: leases of archive, reports \
         are on its shards"
    );
    assert_eq!(outcome(&follow(there(existing("append")))), "copy-rows");
    assert_eq!(codes(&follow(there(existing("error")))), ["plan::target-exists"]);
}

/// The input with other types in the table that is there on `b`.
fn retyped(mut input: PlanInput, from: &str, to: &str) -> PlanInput {
    let definition = &mut at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition;
    *definition = definition.as_ref().map(|text| text.replace(from, to));
    input
}

#[test]
fn a_column_of_a_type_that_bends_values_is_refused() {
    for mode in ["append", "upsert"] {
        let input = retyped(there(existing(mode)), "\"v\" BIGINT", "\"v\" INTEGER");
        let findings = plan(&input).expect_err("is refused");
        assert_eq!(
            refusal(&input),
            "plan::other-type: column v of b.s.t is INTEGER, and does not hold every value of BIGINT exactly"
        );
        let help = findings[0].help.as_deref().unwrap();
        assert!(help.contains(r#"`columns: { v: { sql: "v", cast: "INTEGER" } }`"#), "{help}");
        let columns = json!([{ "from": "s.t", "columns": { "id": "id", "v": { "sql": "v", "cast": "INTEGER" } } }]);
        let mut cast = there(copy_of(&columns, &json!({ "existing": mode })));
        cast = retyped(cast, "\"v\" BIGINT", "\"v\" INTEGER");
        assert_eq!(outcome(&cast), "copy-rows", "the spec says so");
        let wider = retyped(there(existing(mode)), "\"v\" BIGINT", "\"v\" NUMERIC(20, 1)");
        assert_eq!(outcome(&wider), "copy-rows");
    }
    let replaced = retyped(there(existing("replace")), "\"v\" BIGINT", "\"v\" INTEGER");
    assert_eq!(outcome(&replaced), "create-table copy-rows swap-table");
    let mut unread = there(existing("append"));
    at(&mut unread, "b").tables.get_mut(&table("s.t")).unwrap().definition = None;
    assert_eq!(codes(&unread), ["plan::not-defined"]);
}

#[test]
fn a_row_is_named_without_its_sensitive_columns() {
    let copied = |entry: serde_json::Value| {
        let plan = planned(&copy_of(&json!([entry]), &json!({}))).plan;
        let rows = plan.steps.iter().find_map(|step| match &step.action {
            Some(Action::CopyRows(rows)) => Some(rows.clone()),
            _ => None,
        });
        let rows = rows.expect("rows are copied");
        (rows.sensitive, rows.key.iter().map(|key| key.sensitive).collect::<Vec<_>>())
    };
    assert_eq!(copied(json!({ "from": "s.t" })), (false, vec![false]));
    assert_eq!(copied(json!({ "from": "s.t", "sensitive": ["v"] })), (true, vec![false]));
    assert_eq!(copied(json!({ "from": "s.t", "sensitive": ["id"] })), (true, vec![true]));
    let renamed = json!({ "person": "id", "v": "v" });
    for sensitive in ["id", "person"] {
        let entry = json!({ "from": "s.t", "columns": renamed, "sensitive": [sensitive] });
        assert_eq!(copied(entry), (true, vec![true]), "{sensitive}");
    }
}
