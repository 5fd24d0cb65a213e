//! A connection that breaks when a test wants it to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use transship_model::access::HostPort;

/// Passes connections on to a server, and cuts them all once the server has sent so many bytes.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: HostPort,
}

impl Proxy {
    /// A proxy before `server` that lets `limit` bytes of answers pass.
    pub(crate) fn new(server: &HostPort, limit: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (server, left) = ((server.host.clone(), server.port), Arc::new(AtomicU64::new(limit)));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((server.0.as_str(), server.1)) else { return };
                let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                thread::spawn(move || pass(&from, &to, |_| true));
                let left = Arc::clone(&left);
                thread::spawn(move || {
                    pass(&server, &client, |bytes| {
                        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
                    });
                });
            }
        });
        Self { address: HostPort { host: "127.0.0.1".to_owned(), port } }
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
