//! Opens and cancels connections, and tells apart why one cannot be opened.
//!
//! The socket is opened here rather than by tokio-postgres, so that an address where nobody answers, TLS that is refused
//! and a password that is wrong are errors of different kinds.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use transship_model::Name;
use transship_model::access::{Access, HostPort};
use transship_model::redact::Redactor;

use crate::error::{ClusterError, ErrorKind};
use crate::session::{Ended, Opened};

/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The name under which the server lists the session.
pub(crate) const APPLICATION_NAME: &str = "transship";

/// Connects and logs in.
pub(crate) async fn open(
    name: &Name,
    access: &Access,
    tls: Option<&MakeRustlsConnect>,
    redactor: &Redactor,
) -> Result<Opened, ClusterError> {
    let address = &access.endpoint.address;
    match timeout(CONNECT_TIMEOUT, login(access, tls)).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(Refusal::Network(error))) => {
            let message = format!("nobody answers at {address}: {error}");
            Err(ClusterError::new(name, ErrorKind::Unreachable, message))
        }
        Ok(Err(Refusal::Login(error))) => Err(refused(name, access, &error, redactor)),
        Err(_) => {
            let message = format!("no answer from {address} within {} s", CONNECT_TIMEOUT.as_secs());
            Err(ClusterError::new(name, ErrorKind::Unreachable, message))
        }
    }
}

/// Asks the server to stop what the session of `token` does. Failing to ask is no error: nobody waits for it.
pub(crate) async fn cancel(token: CancelToken, address: &HostPort, tls: Option<MakeRustlsConnect>) {
    let ask = async {
        let socket = socket(address).await.ok()?;
        match tls {
            Some(mut tls) => {
                let tls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, &address.host);
                token.cancel_query_raw(socket, tls.ok()?).await.ok()
            }
            None => token.cancel_query_raw(socket, NoTls).await.ok(),
        }
    };
    if timeout(Duration::from_secs(5), ask).await.is_err() {}
}

/// The error with everything that caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The network's error that caused `error`.
pub(crate) fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    find::<io::Error>(error)
}

enum Refusal {
    Network(io::Error),
    Login(tokio_postgres::Error),
}

async fn login(access: &Access, tls: Option<&MakeRustlsConnect>) -> Result<Opened, Refusal> {
    let address = &access.endpoint.address;
    let socket = socket(address).await.map_err(Refusal::Network)?;
    let config = config(access);
    match tls {
        Some(tls) => {
            let mut tls = tls.clone();
            let tls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, &address.host)
                .map_err(|error| Refusal::Network(io::Error::other(error)))?;
            start(&config, socket, tls).await
        }
        None => start(&config, socket, NoTls).await,
    }
    .map_err(Refusal::Login)
}

pub(crate) async fn socket(address: &HostPort) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn config(access: &Access) -> Config {
    let mut config = Config::new();
    config.user(&access.endpoint.user).application_name(APPLICATION_NAME);
    config.ssl_mode(if access.endpoint.tls == transship_model::spec::TlsMode::Disable {
        SslMode::Disable
    } else {
        SslMode::Require
    });
    if let Some(password) = &access.password {
        config.password(password.expose_secret());
    }
    config
}

async fn start<T>(config: &Config, socket: TcpStream, tls: T) -> Result<Opened, tokio_postgres::Error>
where
    T: TlsConnect<TcpStream>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(socket, tls).await?;
    let crate_version = connection.parameter("crate_version").map(str::to_owned);
    let ended = Ended::default();
    let task = tokio::spawn(drive(connection, Arc::clone(&ended)));
    Ok(Opened { client, task, ended, crate_version })
}

async fn drive<T>(connection: Connection<TcpStream, T>, ended: Ended)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let reason = match connection.await {
        Ok(()) => "closed".to_owned(),
        Err(error) => error.as_db_error().map_or_else(|| chain(&error), |db| db.message().to_owned()),
    };
    *Mutex::lock(&ended).unwrap_or_else(PoisonError::into_inner) = Some(reason);
}

fn refused(name: &Name, access: &Access, error: &tokio_postgres::Error, redactor: &Redactor) -> ClusterError {
    let address = &access.endpoint.address;
    if let Some(db) = error.as_db_error() {
        return ClusterError::from_server(name, db.code().code(), db.message(), redactor);
    }
    let cause = redactor.redact(&error.source().map_or_else(|| error.to_string(), chain));
    let (kind, message) = if let Some(tls) = find::<rustls::Error>(error) {
        tls_refusal(address, tls)
    } else if cause.contains("does not support TLS") {
        (ErrorKind::TlsRefused, format!("{address} does not speak TLS"))
    } else if cause.contains("password missing") {
        (ErrorKind::Authentication, format!("{address} asks user \"{}\" for a password", access.endpoint.user))
    } else if error.to_string().contains("authentication") {
        (ErrorKind::Authentication, format!("{address} asks for a way to log in that is not supported: {cause}"))
    } else {
        (ErrorKind::NotCrateDb, format!("what answers at {address} does not speak the PostgreSQL wire: {cause}"))
    };
    ClusterError::new(name, kind, message)
}

/// What a failed handshake means.
pub(crate) fn tls_refusal(address: &HostPort, error: &rustls::Error) -> (ErrorKind, String) {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            (ErrorKind::Certificate, format!("the certificate of {address} is not accepted: {error}"))
        }
        _ => (ErrorKind::Tls, format!("no TLS with {address}: {error}")),
    }
}

/// The error of type `E` among the causes; an [`io::Error`] hides its cause from `source`.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}
