//! Chosen partitions by snapshot: what is planned for each that is there or not, what cut runs leave, and the audit.

use serde_json::{Value, json};
use transship_model::ledger::{FlowRow, FlowState};
use transship_model::observed::{Shard, Table, Writable};
use transship_model::plan::{Action, ConsentBy, Plan, Precondition, StepKind};
use transship_model::store::{DirectoryLocation, StoreLocation};
use transship_plan::{PlanInput, Rule, audit, project};
use transship_sql::partition::Partition;

use super::copies::{kinds, outcome, planned};
use super::world::{at, digest_again, flow, id, ledger, name, plain_table, table, tables, world};

const DEFINED: &str = "CREATE TABLE IF NOT EXISTS \"s\".\"t\" (\n   \"id\" BIGINT NOT NULL,\n   \"m\" BIGINT NOT NULL,\n   \
                       PRIMARY KEY (\"id\", \"m\")\n)\nCLUSTERED INTO 1 SHARDS\nPARTITIONED BY (\"m\")\nWITH (\n   \
                       column_policy = 'strict'\n)";

fn ident(month: u32) -> String {
    Partition(vec![("m".to_owned(), Some(month.to_string()))]).ident()
}

/// A table with one shard for each month, whose indices are called after the cluster.
pub(super) fn partitioned(cluster: &str, months: &[u32]) -> Table {
    let mut found = plain_table(cluster);
    found.columns[1].name = "m".to_owned();
    found.partitioned_by = vec!["m".to_owned()];
    found.definition = Some(DEFINED.to_owned());
    found.writable = Some(Writable::Yes);
    let shard = found.primaries.remove(0);
    found.primaries = months
        .iter()
        .map(|month| Shard { partition: ident(*month), uuid: Some(format!("{cluster}-{month}")), ..shard.clone() })
        .collect();
    found
}

/// A flow `copy` of months of `s.t`, which has four, from a to b.
fn copied(months: &[u32], more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    at(&mut input, "a").tables.insert(table("s.t"), partitioned("a", &[0, 1, 2, 3]));
    input.stores.insert(name("disk"), StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() }));
    declare(&mut input, months, more);
    input
}

fn declare(input: &mut PlanInput, months: &[u32], more: &Value) {
    let partitions: Vec<Value> = months.iter().map(|month| json!({ "m": month })).collect();
    let mut declared = json!({
        "from": "a", "to": "b", "tables": [{ "from": "s.t", "partitions": partitions }],
        "strategy": { "snapshot": { "store": "disk" } },
    });
    declared.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow(input, "copy", declared);
}

fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable = Some(Writable::Yes);
    input
}

/// With a table of months on b that the flow did not make.
fn there(mut input: PlanInput, months: &[u32]) -> PlanInput {
    at(&mut input, "b").tables.insert(table("s.t"), partitioned("b", months));
    input
}

fn allowed(mut input: PlanInput) -> PlanInput {
    input.options.allow_drop = vec!["rows:b.s.t".parse().unwrap()];
    input
}

/// `restore 1, replace 3`: what is done to partitions in place.
fn parts(input: &PlanInput) -> String {
    let plan = planned(input).plan;
    let part = |action: &Action| match action {
        Action::RestorePartition(it) => {
            let verb = if it.replaces.is_some() { "replace" } else { "restore" };
            Some(format!("{verb} {}", it.partition.values[0].value.as_deref().unwrap_or("NULL")))
        }
        _ => None,
    };
    plan.all_steps().filter_map(|step| step.action.as_ref().and_then(part)).collect::<Vec<_>>().join(", ")
}

fn blocked(input: &PlanInput) -> bool {
    planned(input).plan.is_blocked()
}

