//! Rows copied between real clusters by the stream engine alone: exact, complete, and every refusal named.

pub(crate) mod types;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use transship_model::TableName;
use transship_model::spec::TlsMode;
use transship_mover::{
    Done, End, Job, KeyColumn, Limits, Many, MoveError, PartNews, Progress, Watch, Width, Write, copy,
};
use transship_sql::copy::{Inner, Source, inner, insert, select, upsert};

use crate::real::{Cluster, Clusters, Proxy, Scope, access};

/// Two tables of one definition, one on each cluster.
struct Pair<'a> {
    clusters: &'a Clusters,
    table: String,
    name: TableName,
}

impl<'a> Pair<'a> {
    fn new(clusters: &'a Clusters, scope: &Scope, table: &str, columns: &str, more: &str) -> Self {
        let pair = Self { clusters, table: scope.table(table), name: TableName::new(&scope.schema, table) };
        for (_, cluster) in clusters.both() {
            cluster.sql(&format!("CREATE TABLE {} ({columns}) {more} WITH (number_of_replicas = 0)", pair.table));
        }
        pair
    }

    fn fill(&self, columns: &str, values: &str) {
        self.clusters.alpha.sql(&format!("INSERT INTO {} ({columns}) {values}", self.table));
        self.clusters.alpha.sql(&format!("REFRESH TABLE {}", self.table));
    }

    /// Name and type of the columns that are written.
    fn columns(&self) -> Vec<(String, String)> {
        let rows = self.clusters.alpha.sql(&format!(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{}' \
             AND is_generated = 'NEVER' AND column_details['path'] = [] ORDER BY ordinal_position",
            self.name.schema, self.name.table
        ));
        rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap())).collect()
    }

    fn job(&self, key: &[&str]) -> Job {
        let columns = self.columns();
        let sources = columns.iter().map(|(name, data_type)| Source::Column { name, data_type });
        let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let key = key.iter().map(|key| {
            let at = names.iter().position(|name| name == key).expect("a column of the key is read");
            KeyColumn { at, name: (*key).to_owned(), data_type: columns[at].1.clone(), sensitive: false }
        });
        Job {
            source: end("source", &self.clusters.alpha),
            target: end("target", &self.clusters.beta),
            select: select(&self.name, sources, None),
            parts: vec![Vec::new()],
            insert: insert(&self.name, &names),
            write: Write::Insert,
            many: None,
            keyed: key.len() > 0,
            key: key.collect(),
            sensitive: false,
            inner: self.inner(&names),
            transform: None,
            limits: Limits::default(),
            gate: transship_cluster::Gate::default(),
        }
    }

    /// The same with many rows at a time, as for a copy aside.
    fn many(&self, key: &[&str]) -> Job {
        let columns = self.columns();
        let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let again = (!key.is_empty()).then(|| (upsert(&self.name, &names, key), Write::Upsert));
        Job { many: Some(Many { again }), ..self.job(key) }
    }

    /// Empties the table on the target.
    fn clear(&self) {
        self.clusters.beta.sql(&format!("REFRESH TABLE {0}; DELETE FROM {0}; REFRESH TABLE {0}", self.table));
    }

    fn inner(&self, names: &[&str]) -> Vec<(usize, Inner)> {
        let rows = self.clusters.alpha.sql(&format!(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{}'",
            self.name.schema, self.name.table
        ));
        let found = rows.iter().filter_map(|row| inner(row[0].as_deref()?, row[1].as_deref()?));
        found.filter_map(|inner| Some((names.iter().position(|name| *name == inner.column)?, inner))).collect()
    }

    /// Both tables hold the same rows, value by value, read past the column store and as texts.
    #[track_caller]
    fn is_equal(&self, key: &str) {
        let names: Vec<String> = self.columns().into_iter().map(|(name, _)| name).chain(self.generated()).collect();
        let written = self.columns().len();
        let column = |(at, name): (usize, &String)| if at < written { format!("_doc['{name}']") } else { name.clone() };
        let columns: Vec<String> = names.iter().enumerate().map(column).collect();
        let sql = format!("SELECT {key}, {} FROM {} ORDER BY {key}", columns.join(", "), self.table);
        let [source, target] = self.clusters.both().map(|(_, cluster)| {
            cluster.sql(&format!("REFRESH TABLE {}", self.table));
            cluster.sql(&sql)
        });
        assert_eq!(source.len(), target.len(), "rows of {}", self.table);
        for (source, target) in source.iter().zip(&target) {
            for (name, (source, target)) in names.iter().zip(source.iter().zip(target).skip(key.split(", ").count())) {
                let (source, target) = (source.as_deref().map(unordered), target.as_deref().map(unordered));
                assert_eq!(source, target, "column {name} of a row of {}", self.table);
            }
        }
    }

    fn generated(&self) -> Vec<String> {
        let rows = self.clusters.alpha.sql(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{}' \
             AND is_generated = 'ALWAYS' ORDER BY ordinal_position",
            self.name.schema, self.name.table
        ));
        rows.into_iter().map(|mut row| row[0].take().unwrap()).collect()
    }
}

