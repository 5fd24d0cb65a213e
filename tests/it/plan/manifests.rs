//! Flows that end in a store, and flows that begin in one.

use serde_json::{Value, json};
use transship_model::ledger::{LedgerView, StoreEnd};
use transship_model::manifest::Manifest;
use transship_model::plan::{Action, ObjectKind, StepKind};
use transship_model::store::{DirectoryLocation, SeenExport, SeenManifest, StoreLocation, StoreTrouble};
use transship_plan::{PlanInput, plan, project, wanted, wanted_stores};

use super::copies::{codes, kinds, outcome, planned, there};
use super::world::{at, flow, id, later, ledger, name, plain_definition, table, tables, world, write_to};

fn directory() -> StoreLocation {
    StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() })
}

/// What was found in a place of the store `disk`.
fn seen(input: &mut PlanInput, place: &str, found: SeenExport) {
    input.observation.stores.entry(name("disk")).or_default().exports.insert(place.to_owned(), found);
}

/// A flow `out` of `s.t` and `s.u` from a to a store, with more keys.
pub(super) fn to_store(more: &Value) -> PlanInput {
    let mut input = world(&["a"]);
    tables(&mut input, "a", &["s.t", "s.u"]);
    define(&mut input);
    input.stores.insert(name("disk"), directory());
    seen(&mut input, "ws/out", SeenExport::Absent);
    declare(&mut input, more);
    input
}

fn define(input: &mut PlanInput) {
    for name in ["s.t", "s.u"] {
        at(input, "a").tables.get_mut(&table(name)).unwrap().definition = Some(plain_definition(name));
    }
}

fn declare(input: &mut PlanInput, more: &Value) {
    let mut declared = json!({
        "from": "a", "to": { "store": "disk" }, "tables": ["s.t", "s.u"], "strategy": { "export-import": {} },
    });
    declared.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    flow(input, "out", declared);
}

/// The input once its plan has been applied.
fn done(mut input: PlanInput) -> PlanInput {
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    input.options.resync.clear();
    if input.observation.clusters.contains_key(&name("a")) {
        define(&mut input);
    }
    input
}

/// A manifest of `s.t` in the directory `in/7`.
fn manifest() -> Manifest {
    let column = |name: &str| json!({ "name": name, "data_type": "bigint", "nullable": name != "id" });
    let value = json!({
        "format_version": 1, "format": "json", "compression": "gzip",
        "tables": [{
            "table": "s.t", "definition": plain_definition("s.t").replace(" IF NOT EXISTS", ""),
            "columns": [column("id"), column("v")], "primary_key": ["id"], "clustered_by": "id", "rows": 3,
            "files": [{ "path": "s.t/part 1.json.gz", "size": 40, "sha256": "0".repeat(64), "rows": 3 }],
        }],
    });
    Manifest::read(value.to_string().as_bytes()).expect("a manifest")
}

fn found(manifest: Manifest) -> SeenExport {
    let (directory, sha256) = ("in/7".to_owned(), "1".repeat(64));
    SeenExport::Found(Box::new(SeenManifest { directory, sha256, manifest, damaged: Default::default() }))
}

/// A flow `in` of `s.t` from a store to b, with one table entry and more keys.
pub(super) fn from_store(entry: &Value, more: &Value) -> PlanInput {
    let mut input = world(&["b"]);
    input.stores.insert(name("disk"), directory());
    seen(&mut input, "", found(manifest()));
    let mut declared = json!({
        "from": { "store": "disk" }, "to": "b", "tables": [entry], "strategy": { "export-import": {} },
    });
    declared.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    flow(&mut input, "in", declared);
    input
}

fn existing(mode: &str) -> PlanInput {
    from_store(&json!("s.t"), &json!({ "existing": mode }))
}

#[test]
fn an_export_writes_its_manifest_last_and_the_next_plan_is_empty() {
    let input = to_store(&json!({}));
    let plan = planned(&input).plan;
    assert_eq!(kinds(&plan), "export-rows export-rows write-manifest");
    let Some(Action::WriteManifest(action)) = &plan.steps.last().unwrap().action else { panic!("a manifest") };
    assert_eq!((action.path.as_str(), action.store.as_str()), ("ws/out/1", "disk"));
    let tables = &action.manifest.tables;
    assert_eq!(tables[0].definition.lines().next(), Some("CREATE TABLE \"s\".\"t\" ("));
    assert_eq!((tables.len(), tables[0].columns.len(), &tables[0].primary_key), (2, 2, &vec!["id".to_owned()]));
    // The ledger of the source has the row, and no table of a target.
    let record = &plan.records[0];
    assert_eq!((record.cluster.as_str(), &record.row.end), ("a", &Some(StoreEnd::To(name("disk")))));
    assert!(record.row.tables.is_empty() && record.row.done([]).made.is_empty());
    let after = done(input);
    assert_eq!(outcome(&after), "");
    let wanted = wanted_stores(&after);
    assert_eq!(wanted[&name("disk")].iter().collect::<Vec<_>>(), ["ws/out"]);
}