#[test]
fn an_absent_table_is_made_aside_and_has_the_chosen_alone() {
    for mode in ["error", "replace", "skip"] {
        let input = copied(&[1, 3], &json!({ "existing": mode }));
        let plan = planned(&input).plan;
        assert_eq!(
            kinds(&plan),
            "check-store create-repository create-snapshot create-repository restore-table rename-table",
            "{mode}"
        );
        let made = plan.steps.iter().find(|step| step.kind == StepKind::CreateSnapshot).unwrap();
        assert!(
            made.sql[0].contains("TABLE \"s\".\"t\" PARTITION (\"m\" = '1'), \"s\".\"t\" PARTITION (\"m\" = '3') ")
        );
        let after = done(input);
        assert_eq!(outcome(&after), "", "{mode}");
        assert_eq!(after.observation.clusters[&name("b")].tables[&table("s.t")].primaries.len(), 2);
    }
}

#[test]
fn what_is_there_decides_for_each_partition() {
    let mode = |mode: &str| json!({ "existing": mode });
    assert_eq!(outcome(&there(copied(&[1, 3], &mode("error")), &[1])), "plan::target-exists");
    assert_eq!(outcome(&there(copied(&[1, 3], &mode("skip")), &[1])), "record-flow");
    let input = there(copied(&[1, 3], &mode("replace")), &[0, 1]);
    assert_eq!(parts(&input), "replace 1, restore 3");
    assert!(blocked(&input), "rows go before their replacement is there");
    let consents = |kind: &str| {
        let mut input = there(copied(&[1, 3], &mode("replace")), &[0, 1]);
        input.options.allow_drop = vec![format!("{kind}:b.s.t").parse().unwrap()];
        input
    };
    assert!(blocked(&consents("table")), "the consent is to rows");
    let input = consents("rows");
    assert!(!blocked(&input));
    let after = done(input);
    assert_eq!(outcome(&after), "");
    assert_eq!(after.observation.clusters[&name("b")].tables[&table("s.t")].primaries.len(), 3);
    // Nothing is deleted where nothing of what is chosen is there.
    let input = there(copied(&[1, 3], &mode("replace")), &[0, 2]);
    assert_eq!(parts(&input), "restore 1, restore 3");
    assert!(!blocked(&input));
    assert_eq!(outcome(&done(input)), "");
}

#[test]
fn chosen_partitions_are_known_by_their_indices() {
    for mode in ["error", "replace"] {
        let mut input = done(copied(&[1, 3], &json!({ "existing": mode })));
        declare(&mut input, &[1, 2, 3], &json!({ "existing": mode }));
        assert_eq!(parts(&input), "restore 2", "{mode}: one more is chosen");
        assert!(!blocked(&input));
        let mut input = done(input);
        assert_eq!(outcome(&input), "");
        declare(&mut input, &[2], &json!({ "existing": mode }));
        assert_eq!(outcome(&input), "", "what is no longer chosen stays");

        // Somebody made a partition again: as it is not known what was noted, the ledger gets an index to differ from.
        let mut row = input.observation.clusters[&name("b")].ledger.row(&id("copy")).cloned().unwrap();
        row.copies.get_mut(&table("s.t")).unwrap().indices = ["of before".to_owned()].into();
        ledger(&mut input, "b", "copy", row);
        let expected =
            if mode == "error" { "plan::target-exists" } else { "create-snapshot try-restore replace-partition" };
        assert!(outcome(&input).starts_with(expected), "{mode}: {}", outcome(&input));
    }
    let mut input = done(copied(&[1, 3], &json!({ "existing": "replace" })));
    input.options.resync = vec![id("copy")];
    assert_eq!(parts(&input), "replace 1, replace 3");
    assert!(blocked(&input));
}

