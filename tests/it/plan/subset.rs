//! Chosen partitions by `export-import` and `custom`: what is planned for each that is there or not, and the audit.

use serde_json::{Value, json};
use transship_model::plan::{Action, Plan, StepKind};
use transship_model::store::{DirectoryLocation, StoreLocation};
use transship_plan::{PlanInput, Rule, audit, project};

use super::copies::{outcome, planned};
use super::snapshot_partitions::partitioned;
use super::world::{at, digest_again, flow, name, table, world};

fn strategies() -> [Value; 2] {
    [json!({ "export-import": { "store": "disk" } }), json!({ "custom": { "engine": "stream" } })]
}

fn copied(strategy: &Value, months: &[u32], mode: &str) -> PlanInput {
    let mut input = world(&["a", "b"]);
    at(&mut input, "a").tables.insert(table("s.t"), partitioned("a", &[0, 1, 2, 3]));
    input.stores.insert(name("disk"), StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }));
    let partitions: Vec<Value> = months.iter().map(|month| json!({ "m": month })).collect();
    let tables = json!([{ "from": "s.t", "partitions": partitions }]);
    flow(
        &mut input,
        "copy",
        json!({ "from": "a", "to": "b", "tables": tables, "strategy": strategy, "existing": mode }),
    );
    input
}

fn there(mut input: PlanInput, months: &[u32]) -> PlanInput {
    at(&mut input, "b").tables.insert(table("s.t"), partitioned("b", months));
    input.options.allow_drop = vec!["rows:b.s.t".parse().unwrap()];
    input
}

/// `fill 1, replace 3`: what is done to partitions in place.
fn parts(input: &PlanInput) -> String {
    let plan = planned(input).plan;
    let part = |action: &Action| match action {
        Action::FillPartition(it) => {
            let verb = if it.replaces.is_some() { "replace" } else { "fill" };
            Some(format!("{verb} {}", it.partition.values[0].value.as_deref().unwrap_or("NULL")))
        }
        _ => None,
    };
    plan.all_steps().filter_map(|step| step.action.as_ref().and_then(part)).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_there_decides_for_each_partition() {
    let exported = "check-store export-rows create-table import-rows";
    for (strategy, rows) in strategies().iter().zip([exported, "create-table copy-rows"]) {
        for mode in ["error", "replace", "append", "skip"] {
            assert_eq!(outcome(&copied(strategy, &[1, 3], mode)), format!("{rows} rename-table"), "{mode}");
        }
        let input = there(copied(strategy, &[1, 3], "replace"), &[0, 1]);
        assert_eq!(outcome(&input), format!("{rows} replace-partition fill-partition"));
        assert_eq!(parts(&input), "replace 1, fill 3");
        let mut after = input.clone();
        after.observation = project(&input, &planned(&input).plan);
        at(&mut after, "b").tables.get_mut(&table("s.t")).unwrap().writable =
            Some(transship_model::observed::Writable::Yes);
        assert_eq!(outcome(&after), "");
        assert_eq!(after.observation.clusters[&name("b")].tables.len(), 1, "the copy is gone");
        let mut blocked = input;
        blocked.options.allow_drop.clear();
        assert!(planned(&blocked).plan.is_blocked(), "rows go before others are there");
        assert_eq!(outcome(&there(copied(strategy, &[1], "error"), &[1])), "plan::target-exists");
        assert_eq!(outcome(&there(copied(strategy, &[1], "skip"), &[1])), "record-flow");
        assert_eq!(outcome(&copied(strategy, &[7], "replace")), "plan::no-such-partition");
        let mut other = there(copied(strategy, &[1], "replace"), &[1]);
        at(&mut other, "b").tables.get_mut(&table("s.t")).unwrap().partitioned_by.clear();
        assert!(outcome(&other).contains("plan::other-partitions"), "{}", outcome(&other));
        // Partition 1 is another one where the column holds 1.0.
        let mut other = there(copied(strategy, &[1], "replace"), &[1]);
        let columns = &mut at(&mut other, "b").tables.get_mut(&table("s.t")).unwrap().columns;
        columns.iter_mut().filter(|it| it.name == "m").for_each(|it| it.data_type = "double precision".to_owned());
        assert!(outcome(&other).contains("plan::other-partitions"), "{}", outcome(&other));
        // A computed part of the key, and CrateDB searches for rows instead of dropping their partition.
        let mut computed = there(copied(strategy, &[1], "replace"), &[1]);
        let there = at(&mut computed, "b").tables.get_mut(&table("s.t")).unwrap();
        let key = there.columns.iter_mut().find(|it| it.name != "m").unwrap();
        key.generated = Some("m + 1".to_owned());
        there.primary_key = vec![key.name.clone(), "m".to_owned()];
        assert!(outcome(&computed).contains("plan::generated-key"), "{}", outcome(&computed));
        // A partition of somebody's table does not make the whole the flow's own.
        let entry = json!([{ "from": "s.t", "where": "v > 1" }]);
        let edited = json!({ "from": "a", "to": "b", "tables": entry, "strategy": strategy, "existing": "replace" });
        flow(&mut after, "copy", edited);
        assert!(outcome(&after).contains("plan::replaces-more"), "{}", outcome(&after));
    }
}

#[test]
fn only_rows_of_the_chosen_are_read() {
    let [files, rows] = strategies();
    let plan = planned(&copied(&files, &[1, 3], "error")).plan;
    let export = plan.steps.iter().find(|step| step.kind == StepKind::ExportRows).expect("an export");
    assert!(export.sql[0].contains("WHERE (((\"m\" = '1') OR (\"m\" = '3')) = true)"), "{}", export.sql[0]);
    let plan = planned(&copied(&rows, &[1, 3], "error")).plan;
    let copy = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::CopyRows(rows)) => Some(rows.select.clone()),
        _ => None,
    });
    assert!(copy.expect("a copy").ends_with("WHERE ((\"m\" = '1') OR (\"m\" = '3'))"));
}

#[test]
fn the_audit_sees_what_is_not_the_chosen_partition() {
    let breakers: [(Rule, fn(&mut Plan)); 5] = [
        (Rule::KindMatches, |plan| part(plan).rows.select.push_str(" OR true")),
        (Rule::KindMatches, |plan| part(plan).clear = Some("DROP TABLE \"s\".\"t\"".to_owned())),
        (Rule::KindMatches, |plan| part(plan).partition.values[0].value = Some("2".to_owned())),
        (Rule::CopyBeforePlace, |plan| {
            let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::ReplacePartition).unwrap();
            step.depends_on.clear();
        }),
        (Rule::ConsentOrBlocked, |plan| {
            let step = plan.steps.iter_mut().find(|step| step.kind == StepKind::ReplacePartition).unwrap();
            step.consent.as_mut().unwrap().given = None;
        }),
    ];
    for strategy in strategies() {
        for (rule, break_it) in breakers {
            let mut plan = planned(&there(copied(&strategy, &[1], "replace"), &[1])).plan;
            assert_eq!(audit(&plan), []);
            break_it(&mut plan);
            digest_again(&mut plan);
            assert!(audit(&plan).iter().any(|violation| violation.rule == rule), "{rule:?} {:?}", audit(&plan));
        }
    }
}

fn part(plan: &mut Plan) -> &mut transship_model::plan::FillPartition {
    let action = plan.steps.iter_mut().find(|step| step.kind == StepKind::ReplacePartition).unwrap().action.as_mut();
    match action {
        Some(Action::FillPartition(part)) => part,
        _ => panic!("rows from a copy aside"),
    }
}
