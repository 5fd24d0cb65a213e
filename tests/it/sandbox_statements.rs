//! Every statement that `transship-sql` builds is understood by the sandbox.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use transship_model::TableName;
use transship_sandbox::{Answer, Clock, ClusterSpec, Sandbox};
use transship_sql::partition::Partition;
use transship_sql::repository::{self, RepositoryKind, RepositorySettings};
use transship_sql::snapshot::{self, Part, Probed};
use transship_sql::transfer::{self, Compression, Export, ExportColumn, FileFormat, Import, StoreOptions};
use transship_sql::{copy, ledger, lookup, observe, place, replication, table, view};

use crate::sandbox::Pair;

#[test]
fn every_statement_that_is_built_is_understood() {
    let pair = Pair::start();
    pair.sql("shop", "CREATE TABLE shop.t (id INTEGER PRIMARY KEY, v TEXT, p GEO_POINT, at TIMESTAMP WITH TIME ZONE)");
    pair.sql(
        "shop",
        "CREATE TABLE shop.copy (id INTEGER PRIMARY KEY, v TEXT, p GEO_POINT, at TIMESTAMP WITH TIME ZONE)",
    );
    let name = TableName::new("shop", "t");
    let column = |name, data_type| copy::Source::Column { name, data_type };
    let columns = [column("id", "integer"), column("p", "geo_point"), column("at", "timestamp with time zone")];
    let mut statements: Vec<String> = ledger::create_tables();
    statements.extend(observe::ALL.map(|(_, sql)| sql.to_owned()));
    statements.extend([
        ledger::insert_meta(),
        ledger::read_meta(),
        ledger::upsert_flow(),
        ledger::delete_flow(),
        ledger::upsert_run(),
        ledger::upsert_step(),
        ledger::refresh(),
        observe::show_create_table(&name),
        observe::explain_insert(&name, ["id"]),
        lookup::existing_tables([&name]),
        lookup::unpartitioned_tables([&name]),
        lookup::red_tables([&name]),
        lookup::shards([&name]),
        view::view_definition(&name),
        lookup::users(),
        lookup::disk_checks(),
        lookup::column_ids(&name),
        lookup::current_user(),
        copy::select(&name, columns, Some("id > 1")),
        copy::insert(&name, &["id", "v"]),
        copy::upsert(&name, &["id", "v"], &["id"]),
        copy::count(&name, Some("v IS NULL")),
        place::count_rows(&name),
        replication::create_publication("p"),
        replication::publish_tables("p", [&name]),
        replication::set_published_tables("p", [&name]),
        replication::published_tables(),
        replication::subscribed_tables(),
        replication::checkpoints([&name]),
        replication::leases([&name]),
        replication::withdraw_tables("p", [&name]),
        replication::drop_publication("p"),
        replication::drop_subscription("s"),
        place::swap_table(&TableName::new("shop", "copy"), &name),
        place::rename_table(&name, "u"),
        view::switch_view(&name, &TableName::new("shop", "u")),
        table::refresh([&TableName::new("shop", "u")]),
        table::drop_table(&TableName::new("shop", "u")),
    ]);
    for sql in statements {
        // Without values, a statement with parameters writes NULLs, which keys refuse: that is understood too.
        match pair.sandbox.execute("shop", &sql) {
            Ok(_) => {}
            Err(error) => assert!(sql.contains('$') && error.message.contains("must not be"), "{sql}: {error}"),
        }
    }
    // Of a connection that is NULL nothing can be said but that it has to be a text.
    let error = pair.sandbox.execute("shop", &replication::create_subscription("s", "p")).unwrap_err();
    assert_eq!(error.message, "a text is expected, not NULL");
}

/// Two clusters whose repositories may lie in a folder, with a partitioned table on `a`.
struct Ends {
    folder: PathBuf,
    sandbox: Sandbox,
    _runtime: Runtime,
}