#[test]
fn partitions_that_changed_are_due_alone() {
    let allow = json!([{ "kind": "rows", "name": "b.s.t" }]);
    let mut input =
        done(copied(&[1, 3], &json!({ "existing": "replace", "repeat": "on-change", "allow_drop": allow })));
    assert_eq!(outcome(&input), "");
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
    source.primaries[2].max_seq_no = Some(99);
    assert_eq!(outcome(&input), "", "it is not chosen");
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
    source.primaries[3].max_seq_no = Some(99);
    let plan = planned(&input).plan;
    assert!(plan.steps.is_empty() && plan.due.len() == 1 && !plan.is_blocked());
    assert_eq!(parts(&input), "replace 3");
    assert_eq!(outcome(&done(input)), "");
    let mut input = done(copied(&[1, 3], &json!({ "existing": "replace", "repeat": { "every": "1d" } })));
    super::world::later(&mut input, 86_400);
    assert_eq!(parts(&input), "replace 1, replace 3");
    assert!(planned(&input).plan.due[0].blocked.len() == 2, "nobody consented");
}

/// The row of a run that was cut, with what it says of partitions.
fn cut(input: &PlanInput, restoring: &[(u32, Option<&str>)]) -> FlowRow {
    let mut row = planned(input).plan.records[0].row.clone();
    assert_eq!(row.state, FlowState::Applying);
    let begun = restoring.iter().map(|(month, index)| (ident(*month), index.map(str::to_owned)));
    row.restoring.insert(table("s.t"), begun.collect());
    row
}

#[test]
fn a_partition_that_a_cut_run_deleted_is_restored_and_half_of_one_needs_no_consent() {
    let fresh = || copied(&[1, 3], &json!({ "existing": "replace" }));
    // Deleted, and not restored.
    let mut input = there(fresh(), &[0, 3]);
    let row = cut(&allowed(there(fresh(), &[0, 1, 3])), &[(1, None)]);
    ledger(&mut input, "b", "copy", row);
    assert_eq!(parts(&input), "restore 1, replace 3");
    let report = planned(&allowed(input.clone())).report;
    let told = &report.flows[&id("copy")].differences;
    assert!(told.iter().any(|it| it.contains("was deleted, and not restored")), "{told:?}");
    let after = done(allowed(input));
    assert_eq!(outcome(&after), "");
    let row = after.observation.clusters[&name("b")].ledger.row(&id("copy")).unwrap();
    assert!(row.restoring.is_empty());

    // Begun: the ledger has the very index.
    let mut input = there(fresh(), &[0, 1]);
    let row = cut(&allowed(there(fresh(), &[0])), &[(1, Some("b-1"))]);
    ledger(&mut input, "b", "copy", row.clone());
    assert_eq!(parts(&input), "replace 1, restore 3");
    assert!(!blocked(&input));
    let plan = planned(&input).plan;
    let replaced = plan.steps.iter().find(|step| step.kind == StepKind::ReplacePartition).unwrap();
    assert_eq!(replaced.consent.as_ref().unwrap().given, Some(ConsentBy::Arriving));

    // Another one has come since, which somebody else may have made.
    let mut foreign = row;
    foreign.restoring.get_mut(&table("s.t")).unwrap().insert(ident(1), Some("gone".to_owned()));
    ledger(&mut input, "b", "copy", foreign);
    assert!(blocked(&input));
}

#[test]
fn refusals() {
    let codes = |input: &PlanInput| outcome(input);
    assert_eq!(codes(&copied(&[9], &json!({}))), "plan::no-such-partition");
    let by_view = json!({ "existing": "replace", "replace_by": "view" });
    assert_eq!(codes(&copied(&[1], &by_view)), "plan::partitions-by-view");
    let mut input = copied(&[1], &json!({}));
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().partitioned_by.clear();
    assert_eq!(codes(&input), "plan::not-partitioned");
    let mut input = copied(&[1], &json!({}));
    let null = Partition(vec![("m".to_owned(), None)]).ident();
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().primaries[0].partition = null;
    let entry = json!([{ "from": "s.t", "partitions": [{ "m": null }] }]);
    declare(&mut input, &[], &json!({ "tables": entry }));
    assert_eq!(codes(&input), "plan::null-partition");
    declare(&mut input, &[], &json!({ "tables": [{ "from": "s.t", "partitions": [{ "id": 1 }] }] }));
    assert_eq!(codes(&input), "plan::partition-columns");
    let mut input = there(copied(&[1], &json!({ "existing": "replace" })), &[0]);
    let other = DEFINED.replace("INTO 1 SHARDS", "INTO 4 SHARDS");
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().definition = Some(other);
    assert_eq!(codes(&input), "plan::other-definition");
    let mut input = there(copied(&[1], &json!({ "existing": "replace" })), &[0]);
    at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable = Some(Writable::Subscribed);
    assert_eq!(codes(&input), "plan::target-subscribed");
}

