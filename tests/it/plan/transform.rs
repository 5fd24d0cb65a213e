//! Columns that transship itself changes: what is planned, and what is refused.

use serde_json::{Value, json};
use transship_model::observed::Column;
use transship_model::plan::{Action, CopyRows, Made, ObjectRef, PlannedLookup, Precondition, Verb};
use transship_plan::{PlanInput, audit, plan, samples};

use super::copies::{codes, copy_of, outcome, planned, there};
use super::world::{at, copying, name, table, tables};

const DEFINITION: &str = "CREATE TABLE IF NOT EXISTS \"s\".\"t\" (\n   \"id\" BIGINT NOT NULL,\n   \"v\" BIGINT,\n   \"name\" TEXT \
     DEFAULT 'nobody' NOT NULL,\n   \"at\" TIMESTAMP WITH TIME ZONE,\n   \"rate\" DOUBLE PRECISION,\n   \"o\" OBJECT(DYNAMIC),\n   \
     PRIMARY KEY (\"id\"),\n   CONSTRAINT \"named\" CHECK(\"name\" <> '')\n)\nCLUSTERED BY (\"id\") INTO 1 SHARDS\nWITH (\n   \
     column_policy = 'strict'\n)";

/// A flow that makes columns of a table with one of most kinds, and a table to look up in.
fn input(columns: &Value) -> PlanInput {
    let mut input = copy_of(&json!([{ "from": "s.t", "columns": columns }]), &json!({}));
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
    source.definition = Some(DEFINITION.to_owned());
    for (name, data_type) in
        [("name", "text"), ("at", "timestamp with time zone"), ("rate", "double precision"), ("o", "object")]
    {
        let (name, data_type) = (name.to_owned(), data_type.to_owned());
        source.columns.push(Column { nullable: name != "name", name, data_type, generated: None, default: None });
    }
    tables(&mut input, "b", &["s.codes"]);
    let codes = at(&mut input, "b").tables.get_mut(&table("s.codes")).unwrap();
    codes.definition = Some(super::world::plain_definition("s.codes").replace("\"v\" BIGINT", "\"v\" NUMERIC(4, 1)"));
    let codes = &mut codes.columns;
    codes[1].data_type = "numeric".to_owned();
    codes.push(Column { name: "o".to_owned(), data_type: "object".to_owned(), ..codes[1].clone() });
    input.files.files.insert("names.csv".to_owned(), "f00".to_owned());
    input
}

fn rows(input: &PlanInput) -> CopyRows {
    let plan = planned(input).plan;
    let rows = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::CopyRows(rows)) => Some(rows.clone()),
        _ => None,
    });
    rows.expect("rows are copied")
}

/// The columns that are made: name, type, and what is done.
fn made(columns: &Value) -> Vec<(String, String, Vec<Verb>)> {
    let transform = rows(&input(columns)).transform.expect("a transformation");
    transform.columns.into_iter().map(|it| (it.name, it.data_type, it.verbs)).collect()
}

/// What the target's table is made by.
fn created(columns: &Value) -> String {
    let plan = planned(&input(columns)).plan;
    plan.steps.iter().find(|step| step.kind.as_str() == "create-table").expect("a table").sql[0].clone()
}

#[test]
fn verbs_stand_in_their_order_with_the_type_that_comes_of_them() {
    let columns = json!({
        "id": "id",
        "v": { "cast": "TEXT", "round": -1, "default": 7 },
        "at": { "truncate": "day" },
        "name": { "mask": { "hmac": { "env": "KEY" } } },
        "vat": { "sql": "v", "lookup": { "table": "s.codes", "key": "id", "value": "v" }, "cast": "DOUBLE PRECISION" },
        "title": { "sql": "name", "lookup": { "file": "names.csv", "key": "k", "value": "t" } },
        "o": { "redact": true },
    });
    let found = made(&columns);
    let of = |name: &str| found.iter().find(|it| it.0 == name).cloned().expect("a column");
    assert_eq!(of("id"), ("id".to_owned(), "bigint".to_owned(), Vec::new()));
    let (_, data_type, verbs) = of("v");
    assert_eq!(data_type, "text");
    assert!(matches!(&verbs[..], [Verb::Default(_), Verb::Round(-1), Verb::Cast(_)]), "{verbs:?}");
    assert_eq!(of("at").1, "timestamp with time zone");
    assert_eq!(of("vat").1, "double precision");
    assert!(matches!(&of("title").2[..], [Verb::Lookup(PlannedLookup::File { sha256, .. })] if sha256 == "f00"));
    assert_eq!(of("o").1, "text");
    let Verb::Lookup(PlannedLookup::Table { select, refresh, data_type, .. }) = &of("vat").2[0] else { panic!() };
    assert_eq!(select, "SELECT \"id\", \"v\" FROM \"s\".\"codes\" WHERE \"id\" IS NOT NULL LIMIT 200001");
    assert_eq!((refresh.as_str(), data_type.as_str()), ("REFRESH TABLE \"s\".\"codes\"", "numeric"));
}