/// A value's text; for an object also its pieces, since the order of its keys has no meaning and JSON's numbers are to be
/// compared digit by digit.
pub(crate) fn unordered(text: &str) -> (serde_json::Value, Vec<&str>) {
    match serde_json::from_str(text) {
        Ok(value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
            let mut pieces: Vec<_> = text.split(['{', '}', '[', ']', ',']).collect();
            pieces.sort_unstable();
            (value, pieces)
        }
        _ => (serde_json::Value::Null, vec![text]),
    }
}

fn end(name: &str, cluster: &Cluster) -> End {
    End {
        name: name.parse().expect("a name"),
        access: access(cluster, &cluster.admin, TlsMode::Disable),
        redactor: Default::default(),
        more: None,
    }
}

fn run(job: &Job) -> Result<Done, MoveError> {
    block_on(copy(job, &|_: Progress| (), std::future::pending()))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

#[test]
fn real_partitioned_and_generated_columns() {
    let Some(clusters) = Clusters::require("real_partitioned_and_generated_columns") else { return };
    let scope = Scope::new(clusters, "parts");
    let pair = Pair::new(
        clusters,
        &scope,
        "t",
        "id BIGINT, ts TIMESTAMP WITH TIME ZONE, month TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', ts), \
         v INTEGER, PRIMARY KEY (id, month)",
        "CLUSTERED BY (id) INTO 2 SHARDS PARTITIONED BY (month)",
    );
    pair.fill(
        "id, ts, v",
        "(SELECT i, (1767225600000 + (i % 360) * 86400000::bigint)::timestamp with time zone, i % 7 FROM generate_series(1, 3000) AS g(i))",
    );
    let mut job = pair.job(&["id"]);
    // The generated column of the key is read to name rows, and not written.
    job.select = job.select.replace(" FROM ", ", \"month\"::bigint FROM ");
    let data_type = "timestamp with time zone".to_owned();
    job.key.push(KeyColumn { at: 3, name: "month".to_owned(), data_type, sensitive: false });
    assert_eq!(run(&job).expect("every row").rows, 3000);
    pair.is_equal("id, month");
    job.limits.refused = 50;
    let again = run(&job).expect_err("all keys are taken");
    let MoveError::Refused { first, given_up: true, .. } = &again else { panic!("{again}") };
    assert_eq!(first.len(), 10);
    assert!(first[0].key[1].1.ends_with("-01T00:00:00Z") && first[0].reason.contains("primary key"), "{again}");
    assert_eq!(clusters.beta.count(&pair.table), 3000);
    job.insert = upsert(&pair.name, &["id", "ts", "v"], &["id", "month"]);
    job.write = Write::Upsert;
    let error = run(&job).expect_err("CrateDB updates nothing that a partition derives from");
    assert!(error.code() == "mover::target" && error.to_string().contains("partitioned by"), "{error}");
}

#[test]
fn real_rows_find_their_partitions() {
    let Some(clusters) = Clusters::require("real_rows_find_their_partitions") else { return };
    let scope = Scope::new(clusters, "days");
    let columns = "id BIGINT, day TIMESTAMP WITH TIME ZONE, region TEXT, amount NUMERIC(10, 2)";
    let pair = Pair::new(clusters, &scope, "t", columns, "CLUSTERED INTO 1 SHARDS PARTITIONED BY (day, region)");
    pair.fill(
        "id, day, region, amount",
        "(SELECT i, CASE WHEN i % 5 > 0 THEN (1767225600000 + (i % 5) * 86400000::bigint)::timestamp with time zone END, \
         CASE i % 3 WHEN 0 THEN 'it''s' WHEN 1 THEN '' END, (i / 100.0)::numeric(10, 2) FROM generate_series(1, 3000) AS g(i))",
    );
    assert_eq!(run(&pair.job(&[])).expect("every row").rows, 3000);
    let rows = format!("SELECT id, day, region, amount FROM {} ORDER BY id", pair.table);
    let partitions = format!(
        "SELECT partition_ident, values FROM information_schema.table_partitions WHERE table_schema = '{}' ORDER BY 1",
        scope.schema
    );
    let [source, target] = clusters.both().map(|(_, cluster)| {
        cluster.count(&pair.table);
        (cluster.sql(&rows), cluster.sql(&partitions))
    });
    assert_eq!(source.1.len(), 15);
    assert_eq!(source, target);
}

/// 10,000 rows `(id, n, t)` on the source; the target's table is `target`.
fn ten_thousand<'a>(clusters: &'a Clusters, scope: &Scope, target: &str) -> Pair<'a> {
    let name = TableName::new(&scope.schema, "t");
    let pair = Pair { clusters, table: scope.table("t"), name };
    clusters.alpha.sql(&format!(
        "CREATE TABLE {} (id INTEGER PRIMARY KEY, n INTEGER, t TEXT) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)",
        pair.table
    ));
    clusters.beta.sql(&format!("CREATE TABLE {} ({target}) WITH (number_of_replicas = 0)", pair.table));
    pair.fill("id, n, t", "(SELECT i, i, 'v' || i FROM generate_series(1, 10000) AS g(i))");
    pair
}