#[test]
fn all_tables_are_exported_again_when_one_has_to_be() {
    let whole = "export-rows export-rows write-manifest remove-files";
    let first = || done(to_store(&json!({ "repeat": "on-change" })));
    let mut resync = first();
    resync.options.resync = vec![id("out")];
    let mut edited = first();
    declare(&mut edited, &json!({ "tables": ["s.t", { "from": "s.u", "where": "v > 1" }] }));
    let mut packed = first();
    declare(&mut packed, &json!({ "strategy": { "export-import": { "compression": "gzip" } } }));
    let mut gone = first();
    seen(&mut gone, "ws/out", SeenExport::Absent);
    let mut damaged = first();
    if let Some(SeenExport::Found(found)) =
        damaged.observation.stores.get_mut(&name("disk")).unwrap().exports.get_mut("ws/out")
    {
        found.damaged.insert("s.t/x.json".to_owned(), "it is not there".to_owned());
    }
    let mut other = first();
    seen(&mut other, "ws/out", found(manifest()));
    for (input, why) in [
        (resync, "--resync out"),
        (edited, "edited"),
        (packed, "edited"),
        (gone, "is gone"),
        (damaged, "s.t/x.json: it is not there"),
        (other, "in/7 is"),
    ] {
        let plan = planned(&input).plan;
        assert_eq!(kinds(&plan), whole, "{why}");
        let because = &plan.steps[0].because;
        assert!(because.contains(why), "{because}");
        assert_eq!(outcome(&done(input)), "");
    }
    // One table fewer is another export, too, and the ledger forgets the table.
    let mut fewer = first();
    declare(&mut fewer, &json!({ "tables": ["s.t"] }));
    assert_eq!(outcome(&fewer), "export-rows write-manifest remove-files");
    assert_eq!(outcome(&done(fewer)), "");
}

#[test]
fn what_fell_due_is_exported_apart_from_what_was_reviewed() {
    let first = done(to_store(&json!({ "repeat": "on-change", "strategy": { "export-import": { "keep": 2 } } })));
    assert!(planned(&first).plan.is_empty());
    let mut changed = first.clone();
    write_to(&mut changed, "a", "s.u");
    let plan = planned(&changed).plan;
    assert_eq!((plan.steps.len(), plan.due.len()), (0, 1));
    let kinds: Vec<&str> = plan.due[0].steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["export-rows", "export-rows", "write-manifest"], "two are kept");
    assert!(planned(&done(changed)).plan.is_empty());

    let mut daily = done(to_store(&json!({ "repeat": { "every": "1d" } })));
    later(&mut daily, 86_399);
    assert!(planned(&daily).plan.is_empty());
    later(&mut daily, 1);
    assert_eq!(planned(&daily).plan.due.len(), 1);
}

#[test]
fn a_store_that_this_machine_does_not_reach_is_refused() {
    let trouble = StoreTrouble {
        code: "store::no-bucket".to_owned(),
        message: "store `disk`: no such bucket".to_owned(),
        help: Some("make it".to_owned()),
        key: Some("stores.disk.s3.bucket".to_owned()),
    };
    for mut input in [to_store(&json!({})), existing("error")] {
        input.observation.stores.get_mut(&name("disk")).unwrap().trouble = Some(trouble.clone());
        let findings = plan(&input).expect_err("is refused");
        assert_eq!((findings[0].code, findings[0].help.as_deref()), ("plan::store-unreachable", Some("make it")));
        assert!(findings[0].message.contains("store::no-bucket"), "{}", findings[0].message);
        input.observation.stores.clear();
        assert_eq!(codes(&input), ["plan::not-observed"]);
    }
}

