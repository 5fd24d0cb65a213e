//! Flows whose target reads by itself: what is made for it is the flow's own, and nothing of it stays.

use serde_json::{Value, json};
use transship_model::observed::{Column, ForeignServer, Privilege, TableKind, User};
use transship_model::plan::{Action, ForeignObject, Plan, PullRows, StepKind};
use transship_plan::{PlanInput, Rule, audit, project};

use super::copies::{check_existing, check_settled, codes, copy_of, done, outcome, planned};
use super::snapshot_partitions::partitioned;
use super::world::{at, digest_again, table};

fn pulling(tables_of: &Value, more: &Value) -> PlanInput {
    let mut more = more.clone();
    more["strategy"] = json!({ "custom": { "engine": "foreign-table" } });
    copy_of(tables_of, &more)
}

pub(super) fn existing(mode: &str) -> PlanInput {
    pulling(&json!(["s.t"]), &json!({ "existing": mode }))
}

fn source(input: &mut PlanInput) -> &mut transship_model::observed::Table {
    at(input, "a").tables.get_mut(&table("s.t")).unwrap()
}

const MAKES: &str = "create-server create-user-mapping";
const DROPS: &str = "drop-foreign-table";
const ENDS: &str = "drop-user-mapping drop-server";

#[test]
fn every_cell_of_the_table_of_existing() {
    let create = &format!("{MAKES} create-table create-foreign-table pull-rows {DROPS} rename-table {ENDS}");
    let replace = &format!("{MAKES} create-table create-foreign-table pull-rows {DROPS} swap-table {ENDS}");
    let into = &format!("{MAKES} create-foreign-table pull-rows {DROPS} {ENDS}");
    check_existing(
        &pulling,
        &[
            ("error", [create.as_str(), "plan::target-exists", "", "plan::edited"]),
            ("replace", [create, replace, "", replace]),
            ("append", [create, into, "", "plan::doubles-rows"]),
            ("upsert", [create, into, "", into]),
            ("skip", [create, "record-flow", "", ""]),
        ],
    );
}

#[test]
fn what_was_applied_is_empty_when_planned_again() {
    check_settled(&pulling);
}

/// A run was cut that had made everything, and the ledger knows the flow or not.
fn cut(mut input: PlanInput, known: bool) -> PlanInput {
    let before = planned(&input);
    let rows = pull(&before.plan);
    let through = rows.through.clone();
    let name = before.plan.all_steps().find_map(|step| match &step.action {
        Some(Action::Foreign(ForeignObject::Server { server, .. })) => Some(server.clone()),
        _ => None,
    });
    if known {
        input.observation = project(&input, &before.plan);
    }
    let user = at(&mut input, "b").user.clone();
    let server = ForeignServer { owner: user.clone(), url: "jdbc:x".to_owned(), mapped: vec![user] };
    at(&mut input, "b").servers.insert(name.expect("a server"), server);
    let mut foreign = at(&mut input, "a").tables[&table("s.t")].clone();
    foreign.kind = TableKind::Foreign;
    at(&mut input, "b").tables.insert(through, foreign);
    input
}

#[test]
fn what_a_cut_run_left_is_dropped_where_the_ledger_knows_the_flow() {
    let input = cut(existing("error"), true);
    assert_eq!(outcome(&input), format!("{DROPS} {ENDS}"));
    assert_eq!(outcome(&done(input)), "");
    assert_eq!(outcome(&cut(existing("error"), false)), "plan::name-taken plan::name-taken");
    let mut gone = cut(existing("error"), true);
    gone.spec.flows.clear();
    assert_eq!(outcome(&gone), format!("{DROPS} {ENDS}"));
    assert_eq!(outcome(&done(gone)), "");
    // What the errors advise, and a table that leaves the flow.
    let mut other = cut(existing("error"), true);
    super::world::copying(&mut other, "copy", &json!(["s.t"]), &json!({ "existing": "error" }));
    assert_eq!(outcome(&other), format!("{DROPS} {ENDS}"));
    assert_eq!(outcome(&done(other)), "");
    let mut fewer = cut(existing("error"), true);
    super::world::tables(&mut fewer, "a", &["s.other"]);
    at(&mut fewer, "a").tables.get_mut(&table("s.other")).unwrap().definition =
        Some(super::world::plain_definition("s.other"));
    fewer.spec.flows.values_mut().next().unwrap().tables = serde_json::from_value(json!(["s.other"])).unwrap();
    assert!(outcome(&fewer).starts_with(&format!("{DROPS} {ENDS} {MAKES}")), "{}", outcome(&fewer));
}