#[test]
fn a_left_over_of_a_try_is_dropped_first() {
    let mut input = allowed(there(copied(&[1], &json!({ "existing": "replace" })), &[1]));
    let plan = planned(&input).plan;
    let copy = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::RestoreTable(it)) => Some(it.copy.to_string()),
        _ => None,
    });
    tables(&mut input, "b", &[&copy.unwrap()]);
    assert!(
        outcome(&input).ends_with("create-repository drop-table try-restore replace-partition"),
        "{}",
        outcome(&input)
    );
}

#[test]
fn the_audit_knows_partitions() {
    let breaks = |rule: Rule, how: &dyn Fn(&mut Plan)| {
        let mut plan = planned(&allowed(there(copied(&[1, 3], &json!({ "existing": "replace" })), &[1]))).plan;
        assert_eq!(audit(&plan), []);
        how(&mut plan);
        digest_again(&mut plan);
        let found = audit(&plan);
        assert!(found.iter().any(|violation| violation.rule == rule), "{rule:?}: {found:?}");
    };
    let at = |plan: &mut Plan, kind: StepKind| plan.steps.iter().position(|step| step.kind == kind).unwrap();
    let replaced = StepKind::ReplacePartition;
    breaks(Rule::CopyBeforePlace, &|plan| {
        let tried = at(plan, StepKind::TryRestore);
        if let Some(Action::RestoreTable(it)) = &mut plan.steps[tried].action {
            it.partitions.truncate(1);
        }
    });
    breaks(Rule::CopyBeforePlace, &|plan| {
        let made = at(plan, StepKind::CreateSnapshot);
        if let Some(Action::CreateSnapshot(it)) = &mut plan.steps[made].action {
            it.partitions.truncate(1);
        }
    });
    breaks(Rule::KindMatches, &|plan| {
        let step = at(plan, replaced);
        plan.steps[step].sql[0] = "DELETE FROM \"s\".\"t\" WHERE (\"m\" = '2')".to_owned();
    });
    breaks(Rule::KindMatches, &|plan| {
        let step = at(plan, StepKind::TryRestore);
        plan.steps[step].sql[1] = "DROP TABLE \"s\".\"t\"".to_owned();
    });
    breaks(Rule::DropsMarked, &|plan| {
        let step = at(plan, replaced);
        plan.steps[step].destructive = false;
    });
    breaks(Rule::ConsentOrBlocked, &|plan| {
        let step = at(plan, replaced);
        plan.steps[step].consent.as_mut().unwrap().given = Some(ConsentBy::Replace);
    });
    breaks(Rule::ConsentOrBlocked, &|plan| {
        let step = at(plan, replaced);
        plan.steps[step].consent.as_mut().unwrap().given = Some(ConsentBy::Arriving);
    });
    breaks(Rule::DropsGuarded, &|plan| {
        let step = at(plan, replaced);
        let is_partition = |it: &Precondition| matches!(it, Precondition::Unchanged(it) if it.as_partition().is_some());
        plan.steps[step].preconditions.retain(|it| !is_partition(it));
    });
    breaks(Rule::DropsOwn, &|plan| plan.records[0].row.tables.clear());
    breaks(Rule::BasisCovers, &|plan| plan.basis.clear());
}
