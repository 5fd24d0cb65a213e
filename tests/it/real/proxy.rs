//! A connection that breaks, or is slow, when a test wants it to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use transship_model::access::HostPort;

/// Passes connections on to a server.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: HostPort,
}

impl Proxy {
    /// Cuts them all once the server has sent `limit` bytes.
    pub(crate) fn cutting(server: &HostPort, limit: u64) -> Self {
        let left = AtomicU64::new(limit);
        let may_answer = move |bytes: u64| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
        };
        Self::new(server, |_| true, may_answer)
    }

    /// Passes so many bytes a second to the server, over all connections; and once nothing for as long as `rest`, after as
    /// many bytes as it says.
    pub(crate) fn slow(server: &HostPort, rate: u64, rest: (u64, Duration)) -> Self {
        let pace = Mutex::new(Pace { rate, passed: 0, rest: Some(rest), next: Instant::now() });
        let wait = move |bytes: u64| {
            let next = pace.lock().expect("no proxy panicked").after(bytes);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            true
        };
        Self::new(server, wait, |_| true)
    }

    fn new(
        server: &HostPort,
        may_ask: impl Fn(u64) -> bool + Send + Sync + 'static,
        may_answer: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = (server.host.clone(), server.port);
        let (may_ask, may_answer) = (Arc::new(may_ask), Arc::new(may_answer));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((server.0.as_str(), server.1)) else { return };
                let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                let (may_ask, may_answer) = (Arc::clone(&may_ask), Arc::clone(&may_answer));
                thread::spawn(move || pass(&from, &to, |bytes| may_ask(bytes)));
                thread::spawn(move || pass(&server, &client, |bytes| may_answer(bytes)));
            }
        });
        Self { address: HostPort { host: "127.0.0.1".to_owned(), port } }
    }
}

/// When the next bytes may pass.
struct Pace {
    rate: u64,
    passed: u64,
    rest: Option<(u64, Duration)>,
    next: Instant,
}

impl Pace {
    fn after(&mut self, bytes: u64) -> Instant {
        self.passed += bytes;
        self.next = self.next.max(Instant::now()) + Duration::from_micros(bytes * 1_000_000 / self.rate);
        if let Some((_, rest)) = self.rest.take_if(|(after, _)| *after <= self.passed) {
            self.next += rest;
        }
        self.next
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, may: impl Fn(u64) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !may(count as u64) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Whichever side is gone by now is what this is for.
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