/// Chosen partitions go by a copy that is defined as the target is: a wider NUMERIC there would hold other numbers.
#[test]
fn another_numeric_is_refused_where_partitions_are_chosen_too() {
    let chosen = json!([{ "from": "s.t", "partitions": [{ "m": 1 }] }]);
    let mut input = pulling(&chosen, &json!({ "existing": "replace" }));
    for (cluster, declared) in [("a", "NUMERIC(12, 2)"), ("b", "NUMERIC(12, 2)")] {
        let mut table_of = partitioned(cluster, &[0, 1]);
        with_number(&mut table_of, declared);
        at(&mut input, cluster).tables.insert(table("s.t"), table_of);
    }
    input.options.allow_drop = vec!["rows:b.s.t".parse().unwrap()];
    assert!(outcome(&input).contains("replace-partition"), "{}", outcome(&input));
    let mut table_of = partitioned("b", &[0, 1]);
    with_number(&mut table_of, "NUMERIC(14, 4)");
    at(&mut input, "b").tables.insert(table("s.t"), table_of);
    assert_eq!(codes(&input), ["plan::type-not-foreign"]);
}

fn with_number(of: &mut transship_model::observed::Table, declared: &str) {
    let column = Column {
        name: "x".to_owned(),
        data_type: "numeric".to_owned(),
        nullable: true,
        generated: None,
        default: None,
    };
    of.columns.push(column);
    let definition = of.definition.as_mut().unwrap();
    let at = definition.find("\n)").unwrap();
    definition.insert_str(at, &format!(",\n   \"x\" {declared}"));
}

#[test]
fn rows_that_nothing_counts_are_refused() {
    let mut input = pulling(&json!([{ "from": "s.t", "columns": ["id"] }]), &json!({ "existing": "upsert" }));
    assert!(!outcome(&input).contains("plan::"));
    input = done(input);
    let flow = input.spec.flows.values_mut().next().unwrap();
    flow.target.insert("replicas".to_owned(), serde_json::from_value(json!("1")).unwrap());
    assert_eq!(codes(&input), ["plan::uncounted"]);
}

fn with_column(data_type: &str, declared: &str) -> PlanInput {
    let mut input = existing("error");
    let of = source(&mut input);
    let column = Column {
        name: "x".to_owned(),
        data_type: data_type.to_owned(),
        nullable: true,
        generated: None,
        default: None,
    };
    of.columns.push(column);
    let definition = of.definition.as_mut().unwrap();
    *definition = definition.replacen("\n)", &format!(",\n   \"x\" {declared}\n)"), 1);
    assert!(definition.contains(declared), "{definition}");
    input
}

