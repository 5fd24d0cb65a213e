//! Stores as real clusters see them: repositories, copies and markers in a bucket of the S3 server of the tests and in
//! the directory that the nodes share, and where the secrets go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Runtime;
use transship_cluster::{Bind, ClusterError, Rows, Server as _, Session};
use transship_model::TableName;
use transship_model::redact::{Redactor, percent_encode};
use transship_model::spec::TlsMode;
use transship_model::store::repository::{Role, repository};
use transship_model::store::{DirectoryLocation, StoreAccess, StoreLocation, StoreSecret, uri};
use transship_sql::transfer::{Compression, Export, FileFormat, Import, copy_from, copy_to, file_name};
use transship_sql::{self as sql, store};

use crate::real::{self, Clusters, Scope};
use crate::s3::{ACCESS_KEY, S3, SECRET_KEY};
use crate::store::{access, s3_location};

/// A table whose files have a name that means something in URIs.
const SOURCE: &str = "Ä(1)+~";

/// A cluster and a store, with the secrets of the store bound and redacted.
struct Bench<'a> {
    runtime: Runtime,
    session: Session,
    cluster: &'a real::Cluster,
    access: StoreAccess,
}

impl<'a> Bench<'a> {
    fn new(cluster: &'a real::Cluster, access: &StoreAccess) -> Self {
        let redactor = Arc::new(Redactor::new(access.secrets.values()));
        let name = cluster.label.parse().unwrap_or_else(|_| "shop".parse().expect("a name"));
        let login = real::access(cluster, &cluster.admin, TlsMode::Disable);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let session = runtime.block_on(Session::open(&name, &login, redactor)).expect("a session");
        Self { runtime, session, cluster, access: access.clone() }
    }

    fn execute(&self, sql: &str, binds: &[Bind]) -> Result<u64, ClusterError> {
        self.runtime.block_on(self.session.execute(sql, binds))
    }

    fn secrets(&self, secrets: Vec<StoreSecret>) -> impl Iterator<Item = Bind> {
        secrets.into_iter().map(|secret| Bind::Secret(self.access.secret(secret).expect("a secret").clone()))
    }

    fn create_repository(&self, name: &str, role: Role, below: &str) -> Result<u64, ClusterError> {
        let made = repository(&self.access.location, role, below).expect("a repository");
        let (settings, secrets) = store::repository(&made);
        let binds: Vec<Bind> = self.secrets(secrets).collect();
        self.execute(&sql::repository::create_repository(name, &settings), &binds)
    }

    fn copy_to(&self, table: &TableName, below: &str) -> Result<u64, ClusterError> {
        let (options, secrets) = store::options(&uri::options(&self.access.location));
        let (table, compression) = (table.clone(), Compression::None);
        let export = Export { table, columns: Vec::new(), condition: None, compression, options };
        let uri = Bind::Secret(uri::bound(&self.access, below).expect("a URI"));
        let binds: Vec<Bind> = [uri].into_iter().chain(self.secrets(secrets)).collect();
        self.execute(&copy_to(&export), &binds)
    }

    fn copy_from(&self, table: &TableName, below: &str, files: &[String]) -> Result<Rows, ClusterError> {
        let (options, secrets) = store::options(&uri::options(&self.access.location));
        let (table, format, compression) = (table.clone(), FileFormat::Json, Compression::None);
        let import = Import { table, columns: Vec::new(), format, compression, overwrite: false, options };
        let uris = files.iter().map(|file| uri::bound_file(&self.access, below, file).expect("a URI")).collect();
        let binds: Vec<Bind> = [Bind::Secrets(uris)].into_iter().chain(self.secrets(secrets)).collect();
        self.runtime.block_on(self.session.query(&copy_from(&import), &binds))
    }

    fn snapshots(&self, repository: &str) -> Vec<String> {
        let sql = format!("SELECT name FROM sys.snapshots WHERE repository = '{repository}' ORDER BY name");
        self.cluster.sql(&sql).into_iter().flatten().flatten().collect()
    }
}

fn s3(server: &S3) -> StoreAccess {
    access(s3_location(server), ACCESS_KEY, SECRET_KEY)
}

/// The directory that nodes started by the tests share; others have none that is known here.
fn exchange() -> Option<PathBuf> {
    let path = std::env::temp_dir().join(format!("transship-it-{}/exchange", std::process::id()));
    path.is_dir().then_some(path)
}

fn directory(path: &Path) -> StoreAccess {
    let location = DirectoryLocation { path: path.to_string_lossy().into_owned() };
    StoreAccess { location: StoreLocation::Directory(location), secrets: [].into() }
}

/// A table of three rows on `alpha`, and an empty one for `beta`.
fn tables(clusters: &Clusters, scope: &Scope) {
    let (source, target) = (scope.table(SOURCE), scope.table("u"));
    let columns = "(id INTEGER PRIMARY KEY, s TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)";
    clusters.alpha.sql(&format!("CREATE TABLE {source} {columns}"));
    clusters.alpha.sql(&format!("INSERT INTO {source} VALUES (1, 'a'), (2, 'b'), (3, 'c'); REFRESH TABLE {source}"));
    clusters.beta.sql(&format!("CREATE TABLE {target} {columns}"));
}

