//! What forbids a copy of rows, and what is told before one begins.

use serde_json::json;
use transship_model::observed::{Lease, Privilege, Publication, Unseen};
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

/// The statements that would grant what is missing on `b` to a user who has these privileges there.
fn missing(mut input: PlanInput, held: &[(&str, &str, Option<&str>, bool)]) -> Vec<String> {
    let seen = at(&mut input, "b");
    seen.users.as_mut().unwrap().get_mut("crate").unwrap().superuser = false;
    let privilege = |(kind, class, ident, granted): &(&str, &str, Option<&str>, bool)| Privilege {
        grantee: "crate".to_owned(),
        kind: (*kind).to_owned(),
        class: (*class).to_owned(),
        ident: ident.map(str::to_owned),
        granted: *granted,
    };
    let ledger = ["DQL", "DML", "DDL"].map(|kind| privilege(&(kind, "SCHEMA", Some("transship"), true)));
    let mut privileges = seen.privileges.take().unwrap();
    privileges.extend(held.iter().map(privilege).chain(ledger));
    seen.privileges = Some(privileges);
    let Err(findings) = plan(&input) else { return Vec::new() };
    assert!(findings.iter().all(|finding| finding.code == "plan::missing-privilege"), "{findings:#?}");
    findings.into_iter().filter_map(|finding| finding.help).collect()
}

#[test]
fn each_way_asks_for_the_privileges_that_it_needs() {
    let on_schema = ["DQL", "DML", "DDL"].map(|kind| (kind, "SCHEMA", Some("s"), true));
    let on_table = |kind, granted| (kind, "TABLE", Some("s.t"), granted);
    assert_eq!(missing(there(existing("replace")), &on_schema), Vec::<String>::new());
    let enough = [on_table("DQL", true), on_table("DML", true)];
    assert_eq!(missing(there(existing("append")), &enough), Vec::<String>::new());
    assert_eq!(missing(there(existing("upsert")), &enough[..1]), ["on b: GRANT DML ON TABLE s.t TO \"crate\""]);
    let denied = [&on_schema[..], &[on_table("DDL", false)]].concat();
    assert_eq!(
        missing(there(existing("replace")), &denied),
        ["on b: GRANT DDL ON TABLE s.t TO \"crate\"", "on b: GRANT AL TO \"crate\""],
        "its denial would have to pass to the copy, too"
    );
    let mut granted = there(existing("replace"));
    let app = Privilege {
        grantee: "app".to_owned(),
        kind: "DQL".to_owned(),
        class: "TABLE".to_owned(),
        ident: Some("s.t".to_owned()),
        granted: true,
    };
    at(&mut granted, "b").privileges = Some(vec![app]);
    assert_eq!(missing(granted.clone(), &on_schema), ["on b: GRANT AL TO \"crate\""]);
    let with_al = [&on_schema[..], &[("AL", "CLUSTER", None, true)]].concat();
    assert_eq!(missing(granted, &with_al), Vec::<String>::new());
    let mut blind = there(existing("append"));
    let unseen = Unseen { what: "sys.shards".to_owned(), reason: "Schema 'sys' unknown".to_owned() };
    at(&mut blind, "b").unseen.push(unseen);
    assert_eq!(missing(blind, &enough), ["on b: GRANT DQL ON SCHEMA sys TO \"crate\""]);
}

#[test]
fn what_a_replaced_table_loses_is_told() {
    let lost = |input: &PlanInput| -> Vec<String> {
        let plan = planned(input).plan;
        plan.warnings.iter().filter(|it| it.code == "plan::not-kept").map(|it| it.text.clone()).collect()
    };
    assert_eq!(lost(&there(existing("replace"))), Vec::<String>::new());
    let other = retyped(there(existing("replace")), "\"v\" BIGINT", "\"nick\" TEXT,\n   \"v\" INTEGER");
    let other = retyped(other, "INTO 1 SHARDS", "INTO 6 SHARDS");
    assert_eq!(
        lost(&other),
        [
            "b.s.t loses column nick (TEXT)",
            "b.s.t: type of column v INTEGER becomes BIGINT",
            "b.s.t: shards 6 becomes 1",
        ]
    );
    let mut unread = there(existing("replace"));
    at(&mut unread, "b").tables.get_mut(&table("s.t")).unwrap().definition = None;
    assert_eq!(lost(&unread), ["b.s.t: its definition was not read, and what it loses is not known"]);
}

#[test]
fn a_column_that_rows_would_make_in_another_type_is_refused() {
    let dynamic = |data_type: &str| {
        let mut input = there(existing("append"));
        let there = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
        there.column_policy = Some("dynamic".to_owned());
        there.columns.retain(|column| column.name != "v");
        let input = retyped(input, "\n   \"v\" BIGINT,", "");
        let mut input = retyped(input, "'strict'", "'dynamic'");
        let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
        source.columns.iter_mut().filter(|it| it.name == "v").for_each(|it| it.data_type = data_type.to_lowercase());
        source.definition =
            source.definition.as_ref().map(|it| it.replace("\"v\" BIGINT", &format!("\"v\" {data_type}")));
        input
    };
    assert_eq!(outcome(&dynamic("BIGINT")), "copy-rows");
    assert_eq!(
        refusal(&dynamic("TIMESTAMP WITH TIME ZONE")),
        "plan::other-type: b.s.t has no column v, and would get one from its rows that is no TIMESTAMP WITH TIME ZONE"
    );
}

#[test]
fn rows_are_sent_again_only_where_the_target_tells_them_apart() {
    let keyed = |change: fn(&mut transship_model::observed::Table)| {
        let mut input = there(existing("append"));
        change(at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap());
        let plan = planned(&input).plan;
        let copied = plan.steps.iter().find_map(|step| match &step.action {
            Some(Action::CopyRows(rows)) => Some(rows.keyed),
            _ => None,
        });
        copied.expect("rows are copied")
    };
    assert!(keyed(|_| ()));
    assert!(!keyed(|there| there.primary_key.clear()), "the source has a key, and the target none");
    assert!(!keyed(|there| there.primary_key = vec!["made_by_default".to_owned()]), "another one each time");
}