#[test]
fn types_that_the_driver_bends_are_refused() {
    for (data_type, declared, refused) in [
        ("text_array", "ARRAY(TEXT)", true),
        ("bit", "BIT(8)", true),
        ("geo_point", "GEO_POINT", true),
        ("timestamp without time zone", "TIMESTAMP WITHOUT TIME ZONE", true),
        ("timestamp with time zone_array", "ARRAY(TIMESTAMP WITH TIME ZONE)", true),
        ("numeric_array_array", "ARRAY(ARRAY(NUMERIC(20, 6)))", true),
        ("timestamp with time zone", "TIMESTAMP WITH TIME ZONE", false),
        ("text_array_array", "ARRAY(ARRAY(TEXT))", false),
        ("float_vector", "FLOAT_VECTOR(3)", false),
        ("uuid", "UUID", false),
    ] {
        let input = with_column(data_type, declared);
        if refused {
            assert_eq!(codes(&input), ["plan::type-not-foreign"], "{data_type}");
        } else {
            assert!(outcome(&input).contains("pull-rows"), "{data_type}: {}", outcome(&input));
        }
    }
    let times = planned(&with_column("timestamp with time zone", "TIMESTAMP WITH TIME ZONE")).plan;
    let rows = pull(&times);
    assert_eq!(rows.limited, ["x"]);
    assert!(rows.unfit.as_ref().unwrap().contains(r#""x" < (-12218428800000)"#), "{:?}", rows.unfit);
    assert!(rows.arrived.as_ref().unwrap().contains("transship__"), "{:?}", rows.arrived);
}

#[test]
fn what_is_not_sent_to_the_source_is_said_and_has_to_fit_the_heap() {
    let of = |filter: &str| pulling(&json!([{ "from": "s.t", "where": filter }]), &json!({}));
    let sent = planned(&of("v > 1 AND NOT v = 7")).plan;
    assert!(pull(&sent).ranges.is_some() && !sent.warnings.iter().any(|it| it.code == "plan::travels-whole"));
    let kept = planned(&of("v IN (1, 2)")).plan;
    assert!(pull(&kept).ranges.is_none() && kept.warnings.iter().any(|it| it.code == "plan::travels-whole"));
    let mut large = of("v IN (1, 2)");
    source(&mut large).primaries[0].bytes = 1 << 30;
    assert_eq!(codes(&large), ["plan::exceeds-heap"]);
    let mut divided = of("v > 1");
    source(&mut divided).primaries[0].bytes = 1 << 30;
    assert!(outcome(&divided).contains("pull-rows"));
}

#[test]
fn what_the_users_lack_is_asked_for_beforehand() {
    let mut input = existing("error");
    let ours = at(&mut input, "b").user.clone();
    let cluster = at(&mut input, "b");
    cluster.users = Some([(ours.clone(), User::default())].into());
    let all = |kind: &str| Privilege {
        grantee: ours.clone(),
        kind: kind.to_owned(),
        class: "CLUSTER".to_owned(),
        ident: None,
        granted: true,
    };
    cluster.privileges = Some(["DQL", "DML", "DDL"].map(all).into());
    cluster.superuser = Some(false);
    assert_eq!(codes(&input), ["plan::missing-privilege"]);
    let mut input = existing("error");
    at(&mut input, "a").users = Some([("somebody".to_owned(), User::default())].into());
    assert!(codes(&input).contains(&"plan::missing-privilege"));
}

fn pull(plan: &Plan) -> &PullRows {
    let found = plan.all_steps().find_map(|step| match &step.action {
        Some(Action::PullRows(rows)) => Some(rows),
        _ => None,
    });
    found.expect("the target reads")
}

fn pull_mut(plan: &mut Plan) -> &mut PullRows {
    let found = plan.steps.iter_mut().find_map(|step| match &mut step.action {
        Some(Action::PullRows(rows)) => Some(rows),
        _ => None,
    });
    found.expect("the target reads")
}

type Break = fn(&mut Plan);

#[test]
fn the_audit_knows_what_a_target_may_read_through() {
    let breakers: [(Rule, Break); 12] = [
        (Rule::KindMatches, |plan| pull_mut(plan).into = table("s.t")),
        (Rule::KindMatches, |plan| pull_mut(plan).whole.insert = r#"INSERT INTO "s"."other" (SELECT 1)"#.to_owned()),
        (Rule::KindMatches, |plan| pull_mut(plan).whole.clear = Some(r#"DELETE FROM "s"."t""#.to_owned())),
        (Rule::KindMatches, |plan| pull_mut(plan).whole.count = None),
        (Rule::KindMatches, |plan| pull_mut(plan).mark.push(' ')),
        (Rule::KindMatches, |plan| {
            let ranges = pull_mut(plan).ranges.as_mut().unwrap();
            ranges.by[0].between.insert = ranges.by[0].last.insert.clone();
        }),
        (Rule::ForeignOwn, |plan| plan.steps.retain(|step| step.kind != StepKind::DropServer)),
        (Rule::ForeignOwn, |plan| plan.steps.retain(|step| step.kind != StepKind::CreateUserMapping)),
        (Rule::ForeignOwn, |plan| plan.steps.retain(|step| step.kind != StepKind::DropForeignTable)),
        (Rule::ForeignOwn, |plan| plan.steps.iter_mut().for_each(|step| step.depends_on.clear())),
        (Rule::CopyBeforePlace, |plan| plan.steps.retain(|step| step.kind != StepKind::PullRows)),
        (Rule::KindMatches, |plan| {
            let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::CreateServer).unwrap();
            step.sql[0].push_str(" CASCADE");
        }),
    ];
    for (index, (rule, break_it)) in breakers.into_iter().enumerate() {
        let mut plan = planned(&existing("error")).plan;
        assert_eq!(audit(&plan), []);
        break_it(&mut plan);
        digest_again(&mut plan);
        let broken: Vec<Rule> = audit(&plan).iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "breaker {index}: {rule:?} is not found; found are {broken:?}");
    }
}
