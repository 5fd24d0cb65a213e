//! Flows with `then: detach`: what fills them, what the ledger has to say before anything is dropped, what is left over.

use std::collections::{BTreeMap, BTreeSet};

use insta::assert_snapshot;
use serde_json::{Value, json};
use transship_model::ledger::{CopyRow, Detach, FlowState, LedgerView};
use transship_model::observed::{Privilege, RelationState, SubscribedTable, TableKind, Writable};
use transship_model::plan::{ConsentBy, StepKind};
use transship_plan::{PlanInput, Rule, audit, plan, project};

use super::copies::{codes, kinds, outcome, planned};
use super::world::{
    allow_all, at, digest_again, flow, id, later, name, plain_definition, replication, table, tables, world, write_to,
};

const FILL: &str = "create-publication publish-tables create-subscription wait-synced note-synced unpublish-tables \
                    wait-released drop-subscription drop-publication wait-leases-gone";

/// A flow `copy` from a to b with `then: detach`, of `s.t` and whatever else is on a.
fn detaching(entries: &Value, more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    declare(&mut input, entries, more);
    defined(input)
}

fn declare(input: &mut PlanInput, entries: &Value, more: &Value) {
    let mut declared = json!({
        "from": "a", "to": "b", "tables": entries, "strategy": { "logical-replication": { "then": "detach" } },
    });
    let object = declared.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    flow(input, "copy", declared);
}

/// The input with the definition of every table.
fn defined(mut input: PlanInput) -> PlanInput {
    for cluster in ["a", "b"] {
        for (name, table) in &mut at(&mut input, cluster).tables {
            if table.kind == TableKind::Table {
                table.definition = Some(plain_definition(&name.to_string()));
                table.writable = Some(Writable::Yes);
            }
        }
    }
    input
}

/// The input once its plan has been applied.
fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    defined(input)
}

/// A table of that name on the target which the flow did not make.
fn there(mut input: PlanInput, table: &str) -> PlanInput {
    tables(&mut input, "b", &[table]);
    defined(input)
}

fn renamed(more: &Value) -> PlanInput {
    detaching(&json!([{ "from": "s.t", "to": "s.u" }]), more)
}

/// Where a run that was cut has left the flow.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// The subscription fills the tables.
    Filling,
    /// The tables are in sync, and the ledger says so.
    Synced,
    /// And nothing follows them any more.
    LetGo,
    /// Nothing follows tables that are half copies.
    Half,
}

/// The input after a run that was cut.
fn cut(mut input: PlanInput, at_step: Cut) -> PlanInput {
    let plan = planned(&input).plan;
    let object = transship_plan::derived(&name("ws"), None, &id("copy"));
    let source = table("s.t");
    let mut row = plan.records[0].row.clone();
    let ended = done(input.clone());
    let asked = match &ended.observation.clusters[&name("b")].ledger {
        LedgerView::Present(rows) => rows[&id("copy")].row.copies.values().next().expect("a copy").asked.clone(),
        other => panic!("{other:?}"),
    };
    tables(&mut input, "b", &["s.t"]);
    let indices = BTreeSet::from(["b-s.t".to_owned()]);
    let has = transship_model::Contents::of(&at(&mut input, "b").tables[&source]);
    let arriving = BTreeMap::from([(source.clone(), has)]);
    row.detach = Some(Detach { arriving });
    if matches!(at_step, Cut::Synced | Cut::LetGo) {
        let to = row.tables.iter().next().expect("a table").clone();
        let marks = BTreeMap::from([("/0".to_owned(), ("a-s.t".to_owned(), 9))]);
        let note = CopyRow {
            cursor: None,
            from: source.clone(),
            asked,
            holds: None,
            partitions: BTreeSet::new(),
            columns: BTreeSet::new(),
            indices,
            began: input.now,
            rows: 10,
            marks,
        };
        row.placing.insert(to, note);
    }
    super::world::ledger(&mut input, "b", "copy", row);
    if matches!(at_step, Cut::Filling | Cut::Synced) {
        let publication = transship_model::observed::Publication { all_tables: false, tables: [source.clone()].into() };
        at(&mut input, "a").publications.insert(object.clone(), publication);
        let connection = transship_sql::connection::catalog_form(&input.endpoints[&name("a")], Default::default());
        let followed = SubscribedTable::new(RelationState::Monitoring);
        let subscription = transship_model::observed::Subscription {
            connection,
            publications: vec![object.clone()],
            tables: [(source, followed)].into(),
        };
        at(&mut input, "b").subscriptions.insert(object, subscription);
    }
    let follows = matches!(at_step, Cut::Filling | Cut::Synced);
    let mut input = defined(input);
    if follows {
        at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable = Some(Writable::Subscribed);
    }
    input
}