#[test]
fn a_column_keeps_what_still_holds() {
    let sql = created(&json!({
        "id": { "mask": { "hmac": { "env": "KEY" } } },
        "name": { "hash": "sha256" },
        "at": { "truncate": "day" },
        "v": { "lookup": { "table": "s.codes", "key": "id", "value": "v" } },
    }));
    for part in [
        "\"id\" TEXT NOT NULL",
        "\"name\" TEXT NOT NULL",
        "\"at\" TIMESTAMP WITH TIME ZONE",
        "\"v\" NUMERIC(4, 1)",
        "PRIMARY KEY (\"id\")",
        "CLUSTERED BY (\"id\")",
    ] {
        assert!(sql.contains(part), "{part} is missing in {sql}");
    }
    assert!(!sql.contains("DEFAULT") && !sql.contains("CHECK"), "they are about other values: {sql}");
    let warnings = planned(&input(&json!({ "id": "id", "name": { "hash": "sha256" } }))).plan.warnings;
    assert!(
        warnings.iter().any(|it| it.text.contains("named") && it.text.contains("name has other values")),
        "{warnings:?}"
    );
}

#[test]
fn constants_and_expressions_read_what_they_need() {
    let found = rows(&input(&json!({
        "id": "id",
        "c": { "const": 1.5 },
        "n": { "const": null, "cast": "VARCHAR(3)" },
        "e": { "expr": "v > 5 && name != ''", "cast": "BOOLEAN" },
    })));
    assert_eq!(found.select, "SELECT \"id\", \"name\", \"v\" FROM \"s\".\"t\"");
    assert!(
        found.insert.starts_with("INSERT INTO ") && found.insert.contains("(\"id\", \"c\", \"e\", \"n\")"),
        "{}",
        found.insert
    );
    let transform = found.transform.unwrap();
    let types: Vec<&str> = transform.columns.iter().map(|column| column.data_type.as_str()).collect();
    assert_eq!(types, ["bigint", "double precision", "boolean", "varchar(3)"]);
    assert!(matches!(&transform.columns[2].from, Made::Expr { uses, .. } if *uses == [2, 1] || *uses == [1, 2]));
    let alone = rows(&input(&json!({ "c": { "const": true } })));
    assert_eq!(alone.select, "SELECT \"id\" FROM \"s\".\"t\"", "something has to be read for each row");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let lookup = |key: &str, value: &str| json!({ "lookup": { "table": "s.codes", "key": key, "value": value } });
    for (column, rule, code, part) in [
        ("name", json!({ "truncate": "day" }), "plan::verb-type", "TEXT is no point in time"),
        ("v", json!({ "truncate": "day" }), "plan::verb-type", "BIGINT is no point in time"),
        ("name", json!({ "round": 2 }), "plan::verb-type", "TEXT is no number"),
        ("v", json!({ "default": "none" }), "plan::verb-type", "the default is no BIGINT"),
        ("v", json!({ "default": 1.5 }), "plan::verb-type", "the default is no BIGINT"),
        ("o", json!({ "default": "{}" }), "plan::verb-type", "the default is no OBJECT"),
        ("rate", json!({ "hash": "sha256" }), "plan::verb-type", "DOUBLE PRECISION has no text"),
        ("o", json!({ "mask": { "hmac": { "env": "K" } } }), "plan::verb-type", "OBJECT has no text"),
        ("o", json!({ "partial": { "first": 1 } }), "plan::verb-type", "OBJECT has no text"),
        ("rate", json!({ "round": 1, "cast": "TEXT" }), "plan::verb-type", "DOUBLE PRECISION cannot be cast to TEXT"),
        ("v", json!({ "round": 1, "cast": "OBJECT" }), "plan::verb-type", "`OBJECT` is no type"),
        ("c", json!({ "const": null }), "plan::verb-type", "null has no type"),
        ("c", json!({ "const": "abc", "cast": "INTEGER" }), "plan::verb-type", "the constant is no INTEGER"),
        ("v", json!({ "default": 1, "cast": "NUMERIC" }), "plan::verb-type", "a precision and a scale only"),
        ("c", json!({ "expr": "v + 1" }), "plan::verb-type", "not known beforehand"),
        ("c", json!({ "expr": "v +", "cast": "TEXT" }), "plan::bad-expression", "line 1"),
        ("c", json!({ "expr": "w + 1", "cast": "TEXT" }), "plan::no-such-column", "no column `w`"),
        ("c", json!({ "expr": "o", "cast": "TEXT" }), "plan::verb-type", "cannot use column o: object"),
        ("rate", lookup("id", "v"), "plan::verb-type", "DOUBLE PRECISION is no key"),
        ("name", lookup("id", "v"), "plan::verb-type", "`id` of b.s.codes is bigint, and the value is TEXT"),
        ("v", lookup("nid", "v"), "plan::no-such-column", "b.s.codes has no column `nid`"),
        ("v", lookup("id", "o"), "plan::verb-type", "`o` of b.s.codes is object, no scalar"),
        ("v", json!({ "lookup": { "table": "s.none", "key": "a", "value": "b" } }), "plan::no-such-lookup", "b.s.none"),
        ("v", json!({ "lookup": { "file": "no.csv", "key": "a", "value": "b" } }), "plan::no-such-lookup", "`no.csv`"),
    ] {
        let mut columns = json!({ "id": "id" });
        columns[column] = rule.clone();
        let findings = plan(&input(&columns)).expect_err("is refused");
        assert_eq!(findings.len(), 1, "{rule}: {findings:#?}");
        assert!(findings[0].code == code && findings[0].message.contains(part), "{rule}: {findings:#?}");
        assert!(findings[0].help.is_some() && findings[0].path.is_some(), "{rule}");
    }
}

