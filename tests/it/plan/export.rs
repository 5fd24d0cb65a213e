//! Flows through files in a store: steps, numbers of exports, what is refused.

use serde_json::{Value, json};
use transship_model::observed::Privilege;
use transship_model::plan::{Action, StepKind};
use transship_model::spec::Protocol;
use transship_model::store::{DirectoryLocation, ObservedStore, S3Location, StoreLocation, StoreTrouble};
use transship_plan::PlanInput;

use super::copies::{codes, done, outcome, planned, there};
use super::world::{at, flow, id, ledger, name, plain_definition, table, tables, world};

fn directory() -> StoreLocation {
    StoreLocation::Directory(DirectoryLocation { path: "/exchange".to_owned() })
}

fn s3() -> StoreLocation {
    StoreLocation::S3(S3Location {
        bucket: "b".to_owned(),
        prefix: "p".to_owned(),
        region: None,
        endpoint: Some("minio:9000".parse().expect("an address")),
        path_style: true,
        protocol: Protocol::Http,
        has_keys: true,
    })
}

/// A flow `copy` of `s.t` from a to b through a store.
pub(super) fn through(location: StoreLocation, tables_of: &Value, more: &Value) -> PlanInput {
    let mut input = world(&["a", "b"]);
    tables(&mut input, "a", &["s.t"]);
    at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap().definition = Some(plain_definition("s.t"));
    input.stores.insert(name("disk"), location);
    declare(&mut input, tables_of, more);
    input
}

fn declare(input: &mut PlanInput, tables_of: &Value, more: &Value) {
    let mut declared = json!({
        "from": "a", "to": "b", "tables": tables_of, "strategy": { "export-import": { "store": "disk" } },
    });
    declared.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    flow(input, "copy", declared);
}

pub(super) fn existing(mode: &str) -> PlanInput {
    through(directory(), &json!(["s.t"]), &json!({ "existing": mode }))
}

#[test]
fn every_mode_of_existing_exports_before_it_touches_the_target() {
    let create = "check-store export-rows create-table import-rows rename-table";
    let replace = "check-store export-rows create-table import-rows swap-table";
    let cells = [
        ("error", [create, "plan::target-exists", ""]),
        ("replace", [create, replace, ""]),
        ("append", [create, "check-store export-rows import-rows", ""]),
        ("upsert", [create, "check-store export-rows import-rows", ""]),
        ("skip", [create, "record-flow", ""]),
    ];
    for (mode, expected) in cells {
        let found = [outcome(&existing(mode)), outcome(&there(existing(mode))), outcome(&done(existing(mode)))];
        assert_eq!(found, expected, "existing: {mode}");
    }
}

#[test]
fn statements_name_every_column_and_no_secret() {
    let some = json!([{ "from": "s.t", "where": "v > 1" }]);
    let packed = json!({ "strategy": { "export-import": { "store": "disk", "compression": "gzip" } } });
    let plan = planned(&through(s3(), &some, &packed)).plan;
    // With a list of columns CrateDB fails to write to a bucket what is not packed.
    assert_eq!(outcome(&through(s3(), &some, &json!({}))), WRITTEN);
    let of = |kind| plan.steps.iter().find(|step| step.kind == kind).expect("such a step");
    let (export, import) = (of(StepKind::ExportRows), of(StepKind::ImportRows));
    assert_eq!(
        export.sql,
        [
            "COPY \"s\".\"t\" (\"id\", \"v\") WHERE ((v > 1) = true) TO DIRECTORY $1 WITH (format = 'json_object', compression = 'gzip', \"protocol\" = 'http')"
        ]
    );
    assert_eq!(export.params[0].shown, "s3://***:***@minio:9000/b/p/ws/copy/1/s.t");
    assert_eq!(import.params[0].shown, "s3://***:***@minio:9000/b/p/ws/copy/1/s.t/*");
    let Some(Action::ExportRows(rows)) = &export.action else { panic!("an export") };
    assert_eq!(rows.count, "SELECT count(*) AS count FROM \"s\".\"t\" WHERE ((v > 1) = true)");
    assert!(rows.directory.is_none(), "a bucket needs none");
    assert_eq!(plan.records[0].row.exports[&1].path, "ws/copy/1");
}