fn snapshot_and_restore(scope: &Scope, alpha: &Bench<'_>, beta: &Bench<'_>) {
    let (name, table) = (scope.schema.as_str(), scope.table(SOURCE));
    alpha.create_repository(name, Role::Writer, "w@e/f@b").expect("a repository");
    beta.create_repository(name, Role::Reader, "w@e/f@b").expect("a repository");
    alpha.cluster.sql(&format!("CREATE SNAPSHOT \"{name}\".s1 TABLE {table} WITH (wait_for_completion = true)"));
    assert_eq!(beta.snapshots(name), ["s1"]);
    beta.cluster.sql(&format!("RESTORE SNAPSHOT \"{name}\".s1 TABLE {table} WITH (wait_for_completion = true)"));
    assert_eq!(beta.cluster.count(&table), 3);
    alpha.cluster.sql(&format!("DROP SNAPSHOT \"{name}\".s1"));
    for bench in [alpha, beta] {
        bench.cluster.sql(&format!("DROP REPOSITORY \"{name}\""));
    }
}

fn export_and_import(scope: &Scope, alpha: &Bench<'_>, beta: &Bench<'_>, below: &str) {
    let table = |name: &str| TableName::new(&scope.schema, name);
    assert_eq!(alpha.copy_to(&table(SOURCE), below).expect("an export"), 3);
    let files = [0, 1].map(|shard| file_name(SOURCE, shard, "", Compression::None));
    let summary = beta.copy_from(&table("u"), below, &files).expect("an import");
    let expected = files.map(|file| uri::in_summary(&alpha.access.location, below, &file).expect("a URI"));
    let mut read = 0;
    for row in 0..summary.len() {
        assert!(expected.contains(&summary.text(row, "uri").expect("a URI").to_owned()), "{summary:?}");
        read += summary.int(row, "success_count").expect("a count");
    }
    assert_eq!((read, beta.cluster.count(&scope.table("u"))), (3, 3));
}

#[test]
fn a_bucket_carries_snapshots_and_files() {
    let Some(clusters) = Clusters::require("a_bucket_carries_snapshots_and_files") else { return };
    let (scope, server) = (Scope::new(clusters, "bucket"), S3::start(&["exports"]));
    tables(clusters, &scope);
    let (alpha, beta) = (Bench::new(&clusters.alpha, &s3(&server)), Bench::new(&clusters.beta, &s3(&server)));
    snapshot_and_restore(&scope, &alpha, &beta);
    export_and_import(&scope, &alpha, &beta, "w@e/f@b/run");
    let files: Vec<String> =
        server.keys("exports").into_iter().filter(|key| key.starts_with("shop/x/w@e/f@b/run/")).collect();
    assert_eq!(files, ["shop/x/w@e/f@b/run/Ä(1)+~_0_.json", "shop/x/w@e/f@b/run/Ä(1)+~_1_.json"]);
    for (label, cluster) in clusters.both() {
        for secret in [ACCESS_KEY, SECRET_KEY, &percent_encode(ACCESS_KEY, false), &percent_encode(SECRET_KEY, false)] {
            let logged = format!(
                "SELECT count(*) FROM sys.jobs_log WHERE stmt LIKE '%{}%' AND stmt NOT LIKE 'SELECT count%' \
                 AND (strpos(stmt, E'{secret}') > 0 OR strpos(coalesce(error, ''), E'{secret}') > 0)",
                scope.schema
            );
            assert_eq!(cluster.value(&logged).as_deref(), Some("0"), "{label} has {secret} in its log");
        }
    }
}

#[test]
fn a_directory_carries_snapshots_and_files() {
    let Some(clusters) = Clusters::require("a_directory_carries_snapshots_and_files") else { return };
    let (scope, Some(exchange)) = (Scope::new(clusters, "directory"), exchange()) else { return };
    tables(clusters, &scope);
    let store = directory(&exchange.join(&scope.schema));
    let (alpha, beta) = (Bench::new(&clusters.alpha, &store), Bench::new(&clusters.beta, &store));
    snapshot_and_restore(&scope, &alpha, &beta);
    let refused = alpha.copy_to(&TableName::new(&scope.schema, SOURCE), "w@e/f@b/run");
    assert_eq!(refused.expect_err("nobody has made the directory").code(), "cluster::store-missing");
    // A repository makes its directory, on whichever machine the nodes are.
    alpha.create_repository(&scope.schema, Role::Writer, "w@e/f@b/run").expect("a repository");
    clusters.alpha.sql(&format!("DROP REPOSITORY \"{}\"", scope.schema));
    export_and_import(&scope, &alpha, &beta, "w@e/f@b/run");
    fs_err::remove_dir_all(exchange.join(&scope.schema)).ok();
}