#[track_caller]
fn refused(outcome: Result<Done, MoveError>, expected: &[(&str, &str)]) {
    let error = outcome.expect_err("rows are refused");
    let MoveError::Refused { first, given_up: false, progress } = &error else { panic!("{error:?}") };
    assert_eq!((progress.read, progress.refused), (10_000, expected.len() as u64), "{error}");
    assert_eq!(progress.written, 10_000 - progress.refused);
    let mut named: Vec<_> = first.iter().map(|row| (row.key[0].1.clone(), row.reason.clone())).collect();
    named.sort();
    for ((key, reason), (expected_key, part)) in named.iter().zip(expected) {
        assert_eq!(key, expected_key, "{error}");
        assert!(reason.contains(part), "{error}");
        assert!(!reason.contains("canary") && !reason.contains("v5003"), "values are never printed: {error}");
    }
}

#[test]
fn real_bad_rows_in_the_middle_are_found_and_named() {
    let Some(clusters) = Clusters::require("real_bad_rows_in_the_middle_are_found_and_named") else { return };
    let scope = Scope::new(clusters, "bad");
    let target = "id INTEGER PRIMARY KEY, n INTEGER NOT NULL, t TEXT, m INTEGER, CONSTRAINT not_5003 CHECK (n <> 5003)";
    let pair = ten_thousand(clusters, &scope, target);
    let table = &pair.table;
    clusters.beta.sql(&format!("INSERT INTO {table} (id, n, t) VALUES (5001, 0, 'was here')"));
    clusters.alpha.sql(&format!("UPDATE {table} SET n = NULL WHERE id = 5002"));
    clusters.alpha.sql(&format!("UPDATE {table} SET t = 'canary' WHERE id = 5004; REFRESH TABLE {table}"));
    let mut job = pair.job(&["id"]);
    job.select = job.select.replace(" FROM ", ", (CASE id WHEN 5004 THEN t ELSE '1' END) FROM ");
    job.insert = insert(&pair.name, &["id", "n", "t", "m"]);
    refused(
        run(&job),
        &[("5001", "primary key"), ("5002", "must not be null"), ("5003", "not_5003"), ("5004", "integer")],
    );
    assert_eq!(clusters.beta.count(table), 9_997);
    let kept = clusters.beta.value(&format!("SELECT t FROM {table} WHERE id = 5001"));
    assert_eq!(kept.as_deref(), Some("was here"));
}

