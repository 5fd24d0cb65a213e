//! One connection to a cluster, and the trait through which everything else speaks to it.
//!
//! Statements are sent unnamed with their parameter types, in one round trip each, one after the other: CrateDB mixes up
//! its answers when the next statement arrives before the last one is answered. CrateDB has no transactions, so nothing
//! here offers one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex as Turn;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;
use transship_model::access::{Access, HostPort};
use transship_model::redact::Redactor;
use transship_model::{Name, Version};

use crate::connect;
use crate::error::{ClusterError, ErrorKind};
use crate::exchange;
use crate::gate::Gate;
use crate::value::{Bind, Rows};

/// How long a statement may take unless its caller says otherwise.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a server may take to end a session.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many statements are sent together.
const BATCH: usize = 100;

/// The longest statement text that an error repeats.
const SHOWN_STATEMENT: usize = 2_000;

/// Whoever answers statements: a [`Session`], or recorded answers.
pub trait Server: Send + Sync {
    /// The cluster's name in the spec.
    fn name(&self) -> &Name;

    /// The rows that a statement gives.
    fn query<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>>;

    /// The number of rows that a statement affects, as the server counts them; 0 where it cannot tell.
    ///
    /// CrateDB reports rows that it could not write by a smaller number and no error: compare the number with what was
    /// sent.
    fn execute<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>>;

    /// [`Self::query`] with a time limit of its own.
    fn query_within<'a>(
        &'a self,
        _limit: Duration,
        sql: &'a str,
        binds: &'a [Bind],
    ) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        self.query(sql, binds)
    }

    /// [`Self::execute`] with a time limit of its own.
    fn execute_within<'a>(
        &'a self,
        _limit: Duration,
        sql: &'a str,
        binds: &'a [Bind],
    ) -> BoxFuture<'a, Result<u64, ClusterError>> {
        self.execute(sql, binds)
    }

    /// The types of a statement's columns, as CREATE TABLE has them (empty where the wire does not tell), from preparing
    /// it. It is never executed.
    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Vec<String>, ClusterError>> {
        let error = ClusterError::new(self.name(), ErrorKind::Other, "nothing is known of this statement");
        Box::pin(async move { Err(error.during(sql)) })
    }

    /// The answers to many statements without parameters whose columns are all texts, in their order. They may be sent
    /// together.
    fn query_texts<'a>(&'a self, statements: &'a [String]) -> BoxFuture<'a, Vec<Result<Rows, ClusterError>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(statements.len());
            for sql in statements {
                answers.push(self.query(sql, &[]).await);
            }
            answers
        })
    }
}

/// One connection to a cluster. Statements that are sent at the same time wait for each other.
pub struct Session {
    name: Name,
    address: HostPort,
    version: Option<Version>,
    client: Arc<Client>,
    /// Held by the statement that the server is answering, until it has answered.
    turn: Arc<Turn<()>>,
    tls: Option<MakeRustlsConnect>,
    redactor: Arc<Redactor>,
    gate: Gate,
    /// Why the connection ended, once it has.
    ended: Ended,
    task: JoinHandle<()>,
}

/// Why a connection ended.
pub(crate) type Ended = Arc<Mutex<Option<String>>>;

/// What [`connect::open`] hands over.
pub(crate) struct Opened {
    pub(crate) client: Client,
    pub(crate) task: JoinHandle<()>,
    pub(crate) ended: Ended,
    pub(crate) crate_version: Option<String>,
}

impl Session {
    /// Connects, within ten seconds, and makes sure that CrateDB answers.
    pub async fn open(name: &Name, access: &Access, redactor: Arc<Redactor>) -> Result<Self, ClusterError> {
        let tls = crate::tls::connector(access)
            .map_err(|problem| ClusterError::new(name, ErrorKind::Tls, redactor.redact(&problem)))?;
        let opened = connect::open(name, access, tls.as_ref(), &redactor).await?;
        let Some(version) = opened.crate_version else {
            let message = format!("what answers at {} is not CrateDB", access.endpoint.address);
            return Err(ClusterError::new(name, ErrorKind::NotCrateDb, message));
        };
        Ok(Self {
            name: name.clone(),
            address: access.endpoint.address.clone(),
            version: version.parse().ok(),
            client: Arc::new(opened.client),
            turn: Arc::default(),
            tls,
            redactor,
            gate: Gate::default(),
            ended: opened.ended,
            task: opened.task,
        })
    }

    /// The same session, on which nothing is sent once the gate is closed.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// The version of the node that answers.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks the server to stop what it does for this session. The statement itself then ends with an error.
    pub async fn cancel(&self) {
        connect::cancel(self.client.cancel_token(), &self.address, self.tls.clone()).await;
    }

