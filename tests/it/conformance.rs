//! The same statements to the sandbox and to real clusters. `tests/conformance/answers.txt` has what a real CrateDB answered
//! over the extended protocol, in binary; `TRANSSHIP_BLESS=1` writes it anew from one. What the sandbox answers otherwise
//! stands in `exceptions.txt` with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::pin::pin;

use bytes::BytesMut;
use futures_util::TryStreamExt as _;
use tokio_postgres::types::{BorrowToSql, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, RowStream};

use crate::figures::Figures;
use crate::sandbox::Pair;

/// A cell as it stands on the wire.
#[derive(Debug)]
pub(crate) struct Raw(Option<Vec<u8>>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Raw {
    /// The text where it is one, otherwise the bytes. Objects are shown with their keys in order.
    fn shown(&self, data_type: &Type) -> String {
        let Some(bytes) = &self.0 else { return "NULL".to_owned() };
        if *data_type == Type::JSON {
            let json: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
            return json.map_or_else(|error| error.to_string(), |json| json.to_string());
        }
        let is_text = matches!(*data_type, Type::VARCHAR | Type::BPCHAR | Type::TEXT);
        match std::str::from_utf8(bytes) {
            Ok(text) if is_text => format!("'{}'", text.replace('\n', "\\n")),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance")).join(name)
}

/// The statements, in the given schema.
fn statements() -> Vec<String> {
    let text = fs_err::read_to_string(file("statements.sql")).expect("the statements");
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Connects to a port of this machine as the superuser.
pub(crate) async fn connect(host: &str, port: u16, user: &str, password: Option<&str>) -> Client {
    let mut config = Config::new();
    config.host(host).port(port).user(user);
    if let Some(password) = password {
        config.password(password);
    }
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// What a statement gives: columns with types and rows, a count, or an error.
pub(crate) async fn ask<P: BorrowToSql>(client: &Client, sql: &str, parameters: Vec<(P, Type)>) -> String {
    let answer = answer(client, sql, parameters).await;
    if answer.is_err() {
        // CrateDB is ready some time after it has sent an error; a bare Sync is answered only then.
        client.check_connection().await.expect("the connection stays");
    }
    shown(answer)
}

fn shown(answer: Result<String, tokio_postgres::Error>) -> String {
    match answer {
        Ok(text) => text,
        Err(error) => match error.as_db_error() {
            Some(db) => format!("  {} {}\n", db.code().code(), without_hash(db.message())),
            None => format!("  {error:?}\n"),
        },
    }
}

/// The first line of a message without the digits in the names of checks, which are random.
fn without_hash(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.split_once("_check_") {
        Some((before, rest)) => {
            format!("{before}_check_…{}", rest.trim_start_matches(|digit: char| digit.is_ascii_hexdigit()))
        }
        None => line.to_owned(),
    }
}

async fn answer<P: BorrowToSql>(
    client: &Client,
    sql: &str,
    parameters: Vec<(P, Type)>,
) -> Result<String, tokio_postgres::Error> {
    told(client.query_typed_raw(sql, parameters).await?).await
}

async fn told(stream: RowStream) -> Result<String, tokio_postgres::Error> {
    let mut stream = pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    let mut text = String::new();
    if let Some(row) = rows.first() {
        let columns: Vec<String> = row
            .columns()
            .iter()
            .map(|column| format!("{} {}", column.name().replace('\n', " "), column.type_().oid()))
            .collect();
        writeln!(text, "  {}", columns.join(" | ")).expect("writing to a String");
    }
    for row in &rows {
        let cells = row.columns().iter().enumerate().map(|(at, column)| row.get::<_, Raw>(at).shown(column.type_()));
        writeln!(text, "  {}", cells.collect::<Vec<_>>().join(" | ")).expect("writing to a String");
    }
    writeln!(text, "  {:?}", stream.rows_affected()).expect("writing to a String");
    Ok(text)
}

/// Every statement with its answer, in a schema of its own.
pub(crate) async fn transcript(client: &Client, schema: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for statement in statements() {
        let here = |text: &str| {
            text.replace("conf.", &format!("{schema}."))
                .replace("conf_", &format!("{schema}_"))
                .replace("'conf'", &format!("'{schema}'"))
        };
        let answer = ask(client, &here(&statement), Vec::<(Raw, Type)>::new()).await;
        found.push((statement, answer.replace(schema, "conf")));
    }
    found.push(("rows through parameters".to_owned(), copy(client, schema).await.replace(schema, "conf")));
    found
}

/// Reads every type and writes it again through parameters, as it came over the wire.
async fn copy(client: &Client, schema: &str) -> String {
    const COLUMNS: &str = "id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w";
    let mut made = statements()[0].replace("conf.types", &format!("{schema}.copy"));
    made.truncate(made.rfind(", x TEXT").expect("the last columns"));
    ask(client, &format!("{made}) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)"), Vec::<(Raw, Type)>::new())
        .await;
    ask(client, &format!("REFRESH TABLE {schema}.types"), Vec::<(Raw, Type)>::new()).await;
    let read = COLUMNS.replace(" q,", " _doc['q'],");
    let sql = format!("SELECT {read} FROM {schema}.types ORDER BY id");
    let Ok(rows) = client.query_typed_raw(&sql, Vec::<(Raw, Type)>::new()).await else {
        return ask(client, &sql, Vec::<(Raw, Type)>::new()).await;
    };
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.expect("a row") {
        let cells = (0..row.len()).map(|at| (row.get::<_, Raw>(at), row.columns()[at].type_().clone()));
        all.push(cells.collect::<Vec<_>>());
    }
    let values: Vec<String> = (1..=24).map(|number| format!("${number}")).collect();
    let insert = format!("INSERT INTO {schema}.copy ({COLUMNS}) VALUES ({})", values.join(", "));
    // A statement whose parameters have no declared types: the server tells which it wants.
    let statement = client.prepare(&insert).await.expect("the statement is right");
    let mut text = statement.params().iter().map(|wanted| format!("  {}\n", wanted.oid())).collect::<String>();
    for cells in all {
        let cells = cells.into_iter().map(|(cell, _)| cell);
        text += &shown(match client.query_raw(&statement, cells).await {
            Ok(stream) => told(stream).await,
            Err(error) => Err(error),
        });
    }
    ask(client, &format!("REFRESH TABLE {schema}.copy"), Vec::<(Raw, Type)>::new()).await;
    text + &ask(client, &sql.replace(".types", ".copy"), Vec::<(Raw, Type)>::new()).await
}

/// The transcript as it stands in the file.
pub(crate) fn written(transcript: &[(String, String)]) -> String {
    transcript.iter().map(|(statement, answer)| format!("{statement}\n{answer}")).collect()
}

/// The answers of the file by statement; a statement that is there twice has a number.
pub(crate) fn numbered(transcript: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (number, (statement, answer)) in transcript.into_iter().enumerate() {
        found.insert(format!("{:03} {statement}", number + 1), answer);
    }
    found
}

pub(crate) fn golden(name: &str) -> BTreeMap<String, String> {
    let text = fs_err::read_to_string(file(name)).expect("the answers");
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("  ") {
            let (_, answer) = found.last_mut().expect("a statement comes first");
            writeln!(answer, "{line}").expect("writing to a String");
        } else {
            found.push((line.to_owned(), String::new()));
        }
    }
    numbered(found)
}

/// Compares what was found with what is on file, and writes the figures into the page.
pub(crate) fn hold(found: &BTreeMap<String, String>, answers: &str, exceptions: &str, page: &str, part: &str) {
    let text = fs_err::read_to_string(file(exceptions)).expect("the exceptions");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let reasons: BTreeMap<&str, &str> =
        lines.map(|line| line.split_once(' ').expect("a number and a reason")).collect();
    let listed: BTreeSet<&str> = reasons.keys().copied().collect();
    let (mut new, mut gone) = (String::new(), Vec::new());
    let golden = golden(answers);
    let all = golden.len();
    for (statement, expected) in golden {
        let answer = found.get(&statement).cloned().unwrap_or_default();
        let is_listed = listed.contains(&statement[..3]);
        if answer == expected && is_listed {
            gone.push(statement);
        } else if answer != expected && !is_listed {
            writeln!(new, "{statement}\n{answer}instead of\n{expected}").expect("writing to a String");
        }
    }
    assert!(new.is_empty(), "answered otherwise than by CrateDB:\n{new}");
    assert!(gone.is_empty(), "answered alike, yet listed as exceptions: {gone:?}");
    let figures = Figures {
        parts: vec![(part.to_owned(), all, all - listed.len())],
        reasons: reasons.into_values().map(str::to_owned).collect(),
    };
    figures.stand_in_the_page(page);
}
#[test]
fn the_sandbox_answers_as_cratedb_did() {
    let pair = Pair::start();
    let port = pair.sandbox.port("shop").expect("a cluster");
    let found = pair.block_on(async {
        let client = connect("127.0.0.1", port, "crate", None).await;
        numbered(transcript(&client, "conf").await)
    });
    hold(&found, "answers.txt", "exceptions.txt", "conformance", "`statements.sql`");
}