#[test]
fn real_bad_rows_without_a_primary_key_double_nothing() {
    let Some(clusters) = Clusters::require("real_bad_rows_without_a_primary_key_double_nothing") else { return };
    let scope = Scope::new(clusters, "nokey");
    let pair = ten_thousand(clusters, &scope, "id INTEGER, n INTEGER NOT NULL, t TEXT CHECK (t <> 'v7000'), m INTEGER");
    let table = &pair.table;
    clusters.alpha.sql(&format!("UPDATE {table} SET n = NULL WHERE id = 3000; REFRESH TABLE {table}"));
    let mut job = pair.job(&[]);
    job.select = job.select.replace(" FROM ", ", (CASE id WHEN 8000 THEN t ELSE '1' END) FROM ");
    job.insert = insert(&pair.name, &["id", "n", "t", "m"]);
    let error = run(&job).expect_err("rows are refused");
    let MoveError::Refused { first, progress, .. } = &error else { panic!("{error:?}") };
    assert_eq!((progress.written, first.len()), (9_997, 3), "{error}");
    assert!(error.to_string().contains("row ") && !error.to_string().contains("v8000"), "{error}");
    assert_eq!(clusters.beta.count(table), 9_997);
    let distinct = clusters.beta.value(&format!("SELECT count(DISTINCT id) FROM {table}"));
    assert_eq!(distinct.as_deref(), Some("9997"), "no row is there twice");
}

#[test]
fn real_bad_rows_among_many_of_a_statement_are_found_and_named() {
    let name = "real_bad_rows_among_many_of_a_statement_are_found_and_named";
    let Some(clusters) = Clusters::require(name) else { return };
    for partitioned in [false, true] {
        let scope = Scope::new(clusters, if partitioned { "badparts" } else { "badmany" });
        let key = if partitioned { "PRIMARY KEY (id, p)" } else { "PRIMARY KEY (id)" };
        let parts = if partitioned { "PARTITIONED BY (p)" } else { "CLUSTERED INTO 3 SHARDS" };
        let name = TableName::new(&scope.schema, "t");
        let pair = Pair { clusters, table: scope.table("t"), name };
        let columns = "id INTEGER, p INTEGER, n INTEGER, t TEXT";
        clusters.alpha.sql(&format!("CREATE TABLE {} ({columns}, {key}) {parts}", pair.table));
        clusters.beta.sql(&format!(
            "CREATE TABLE {} (id INTEGER, p INTEGER, n INTEGER NOT NULL, t TEXT CHECK (t <> 'v7003'), m INTEGER, {key}) {parts}",
            pair.table
        ));
        pair.fill("id, p, n, t", "(SELECT i, i % 3, i, 'v' || i FROM generate_series(1, 10000) AS g(i))");
        clusters.alpha.sql(&format!("UPDATE {0} SET n = NULL WHERE id = 5002; REFRESH TABLE {0}", pair.table));
        let key = if partitioned { vec!["id", "p"] } else { vec!["id"] };
        let columns = ["id", "p", "n", "t", "m"];
        let mut job = pair.many(&key);
        job.insert = insert(&pair.name, &columns);
        job.many = Some(Many { again: Some((upsert(&pair.name, &columns, &key), Write::Upsert)) });
        let select = job.select.clone();
        // Rows that shards refuse, then also one that cannot be cast.
        for (cast, bad) in [("'1'", 2), ("(CASE id WHEN 9001 THEN t ELSE '1' END)", 3)] {
            job.select = select.replace(" FROM ", &format!(", {cast} FROM "));
            let all = [("5002", "must not be null"), ("7003", "CHECK"), ("9001", "integer")];
            refused(run(&job), &all[..bad]);
            assert_eq!(clusters.beta.count(&pair.table), 10_000 - bad as u64);
            pair.clear();
        }
        // Rows that cannot be sent again: that some are missing is known, and no more.
        job.select = select.replace(" FROM ", ", '1' FROM ");
        job.many = Some(Many::default());
        let error = run(&job).expect_err("rows are missing");
        let MoveError::Short { rows, written, .. } = error else { panic!("{error:?}") };
        assert!(written < rows, "{written} of {rows}");
    }
}

