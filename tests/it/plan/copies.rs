//! Flows that copy rows: the table of `existing`, columns, and putting in place.

use insta::assert_snapshot;
use serde_json::{Value, json};
use transship_model::observed::{Described, Privilege, TableKind, Writable};
use transship_model::plan::{Action, Plan, StepKind};
use transship_plan::{PlanInput, Planned, audit, plan, project};

use super::world::{at, copying, id, name, plain_definition, table, tables, world};

pub(super) fn planned(input: &PlanInput) -> Planned {
    let planned = plan(input).unwrap_or_else(|findings| panic!("refused: {findings:#?}"));
    assert_eq!(audit(&planned.plan), []);
    planned
}

pub(super) fn codes(input: &PlanInput) -> Vec<&'static str> {
    plan(input).expect_err("is refused").iter().map(|finding| finding.code).collect()
}

/// A flow `copy` of `s.t` from a to b.
pub(super) fn copy_of(tables_of: &Value, more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    copying(&mut input, "copy", tables_of, more);
    input
}

pub(super) fn existing(mode: &str) -> PlanInput {
    copy_of(&json!(["s.t"]), &json!({ "existing": mode }))
}

/// The input once its plan has been applied.
pub(super) fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input
}

/// A table of that name on the target which the flow did not make.
pub(super) fn there(mut input: PlanInput) -> PlanInput {
    tables(&mut input, "b", &["s.t"]);
    let there = at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap();
    there.writable = Some(Writable::Yes);
    there.definition = Some(plain_definition("s.t"));
    input
}

pub(super) fn kinds(plan: &Plan) -> String {
    let of_flow = plan.steps.iter().filter(|step| step.flow.is_some());
    of_flow.map(|step| step.kind.as_str()).collect::<Vec<_>>().join(" ")
}

/// What a plan does: its kinds of steps, or the codes of what refuses it.
pub(super) fn outcome(input: &PlanInput) -> String {
    match plan(input) {
        Ok(planned) => {
            assert_eq!(audit(&planned.plan), []);
            kinds(&planned.plan)
        }
        Err(findings) => findings.iter().map(|finding| finding.code).collect::<Vec<_>>().join(" "),
    }
}

/// What a flow of its tables and further keys is to do with `existing`, as the table of the design has it: where the table is
/// absent, somebody else's, the flow's own, and the flow's own with another declaration.
pub(super) fn check_existing(flow: &dyn Fn(&Value, &Value) -> PlanInput, cells: &[(&str, [&str; 4]); 5]) {
    for (mode, expected) in cells {
        let existing = || flow(&json!(["s.t"]), &json!({ "existing": mode }));
        let mut edited = done(existing());
        edited.spec.flows =
            flow(&json!([{ "from": "s.t", "where": "v > 1" }]), &json!({ "existing": mode })).spec.flows;
        at(&mut edited, "b").tables.get_mut(&table("s.t")).unwrap().writable = Some(Writable::Yes);
        let found = [outcome(&existing()), outcome(&there(existing())), outcome(&done(existing())), outcome(&edited)];
        assert_eq!(found, *expected, "existing: {mode}");
    }
}

/// What such a flow did is not done again.
pub(super) fn check_settled(flow: &dyn Fn(&Value, &Value) -> PlanInput) {
    let of = |more: Value| flow(&json!(["s.t"]), &more);
    let existing = |mode: &str| of(json!({ "existing": mode }));
    for input in [existing("error"), there(existing("replace")), there(existing("append")), there(existing("upsert"))] {
        assert_eq!(outcome(&done(input)), "");
    }
    let view = || of(json!({ "existing": "replace", "replace_by": "view" }));
    assert_eq!(outcome(&done(view())), "");
    assert_eq!(outcome(&done(there(view()))), "");
}