#[test]
fn a_directory_is_made_by_a_repository_that_is_dropped_again() {
    let plan = planned(&existing("error")).plan;
    let export = plan.steps.iter().find(|step| step.kind == StepKind::ExportRows).expect("an export");
    let Some(Action::ExportRows(rows)) = &export.action else { panic!("an export") };
    let made = rows.directory.as_ref().expect("a directory");
    assert_eq!(
        (made.create.as_str(), made.drop.as_str()),
        (
            "CREATE REPOSITORY \"transship__ws__copy\" TYPE fs WITH (\"location\" = '/exchange/ws/copy/1/s.t')",
            "DROP REPOSITORY \"transship__ws__copy\""
        )
    );
    assert_eq!(export.params[0].shown, "file:///exchange/ws/copy/1/s.t");
}

#[test]
fn a_marker_comes_before_the_first_export_where_the_source_writes_and_both_users_may_make_repositories() {
    let plan = planned(&existing("replace")).plan;
    let step = plan.steps.iter().find(|step| step.flow.is_some()).expect("a step of the flow");
    let Some(Action::CheckStore(check)) = &step.action else { panic!("the first step is no marker: {:?}", step.kind) };
    assert!(!check.required, "files are read where no repository is allowed");
    assert_eq!((&check.writer, &step.cluster), (&name("a"), &name("b")));
    assert!(plan.warnings.iter().any(|warning| warning.code == "plan::store-to-show"));
    let again = |mut input: PlanInput| {
        input.options.resync = vec![id("copy")];
        at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable =
            Some(transship_model::observed::Writable::Yes);
        outcome(&input)
    };
    let shown = done(existing("replace"));
    let next = "export-rows create-table import-rows swap-table remove-files";
    assert_eq!(again(shown.clone()), next, "an import has shown it");
    // An export that nobody has imported, or one through another store, shows nothing.
    for change in
        [(|row| row.whole = false) as fn(&mut transship_model::ledger::ExportRow), |row| row.store = name("elsewhere")]
    {
        let mut input = shown.clone();
        let mut row = at(&mut input, "b").ledger.row(&id("copy")).expect("a row").clone();
        row.exports.values_mut().for_each(change);
        ledger(&mut input, "b", "copy", row);
        assert_eq!(again(input), format!("check-store {next}"));
    }
    // Without DDL on both clusters the copy itself shows it.
    let packed = json!({ "strategy": { "export-import": { "store": "disk", "compression": "gzip" } } });
    for cluster in ["a", "b"] {
        let mut input = through(s3(), &json!(["s.t"]), &packed);
        assert_eq!(outcome(&input), WHOLE);
        let observed = at(&mut input, cluster);
        let user = observed.user.clone();
        observed.users.as_mut().expect("users").get_mut(&user).expect("a user").superuser = false;
        observed.privileges = Some(["DQL", "DML", "AL"].map(|kind| on_cluster(&user, kind)).to_vec());
        if cluster == "b" {
            let on_schema = |schema: &str| Privilege {
                class: "SCHEMA".to_owned(),
                ident: Some(schema.to_owned()),
                ..on_cluster(&user, "DDL")
            };
            observed.privileges.as_mut().expect("some").extend(["s", "transship"].map(on_schema));
        }
        assert_eq!(outcome(&input), WHOLE.trim_start_matches("check-store "), "without DDL on {cluster}");
    }
}

fn on_cluster(user: &str, kind: &str) -> Privilege {
    Privilege {
        grantee: user.to_owned(),
        kind: kind.to_owned(),
        class: "CLUSTER".to_owned(),
        ident: None,
        granted: true,
    }
}