#[test]
fn real_upsert_replaces_what_is_there() {
    let Some(clusters) = Clusters::require("real_upsert_replaces_what_is_there") else { return };
    let scope = Scope::new(clusters, "upsert");
    let pair = ten_thousand(clusters, &scope, "id INTEGER PRIMARY KEY, n INTEGER, t TEXT");
    let table = &pair.table;
    clusters
        .beta
        .sql(&format!("INSERT INTO {table} (id, n, t) (SELECT i, 0, 'old' FROM generate_series(5000, 20000) AS g(i))"));
    let mut job = pair.job(&["id"]);
    job.insert = upsert(&pair.name, &["id", "n", "t"], &["id"]);
    job.write = Write::Upsert;
    for _ in 0..2 {
        assert_eq!(run(&job).expect("every row").rows, 10_000);
        assert_eq!(clusters.beta.count(table), 20_000);
        job.many = Some(Many::default());
        let old = clusters.beta.value(&format!("SELECT count(*) FROM {table} WHERE t = 'old'"));
        assert_eq!(old.as_deref(), Some("10000"));
    }
    clusters.beta.sql(&format!("DELETE FROM {table} WHERE id > 10000; REFRESH TABLE {table}"));
    pair.is_equal("id");

    let keys = Pair::new(clusters, &scope, "keys", "id INTEGER PRIMARY KEY", "CLUSTERED INTO 1 SHARDS");
    keys.fill("id", "(SELECT * FROM generate_series(1, 100))");
    let mut job = keys.job(&["id"]);
    job.insert = upsert(&keys.name, &["id"], &["id"]);
    job.write = Write::Keep;
    for _ in 0..2 {
        assert_eq!(run(&job).expect("every row").rows, 100);
    }
    keys.is_equal("id");
}

#[test]
fn real_an_empty_table_and_columns_that_do_not_fit() {
    let Some(clusters) = Clusters::require("real_an_empty_table_and_columns_that_do_not_fit") else { return };
    let scope = Scope::new(clusters, "empty");
    let pair = Pair::new(clusters, &scope, "t", "id INTEGER PRIMARY KEY, o OBJECT, t TEXT", "CLUSTERED INTO 1 SHARDS");
    assert_eq!(run(&pair.job(&["id"])), Ok(Done { rows: 0, bytes: 0 }));
    let mut fewer = pair.job(&["id"]);
    fewer.insert = insert(&pair.name, &["id", "o"]);
    assert_eq!(run(&fewer).expect_err("t is not written").code(), "mover::columns");
    let mut mixed = pair.job(&["id"]);
    mixed.insert = insert(&pair.name, &["id", "t", "o"]);
    let error = run(&mixed).expect_err("an object is no text");
    assert!(error.to_string().contains("o holds objects"), "{error}");
    let mut nowhere = pair.job(&["id"]);
    nowhere.insert = insert(&TableName::new(&scope.schema, "nowhere"), &["id"]);
    assert_eq!(run(&nowhere).expect_err("no such table").code(), "mover::target");
    nowhere.select = "SELECT * FROM nowhere.nothing".to_owned();
    assert_eq!(run(&nowhere).expect_err("no such table").code(), "mover::source");
}

