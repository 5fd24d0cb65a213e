//! A connection on which messages of the PostgreSQL wire are written and read as they are, for bulk data.
//!
//! [`Session`](crate::Session) sends a Sync after every statement. CrateDB runs many executions of one statement as one
//! bulk only when they come before one Sync, and cells that are only passed on need not be decoded: both want the
//! messages themselves.

mod login;
mod many;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;
use transship_model::Name;
use transship_model::access::{Access, HostPort};
use transship_model::redact::Redactor;

use crate::error::{ClusterError, ErrorKind};
use crate::gate::Gate;

/// How long the server may be silent unless the caller says otherwise.
const PATIENCE: Duration = Duration::from_mins(5);

/// How much is read at once.
const CHUNK: usize = 128 * 1024;

/// How long a server may take to be told to stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// A logged-in connection. One statement at a time: what is sent next waits for the answer to what was sent before.
pub struct Wire {
    name: Name,
    address: HostPort,
    redactor: Arc<Redactor>,
    stream: Pin<Box<dyn Duplex>>,
    incoming: BytesMut,
    outgoing: BytesMut,
    patience: Duration,
    gate: Gate,
    canceller: WireCanceller,
}

/// Asks the server to stop what a connection does, from beside it.
#[derive(Clone)]
pub struct WireCanceller {
    address: HostPort,
    tls: Option<MakeRustlsConnect>,
    process_id: i32,
    secret_key: i32,
}

trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

impl Wire {
    /// Connects and logs in, within ten seconds.
    pub async fn open(name: &Name, access: &Access, redactor: Arc<Redactor>) -> Result<Self, ClusterError> {
        login::open(name, access, redactor).await
    }

    /// How long the server may be silent while an answer is awaited.
    pub const fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends nothing more once the gate is closed, not even the rest of what was begun.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
    }

    /// Where messages are put that [`Self::flush`] sends.
    pub const fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// Sends what was put into [`Self::outgoing`].
    pub async fn flush(&mut self) -> Result<(), ClusterError> {
        let patience = self.patience;
        match timeout(patience, self.send()).await {
            Ok(Ok(())) => Ok(()),
            _ if !self.gate.is_open() => Err(ClusterError::withheld(&self.name)),
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Asks the gate whenever bytes could go out: what a full socket held back may be let go of much later.
    async fn send(&mut self) -> io::Result<()> {
        let Self { stream, outgoing, gate, .. } = self;
        while outgoing.has_remaining() {
            let sent =
                poll_fn(|cx| if gate.is_open() { stream.as_mut().poll_write(cx, outgoing.chunk()) } else { closed() });
            match sent.await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                sent => outgoing.advance(sent),
            }
        }
        poll_fn(|cx| if gate.is_open() { stream.as_mut().poll_flush(cx) } else { closed() }).await
    }

    /// The next message that is part of an answer. An error of the server is one of them: what follows it up to
    /// `ReadyForQuery` has to be read too.
    pub async fn receive(&mut self) -> Result<Message, ClusterError> {
        loop {
            match Message::parse(&mut self.incoming) {
                Ok(Some(
                    Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_),
                )) => {}
                Ok(Some(message)) => return Ok(message),
                Ok(None) => self.fill().await?,
                Err(error) => return Err(self.answer(format!("a message that cannot be read: {error}"))),
            }
        }
    }

    /// Reads to the end of an answer of which nothing matters but whether it is an error.
    pub async fn finish(&mut self) -> Result<(), ClusterError> {
        let mut problem = None;
        loop {
            match self.receive().await? {
                Message::ErrorResponse(body) => problem = problem.or(Some(self.server_error(&body))),
                Message::ReadyForQuery(_) => return problem.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    /// What the server said, classified and redacted.
    pub fn server_error(&self, body: &ErrorResponseBody) -> ClusterError {
        let (mut sqlstate, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            match field.type_() {
                b'C' => sqlstate = String::from_utf8_lossy(field.value_bytes()).into_owned(),
                b'M' => message = String::from_utf8_lossy(field.value_bytes()).into_owned(),
                _ => {}
            }
        }
        ClusterError::from_server(&self.name, &sqlstate, &message, &self.redactor)
    }

    /// An answer that is not what it should be.
    pub fn answer(&self, message: impl Into<String>) -> ClusterError {
        ClusterError::new(&self.name, ErrorKind::Answer, self.redactor.redact(&message.into()))
    }

    /// What stops this connection's statement from beside it.
    pub fn canceller(&self) -> WireCanceller {
        self.canceller.clone()
    }

    /// Ends the session in order; a server that hangs is not waited for.
    pub async fn close(mut self) {
        frontend::terminate(&mut self.outgoing);
        self.patience = Duration::from_secs(1);
        self.flush().await.ok();
    }

    async fn fill(&mut self) -> Result<(), ClusterError> {
        self.incoming.reserve(CHUNK);
        match timeout(self.patience, self.stream.read_buf(&mut self.incoming)).await {
            Ok(Ok(0)) => Err(self.lost(&io::Error::from(io::ErrorKind::UnexpectedEof))),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    fn lost(&self, error: &io::Error) -> ClusterError {
        let cause = match error.kind() {
            io::ErrorKind::UnexpectedEof => "closed".to_owned(),
            _ => self.redactor.redact(&error.to_string()),
        };
        let message = format!("the connection to {} was lost: {cause}", self.address);
        ClusterError::new(&self.name, ErrorKind::ConnectionLost, message)
    }

    fn silent(&self) -> ClusterError {
        let message = format!("{} was silent for {} s", self.address, self.patience.as_secs());
        ClusterError::new(&self.name, ErrorKind::Timeout, message)
    }
}

/// The gate is closed.
fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::from(io::ErrorKind::Interrupted)))
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

impl WireCanceller {
    /// Asks the server to stop the connection's statement. Failing to ask is no error: nobody waits for it.
    pub async fn cancel(&self) {
        let ask = async {
            let mut stream = login::stream(&self.address, self.tls.as_ref()).await.ok()?;
            let mut message = BytesMut::new();
            frontend::cancel_request(self.process_id, self.secret_key, &mut message);
            stream.write_all_buf(&mut message).await.ok()?;
            stream.flush().await.ok()?;
            // The server closes the connection once it has heard.
            stream.read_buf(&mut message).await.ok()
        };
        if timeout(CANCEL_TIMEOUT, ask).await.is_err() {}
    }
}