#[test]
fn a_flow_that_changes_its_ends_was_another_flow() {
    let mut input = done(to_store(&json!({})));
    declare(&mut input, &json!({ "to": "b" }));
    assert!(codes(&input).contains(&"plan::moved") || codes(&input).contains(&"plan::needs-clusters"));
    // A flow between clusters becomes one that ends in a store.
    let mut input = super::export::existing("error");
    let plan = planned(&input).plan;
    input.observation = project(&input, &plan);
    flow(
        &mut input,
        "copy",
        json!({ "from": "a", "to": { "store": "disk" }, "tables": ["s.t"], "strategy": { "export-import": {} } }),
    );
    seen(&mut input, "ws/copy", SeenExport::Absent);
    assert_eq!(codes(&input), ["plan::moved"]);
    // One that is gone from the spec is forgotten, and its files stay.
    let mut input = done(to_store(&json!({})));
    input.spec.flows.clear();
    assert_eq!(outcome(&input), "record-flow");
}

#[test]
fn every_mode_of_existing_compares_the_files_before_it_touches_the_target() {
    let create = "check-files create-table import-rows rename-table";
    let replace = "check-files create-table import-rows swap-table";
    let cells = [
        ("error", [create, "plan::target-exists", ""]),
        ("replace", [create, replace, ""]),
        ("append", [create, "check-files import-rows", ""]),
        ("upsert", [create, "check-files import-rows", ""]),
        ("skip", [create, "record-flow", ""]),
    ];
    for (mode, expected) in cells {
        let found = [outcome(&existing(mode)), outcome(&there(existing(mode))), outcome(&done(existing(mode)))];
        assert_eq!(found, expected, "existing: {mode}");
    }
    let view = from_store(&json!("s.t"), &json!({ "existing": "replace", "replace_by": "view" }));
    assert_eq!(outcome(&view), "check-files create-table import-rows switch-view");
}

#[test]
fn the_manifest_says_what_is_made_and_read() {
    let input = from_store(&json!({ "from": "s.t", "to": "crm.people" }), &json!({ "target": { "shards": 3 } }));
    assert!(wanted(&there(existing("upsert")))[&name("b")].definitions.contains(&table("s.t")));
    let plan = planned(&input).plan;
    let of = |kind| plan.steps.iter().find(|step| step.kind == kind).expect("such a step");
    let made = &of(StepKind::CreateTable).sql[0];
    assert!(made.starts_with("CREATE TABLE \"crm\".\"transship__") && made.contains("INTO 3 SHARDS"), "{made}");
    let import = of(StepKind::ImportRows);
    assert!(import.sql[0].contains("compression = 'gzip'"), "{}", import.sql[0]);
    assert_eq!(import.params[0].shown, "file:///exchange/in/7/*");
    assert!(plan.basis.iter().any(|basis| basis.object.kind == ObjectKind::Export));
    assert_eq!(plan.records[0].row.end, Some(StoreEnd::From(name("disk"))));
}

#[test]
fn another_export_is_a_change() {
    let first = done(from_store(&json!("s.t"), &json!({ "existing": "replace", "repeat": "on-change" })));
    assert!(planned(&first).plan.is_empty());
    // The same rows in the same files, written anew.
    let mut same = first.clone();
    let again = SeenManifest {
        directory: "in/8".to_owned(),
        sha256: "2".repeat(64),
        manifest: manifest(),
        damaged: Default::default(),
    };
    seen(&mut same, "", SeenExport::Found(Box::new(again)));
    assert!(planned(&same).plan.is_empty());
    let mut other = first;
    let mut newer = manifest();
    newer.tables[0].files[0].sha256 = "2".repeat(64);
    seen(&mut other, "", found(newer));
    let there = at(&mut other, "b").tables.get_mut(&table("s.t")).unwrap();
    there.writable = Some(transship_model::observed::Writable::Yes);
    let plan = planned(&other).plan;
    assert_eq!((plan.steps.len(), plan.due.len()), (0, 1));
    assert!(plan.due[0].basis.iter().any(|basis| basis.object.kind == ObjectKind::Export));
    assert!(planned(&done(other)).plan.is_empty());
}