#[test]
fn real_a_source_that_dies_and_an_answer_that_is_lost() {
    let Some(clusters) = Clusters::require("real_a_source_that_dies_and_an_answer_that_is_lost") else { return };
    let scope = Scope::new(clusters, "lost");
    let pair = ten_thousand(clusters, &scope, "id INTEGER PRIMARY KEY, n INTEGER, t TEXT");
    let limits = Limits { rows: 500, writers: Width::fixed(1), ..Limits::default() };
    let mut job = Job { limits, ..pair.job(&["id"]) };
    job.source.access.endpoint.address = Proxy::cutting(&job.source.access.endpoint.address, 150_000).address;
    let error = run(&job).expect_err("the source is cut off");
    assert!(matches!(&error, MoveError::Source { .. }) && error.to_string().contains("was lost"), "{error}");
    let written = error.progress().written;
    assert!(written > 0 && written < 10_000, "{error}");
    assert_eq!(clusters.beta.count(&pair.table), written, "what was read before is written");

    clusters.beta.sql(&format!("DELETE FROM {}", pair.table));
    let mut job = Job { limits, ..pair.job(&["id"]) };
    job.target.access.endpoint.address = Proxy::cutting(&job.target.access.endpoint.address, 40_000).address;
    let error = run(&job).expect_err("the target is cut off");
    let MoveError::Unknown { rows: 500, progress, .. } = &error else { panic!("{error:?}") };
    assert!(progress.written > 0, "{error}");
}

/// What was told of each part: whether it was begun, and its rows once it was whole.
#[derive(Default)]
struct Parts(Mutex<BTreeMap<usize, Option<u64>>>);

impl Watch for Parts {
    fn progress(&self, _: Progress) {}

    fn part(&self, news: PartNews) {
        let mut parts = self.0.lock().expect("nobody panics");
        match news {
            PartNews::Begun { part } => assert_eq!(parts.insert(part, None), None, "part {part} is begun once"),
            PartNews::Whole { part, rows } => {
                assert_eq!(parts.insert(part, Some(rows)), Some(None), "part {part} was begun, and is whole once");
            }
        }
    }
}

