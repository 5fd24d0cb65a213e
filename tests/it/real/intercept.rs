//! A connection to a cluster on which a test does something at the very moment of a statement.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Cluster;

/// What becomes of the statement that was waited for, and of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is passed on, and nothing else happens.
    Pass,
    /// It never gets there, and the connection is gone.
    CutBefore,
    /// It gets there, and the connection is gone before an answer comes back.
    CutAfter,
}

type Hook = Box<dyn FnMut() -> Then + Send>;

/// Passes connections on to a cluster, and runs a hook before the first statement that holds a text.
pub(crate) struct Intercept {
    /// The cluster, as it is reached through this.
    pub(crate) cluster: Cluster,
    hits: Arc<AtomicU64>,
}

impl Intercept {
    /// Waits before `cluster` for a statement with `text`, and runs `hook` before it is passed on: the first
    /// time. The connection must not be encrypted.
    pub(crate) fn before(cluster: &Cluster, text: &str, hook: impl FnMut() -> Then + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let hits = Arc::new(AtomicU64::new(0));
        let watch = Watch {
            text: text.as_bytes().to_vec(),
            hook: Arc::new(Mutex::new(Box::new(hook))),
            hits: Arc::clone(&hits),
        };
        let server = (cluster.host.clone(), cluster.port);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((server.0.as_str(), server.1)) else { return };
                let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                let watch = watch.clone();
                thread::spawn(move || watch.pass(&from, &to));
                thread::spawn(move || answers(&server, &client));
            }
        });
        let cluster = Cluster { host: "127.0.0.1".to_owned(), port, ..cluster.clone() };
        Self { cluster, hits }
    }

    /// How often the statement came.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Watch {
    text: Vec<u8>,
    hook: Arc<Mutex<Hook>>,
    hits: Arc<AtomicU64>,
}

impl Watch {
    /// Passes on what the client sends.
    fn pass(&self, mut client: &TcpStream, mut server: &TcpStream) {
        let (mut buffer, mut before) = ([0; 16 * 1024], Vec::new());
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let then = if self.is_there(&mut before, &buffer[..count]) { self.run() } else { Then::Pass };
            if then == Then::CutBefore || server.write_all(&buffer[..count]).is_err() || then == Then::CutAfter {
                break;
            }
        }
        client.shutdown(Shutdown::Both).ok();
        server.shutdown(Shutdown::Both).ok();
    }

    /// Whether the text ends in what came now; `before` is what came last, in which it may have begun.
    fn is_there(&self, before: &mut Vec<u8>, now: &[u8]) -> bool {
        before.extend_from_slice(now);
        let found = before.windows(self.text.len()).any(|window| window == self.text);
        let keep = before.len().min(if found { 0 } else { self.text.len() - 1 });
        before.drain(..before.len() - keep);
        found
    }

    fn run(&self) -> Then {
        let first = self.hits.fetch_add(1, Ordering::SeqCst) == 0;
        if first { self.hook.lock().expect("the hook does not panic")() } else { Then::Pass }
    }
}

fn answers(mut server: &TcpStream, mut client: &TcpStream) {
    std::io::copy(&mut server, &mut client).ok();
    client.shutdown(Shutdown::Both).ok();
    server.shutdown(Shutdown::Both).ok();
}
