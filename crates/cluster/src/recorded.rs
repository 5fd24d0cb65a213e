//! Recorded answers in place of a server, and the way to record them anew (see `recordings/README.md`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use transship_model::Name;
use transship_model::redact::Redactor;

use crate::error::ClusterError;
use crate::session::{Server, Session};
use crate::value::{Bind, Rows};

/// What a server answered to each statement.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recording(BTreeMap<String, Recorded>);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Recorded {
    Rows(Rows),
    Error { sqlstate: String, message: String },
}

/// Answers from a recording. A statement that is not in it is a failure of the test.
pub(crate) struct Replay {
    pub(crate) name: Name,
    pub(crate) recording: Recording,
}

impl Replay {
    pub(crate) fn of(text: &str) -> Self {
        let recording = serde_json::from_str(text).expect("a recording");
        Self { name: "shop".parse().expect("a name"), recording }
    }

    /// The same with another answer to `sql`.
    pub(crate) fn with_rows(mut self, sql: &str, rows: Rows) -> Self {
        self.recording.0.insert(sql.to_owned(), Recorded::Rows(rows));
        self
    }

    /// The same with an error in answer to `sql`.
    pub(crate) fn with_error(mut self, sql: &str, sqlstate: &str, message: &str) -> Self {
        let error = Recorded::Error { sqlstate: sqlstate.to_owned(), message: message.to_owned() };
        self.recording.0.insert(sql.to_owned(), error);
        self
    }

    fn answer(&self, sql: &str) -> Result<Rows, ClusterError> {
        match self.recording.0.get(sql).unwrap_or_else(|| panic!("not recorded: {sql}")).clone() {
            Recorded::Rows(rows) => Ok(rows),
            Recorded::Error { sqlstate, message } => {
                Err(ClusterError::from_server(&self.name, &sqlstate, &message, &Redactor::default()).during(sql))
            }
        }
    }
}

impl Server for Replay {
    fn name(&self) -> &Name {
        &self.name
    }

    fn query<'a>(&'a self, sql: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        Box::pin(async { self.answer(sql) })
    }

    fn execute<'a>(&'a self, sql: &'a str, _: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
        Box::pin(async { self.answer(sql).map(|rows| rows.len() as u64) })
    }
}

/// Passes everything on to a session and keeps the answers.
struct Recorder {
    session: Session,
    recording: Mutex<Recording>,
}

impl Server for Recorder {
    fn name(&self) -> &Name {
        self.session.name()
    }

    fn query<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        Box::pin(async move {
            let answer = self.session.query(sql, binds).await;
            let recorded = match &answer {
                Ok(rows) => Recorded::Rows(rows.clone()),
                Err(error) => Recorded::Error {
                    sqlstate: error.sqlstate.clone().unwrap_or_default(),
                    message: error.message.clone(),
                },
            };
            self.recording.lock().expect("no test panics while it holds the lock").0.insert(sql.to_owned(), recorded);
            answer
        })
    }

    fn execute<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
        self.session.execute(sql, binds)
    }
}

/// `TRANSSHIP_RECORD='HOST:PORT USER PASSWORD FILE'` observes a running server and writes the file.
#[tokio::test]
#[ignore = "writes recordings from a running server"]
async fn record() {
    use transship_model::access::{Access, Endpoint, HostPort};

    let settings = std::env::var("TRANSSHIP_RECORD").expect("TRANSSHIP_RECORD is set");
    let [address, user, password, file] = settings.split(' ').collect::<Vec<_>>().try_into().expect("four words");
    let address: HostPort = address.parse().expect("HOST:PORT");
    let endpoint = Endpoint { subscriber_has_password: true, ..Endpoint::plain(address, user) };
    let access = Access {
        endpoint,
        password: Some(password.into()),
        subscriber_password: None,
        ca: None,
        cert: None,
        key: None,
    };
    let name: Name = "shop".parse().expect("a name");
    let session = Session::open(&name, &access, Arc::default()).await.expect("a server answers");
    let recorder = Recorder { session, recording: Mutex::default() };
    let workspace: Name = "shop-sync".parse().expect("a name");
    let mut observed = crate::observe(&recorder, &workspace, None).await.expect("an observation");
    let all = observed.tables.keys().cloned().collect();
    crate::define(&recorder, &mut observed, &all, &all).await.expect("definitions");
    let recording = recorder.recording.into_inner().expect("no test panics while it holds the lock");
    let text = serde_json::to_string_pretty(&recording).expect("serialisable");
    fs_err::write(file, text + "\n").expect("written");
    let path = format!("{file}.observed");
    fs_err::write(path, serde_json::to_string_pretty(&observed).expect("serialisable")).expect("written");
}