#[test]
fn real_parts_are_copied_at_the_same_time() {
    let Some(clusters) = Clusters::require("real_parts_are_copied_at_the_same_time") else { return };
    let scope = Scope::new(clusters, "parts_at_once");
    let pair = ten_thousand(clusters, &scope, "id INTEGER, n INTEGER, t TEXT");
    let bound = |at: i32| Some((at * 200).to_string());
    let parts = || (0..60).map(|at| vec![bound(at), bound(at + 1)]).collect();
    let mut job = Job {
        select: format!("{} WHERE id > $1::integer AND id <= $2::integer", pair.many(&[]).select),
        parts: parts(),
        limits: Limits {
            rows: 150,
            readers: Width::fixed(3),
            writers: Width::fixed(4),
            memory: 16 * 1024,
            ..Limits::default()
        },
        ..pair.many(&[])
    };
    let seen = Parts::default();
    assert_eq!(block_on(copy(&job, &seen, std::future::pending())).expect("every row").rows, 10_000);
    let expected: BTreeMap<usize, Option<u64>> = (0..60).map(|at| (at, Some(if at < 50 { 200 } else { 0 }))).collect();
    assert_eq!(*seen.0.lock().expect("nobody panics"), expected);
    assert_eq!(clusters.beta.count(&pair.table), 10_000);
    pair.is_equal("id");

    // A row that is not taken ends it, and what was under way is done by then.
    pair.clear();
    clusters
        .beta
        .sql(&format!("DROP TABLE {0}; CREATE TABLE {0} (id INTEGER, n INTEGER CHECK (n <> 53), t TEXT)", pair.table));
    // Most of the parts are not begun by then, and most of those who could read them wait.
    job.limits = Limits { rows: 150, ..Limits::default() };
    let seen = Parts::default();
    let error = block_on(copy(&job, &seen, std::future::pending())).expect_err("a row is missing");
    let MoveError::Short { progress, .. } = &error else { panic!("{error:?}") };
    let there = clusters.beta.count(&pair.table);
    assert!(there >= progress.written && there < 10_000, "{there}: {error}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(clusters.beta.count(&pair.table), there, "nothing comes afterwards");
    let parts = seen.0.lock().expect("nobody panics");
    let whole = parts.values().flatten().sum::<u64>();
    assert_eq!(parts.get(&0), Some(&None), "the part of the row is not whole");
    assert!(whole <= progress.written, "{whole}: {error}");
}

#[test]
fn real_a_cancelled_copy_stops_and_says_so() {
    let Some(clusters) = Clusters::require("real_a_cancelled_copy_stops_and_says_so") else { return };
    let scope = Scope::new(clusters, "cancel");
    let pair = ten_thousand(clusters, &scope, "id INTEGER PRIMARY KEY, n INTEGER, t TEXT");
    let mut job = Job { limits: Limits { rows: 100, ..Limits::default() }, ..pair.job(&["id"]) };
    // Far more rows than can be copied: only cancelling ends it.
    job.select =
        format!("SELECT (g * 10000 + id)::integer, n, t FROM {}, generate_series(0, 200000) AS s(g)", pair.table);
    let written = AtomicBool::new(false);
    let note = |progress: Progress| written.store(progress.written > 0, Ordering::Relaxed);
    let cancel = async {
        while !written.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let error = block_on(copy(&job, &note, cancel)).expect_err("it is cancelled");
    assert!(matches!(error, MoveError::Cancelled { progress } if progress.written > 0), "{error:?}");
    let running =
        format!("SELECT count(*) FROM sys.jobs WHERE stmt LIKE '%{}%' AND stmt NOT LIKE '%sys.jobs%'", scope.schema);
    for (_, cluster) in clusters.both() {
        crate::real::wait_until("the server has stopped too", Duration::from_secs(20), || {
            cluster.value(&running).as_deref() == Some("0")
        });
    }
}

#[test]
fn real_copies_use_tls_and_passwords() {
    let Some(clusters) = Clusters::require("real_copies_use_tls_and_passwords") else { return };
    let mut scope = Scope::new(clusters, "tls");
    let on_schema = format!("SCHEMA \"{}\"", scope.schema);
    let user = scope.user("mover", &[&format!("DQL ON {on_schema}"), &format!("DML ON {on_schema}")]);
    let pair = ten_thousand(clusters, &scope, "id INTEGER PRIMARY KEY, n INTEGER, t TEXT");
    let mut job = pair.job(&["id"]);
    job.target.access = access(&clusters.beta, &user, TlsMode::Disable);
    if let Some(ca) = &clusters.alpha.ca {
        job.source.access = access(&clusters.alpha, &user, TlsMode::VerifyFull);
        job.source.access.ca = Some(ca.clone());
    }
    assert_eq!(run(&job).expect("every row").rows, 10_000);
    pair.is_equal("id");

    let mut wrong = job.clone();
    wrong.target.access.password = Some("canary".into());
    let error = run(&wrong).expect_err("the password is wrong");
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    wrong.target.access = access(&clusters.beta, &user, TlsMode::Require);
    let error = run(&wrong).expect_err("beta has no TLS");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    wrong.target.access = access(&clusters.beta, &user, TlsMode::Disable);
    wrong.target.access.endpoint.address.port = 1;
    let error = run(&wrong).expect_err("nobody is there");
    assert!(error.to_string().contains("nobody answers"), "{error}");
    if clusters.alpha.ca.is_some() {
        job.source.access.ca = None;
        let error = run(&job).expect_err("nobody vouches for the certificate");
        assert!(error.to_string().contains("is not accepted"), "{error}");
    }
}
