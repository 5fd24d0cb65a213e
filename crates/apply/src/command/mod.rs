//! Programs of others that move rows: how one is found, started, told what to do, listened to and ended.
//!
//! A program runs below a [`guard`], another process of this very executable, which ends it as soon as nobody holds the
//! pipe to it any more: because the run says so, or because transship itself was killed.

mod document;
mod environment;
mod guard;
mod host;
mod lines;
mod output;
mod program;
mod result;

pub use guard::guard;
pub use host::CommandHost;

pub(crate) use document::document;
pub(crate) use host::{Ending, NotStarted, Start, run};
pub(crate) use output::Output;
pub(crate) use result::read;