#[test]
fn what_cannot_be_relied_on_is_refused() {
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut input = existing("error");
        let mut changed = manifest();
        change(&mut changed);
        seen(&mut input, "", found(changed));
        codes(&input)
    };
    assert_eq!(with(&|it| it.tables[0].definition = "CREATE".to_owned()), ["plan::bad-manifest"]);
    assert_eq!(with(&|it| drop(it.tables[0].columns.pop())), ["plan::bad-manifest"]);
    assert_eq!(with(&|it| it.tables[0].primary_key.clear()), ["plan::bad-manifest"]);
    let bit = |it: &mut Manifest| {
        it.tables[0].definition = it.tables[0].definition.replace("\"v\" BIGINT", "\"v\" NUMERIC(30, 2)");
        it.tables[0].columns[1].data_type = "numeric".to_owned();
    };
    assert_eq!(with(&bit), ["plan::bad-manifest"]);
    let as_text = |it: &mut Manifest| {
        bit(it);
        it.tables[0].as_text.push("v".to_owned());
    };
    let mut input = existing("error");
    let mut changed = manifest();
    as_text(&mut changed);
    seen(&mut input, "", found(changed));
    assert_eq!(outcome(&input), "check-files create-table import-rows rename-table");

    let of = |found: SeenExport| {
        let mut input = existing("error");
        seen(&mut input, "", found);
        codes(&input)
    };
    assert_eq!(of(SeenExport::Absent), ["plan::no-export"]);
    assert_eq!(of(SeenExport::Several(vec!["a/b".to_owned(), "a/c".to_owned()])), ["plan::which-export"]);
    let unreadable = SeenExport::Unreadable { path: "latest.json".to_owned(), reason: "no".to_owned() };
    assert_eq!(of(unreadable), ["plan::bad-manifest"]);
    let SeenExport::Found(mut damaged) = found(manifest()) else { unreachable!("a manifest") };
    damaged.damaged.insert("s.t/part 1.json.gz".to_owned(), "it is not there".to_owned());
    assert_eq!(of(SeenExport::Found(damaged)), ["plan::export-damaged"]);
    // Tables that the manifest does not have.
    assert_eq!(codes(&from_store(&json!("s.other"), &json!({}))), ["plan::no-such-table"]);
    let mut common = existing("error");
    at(&mut common, "b").superuser = Some(false);
    assert_eq!(codes(&common), ["plan::needs-superuser"]);
}

#[test]
fn what_the_same_plan_exports_anew_is_not_imported_in_it() {
    let mut input = to_store(&json!({}));
    let other = world(&["b"]);
    input.spec.clusters.extend(other.spec.clusters);
    input.endpoints.extend(other.endpoints);
    input.observation.clusters.extend(other.observation.clusters);
    flow(
        &mut input,
        "in",
        json!({ "from": { "store": "disk", "export": "ws/out" }, "to": "b", "tables": ["s.t"],
            "strategy": { "export-import": {} } }),
    );
    assert_eq!(codes(&input), ["plan::no-export"]);
    let SeenExport::Found(mut before) = found(manifest()) else { unreachable!("a manifest") };
    before.directory = "ws/out/4".to_owned();
    seen(&mut input, "ws/out", SeenExport::Found(before));
    assert_eq!(codes(&input), ["plan::export-comes-first"]);
    input.options.targets = vec![transship_model::Glob("in".to_owned())];
    assert!(matches!(at(&mut input, "a").ledger, LedgerView::Absent));
    assert_eq!(outcome(&input), "check-files create-table import-rows rename-table");
}

#[test]
fn files_of_runs_that_failed_go_with_the_next_export() {
    let mut input = done(to_store(&json!({ "strategy": { "export-import": { "keep": 5 } } })));
    let mut row = at(&mut input, "a").ledger.row(&id("out")).expect("a row").clone();
    row.exports.insert(2, transship_model::ledger::ExportRow { whole: false, ..row.exports[&1].clone() });
    ledger(&mut input, "a", "out", row);
    input.options.resync = vec![id("out")];
    let plan = planned(&input).plan;
    let removes = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::RemoveFiles(files)) => Some(files.exports.keys().copied().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(removes, Some(vec![2]));
    let Some(Action::WriteManifest(manifest)) = &plan.steps[plan.steps.len() - 2].action else { panic!("a manifest") };
    assert_eq!(manifest.path, "ws/out/3");
}

/// A flow that was taken out and declared again has exports that no ledger knows; other tools may be reading them.
#[test]
fn exports_that_the_ledger_does_not_know_are_not_overwritten() {
    let mut input = to_store(&json!({}));
    let SeenExport::Found(mut lying) = found(manifest()) else { unreachable!("a manifest") };
    lying.directory = "ws/out/8".to_owned();
    seen(&mut input, "ws/out", SeenExport::Found(lying));
    let plan = planned(&input).plan;
    let written = plan.steps.iter().find_map(|step| match &step.action {
        Some(Action::WriteManifest(manifest)) => Some(manifest.path.clone()),
        _ => None,
    });
    assert_eq!(written.as_deref(), Some("ws/out/9"));
    assert_eq!(outcome(&done(input)), "");
}