#[test]
fn a_numeric_of_unknown_precision_is_not_made() {
    let columns = |rule: Value| json!({ "id": "id", "v": rule });
    let lookup = json!({ "table": "s.codes", "key": "id", "value": "v" });
    let unread = |rule: Value| {
        let mut input = input(&columns(rule));
        at(&mut input, "b").tables.get_mut(&table("s.codes")).unwrap().definition = None;
        input
    };
    assert_eq!(codes(&unread(json!({ "lookup": lookup }))), ["plan::verb-type"]);
    assert!(outcome(&unread(json!({ "lookup": lookup, "cast": "NUMERIC(9, 3)" }))).starts_with("create-table"));
}

#[test]
fn times_keep_their_kind() {
    let sql = created(&json!({
        "id": "id", "x": { "sql": "at", "default": "2024-01-01", "cast": "TIMESTAMP" }, "y": { "sql": "at", "truncate": "day" },
    }));
    assert!(
        sql.contains("\"x\" TIMESTAMP WITHOUT TIME ZONE") && sql.contains("\"y\" TIMESTAMP WITH TIME ZONE"),
        "{sql}"
    );
}

#[test]
fn what_comes_of_a_verb_has_to_fit_the_table_that_is_there() {
    let columns = json!({ "id": "id", "v": { "mask": { "hmac": { "env": "KEY" } } } });
    let mut appended = there(input(&columns));
    copying(&mut appended, "copy", &json!([{ "from": "s.t", "columns": columns }]), &json!({ "existing": "append" }));
    assert_eq!(codes(&appended), ["plan::other-type"]);
    let columns = json!({ "id": "id", "v": { "round": 1 } });
    copying(&mut appended, "copy", &json!([{ "from": "s.t", "columns": columns }]), &json!({ "existing": "append" }));
    assert_eq!(outcome(&appended), "copy-rows");
}