#[test]
fn every_cell_of_the_table_of_existing() {
    let create = "create-table copy-rows rename-table";
    let replace = "create-table copy-rows swap-table";
    check_existing(
        &copy_of,
        &[
            ("error", [create, "plan::target-exists", "", "plan::edited"]),
            ("replace", [create, replace, "", replace]),
            ("append", [create, "copy-rows", "", "plan::doubles-rows"]),
            ("upsert", [create, "copy-rows", "", "copy-rows"]),
            ("skip", [create, "record-flow", "", ""]),
        ],
    );
}

#[test]
fn what_was_applied_is_empty_when_planned_again() {
    check_settled(&copy_of);
}

#[test]
fn a_copy_is_made_aside_counted_and_renamed() {
    let plan = planned(&existing("error")).plan;
    let sql: Vec<&str> =
        plan.steps.iter().filter(|it| it.flow.is_some()).flat_map(|it| &it.sql).map(String::as_str).collect();
    let aside = sql[0].split('"').nth(3).unwrap();
    assert!(aside.starts_with("transship__") && aside.ends_with("__t"), "{aside}");
    assert_snapshot!(sql.join("\n").replace(aside, "ASIDE"), @r#"
    CREATE TABLE "s"."ASIDE" (
       "id" BIGINT NOT NULL,
       "v" BIGINT,
       PRIMARY KEY ("id")
    )
    CLUSTERED BY ("id") INTO 1 SHARDS
    WITH (
       "column_policy" = 'strict'
    )
    ALTER TABLE "s"."ASIDE" RENAME TO "t"
    "#);
    let Some(Action::CopyRows(rows)) = &plan.steps.iter().find(|it| it.kind == StepKind::CopyRows).unwrap().action
    else {
        panic!("rows are copied")
    };
    assert_eq!(rows.select, r#"SELECT "id", "v" FROM "s"."t""#);
    assert_eq!(rows.insert.replace(aside, "ASIDE"), r#"INSERT INTO "s"."ASIDE" ("id", "v") VALUES ($1, $2)"#);
    assert_eq!(rows.key.iter().map(|key| (key.at, key.name.as_str())).collect::<Vec<_>>(), [(0, "id")]);
}

#[test]
fn columns_are_chosen_renamed_and_computed() {
    let columns = json!({ "person": "id", "twice": "v * 2", "word": { "sql": "v::text", "cast": "TEXT" } });
    let entry = json!([{ "from": "s.t", "to": "crm.people", "where": "v > 0", "columns": columns }]);
    let mut input = copy_of(&entry, &json!({ "target": { "shards": 3, "replicas": "0", "refresh_interval": 5000 } }));
    assert_eq!(codes(&input), ["plan::not-defined"], "the source has to tell the type of an expression");
    let described = r#"SELECT (v * 2) FROM "s"."t" WHERE (v > 0)"#;
    let source = at(&mut input, "a");
    source.described.insert(described.to_owned(), Described::Refused("Column v unknown".to_owned()));
    assert_eq!(codes(&input), ["plan::bad-expression"]);
    at(&mut input, "a").described.insert(described.to_owned(), Described::Types(vec![String::new()]));
    assert_eq!(codes(&input), ["plan::unknown-type"]);
    at(&mut input, "a").described.insert(described.to_owned(), Described::Types(vec!["BIGINT".to_owned()]));
    let plan = planned(&input).plan;
    let create = plan.steps.iter().find(|step| step.kind == StepKind::CreateTable).unwrap();
    let aside = create.sql[0].split('"').nth(3).unwrap();
    assert_snapshot!(create.sql[0].replace(aside, "ASIDE"), @r#"
    CREATE TABLE "crm"."ASIDE" (
       "person" BIGINT NOT NULL,
       "twice" BIGINT,
       "word" TEXT,
       PRIMARY KEY ("person")
    )
    CLUSTERED BY ("person") INTO 3 SHARDS
    WITH (
       "column_policy" = 'strict',
       "number_of_replicas" = '0',
       "refresh_interval" = 5000
    )
    "#);
    let Some(Action::CopyRows(rows)) = &plan.steps.iter().find(|it| it.kind == StepKind::CopyRows).unwrap().action
    else {
        panic!("rows are copied")
    };
    assert_snapshot!(rows.select, @r#"SELECT "id", (v * 2), (CAST((v::text) AS TEXT)) FROM "s"."t" WHERE (v > 0)"#);
}

#[test]
fn grants_pass_to_what_takes_the_place() {
    let mut input = there(existing("replace"));
    let privilege = |kind: &str, class: &str, ident: &str, granted| Privilege {
        grantee: "app".to_owned(),
        kind: kind.to_owned(),
        class: class.to_owned(),
        ident: Some(ident.to_owned()),
        granted,
    };
    at(&mut input, "b").privileges = Some(vec![
        privilege("DQL", "TABLE", "s.t", true),
        privilege("DML", "TABLE", "s.t", false),
        privilege("DQL", "TABLE", "s.other", true),
        privilege("DQL", "SCHEMA", "s", true),
    ]);
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), "create-table copy-rows grant-privileges swap-table");
    let grants = &plan.steps.iter().find(|step| step.kind == StepKind::GrantPrivileges).unwrap().sql;
    assert!(grants[0].starts_with("GRANT DQL ON TABLE") && grants[1].starts_with("DENY DML ON TABLE"), "{grants:?}");
    assert_eq!(grants.len(), 2);
    at(&mut input, "b").privileges = None;
    assert!(planned(&input).plan.blocked.iter().any(|blocked| blocked.code == "plan::grants-unknown"));
}

#[test]
fn left_overs_of_a_run_that_was_cut_are_dropped_without_asking() {
    let input = existing("error");
    let plan = planned(&input).plan;
    let create = plan.steps.iter().find(|step| step.kind == StepKind::CreateTable).unwrap();
    let aside = create.sql[0].split('"').nth(3).unwrap().to_owned();
    let mut cut = input.clone();
    tables(&mut cut, "b", &[&format!("s.{aside}")]);
    assert_eq!(outcome(&cut), "drop-table create-table copy-rows rename-table");
    assert!(planned(&cut).plan.blocked.is_empty());
    // The copy of another flow is not ours to drop.
    let mut other = input;
    tables(&mut other, "b", &["s.transship__0123456789abcdef__t"]);
    assert_eq!(outcome(&other), "create-table copy-rows rename-table");
}

/// Makes a flow by view anew, as once the plan has been applied.
fn again(mut input: PlanInput) -> PlanInput {
    input.options.resync = vec![id("copy")];
    let mut input = done(input);
    input.options.resync.clear();
    input
}

#[test]
fn versions_follow_each_other_behind_a_view() {
    let first = done(copy_of(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" })));
    assert_eq!(first.observation.clusters[&name("b")].tables[&table("s.t")].kind, TableKind::View);
    let mut second = again(first);
    let holds = |input: &PlanInput| {
        let row = input.observation.clusters[&name("b")].ledger.row(&id("copy")).cloned().unwrap();
        row.copies[&table("s.t")].holds.clone().unwrap()
    };
    assert!(holds(&second).table.contains("__v2__"), "{}", holds(&second));
    // The version before the one that is read goes with the next run, and not before the new one is in place.
    second.options.resync = vec![id("copy")];
    assert_eq!(outcome(&second), "create-table copy-rows switch-view drop-table");
    let plan = planned(&second).plan;
    let dropped = plan.steps.iter().find(|step| step.kind == StepKind::DropTable).unwrap();
    assert!(dropped.sql[0].contains("__v1__"), "{}", dropped.sql[0]);
}

#[test]
fn refusals() {
    let check = |code: &str, mode: &str, change: &dyn Fn(&mut PlanInput)| {
        let mut input = there(existing(mode));
        change(&mut input);
        assert_eq!(codes(&input), [code]);
    };
    let target = |change: fn(&mut transship_model::observed::Table)| {
        move |input: &mut PlanInput| change(at(input, "b").tables.get_mut(&table("s.t")).unwrap())
    };
    check("plan::target-subscribed", "replace", &target(|it| it.writable = Some(Writable::Subscribed)));
    check("plan::not-a-table", "upsert", &target(|it| it.kind = TableKind::View));
    let close = |it: &mut transship_model::observed::Table| (it.closed, it.definition) = (true, None);
    check("plan::target-closed", "append", &target(close));
    check("plan::source-closed", "append", &|input| close(at(input, "a").tables.get_mut(&table("s.t")).unwrap()));
    check("plan::no-primary-key", "upsert", &target(|it| it.primary_key.clear()));
    check("plan::no-such-column", "append", &target(|it| it.columns.retain(|column| column.name != "v")));
    check(
        "plan::missing-column",
        "append",
        &target(|it| {
            let mut more = it.columns[0].clone();
            "needed".clone_into(&mut more.name);
            it.columns.push(more);
        }),
    );
    check("plan::generated-column", "append", &|input| {
        let table = at(input, "a").tables.get_mut(&table("s.t")).unwrap();
        table.columns[1].generated = Some("id".to_owned());
        let text = table.definition.as_mut().unwrap();
        *text = text.replace("\"v\" BIGINT", "\"v\" BIGINT GENERATED ALWAYS AS \"id\"");
    });
    check("plan::moved", "replace", &|input| {
        super::world::applied(input, "copy", "a", "b", &["s.t"]);
        at(input, "b").subscriptions.clear();
        at(input, "a").publications.clear();
    });
    check("plan::target-published", "replace", &|input| {
        let publication = transship_model::observed::Publication { all_tables: false, tables: [table("s.t")].into() };
        at(input, "b").publications.insert("p".to_owned(), publication);
    });
    check("plan::unknown-type", "replace", &|input| {
        "regproc".clone_into(&mut at(input, "a").tables.get_mut(&table("s.t")).unwrap().columns[1].data_type);
    });
    check("plan::replaces-more", "replace", &|input| {
        copying(input, "copy", &json!([{ "from": "s.t", "where": "v > 1" }]), &json!({ "existing": "replace" }));
    });
    check("plan::no-such-column", "replace", &|input| {
        copying(input, "copy", &json!([{ "from": "s.t", "columns": ["id", "w"] }]), &json!({ "existing": "replace" }));
    });
    check("plan::no-such-column", "replace", &|input| {
        copying(input, "copy", &json!([{ "from": "s.t", "sensitive": ["vv"] }]), &json!({ "existing": "replace" }));
    });
    check("plan::sensitive-partition", "replace", &|input| {
        at(input, "a").tables.get_mut(&table("s.t")).unwrap().partitioned_by = vec!["v".to_owned()];
        copying(input, "copy", &json!([{ "from": "s.t", "sensitive": ["v"] }]), &json!({ "existing": "replace" }));
    });
}

#[test]
fn a_flow_that_is_gone_is_forgotten_and_its_tables_stay() {
    let mut input = done(existing("error"));
    input.spec.flows.clear();
    assert_eq!(outcome(&input), "record-flow");
    let after = project(&input, &planned(&input).plan);
    assert!(after.clusters.values().any(|seen| seen.tables.contains_key(&table("s.t"))));
    assert!(after.clusters.values().all(|seen| seen.ledger.rows().next().is_none()));
}

#[test]
fn privileges_that_a_copy_needs_are_named_before_anything_is_begun() {
    let mut input = existing("error");
    for cluster in ["a", "b"] {
        let seen = at(&mut input, cluster);
        seen.users.as_mut().unwrap().get_mut("crate").unwrap().superuser = false;
    }
    let findings = plan(&input).expect_err("is refused");
    let help: Vec<&str> = findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
    assert_eq!(
        help,
        [
            "on a: GRANT DQL ON TABLE s.t TO \"crate\"",
            "on b: GRANT DQL, DML, DDL ON SCHEMA s TO \"crate\"",
            "on b: GRANT DQL, DML, DDL ON SCHEMA transship TO \"crate\"",
        ]
    );
}

#[test]
fn copies_aside_are_nobodys_to_report() {
    let mut input = copy_of(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" }));
    tables(&mut input, "b", &["s.transship__0123456789abcdef__t"]);
    assert_eq!(planned(&done(input)).report.unmanaged, Vec::<String>::new());
}