    /// Ends the session in order.
    pub async fn close(self) {
        let Self { client, task, .. } = self;
        drop(client);
        // The task ends by itself once the server has heard the farewell; a server that hangs is not waited for.
        if timeout(FAREWELL, task).await.is_err() {}
    }

    /// Does `work` when it is its turn. Whoever stops waiting for it leaves it running until the server has answered, so
    /// that the next statement cannot get its answer.
    async fn in_turn<T: Send + 'static>(
        &self,
        limit: Duration,
        sql: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let Ok(turn) = timeout(limit, Arc::clone(&self.turn).lock_owned()).await else {
            let message = format!("the statement before was not answered within {} s", limit.as_secs());
            return Err(ClusterError::new(&self.name, ErrorKind::Busy, message).during(self.shown(sql)));
        };
        // The turn may have come long after it was asked for.
        if !self.gate.is_open() {
            return Err(ClusterError::withheld(&self.name).during(self.shown(sql)));
        }
        let client = Arc::clone(&self.client);
        let task = tokio::spawn(async move {
            let answer = work.await;
            if answer.is_err() {
                // An error is known before the server is ready again; a bare Sync is answered only then.
                client.check_connection().await.ok();
            }
            drop(turn);
            answer
        });
        match timeout(limit, task).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(self.error(&error).during(self.shown(sql))),
            Ok(Err(_)) => {
                let message = "the statement was given up before it was answered";
                Err(ClusterError::new(&self.name, ErrorKind::ConnectionLost, message).during(self.shown(sql)))
            }
            Err(_) => {
                self.cancel().await;
                let message = format!("no answer within {} s; the server was asked to stop", limit.as_secs());
                Err(ClusterError::new(&self.name, ErrorKind::Timeout, message).during(self.shown(sql)))
            }
        }
    }

    fn error(&self, error: &tokio_postgres::Error) -> ClusterError {
        if let Some(db) = error.as_db_error() {
            return ClusterError::from_server(&self.name, db.code().code(), db.message(), &self.redactor);
        }
        let text = self.redactor.redact(&connect::chain(error));
        if error.is_closed() || connect::io_error(error).is_some() {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let message = format!("the connection to {} was lost: {}", self.address, ended.unwrap_or(text));
            return ClusterError::new(&self.name, ErrorKind::ConnectionLost, message);
        }
        ClusterError::new(&self.name, ErrorKind::Answer, text)
    }

    fn shown(&self, sql: &str) -> String {
        let mut text = self.redactor.redact(sql);
        if let Some((end, _)) = text.char_indices().nth(SHOWN_STATEMENT) {
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server for Session {
    fn name(&self) -> &Name {
        &self.name
    }

    fn query<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        self.query_within(STATEMENT_TIMEOUT, sql, binds)
    }

    fn execute<'a>(&'a self, sql: &'a str, binds: &'a [Bind]) -> BoxFuture<'a, Result<u64, ClusterError>> {
        self.execute_within(STATEMENT_TIMEOUT, sql, binds)
    }

    fn query_within<'a>(
        &'a self,
        limit: Duration,
        sql: &'a str,
        binds: &'a [Bind],
    ) -> BoxFuture<'a, Result<Rows, ClusterError>> {
        let work = exchange::rows(Arc::clone(&self.client), sql.to_owned(), binds);
        Box::pin(self.in_turn(limit, sql, work))
    }

    fn execute_within<'a>(
        &'a self,
        limit: Duration,
        sql: &'a str,
        binds: &'a [Bind],
    ) -> BoxFuture<'a, Result<u64, ClusterError>> {
        let work = exchange::affected(Arc::clone(&self.client), sql.to_owned(), binds);
        Box::pin(self.in_turn(limit, sql, work))
    }

    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Vec<String>, ClusterError>> {
        let work = exchange::types(Arc::clone(&self.client), sql.to_owned());
        Box::pin(self.in_turn(STATEMENT_TIMEOUT, sql, work))
    }

    /// Sends a hundred statements in one message of the simple protocol, whose answers keep their order. An error ends
    /// such a message early, so that its statements are then asked one by one.
    fn query_texts<'a>(&'a self, statements: &'a [String]) -> BoxFuture<'a, Vec<Result<Rows, ClusterError>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(statements.len());
            for batch in statements.chunks(BATCH) {
                let sql = batch.join("; ");
                let work = exchange::texts(Arc::clone(&self.client), sql.clone());
                match self.in_turn(STATEMENT_TIMEOUT, &sql, work).await {
                    Ok(found) if found.len() == batch.len() => answers.extend(found.into_iter().map(Ok)),
                    _ => {
                        for sql in batch {
                            answers.push(self.query(sql, &[]).await);
                        }
                    }
                }
            }
            answers
        })
    }
}
