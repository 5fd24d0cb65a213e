//! Sessions with real clusters: why one cannot be opened, and what happens on one.

use std::sync::Arc;
use std::time::Duration;

use transship_cluster::{Bind, ClusterError, ErrorKind, Server as _, Session, Value};
use transship_model::Name;
use transship_model::access::Access;
use transship_model::spec::TlsMode;

use crate::real::{Clusters, Login, Scope, access};

async fn open(access: &Access) -> Result<Session, ClusterError> {
    let name: Name = "shop".parse().expect("a name");
    Session::open(&name, access, Arc::default()).await
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

#[track_caller]
fn refused(access: &Access, kind: &ErrorKind, says: &str) {
    let error = block_on(open(access)).expect_err("no session opens");
    assert_eq!(error.kind, *kind, "{error:?}");
    assert!(error.message.contains(says), "{error:?}");
    assert!(error.help().is_some() && error.spec_key().is_some(), "{error:?}");
}

#[test]
fn every_refusal_has_a_kind_of_its_own() {
    let Some(clusters) = Clusters::require("every_refusal_has_a_kind_of_its_own") else { return };
    let mut scope = Scope::new(clusters, "refusal");
    let user = scope.user("u", &[]);
    let beta = &clusters.beta;
    let with = |password: Option<&str>| Login { user: user.user.clone(), password: password.map(str::to_owned) };

    let wrong = access(beta, &with(Some("canary")), TlsMode::Disable);
    refused(&wrong, &ErrorKind::Authentication, "password authentication failed");
    refused(&access(beta, &with(None), TlsMode::Disable), &ErrorKind::Authentication, "for a password");
    let mut nobody = access(beta, &user, TlsMode::Disable);
    nobody.endpoint.address.port = 1;
    refused(&nobody, &ErrorKind::Unreachable, "nobody answers at 127.0.0.1:1");
    let mut unknown = access(beta, &user, TlsMode::Disable);
    unknown.endpoint.address.host = "no-such-host.invalid".to_owned();
    refused(&unknown, &ErrorKind::Unreachable, "no-such-host.invalid");
    let mut other = access(beta, &user, TlsMode::Disable);
    other.endpoint.address.port = beta.transport;
    refused(&other, &ErrorKind::NotCrateDb, "does not speak the PostgreSQL wire");
}

#[test]
fn tls_is_what_the_spec_says() {
    let Some(clusters) = Clusters::require("tls_is_what_the_spec_says") else { return };
    let Some(ca) = &clusters.alpha.ca else { return };
    let admin = &clusters.alpha.admin;
    refused(&access(&clusters.beta, admin, TlsMode::Require), &ErrorKind::TlsRefused, "does not speak TLS");
    refused(&access(&clusters.alpha, admin, TlsMode::VerifyFull), &ErrorKind::Certificate, "is not accepted");

    let encrypted = access(&clusters.alpha, admin, TlsMode::Require);
    let verified = Access { ca: Some(ca.clone()), ..access(&clusters.alpha, admin, TlsMode::VerifyFull) };
    for access in [&encrypted, &verified] {
        block_on(async {
            let session = open(access).await.expect("TLS is set up");
            let rows = session.query("SELECT count(*) AS n FROM sys.sessions WHERE ssl", &[]).await;
            assert!(rows.expect("an answer").int(0, "n").is_ok_and(|sessions| sessions > 0));
            session.close().await;
        });
    }
    let mut elsewhere = verified.clone();
    elsewhere.endpoint.address.host = "localhost".to_owned();
    refused(&elsewhere, &ErrorKind::Certificate, "is not accepted");
    let broken = Access { ca: Some("no certificate".to_owned()), ..verified };
    refused(&broken, &ErrorKind::Tls, "`ca` holds no certificate");
}

#[test]
fn joined_statements_get_their_own_answers() {
    let Some(clusters) = Clusters::require("joined_statements_get_their_own_answers") else { return };
    block_on(async {
        let alpha = &clusters.alpha;
        let session = open(&access(alpha, &alpha.admin, TlsMode::Disable)).await.expect("a session");
        let text = [Bind::Text("{x}'".to_owned())];
        let (one, two, three, four) = tokio::join!(
            session.query("SELECT id, name FROM sys.cluster", &[]),
            session.query("SELECT name, version['number'] AS v, 2 AS n FROM sys.nodes", &[]),
            session.query("SELECT * FROM nowhere.nothing", &[]),
            session.query("SELECT $1::text AS t", &text),
        );
        assert_eq!(one.expect("an answer").columns, ["id", "name"]);
        assert_eq!(two.expect("an answer").int(0, "n"), Ok(2));
        assert!(matches!(three.expect_err("no such schema").kind, ErrorKind::NotFound { .. }));
        assert_eq!(four.expect("an answer").text(0, "t"), Ok("{x}'"));
        let texts = ["SHOW search_path", "SELECT * FROM nowhere.nothing", "SELECT 'a' AS b"].map(str::to_owned);
        let answers = session.query_texts(&texts).await;
        assert!(answers[0].is_ok() && answers[1].is_err());
        assert_eq!(answers[2].as_ref().expect("an answer").text(0, "b"), Ok("a"));
    });
}

#[test]
fn a_statement_that_takes_too_long_is_given_up() {
    let Some(clusters) = Clusters::require("a_statement_that_takes_too_long_is_given_up") else { return };
    let endless = "SELECT count(*) AS n FROM generate_series(1, 10000000) a, generate_series(1, 10000) b";
    block_on(async {
        let alpha = &clusters.alpha;
        let session = open(&access(alpha, &alpha.admin, TlsMode::Disable)).await.expect("a session");
        let error = session.query_within(Duration::from_millis(300), endless, &[]).await.expect_err("too long");
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.may_have_happened() && error.statement.as_deref() == Some(endless));
        let rows = session.query("SELECT 7 AS n", &[]).await.expect("the session goes on");
        assert_eq!(rows.rows, [[Value::Int(7)]]);
    });
}

