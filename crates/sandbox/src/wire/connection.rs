//! One connection from its first byte to its last.

use std::io;

use bytes::BytesMut;
use pgwire::messages::response::{EmptyQueryResponse, SslResponse};
use pgwire::messages::startup::{Authentication, BackendKeyData, ParameterStatus, SecretKey, Startup};
use pgwire::messages::{
    DecodeContext, PgWireBackendMessage as Message, PgWireFrontendMessage as Request, ProtocolVersion,
    SslNegotiationMetaMessage,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::SharedRef;
use super::extended::{self, Extended, Flow};
use super::message;
use crate::engine::Session;
use crate::error::{Result, SqlError};
use crate::parse;

/// The parameters that CrateDB tells at the start.
const PARAMETERS: [(&str, &str); 8] = [
    ("crate_version", crate::VERSION),
    ("server_version", "14.0"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
];

struct Socket {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    context: DecodeContext,
}

impl Socket {
    /// The next request; `None` when the client has gone.
    async fn next(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(request) = Request::decode(&mut self.input, &self.context).map_err(io::Error::other)? {
                return Ok(Some(request));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn put(&mut self, message: &Message) -> io::Result<()> {
        message.encode(&mut self.output).map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }
}

/// Serves a client of `cluster` until it goes.
pub(crate) async fn serve(stream: TcpStream, cluster: String, shared: SharedRef) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    let mut socket = Socket { stream, input: BytesMut::new(), output: BytesMut::new(), context };
    let Some(startup) = greet(&mut socket).await? else { return Ok(()) };
    let Some(session) = log_in(&mut socket, &startup, cluster, &shared).await? else { return socket.flush().await };
    converse(&mut socket, session, shared).await
}

/// Up to the startup message; `None` for a request to cancel and for a client that has gone.
async fn greet(socket: &mut Socket) -> io::Result<Option<Startup>> {
    loop {
        match socket.next().await? {
            Some(Request::SslNegotiation(SslNegotiationMetaMessage::None)) => {
                socket.context.awaiting_frontend_ssl = false;
            }
            Some(Request::SslNegotiation(SslNegotiationMetaMessage::PostgresSsl(_))) => {
                socket.put(&Message::SslResponse(SslResponse::Refuse))?;
                socket.flush().await?;
            }
            Some(Request::SslNegotiation(SslNegotiationMetaMessage::PostgresGss(_))) => {
                socket.output.extend_from_slice(b"N");
                socket.flush().await?;
            }
            Some(Request::Startup(startup)) => {
                socket.context.awaiting_frontend_startup = false;
                return Ok(Some(startup));
            }
            _ => return Ok(None),
        }
    }
}

/// Asks for the password where the user has one.
async fn log_in(
    socket: &mut Socket,
    startup: &Startup,
    cluster: String,
    shared: &SharedRef,
) -> io::Result<Option<Session>> {
    let parameter = |name: &str| startup.parameters.get(name).cloned().unwrap_or_default();
    let user = parameter("user");
    let known = shared
        .world()
        .cluster(&cluster)
        .users
        .get(&user)
        .filter(|user| !user.is_role)
        .map(|user| user.password.clone());
    let problem = match known {
        None => Some(format!("trust authentication failed for user \"{user}\"")),
        Some(None) => None,
        Some(Some(password)) => {
            socket.put(&Message::Authentication(Authentication::CleartextPassword))?;
            socket.flush().await?;
            let Some(Request::PasswordMessageFamily(given)) = socket.next().await? else { return Ok(None) };
            let given = given.into_password().map_err(io::Error::other)?.password;
            (given != password).then(|| format!("password authentication failed for user \"{user}\""))
        }
    };
    if let Some(problem) = problem {
        socket.put(&message::error(&SqlError::new("28000", problem), "FATAL"))?;
        return Ok(None);
    }
    socket.put(&Message::Authentication(Authentication::Ok))?;
    for (name, value) in PARAMETERS {
        socket.put(&Message::ParameterStatus(ParameterStatus::new(name.to_owned(), value.to_owned())))?;
    }
    socket.put(&Message::BackendKeyData(BackendKeyData::new(1, SecretKey::I32(1))))?;
    socket.put(&message::ready(false))?;
    socket.flush().await?;
    let database = parameter("database");
    let is_schema = !matches!(database.as_str(), "" | "crate" | "postgres") && database != user;
    let schema = if is_schema { database } else { "doc".to_owned() };
    Ok(Some(Session { cluster, user, schema, fail_fast: false }))
}

/// Answers requests until the client goes.
async fn converse(socket: &mut Socket, mut session: Session, shared: SharedRef) -> io::Result<()> {
    let mut extended = Extended::new(shared.clone());
    while let Some(request) = socket.next().await? {
        let flow = match request {
            Request::Terminate(_) => return Ok(()),
            Request::Query(query) => simple(socket, &mut session, &shared, &query.query).await?,
            Request::Sync(_) => sync(socket, &mut session, &mut extended).await?,
            request if extended.has_failed => {
                drop(request);
                Flow::Go
            }
            request => {
                let is_execution = matches!(request, Request::Execute(_) | Request::Flush(_));
                match step(&mut session, &mut extended, request).await {
                    Ok(flow) => flow,
                    Err(error) => {
                        extended.fail(&error, !is_execution);
                        Flow::Go
                    }
                }
            }
        };
        if matches!(flow, Flow::Drop) {
            return Ok(());
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn step(session: &mut Session, extended: &mut Extended, request: Request) -> Result<Flow> {
    match request {
        Request::Parse(parse) => extended.parse(parse)?,
        Request::Bind(bind) => extended.bind(session, &bind)?,
        Request::Describe(describe) => extended.describe(session, &describe)?,
        Request::Close(close) => extended.close(&close),
        Request::Execute(execute) => return extended.execute(session, &execute).await,
        Request::Flush(_) => return extended.settle(session).await,
        other => return Err(SqlError::not_understood(format!("{other:?}"))),
    }
    Ok(Flow::Go)
}

async fn sync(socket: &mut Socket, session: &mut Session, extended: &mut Extended) -> io::Result<Flow> {
    if !extended.has_failed {
        match extended.settle(session).await {
            Ok(Flow::Drop) => return Ok(Flow::Drop),
            Ok(Flow::Go) => {}
            Err(error) => extended.fail(&error, false),
        }
    }
    for message in extended.take_replies() {
        socket.put(&message)?;
    }
    socket.put(&message::ready(extended.is_broken))?;
    extended.has_failed = false;
    extended.is_broken = false;
    Ok(Flow::Go)
}

/// The simple protocol: several statements, results as texts, the first error ends it.
async fn simple(socket: &mut Socket, session: &mut Session, shared: &SharedRef, sql: &str) -> io::Result<Flow> {
    let statements = match parse::statements(sql) {
        Ok(statements) => statements,
        Err(error) => {
            socket.put(&message::error(&error, "ERROR"))?;
            socket.put(&message::ready(false))?;
            return Ok(Flow::Go);
        }
    };
    if statements.is_empty() {
        socket.put(&Message::EmptyQueryResponse(EmptyQueryResponse::new()))?;
    }
    for parsed in statements {
        match extended::run(shared, session, &parsed, &[]).await {
            Ok(None) => return Ok(Flow::Drop),
            Ok(Some(outcome)) => {
                if let Some(columns) = &outcome.columns {
                    socket.put(&message::row_description(columns, &[]))?;
                    for row in &outcome.rows {
                        socket.put(&message::data_row(row, columns, &[]))?;
                    }
                }
                socket.put(&message::complete(&outcome))?;
            }
            Err(error) => {
                socket.put(&message::error(&error, "ERROR"))?;
                break;
            }
        }
    }
    socket.put(&message::ready(false))?;
    Ok(Flow::Go)
}