#[test]
fn tables_are_filled_noted_let_go_and_put_in_place() {
    let same = || detaching(&json!(["s.t"]), &json!({}));
    assert_eq!(outcome(&same()), format!("{FILL} take-copy"));
    assert_eq!(outcome(&renamed(&json!({}))), format!("{FILL} take-copy rename-table"));
    let elsewhere = || detaching(&json!([{ "from": "s.t", "to": "other.u" }]), &json!({}));
    assert_eq!(outcome(&elsewhere()), format!("{FILL} create-table take-copy rename-table"));
    let replace = || there(renamed(&json!({ "existing": "replace" })), "s.u");
    assert_eq!(outcome(&replace()), format!("{FILL} take-copy swap-table"));
    let view = || renamed(&json!({ "existing": "replace", "replace_by": "view" }));
    assert_eq!(outcome(&view()), format!("{FILL} take-copy switch-view"));
    for input in [same(), renamed(&json!({})), elsewhere(), replace(), view()] {
        assert_eq!(outcome(&done(input)), "", "the second plan is empty");
    }
}

#[test]
fn statements_are_those_that_the_builders_make() {
    let plan = planned(&detaching(&json!([{ "from": "s.t", "to": "other.u" }]), &json!({}))).plan;
    let sql: Vec<&str> =
        plan.steps.iter().filter(|it| it.flow.is_some()).flat_map(|it| &it.sql).map(String::as_str).collect();
    let aside =
        plan.steps.iter().find(|it| it.kind == StepKind::CreateTable).unwrap().sql[0].split('"').nth(3).unwrap();
    assert_snapshot!(sql.join("\n").replace(aside, "ASIDE"), @r#"
    CREATE PUBLICATION "transship__ws__copy"
    ALTER PUBLICATION "transship__ws__copy" ADD TABLE "s"."t"
    CREATE SUBSCRIPTION "transship__ws__copy" CONNECTION $1 PUBLICATION "transship__ws__copy"
    ALTER PUBLICATION "transship__ws__copy" DROP TABLE "s"."t"
    DROP SUBSCRIPTION IF EXISTS "transship__ws__copy"
    DROP PUBLICATION IF EXISTS "transship__ws__copy"
    CREATE TABLE "other"."ASIDE" (
       "id" BIGINT NOT NULL,
       "v" BIGINT,
       PRIMARY KEY ("id")
    )
    CLUSTERED BY ("id") INTO 1 SHARDS
    WITH (
       "column_policy" = 'strict'
    )
    ALTER CLUSTER SWAP TABLE "s"."t" TO "other"."ASIDE" WITH (drop_source = true)
    ALTER TABLE "other"."ASIDE" RENAME TO "u"
    "#);
    let given: Vec<_> = plan.destructive().map(|step| step.consent.as_ref().unwrap().given.clone()).collect();
    assert_eq!(given, [Some(ConsentBy::Detach), Some(ConsentBy::Detach)]);
}

#[test]
fn every_cell_of_the_table_of_existing() {
    let create = format!("{FILL} take-copy rename-table");
    let replace = format!("{FILL} take-copy swap-table");
    for (mode, not_ours) in [("error", "plan::target-exists"), ("replace", replace.as_str()), ("skip", "record-flow")] {
        let mode = json!({ "existing": mode });
        let found = [outcome(&renamed(&mode)), outcome(&there(renamed(&mode), "s.u")), outcome(&done(renamed(&mode)))];
        assert_eq!(found, [create.as_str(), not_ours, ""], "{mode}");
    }
    let mut again = done(renamed(&json!({ "existing": "replace" })));
    again.options.resync.push(id("copy"));
    assert_eq!(outcome(&again), replace);
}

#[test]
fn grants_pass_to_what_takes_the_place() {
    let mut input = there(renamed(&json!({ "existing": "replace" })), "s.u");
    let privilege = json!({ "class": "TABLE", "ident": "s.u", "kind": "DQL", "granted": true, "grantee": "app" });
    let privilege: Privilege = serde_json::from_value(privilege).expect("a privilege");
    at(&mut input, "b").privileges.as_mut().unwrap().push(privilege);
    assert_eq!(outcome(&input), format!("{FILL} take-copy grant-privileges swap-table"));
}

#[test]
fn what_has_the_name_of_the_source_is_in_the_way() {
    let in_the_way = |input: PlanInput| {
        let found = codes(&input);
        assert!(found.contains(&"plan::in-the-way"), "{found:?}");
    };
    in_the_way(there(renamed(&json!({})), "s.t"));
    in_the_way(there(renamed(&json!({ "existing": "replace" })), "s.t"));
    in_the_way(there(detaching(&json!(["s.t"]), &json!({ "existing": "replace" })), "s.t"));
    in_the_way(detaching(&json!(["s.t"]), &json!({ "existing": "replace", "replace_by": "view" })));
    in_the_way(detaching(&json!(["s.t"]), &json!({ "existing": "replace", "repeat": { "every": "1h" } })));
    let mut chain = world(&["a", "b"]);
    tables(&mut chain, "a", &["s.t", "s.u"]);
    declare(&mut chain, &json!([{ "from": "s.t", "to": "s.u" }, { "from": "s.u", "to": "s.v" }]), &json!({}));
    in_the_way(defined(chain));
}

#[test]
fn nobody_elses_publication_is_taken_over() {
    let object = transship_plan::derived(&name("ws"), None, &id("copy"));
    let mut input = renamed(&json!({}));
    at(&mut input, "a").publications.insert(object, transship_model::observed::Publication::default());
    assert!(codes(&input).contains(&"plan::unmanaged"));
}

#[test]
fn what_follows_for_good_is_not_what_is_copied_once() {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    replication(&mut input, "copy", "a", "b", &["s.t"]);
    let mut followed = done(input);
    declare(&mut followed, &json!(["s.t"]), &json!({}));
    assert_eq!(codes(&followed), ["plan::moved"]);
    let mut copied = done(detaching(&json!(["s.t"]), &json!({})));
    replication(&mut copied, "copy", "a", "b", &["s.t"]);
    assert!(codes(&copied).contains(&"plan::moved"));
}

#[test]
fn a_run_that_was_cut_before_the_note_goes_on_with_its_subscription() {
    let rest =
        "wait-synced note-synced unpublish-tables wait-released drop-subscription drop-publication wait-leases-gone";
    assert_eq!(outcome(&cut(renamed(&json!({})), Cut::Filling)), format!("{rest} take-copy rename-table"));
    assert_eq!(outcome(&cut(detaching(&json!(["s.t"]), &json!({})), Cut::Filling)), format!("{rest} take-copy"));
    let mut failed = cut(renamed(&json!({})), Cut::Filling);
    let object = transship_plan::derived(&name("ws"), None, &id("copy"));
    let subscription = at(&mut failed, "b").subscriptions.get_mut(&object).unwrap();
    subscription.tables.get_mut(&table("s.t")).unwrap().state = RelationState::Failed;
    let kinds = outcome(&failed);
    assert!(kinds.starts_with("drop-subscription") && kinds.contains("drop-table"), "{kinds}");
    assert!(planned(&failed).plan.blocked.is_empty(), "a half copy of its own needs no consent");
}

#[test]
fn a_table_that_was_in_the_way_of_the_subscription_is_not_its_half_copy() {
    let mut failed = cut(renamed(&json!({})), Cut::Filling);
    for subscription in at(&mut failed, "b").subscriptions.values_mut() {
        for known in subscription.tables.values_mut() {
            (known.state, known.reason) = (RelationState::Failed, Some("Relation already exists".to_owned()));
        }
    }
    at(&mut failed, "b").tables.get_mut(&table("s.t")).unwrap().primaries[0].max_seq_no = Some(99);
    assert!(codes(&failed).contains(&"plan::in-the-way"));
    // A subscription lists tables that it could not make yet, whoever makes them then.
    let mut listed = cut(renamed(&json!({})), Cut::Filling);
    let theirs = at(&mut listed, "b").tables.get_mut(&table("s.t")).unwrap();
    (theirs.writable, theirs.primaries[0].max_seq_no) = (Some(Writable::Yes), Some(99));
    assert!(codes(&listed).contains(&"plan::in-the-way"));
}

#[test]
fn a_table_that_is_in_place_under_its_own_name_is_no_half_copy_of_a_run_that_did_not_end() {
    let mut input = cut(detaching(&json!(["s.t"]), &json!({})), Cut::LetGo);
    let LedgerView::Present(rows) = &mut at(&mut input, "b").ledger else { panic!("a ledger") };
    let row = &mut rows.get_mut(&id("copy")).unwrap().row;
    row.copies = std::mem::take(&mut row.placing);
    assert_eq!((row.state, row.copies.len()), (FlowState::Applying, 1));
    assert_eq!(outcome(&input), "record-flow");
    input.options.resync.push(id("copy"));
    assert_eq!(codes(&input), ["plan::edited"], "a subscription cannot make it again while it is there");
}

#[test]
fn a_half_copy_that_nothing_follows_is_known_and_cleared() {
    for input in [renamed(&json!({})), detaching(&json!(["s.t"]), &json!({ "existing": "replace" }))] {
        let input = cut(input, Cut::Half);
        let plan = planned(&input).plan;
        assert!(kinds(&plan).starts_with("drop-table create-publication"), "{}", kinds(&plan));
        assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
        let given =
            &plan.steps.iter().find(|it| it.kind == StepKind::DropTable).unwrap().consent.as_ref().unwrap().given;
        assert_eq!(*given, Some(ConsentBy::Arriving));
        assert_eq!(outcome(&done(input.clone())), "");
        // Another table of the name is somebody else's.
        let mut other = input;
        at(&mut other, "b").tables.get_mut(&table("s.t")).unwrap().primaries[0].uuid = Some("another".to_owned());
        assert!(codes(&other).contains(&"plan::in-the-way"));
        // Unless somebody consents to drop it.
        allow_all(&mut other);
        let step = planned(&other).plan.steps.into_iter().find(|it| it.kind == StepKind::DropTable).expect("a drop");
        assert!(matches!(step.consent.unwrap().given, Some(ConsentBy::Flag(_) | ConsentBy::Spec(_))));
    }
    // Nobody wants it any more.
    let mut unwanted = cut(renamed(&json!({ "existing": "skip" })), Cut::Half);
    unwanted = there(unwanted, "s.u");
    assert_eq!(outcome(&unwanted), "drop-table");
}

#[test]
fn what_the_ledger_has_in_sync_is_let_go_and_put_in_place() {
    let clear = "unpublish-tables wait-released drop-subscription drop-publication wait-leases-gone";
    assert_eq!(outcome(&cut(renamed(&json!({})), Cut::Synced)), format!("{clear} take-copy rename-table"));
    assert_eq!(outcome(&cut(renamed(&json!({})), Cut::LetGo)), "take-copy rename-table");
    // The tables have left the publication, and the target has yet to see that.
    let mut leaving = cut(renamed(&json!({})), Cut::Synced);
    at(&mut leaving, "a").publications.values_mut().for_each(|publication| publication.tables.clear());
    let rest = clear.strip_prefix("unpublish-tables ").expect("it begins with that");
    assert_eq!(outcome(&leaving), format!("{rest} take-copy rename-table"));
    let same = || detaching(&json!(["s.t"]), &json!({}));
    assert_eq!(outcome(&cut(same(), Cut::Synced)), clear);
    assert_eq!(outcome(&cut(same(), Cut::LetGo)), "record-flow");
    for input in [cut(renamed(&json!({})), Cut::Synced), cut(renamed(&json!({})), Cut::LetGo), cut(same(), Cut::Synced)]
    {
        assert_eq!(outcome(&done(input)), "");
    }
}

#[test]
fn a_copy_falls_due_apart_from_what_was_reviewed() {
    let more = json!({ "existing": "replace", "repeat": { "every": "24h" } });
    let mut input = done(renamed(&more));
    assert_eq!(outcome(&input), "");
    later(&mut input, 24 * 3600);
    let plan = planned(&input).plan;
    assert_eq!((plan.steps.len(), plan.due.len()), (0, 1));
    let due: Vec<&str> = plan.due[0].steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(due.join(" "), format!("{FILL} take-copy swap-table"));

    let mut changed = done(renamed(&json!({ "existing": "replace", "repeat": "on-change" })));
    assert!(planned(&changed).plan.due.is_empty(), "nothing was written since");
    write_to(&mut changed, "a", "s.t");
    assert_eq!(planned(&changed).plan.due.len(), 1);
}

#[test]
fn a_removed_flow_takes_down_what_it_consented_to_drop() {
    let mut input = cut(renamed(&json!({})), Cut::Filling);
    input.spec.flows.clear();
    let plan = plan(&input).expect("a plan").plan;
    assert_eq!(audit(&plan), []);
    assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
    assert!(plan.warnings.iter().any(|note| note.code == "plan::stays-incomplete"), "{:?}", plan.warnings);
    assert_eq!(plan.records[0].row.state, FlowState::Removing);
}

#[test]
fn nothing_is_let_go_before_the_ledger_says_that_it_is_whole() {
    let broken = |kind: StepKind| {
        let mut plan = planned(&renamed(&json!({}))).plan;
        let at = plan.steps.iter().position(|step| step.kind == kind).unwrap();
        let gone = plan.steps.remove(at);
        for step in &mut plan.steps {
            if step.depends_on.contains(&gone.id) {
                step.depends_on.clone_from(&gone.depends_on);
            }
        }
        digest_again(&mut plan);
        audit(&plan).into_iter().map(|violation| violation.rule).collect::<BTreeSet<Rule>>()
    };
    assert!(broken(StepKind::NoteSynced).contains(&Rule::SyncedFirst));
    assert!(broken(StepKind::TakeCopy).contains(&Rule::CopyBeforePlace));
}