#[test]
fn values_and_parameters_survive() {
    let Some(clusters) = Clusters::require("values_and_parameters_survive") else { return };
    let scope = Scope::new(clusters, "values");
    let table = scope.table("t");
    clusters.alpha.sql(&format!("CREATE TABLE {table} (k TEXT PRIMARY KEY, j OBJECT, ts TIMESTAMP WITH TIME ZONE)"));
    block_on(async {
        let alpha = &clusters.alpha;
        let session = open(&access(alpha, &alpha.admin, TlsMode::Disable)).await.expect("a session");
        let now = "2026-11-22T18:00:00.123Z".parse().expect("a timestamp");
        let json = serde_json::json!({"a": [1, 2], "b": {"c": "d"}});
        let binds = [Bind::Secret("it's".into()), Bind::Json(json.clone()), Bind::Time(now)];
        let sql = format!("INSERT INTO {table} (k, j, ts) VALUES ($1, $2, $3)");
        assert_eq!(session.execute(&sql, &binds).await.expect("inserted"), 1);
        let error = session.execute(&sql, &binds).await.expect_err("the key is taken");
        assert_eq!(error.kind, ErrorKind::DuplicateKey);
        session.execute(&format!("REFRESH TABLE {table}"), &[]).await.expect("refreshed");
        let sql = format!("SELECT k, j, ts, 1.50::numeric(3, 2) AS n, ['a', NULL] AS l FROM {table} WHERE k = ANY($1)");
        let rows = session.query(&sql, &[Bind::TextList(vec!["it's".to_owned()])]).await.expect("selected");
        assert_eq!(rows.text(0, "k"), Ok("it's"));
        assert_eq!(rows.value(0, "j"), Ok(&Value::Json(json)));
        assert_eq!(rows.time(0, "ts"), Ok(now));
        assert_eq!(rows.text(0, "n"), Ok("1.50"));
        assert_eq!(rows.texts(0, "l"), Ok(vec!["a".to_owned()]));
        let error = session.query("SELECT B'1010' AS b", &[]).await.expect_err("a type that is not known");
        assert_eq!(error.kind, ErrorKind::Answer);
        assert!(error.message.contains("bit"), "{}", error.message);
    });
}
