//! HTTP for S3: one client with TLS by rustls, and time limits.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::RANGE;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use transship_model::spec::Protocol;

use crate::error::{About, ErrorKind, StoreError};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may take, beside the time for the bytes.
const ANSWER: Duration = Duration::from_secs(30);

/// What every connection is good for, in bytes a second.
const SLOWEST: usize = 128 * 1024;

/// The largest answer that is taken, in bytes: transship reads manifests and lists, never tables.
const LARGEST: usize = 64 * 1024 * 1024;

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What goes with a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) body: Bytes,
    /// The bytes that are asked for; all without it.
    pub(crate) range: Option<Range>,
}

impl From<Bytes> for Content {
    fn from(body: Bytes) -> Self {
        Self { body, range: None }
    }
}

/// Bytes of an object, from the first to the one before `to`, which is not empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Transport {
    pub(crate) fn new(protocol: Protocol, about: &About) -> Result<Self, StoreError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.enforce_http(false);
        let config = tls(protocol).map_err(|problem| about.error(ErrorKind::Tls, problem))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(builder.wrap_connector(connector));
        Ok(Self { client })
    }

    /// The answer to one request, which is sent once.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        content: Content,
        about: &About,
    ) -> Result<Response, StoreError> {
        let Content { body, range } = content;
        let expected = range.map_or(0, |Range { from, to }| to - from);
        let bytes = u64::try_from(body.len() / SLOWEST).unwrap_or(u64::MAX).max(expected / SLOWEST as u64);
        let limit = ANSWER.saturating_add(Duration::from_secs(bytes));
        let mut request = Request::builder().method(method).uri(url);
        if let Some(Range { from, to }) = range {
            request = request.header(RANGE, format!("bytes={from}-{}", to - 1));
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| about.error(ErrorKind::Other, error.to_string()))?;
        match timeout(limit, self.exchange(request, about)).await {
            Ok(answer) => answer,
            Err(_) => Err(about.error(ErrorKind::Timeout, format!("no answer within {} s", limit.as_secs()))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, about: &About) -> Result<Response, StoreError> {
        let answer = self.client.request(request).await;
        let (head, body) = answer.map_err(|error| failed(&error, about))?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| about.error(ErrorKind::Busy, format!("the answer broke off: {error}")))?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

fn tls(protocol: Protocol) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if protocol == Protocol::Https {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this system has no trusted certificate authorities".to_owned());
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no answer. The causes tell more than the error, which says no more than that there is none.
fn failed(error: &hyper_util::client::legacy::Error, about: &About) -> StoreError {
    let (mut kind, mut cause, mut message) = (None, error.source(), error.to_string());
    while let Some(source) = cause {
        message = source.to_string();
        if is_tls(source) {
            kind = Some(ErrorKind::Tls);
        }
        cause = source.source();
    }
    let kind = kind.unwrap_or(if error.is_connect() { ErrorKind::Unreachable } else { ErrorKind::Busy });
    about.error(kind, message)
}

/// Whether it is an error of TLS, which travel inside of errors of IO.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || carried.is_some_and(|carried| is_tls(carried))
}
