//! From an address to a connection that is logged in, by TLS and user as the spec says.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect as _};
use tokio_postgres_rustls::MakeRustlsConnect;
use transship_model::Name;
use transship_model::access::{Access, HostPort};
use transship_model::redact::Redactor;

use super::{Duplex, PATIENCE, Wire, WireCanceller};
use crate::connect::{self, APPLICATION_NAME, CONNECT_TIMEOUT};
use crate::error::{ClusterError, ErrorKind};
use crate::gate::Gate;

pub(super) async fn open(name: &Name, access: &Access, redactor: Arc<Redactor>) -> Result<Wire, ClusterError> {
    let address = &access.endpoint.address;
    let tls = crate::tls::connector(access)
        .map_err(|problem| ClusterError::new(name, ErrorKind::Tls, redactor.redact(&problem)))?;
    let opening = async {
        let stream = stream(address, tls.as_ref()).await.map_err(|error| refused(name, address, &error))?;
        let canceller = WireCanceller { address: address.clone(), tls, process_id: 0, secret_key: 0 };
        let mut wire = Wire {
            name: name.clone(),
            address: address.clone(),
            redactor,
            stream,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            patience: PATIENCE,
            gate: Gate::default(),
            canceller,
        };
        log_in(&mut wire, access).await?;
        Ok(wire)
    };
    timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| {
        let message = format!("no answer from {address} within {} s", CONNECT_TIMEOUT.as_secs());
        Err(ClusterError::new(name, ErrorKind::Unreachable, message))
    })
}

/// A connection to `address`, encrypted where there is a connector.
pub(super) async fn stream(address: &HostPort, tls: Option<&MakeRustlsConnect>) -> io::Result<Pin<Box<dyn Duplex>>> {
    let mut socket = connect::socket(address).await?;
    let Some(tls) = tls else { return Ok(Box::pin(socket)) };
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.write_all_buf(&mut request).await?;
    if socket.read_u8().await? != b'S' {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "no TLS"));
    }
    let mut tls = tls.clone();
    let tls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, &address.host)
        .map_err(io::Error::other)?;
    Ok(Box::pin(tls.connect(socket).await?))
}

async fn log_in(wire: &mut Wire, access: &Access) -> Result<(), ClusterError> {
    let user = access.endpoint.user.as_str();
    let parameters = [("client_encoding", "UTF8"), ("user", user), ("application_name", APPLICATION_NAME)];
    frontend::startup_message(parameters, &mut wire.outgoing).map_err(|error| wire.answer(error.to_string()))?;
    wire.flush().await?;
    loop {
        match wire.receive().await? {
            Message::AuthenticationOk => {}
            Message::AuthenticationCleartextPassword => {
                let Some(password) = &access.password else {
                    let message = format!("{} asks user \"{user}\" for a password", wire.address);
                    return Err(ClusterError::new(&wire.name, ErrorKind::Authentication, message));
                };
                frontend::password_message(password.expose_secret().as_bytes(), &mut wire.outgoing)
                    .map_err(|error| wire.answer(error.to_string()))?;
                wire.flush().await?;
            }
            Message::BackendKeyData(body) => {
                wire.canceller.process_id = body.process_id();
                wire.canceller.secret_key = body.secret_key();
            }
            Message::ErrorResponse(body) => return Err(wire.server_error(&body)),
            Message::ReadyForQuery(_) => return Ok(()),
            _ => {
                let message = format!("{} asks for a way to log in that is not supported", wire.address);
                return Err(ClusterError::new(&wire.name, ErrorKind::Authentication, message));
            }
        }
    }
}

fn refused(name: &Name, address: &HostPort, error: &io::Error) -> ClusterError {
    let (kind, message) = if let Some(tls) = connect::find::<rustls::Error>(error) {
        connect::tls_refusal(address, tls)
    } else if error.kind() == io::ErrorKind::Unsupported {
        (ErrorKind::TlsRefused, format!("{address} does not speak TLS"))
    } else {
        (ErrorKind::Unreachable, format!("nobody answers at {address}: {error}"))
    };
    ClusterError::new(name, kind, message)
}