#[test]
fn a_cast_is_done_after_what_was_done_before_it() {
    for (rule, data_type) in [
        (json!({ "expr": "double(v) * 1.19", "round": 2, "cast": "NUMERIC(12, 2)" }), "numeric(12, 2)"),
        (json!({ "expr": "at", "truncate": "day", "cast": "TEXT" }), "text"),
        (json!({ "expr": "name", "cast": "TEXT" }), "text"),
    ] {
        let found = made(&json!({ "id": "id", "x": rule }));
        assert_eq!(found[1].1, data_type, "{found:?}");
    }
}

#[test]
fn what_becomes_sensitive_is_so_before_and_wherever_it_is_read() {
    let mut input = input(&json!({}));
    let columns = json!({ "id": "id", "mail": { "sql": "name", "partial": { "first": 1 } }, "x": { "expr": "name + '!'", "cast": "TEXT" } });
    copying(
        &mut input,
        "copy",
        &json!([{ "from": "s.t", "sensitive": ["mail", "x"], "columns": columns }]),
        &json!({}),
    );
    let reads = rows(&input).transform.expect("a transformation").reads;
    assert!(reads.iter().all(|column| column.sensitive == (column.from != "id")), "{reads:?}");
}

#[test]
fn what_derives_from_a_hidden_column_is_not_carried_in_clear() {
    let of = |columns: &Value| {
        let mut input = input(columns);
        let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
        let definition = source.definition.take().unwrap();
        let generated = "\"initial\" TEXT GENERATED ALWAYS AS left(\"name\", 1),\n   PRIMARY KEY";
        source.definition = Some(definition.replace("PRIMARY KEY", generated));
        source.columns.push(Column {
            name: "initial".to_owned(),
            data_type: "text".to_owned(),
            nullable: true,
            generated: Some("left(\"name\", 1)".to_owned()),
            default: None,
        });
        plan(&input).map_or_else(|found| found.iter().map(|it| it.code).collect(), |_| Vec::new())
    };
    let mask = json!({ "mask": { "hmac": { "env": "KEY" } } });
    for hidden in [&mask, &json!({ "redact": true }), &json!({ "partial": { "first": 1 } })] {
        assert_eq!(of(&json!({ "id": "id", "name": hidden, "initial": "initial" })), ["plan::derived-in-clear"]);
    }
    assert_eq!(of(&json!({ "id": "id", "name": &mask, "initial": &mask })), [""; 0]);
    assert_eq!(
        of(&json!({ "id": "id", "name": &mask, "initial": { "sql": "initial || ''", "cast": "TEXT" } })),
        [""; 0]
    );
    assert_eq!(of(&json!({ "id": "id", "name": "name", "initial": "initial" })), [""; 0]);
}

#[test]
fn masks_take_the_sensitive_out() {
    let hidden = |rule: Value| {
        let mut input = input(&json!({ "id": rule, "v": "v" }));
        let columns = json!({ "id": rule, "v": "v" });
        copying(&mut input, "copy", &json!([{ "from": "s.t", "sensitive": ["id"], "columns": columns }]), &json!({}));
        let rows = rows(&input);
        assert!(rows.sensitive && rows.chunks.is_none(), "a key that is changed divides nothing");
        let transform = rows.transform.unwrap();
        assert!(transform.reads[0].sensitive);
        (rows.key[0].sensitive, transform.columns[0].sensitive)
    };
    assert_eq!(hidden(json!({ "mask": { "hmac": { "env": "KEY" } } })), (false, false));
    assert_eq!(hidden(json!({ "hash": "sha256" })), (false, false));
    assert_eq!(hidden(json!({ "redact": true })), (false, false));
    assert_eq!(hidden(json!({ "partial": { "last": 2 } })), (true, true));
    assert_eq!(hidden(json!({ "round": -1 })), (true, true));
}