/// A snapshot of a partitioned table that has no partition is of no shard, costs next to nothing, and shows through
/// another cluster.
#[test]
fn a_marker_shows_whether_two_clusters_see_the_same_place() {
    let Some(clusters) = Clusters::require("a_marker_shows_whether_two_clusters_see_the_same_place") else { return };
    let (scope, server, other) = (Scope::new(clusters, "marker"), S3::start(&["exports"]), S3::start(&["exports"]));
    let (name, table) = (scope.schema.as_str(), scope.table("marker"));
    clusters.alpha.sql(&format!("CREATE TABLE {table} (p INTEGER) PARTITIONED BY (p)"));
    let mark = format!("CREATE SNAPSHOT \"{name}\".here TABLE {table} WITH (wait_for_completion = true)");
    let alpha = Bench::new(&clusters.alpha, &s3(&server));
    alpha.create_repository(name, Role::Writer, "w/marker").expect("a repository");
    clusters.alpha.sql(&mark);
    for (place, seen) in [(&server, &["here"][..]), (&other, &[])] {
        let beta = Bench::new(&clusters.beta, &s3(place));
        beta.create_repository(name, Role::Reader, "w/marker").expect("a list of nothing is no error");
        assert_eq!(beta.snapshots(name), seen);
        clusters.beta.sql(&format!("DROP REPOSITORY \"{name}\""));
    }
    clusters.alpha.sql(&format!("DROP SNAPSHOT \"{name}\".here; DROP REPOSITORY \"{name}\""));
    let Some(exchange) = exchange() else { return };
    // In a directory the place alone tells: a reader is refused where the writer's directory is not.
    let beta = Bench::new(&clusters.beta, &directory(&exchange));
    let refused = beta.create_repository(name, Role::Reader, &format!("{name}/marker"));
    assert!(refused.is_err_and(|error| error.code() == "cluster::store-missing"));
    let alpha = Bench::new(&clusters.alpha, &directory(&exchange));
    alpha.create_repository(name, Role::Writer, &format!("{name}/marker")).expect("a repository");
    beta.create_repository(name, Role::Reader, &format!("{name}/marker")).expect("a repository");
    for (_, cluster) in clusters.both() {
        cluster.sql(&format!("DROP REPOSITORY \"{name}\""));
    }
    fs_err::remove_dir_all(exchange.join(name)).ok();
}

/// Errors of clusters about stores hold no secret, not even where a URI cannot be read and is repeated.
#[test]
fn what_clusters_say_of_stores_holds_no_secret() {
    let Some(clusters) = Clusters::require("what_clusters_say_of_stores_holds_no_secret") else { return };
    let (scope, server) = (Scope::new(clusters, "refused"), S3::start(&["exports"]));
    tables(clusters, &scope);
    let table = scope.table(SOURCE);
    let bench = Bench::new(&clusters.alpha, &s3(&server));
    let (key, secret) = (percent_encode(ACCESS_KEY, false), percent_encode(SECRET_KEY, false));
    let cut = |what: &str| format!("s3://{key}:{secret}@{what}");
    for (uri, says, code) in [
        (cut("localhost/exports/x"), "***", "cluster::error"),
        (cut("127.0.0.1:1/exports/x"), "region is missing", "cluster::store-unreachable"),
        (cut(&format!("{}/nope/x", server.address)), "NoSuchBucket", "cluster::store-missing"),
        (format!("s3://{ACCESS_KEY}:{SECRET_KEY}@{}/exports/x", server.address), "Invalid uri", "cluster::error"),
    ] {
        let sql = format!("COPY {table} TO DIRECTORY $1 WITH (protocol = 'http')");
        let refused = bench.execute(&sql, &[Bind::Secret(SecretString::from(uri))]);
        let error = refused.expect_err("the URI is wrong");
        assert!(error.code() == code && error.message.contains(says), "{code}, {says}: {error}");
        assert!(!error.message.contains('\n'), "{error}");
        for form in [ACCESS_KEY, SECRET_KEY, &key, &secret] {
            assert!(!format!("{error:?}").contains(form), "{form}: {error}");
        }
    }
    let wrong = access(s3_location(&server), ACCESS_KEY, "another secret");
    let bench = Bench::new(&clusters.alpha, &wrong);
    let refused = bench.create_repository(&scope.schema, Role::Writer, "w").expect_err("wrong keys");
    assert_eq!(refused.code(), "cluster::store-refused", "{refused}");
    let outside = Bench::new(&clusters.alpha, &directory(Path::new("/outside/of/path.repo")));
    let refused = outside.create_repository(&scope.schema, Role::Writer, "w").expect_err("not below path.repo");
    assert_eq!(refused.code(), "cluster::store-not-allowed", "{refused}");
    let shown = uri::shown(&wrong.location, "w").expect("a URI");
    assert_eq!(shown, format!("s3://***:***@{}/exports/shop/x/w", server.address));
    assert!(uri::bound(&wrong, "w").is_ok_and(|uri| uri.expose_secret().contains("another%20secret")));
}