impl Ends {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("transship-{name}-{}", std::process::id()));
        fs_err::create_dir_all(&folder).expect("a directory");
        let runtime = Runtime::new().expect("a runtime");
        let specs = ["a", "b"].map(|name| ClusterSpec::new(name).path_repo(&folder));
        let sandbox = runtime.block_on(Sandbox::start_still(&specs, Clock::still(0))).expect("free ports");
        let ends = Self { folder, sandbox, _runtime: runtime };
        ends.run("a", "CREATE TABLE s.t (id INTEGER, p INTEGER) PARTITIONED BY (p) CLUSTERED INTO 1 SHARDS");
        ends.run("a", "INSERT INTO s.t VALUES (1, 1), (2, 2), (3, NULL); REFRESH TABLE s.t");
        ends
    }

    #[track_caller]
    fn run(&self, cluster: &str, sql: &str) -> Answer {
        self.sandbox.execute(cluster, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn probed(&self, snapshot: &str) -> Option<Probed> {
        Probed::read(&self.sandbox.execute("b", &snapshot::probe_snapshot("r", snapshot)).unwrap_err().message)
    }

    fn missing(&self, table: &TableName) -> Vec<Option<String>> {
        self.run("b", &snapshot::missing_shards([table])).texts.iter().map(|row| row[3].clone()).collect()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.folder).ok();
    }
}

fn partition(value: &str) -> Partition {
    Partition(vec![("p".to_owned(), Some(value.to_owned()))])
}

#[test]
fn every_statement_of_snapshots_is_understood() {
    let ends = Ends::start("statements");
    let settings = RepositorySettings::new(RepositoryKind::Fs).literal("location", "x");
    ends.run("a", &repository::create_repository("r", &settings));
    ends.run("b", &repository::create_repository("r", &settings.literal("readonly", "true")));
    assert_eq!(ends.run("b", &repository::repositories()).rows.len(), 1);
    let (table, copy) = (TableName::new("s", "t"), TableName::new("s", "copy$1"));
    ends.run("a", &snapshot::create_snapshot("r", "one", &[Part::whole(table.clone())]));
    assert_eq!(ends.run("a", &snapshot::snapshot("r", "one")).texts[0][1].as_deref(), Some("IN_PROGRESS"));
    ends.sandbox.tick();
    assert_eq!(ends.run("b", &snapshot::snapshots_of("r")).texts[0][1].as_deref(), Some("SUCCESS"));
    assert_eq!((ends.probed("one"), ends.probed("two")), (Some(Probed::There), Some(Probed::Absent)));
    let part = Part { table, partitions: vec![partition("1"), partition("2")] };
    ends.run("b", &snapshot::restore_table("r", "one", &part, &copy));
    assert_eq!(ends.run("b", &snapshot::running_restores("r", "one")).rows.len(), 1);
    assert_eq!(ends.missing(&copy), [Some("1".to_owned()), Some("1".to_owned())]);
    ends.sandbox.tick();
    assert!(ends.run("b", &snapshot::running_restores("r", "one")).rows.is_empty());
    assert_eq!(ends.missing(&copy), [Some("0".to_owned()), Some("0".to_owned())]);
    assert_eq!(ends.run("b", &place::count_rows(&copy)).texts[0][0].as_deref(), Some("2"));
    ends.run("a", &snapshot::drop_snapshot("r", "one"));
    ends.run("a", &repository::drop_repository("r"));
    assert_eq!(ends.probed("one"), Some(Probed::Absent));
}

#[test]
fn every_statement_of_transfers_is_understood() {
    let ends = Ends::start("transfers");
    let table = TableName::new("s", "t");
    let export = Export {
        table: table.clone(),
        columns: vec![ExportColumn::plain("id"), ExportColumn::plain("p")],
        condition: transship_sql::partition::condition(&[partition("1")], Some("id > 0")),
        compression: Compression::Gzip,
        options: StoreOptions::default(),
    };
    let uri = format!("'{}'", ends.folder.display());
    assert_eq!(ends.run("a", &transfer::copy_to(&export).replace("$1", &uri)).tag, "COPY 1");
    let name = transfer::file_name("t", 0, "04132", Compression::Gzip);
    let mut import = Import {
        table,
        columns: Vec::new(),
        format: FileFormat::Json,
        compression: Compression::Gzip,
        overwrite: false,
        options: StoreOptions::default(),
    };
    ends.run("b", "CREATE TABLE s.t (id INTEGER, p INTEGER)");
    let uris = format!("['{}', '/nowhere.json.gz']", ends.folder.join(&name).display());
    let summary = ends.run("b", &transfer::copy_from(&import).replace("$1::array(text)", &uris));
    let found: Vec<_> = summary.texts.iter().map(|row| (row[2].as_deref(), row[3].as_deref())).collect();
    assert_eq!(found, [(None, None), (Some("1"), Some("0"))]);
    import.format = FileFormat::Csv { header: true, empty_as_null: true };
    let summary = ends.run("b", &transfer::copy_from(&import).replace("$1::array(text)", "['/nowhere.csv.gz']"));
    assert_eq!(summary.texts[0][2], None);
}
