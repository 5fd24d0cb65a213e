//! An S3 server of the tests: s3s on the loopback interface over a temporary folder, one folder below it for each
//! bucket. It lives in this process, on a thread of its own, and ends with its [`S3`].

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::sync::oneshot;
use transship_sandbox::{Arrival, Gate};

/// The access key: the server takes no other.
pub(crate) const ACCESS_KEY: &str = "AKIA+transship=@1";
/// The secret key, with everything in it that means something in URLs but `:`, which no COPY can carry.
pub(crate) const SECRET_KEY: &str = "s3cret/+=%@?&#key";

/// What a server does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It closes connections without an answer.
    Refuse,
    /// It answers 403 `AccessDenied` to whatever changes something.
    ReadOnly,
    /// It answers 403 `AccessDenied` to everything.
    Forbid,
    /// It answers 503 `SlowDown` so many times.
    SlowDown(usize),
    /// It lets so much time pass before each answer.
    Slow(Duration),
}

/// A running server.
pub(crate) struct S3 {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    /// Dropped, it ends the server.
    _stop: oneshot::Sender<Infallible>,
}

#[derive(Default)]
struct State {
    fault: Mutex<Fault>,
    gate: Mutex<Option<Arc<Gate>>>,
    requests: Mutex<Vec<String>>,
    folder: PathBuf,
}

impl S3 {
    /// A server with these buckets.
    pub(crate) fn start(buckets: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("transship-s3-{}-{number}", std::process::id()));
        for bucket in buckets {
            fs_err::create_dir_all(folder.join(bucket)).expect("the temporary folder can be written");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let service = service(&folder);
        let state = Arc::new(State { folder, ..State::default() });
        let known = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, service, known) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, _stop: stop }
    }

    /// From now on the server does this wrong.
    pub(crate) fn fail(&self, fault: Fault) {
        *self.state.fault.lock().expect("nobody panics with it") = fault;
    }

    /// From now on every request passes `gate`, as one to the cluster `store`.
    pub(crate) fn pass(&self, gate: Arc<Gate>) {
        *self.state.gate.lock().expect("nobody panics with it") = Some(gate);
    }

    /// What was asked until now: method and path, oldest first.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("nobody panics with it").clone()
    }

    /// The folder that holds a bucket's objects.
    pub(crate) fn bucket(&self, bucket: &str) -> PathBuf {
        self.state.folder.join(bucket)
    }

    /// The keys of a bucket, sorted; the server's own files are none.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.bucket(bucket);
        let mut keys = Vec::new();
        files(&root, &mut keys);
        let relative = |path: PathBuf| Some(path.strip_prefix(&root).ok()?.to_string_lossy().into_owned());
        let mut keys: Vec<String> = keys.into_iter().filter_map(relative).collect();
        keys.sort();
        keys
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        fs_err::remove_dir_all(&self.state.folder).ok();
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            _ if entry.file_name().to_string_lossy().starts_with('.') => {}
            _ => found.push(entry.path()),
        }
    }
}

fn service(folder: &Path) -> S3Service {
    let files = s3s_fs::FileSystem::new(folder).expect("the folder can be served");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.build()
}

async fn serve(listener: TcpListener, service: S3Service, state: Arc<State>) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (service, state) = (service.clone(), Arc::clone(&state));
        let answer = service_fn(move |request| answer(service.clone(), Arc::clone(&state), request));
        tokio::spawn(async move {
            // A client that goes away is no concern of the server's.
            http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await.ok();
        });
    }
}

/// The server's answer, or what the fault makes of it.
async fn answer(
    service: S3Service,
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let changes = !matches!(request.method().as_str(), "GET" | "HEAD");
    let line = format!("{} {}", request.method(), request.uri().path());
    state.requests.lock().expect("nobody panics with it").push(line.clone());
    let gate = state.gate.lock().expect("nobody panics with it").clone();
    let halts = match &gate {
        Some(gate) => gate.enter(&Arrival { cluster: "store", statement: &line, changes }).await,
        None => false,
    };
    let answer = answer_ungated(&service, &state, request, changes).await;
    if let Some(gate) = gate.filter(|_| halts) {
        gate.halt().await;
    }
    answer
}

async fn answer_ungated(
    service: &S3Service,
    state: &State,
    request: Request<Incoming>,
    changes: bool,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    match next(state) {
        Fault::Refuse => return Err("refused".into()),
        Fault::Forbid => return Ok(error(StatusCode::FORBIDDEN, "AccessDenied")),
        Fault::ReadOnly if changes => return Ok(error(StatusCode::FORBIDDEN, "AccessDenied")),
        Fault::SlowDown(_) => return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")),
        Fault::Slow(time) => tokio::time::sleep(time).await,
        Fault::None | Fault::ReadOnly => {}
    }
    // s3s-fs would make the bucket with its first object.
    let bucket = request.uri().path().split('/').nth(1).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let signed = request.headers().contains_key("authorization") || query.contains("X-Amz-Signature");
    if signed && !state.folder.join(bucket).is_dir() {
        return Ok(error(StatusCode::NOT_FOUND, "NoSuchBucket"));
    }
    let is_list = query.contains("list-type=2");
    let answer = Service::call(service, request).await.map_err(|error| format!("{error:?}"))?;
    if is_list { plainly_named(answer).await } else { Ok(answer) }
}

/// s3s-fs says that it encodes the names in a list, and does not.
async fn plainly_named(answer: Response<Body>) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).replace("<EncodingType>url</EncodingType>", "");
    head.headers.remove("content-length");
    Ok(Response::from_parts(head, body.into()))
}

/// What is to go wrong with this request; counts those down that go wrong a number of times.
fn next(state: &State) -> Fault {
    let mut fault = state.fault.lock().expect("nobody panics with it");
    let now = *fault;
    if let Fault::SlowDown(times) = now {
        *fault = if times > 1 { Fault::SlowDown(times - 1) } else { Fault::None };
    }
    now
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    Response::builder().status(status).header("content-type", "application/xml").body(body.into()).expect("an answer")
}
