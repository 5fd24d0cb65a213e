//! Connects to CrateDB over the PostgreSQL wire, observes, executes and classifies errors.
//!
//! [`Session`] is one connection; everything above it speaks to the trait [`Server`], so that it can be tested on
//! recorded answers. Every text that comes from a server passes the redactor before anybody sees it.

mod classify;
mod connect;
pub mod connection;
mod decode;
pub mod define;
pub mod describe;
pub mod error;
mod exchange;
pub mod gate;
pub mod observe;
#[cfg(test)]
mod recorded;
pub mod runs;
pub mod session;
pub mod snapshots;
mod tls;
pub mod value;
pub mod watch;
pub mod wire;

pub use connection::subscription_connection;
pub use define::define;
pub use describe::describe;
pub use error::{ClusterError, ErrorKind, ObjectKind, StoreFault};
pub use gate::Gate;
pub use observe::observe;
pub use runs::{Counts, RunsOf};
pub use session::{Server, Session};
pub use snapshots::snapshots;
pub use value::{Bind, Rows, Value, ValueError};
pub use watch::watch;
pub use wire::{Wire, WireCanceller};