#[test]
fn exports_are_counted_by_the_ledger_and_kept_as_many_as_declared() {
    let again = |mut input: PlanInput, keep: u32| {
        let strategy = json!({ "existing": "replace",
            "strategy": { "export-import": { "store": "disk", "keep": keep } } });
        declare(&mut input, &json!(["s.t"]), &strategy);
        input.options.resync = vec![id("copy")];
        at(&mut input, "b").tables.get_mut(&table("s.t")).unwrap().writable =
            Some(transship_model::observed::Writable::Yes);
        input
    };
    let first = done(existing("replace"));
    let row = at(&mut first.clone(), "b").ledger.row(&id("copy")).expect("a row").clone();
    assert!(row.exports[&1].whole);
    let second = planned(&again(first.clone(), 1)).plan;
    assert_eq!(second.steps.last().map(|step| step.kind), Some(StepKind::RemoveFiles));
    assert_eq!(second.records[0].row.exports.keys().copied().collect::<Vec<_>>(), [1, 2]);
    let kept = planned(&again(first.clone(), 2)).plan;
    assert!(kept.steps.iter().all(|step| step.kind != StepKind::RemoveFiles));
    let mut after = done(again(first.clone(), 1));
    assert_eq!(at(&mut after, "b").ledger.row(&id("copy")).unwrap().exports.keys().collect::<Vec<_>>(), [&2]);

    // What a run left that failed goes, however many are kept.
    let mut failed = first;
    let mut row = row;
    row.exports.insert(2, transship_model::ledger::ExportRow { whole: false, ..row.exports[&1].clone() });
    ledger(&mut failed, "b", "copy", row);
    let next = planned(&again(failed, 5)).plan;
    let removes = next.steps.iter().find_map(|step| match &step.action {
        Some(Action::RemoveFiles(files)) => Some(files.exports.keys().copied().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(removes, Some(vec![2]));
    assert_eq!(next.records[0].row.exports.keys().last(), Some(&3));
}

/// A flow of `s.t` whose column `v` has another type, with more settings of the strategy.
fn with_type(columns: &Value, data_type: &str, catalog: &str, format: &str) -> PlanInput {
    let strategy =
        json!({ "strategy": { "export-import": { "store": "disk", "format": format, "compression": "gzip" } } });
    let mut input = through(s3(), &json!([{ "from": "s.t", "columns": columns }]), &strategy);
    let source = at(&mut input, "a").tables.get_mut(&table("s.t")).unwrap();
    source.definition = Some(plain_definition("s.t").replace("\"v\" BIGINT", &format!("\"v\" {data_type}")));
    source.columns.iter_mut().find(|column| column.name == "v").unwrap().data_type = catalog.to_owned();
    input
}

pub(super) fn csv() -> PlanInput {
    with_type(&json!(["id", "v"]), "TEXT", "text", "csv")
}

const WHOLE: &str = "check-store export-rows create-table import-rows rename-table";
const WRITTEN: &str = "write-files create-table import-rows rename-table";

#[test]
fn what_copy_to_would_bend_is_written_by_transship_and_the_plan_says_why() {
    let json = |columns: &Value, data_type: &str, catalog: &str| with_type(columns, data_type, catalog, "json");
    assert_eq!(outcome(&json(&json!(["id"]), "BIT(8)", "bit")), WHOLE);
    for (columns, data_type, catalog, why) in [
        (json!(["id", "v"]), "BIT(8)", "bit", "COPY FROM does not read BIT(8) of column v as COPY TO writes it"),
        (json!(["id", "v"]), "ARRAY(NUMERIC(20, 6))", "numeric_array", "does not read NUMERIC(20, 6) of column v"),
        (json!({ "id": "id", "w": "v" }), "BIGINT", "bigint", "COPY TO does not write renamed column w"),
        (json!({ "id": "id", "w": { "sql": "v + 1", "cast": "BIGINT" } }), "BIGINT", "bigint", "computed column w"),
    ] {
        let input = json(&columns, data_type, catalog);
        assert_eq!(outcome(&input), WRITTEN, "{data_type}");
        let plan = planned(&input).plan;
        let step = plan.steps.iter().find(|step| step.kind == StepKind::WriteFiles).expect("files");
        assert!(step.because.contains(why), "{}", step.because);
    }
    // A NUMERIC by itself travels as a text where it has more digits than a double.
    for (data_type, column) in [("NUMERIC(20, 6)", "\"v\"::text"), ("NUMERIC(15, 6)", "\"v\"")] {
        let plan = planned(&json(&json!(["id", "v"]), data_type, "numeric")).plan;
        let export = plan.steps.iter().find(|step| step.kind == StepKind::ExportRows).expect("an export");
        assert!(export.sql[0].contains(&format!("(\"id\", {column})")), "{}", export.sql[0]);
    }
}

#[test]
fn csv_is_written_by_transship_and_imported_with_what_it_cannot_hold_beside_it() {
    let of = |data_type: &str, catalog: &str| with_type(&json!(["id", "v"]), data_type, catalog, "csv");
    let input = of("TEXT", "text");
    assert_eq!(outcome(&input), WRITTEN);
    assert_eq!(transship_plan::stores_wanted(&input), [name("disk")].into());
    let plan = planned(&input).plan;
    let of_kind = |kind| plan.steps.iter().find(|step| step.kind == kind).expect("such a step");
    let (write, import) = (of_kind(StepKind::WriteFiles), of_kind(StepKind::ImportRows));
    assert_eq!(write.sql, ["SELECT \"id\", \"v\" FROM \"s\".\"t\""]);
    let Some(Action::WriteFiles(rows)) = &write.action else { panic!("files") };
    assert_eq!(rows.place, "s3://***:***@minio:9000/b/p/ws/copy/1/s.t");
    assert!(import.sql[0].contains("format = 'csv', header = true, empty_string_as_null = true"), "{}", import.sql[0]);
    let Some(Action::ImportRows(rows)) = &import.action else { panic!("an import") };
    assert!(rows.rest.as_ref().is_some_and(|rest| rest.contains("format = 'json'")), "{:?}", rows.rest);
    for (data_type, catalog) in [
        ("GEO_SHAPE INDEX USING GEOHASH", "geo_shape"),
        ("ARRAY(GEO_SHAPE)", "geo_shape_array"),
        ("FLOAT_VECTOR(3)", "float_vector"),
    ] {
        assert_eq!(codes(&of(data_type, catalog)), ["plan::export-bends"], "{data_type}");
    }
}

#[test]
fn a_store_that_this_machine_has_to_write_to_and_does_not_reach_is_refused() {
    let (code, message) = ("store::unreachable".to_owned(), "store `disk`: nobody answers".to_owned());
    let trouble = Some(StoreTrouble { code, message, help: None, key: None });
    let failed = ObservedStore { trouble, ..ObservedStore::default() };
    let mut input = with_type(&json!(["id", "v"]), "BIT(8)", "bit", "json");
    input.observation.stores.insert(name("disk"), ObservedStore::default());
    assert_eq!(outcome(&input), WRITTEN);
    input.observation.stores.insert(name("disk"), failed.clone());
    assert_eq!(codes(&input), ["plan::store-unreachable"]);
    // Where the source's nodes write, nobody else has to reach it.
    let mut input = existing("error");
    assert_eq!(transship_plan::stores_wanted(&input), [].into());
    input.observation.stores.insert(name("disk"), failed);
    assert_eq!(outcome(&input), WHOLE);
}

#[test]
fn what_files_cannot_do_is_refused() {
    let code = |location| codes(&through(location, &json!(["s.t"]), &json!({})));
    let (bucket, project_id) = ("b".to_owned(), "p".to_owned());
    let gcs = transship_model::store::GcsLocation { bucket, prefix: String::new(), endpoint: None, project_id };
    assert_eq!(code(StoreLocation::Gcs(gcs)), ["plan::store-unfit"]);
    let url = transship_model::store::UrlLocation { url: "https://h/x".to_owned(), masked: false };
    assert_eq!(code(StoreLocation::Url(url)), ["plan::store-unfit"]);

    let mut common = existing("error");
    at(&mut common, "b").superuser = Some(false);
    assert_eq!(codes(&common), ["plan::needs-superuser"]);

    let mut wider = there(existing("upsert"));
    let target = at(&mut wider, "b").tables.get_mut(&table("s.t")).unwrap();
    let mut more = target.columns[1].clone();
    more.name = "more".to_owned();
    target.columns.push(more);
    assert_eq!(codes(&wider), ["plan::overwrites-more"]);
}