#[test]
fn a_table_to_look_up_in_is_read_by_the_flow() {
    let columns = json!({ "id": "id", "v": { "lookup": { "table": "s.codes", "key": "id", "value": "v" } } });
    let mut input = input(&columns);
    let requires = |input: &PlanInput| {
        let plan = planned(input).plan;
        let step = plan.steps.iter().find(|step| {
            step.flow.as_ref().is_some_and(|it| it.to_string() == "copy") && step.kind.as_str() == "copy-rows"
        });
        let step = step.expect("rows are copied");
        (step.preconditions.clone(), step.depends_on.clone())
    };
    let codes = ObjectRef::table(&name("b"), &table("s.codes"));
    let (preconditions, _) = requires(&input);
    assert!(preconditions.contains(&Precondition::Unchanged(codes.clone())));
    assert!(planned(&input).plan.basis.iter().any(|basis| basis.object == codes));
    // Another flow writes it: that one comes first, and the table may be another by then.
    tables(&mut input, "a", &["s.codes"]);
    let definition = super::world::plain_definition("s.codes");
    at(&mut input, "a").tables.get_mut(&table("s.codes")).unwrap().definition = Some(definition.clone());
    let there = at(&mut input, "b").tables.get_mut(&table("s.codes")).unwrap();
    there.definition = Some(definition);
    there.writable = Some(transship_model::observed::Writable::Yes);
    copying(&mut input, "zcodes", &json!(["s.codes"]), &json!({ "existing": "replace" }));
    let plan = planned(&input).plan;
    let place =
        |flow: &str| plan.steps.iter().position(|step| step.flow.as_ref().is_some_and(|it| it.to_string() == flow));
    assert!(place("zcodes") < place("copy"), "who writes comes before who reads");
    assert!(requires(&input).0.contains(&Precondition::Present(codes)));
}

#[test]
fn a_flow_does_not_look_up_in_what_it_writes() {
    let columns = json!({ "id": "id", "v": { "lookup": { "table": "s.t", "key": "id", "value": "v" } } });
    let mut input = input(&columns);
    tables(&mut input, "b", &["s.t"]);
    assert!(codes(&input).contains(&"plan::lookup-of-own"), "{:?}", codes(&input));
}

#[test]
fn another_file_is_asked_for_anew() {
    let columns =
        json!({ "id": "id", "v": { "sql": "name", "lookup": { "file": "names.csv", "key": "k", "value": "t" } } });
    let mut input = input(&columns);
    let before = planned(&input).plan.digest;
    input.files.files.insert("names.csv".to_owned(), "f01".to_owned());
    assert_ne!(planned(&input).plan.digest, before);
    let asked = |input: &PlanInput| rows(input).chunks.expect("chunks").asked;
    let after = asked(&input);
    input.files.files.insert("other.csv".to_owned(), "f02".to_owned());
    assert_eq!(asked(&input), after, "a file that nobody looks up in does not count");
}

#[test]
fn edited_transformations_fail_the_audit() {
    let columns = json!({ "id": "id", "v": { "lookup": { "table": "s.codes", "key": "id", "value": "v" } } });
    let broken: [&dyn Fn(&mut CopyRows); 4] = [
        &|rows| rows.transform.as_mut().unwrap().columns.swap(0, 1),
        &|rows| rows.transform.as_mut().unwrap().columns[0].from = Made::Read(7),
        &|rows| rows.key[0].at = 9,
        &|rows| {
            for verb in &mut rows.transform.as_mut().unwrap().columns[1].verbs {
                if let Verb::Lookup(PlannedLookup::Table { select, .. }) = verb {
                    *select = "DELETE FROM \"s\".\"codes\"".to_owned();
                }
            }
        },
    ];
    for (at, change) in broken.into_iter().enumerate() {
        let mut plan = planned(&input(&columns)).plan;
        for step in &mut plan.steps {
            if let Some(Action::CopyRows(rows)) = &mut step.action {
                change(rows);
            }
        }
        super::world::digest_again(&mut plan);
        assert!(!audit(&plan).is_empty(), "{at}");
    }
}

#[test]
fn samples_are_read_whatever_is_to_be_done() {
    let mut plain = copy_of(&json!([{ "from": "s.t", "sensitive": ["v"] }]), &json!({}));
    plain = super::copies::done(plain);
    let found = samples(&plain, 3).unwrap();
    assert_eq!(found[0].select, "SELECT \"id\", \"v\" FROM \"s\".\"t\" ORDER BY \"id\" LIMIT 3");
    assert_eq!(found[0].transform.columns.iter().map(|it| it.sensitive).collect::<Vec<_>>(), [false, true]);
    let changed = samples(&input(&json!({ "id": "id", "v": { "round": 1 } })), 1).unwrap();
    assert!(matches!(changed[0].transform.columns[1].verbs[..], [Verb::Round(1)]));
}
