//! The time of a world: that of the machine, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self(None)
    }

    /// A clock that stands still at `milliseconds` since 1970 until it is moved.
    pub fn still(milliseconds: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(milliseconds))))
    }

    /// Moves a clock that stands still; the machine's clock is not moved.
    pub fn advance(&self, milliseconds: i64) {
        if let Some(now) = &self.0 {
            now.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// Milliseconds since 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the sandbox's one clock, and a server's rather than the product's"
    )]
    pub(crate) fn now(&self) -> i64 {
        match &self.0 {
            Some(now) => now.load(Ordering::Relaxed),
            None => jiff::Timestamp::now().as_millisecond(),
        }
    }
}
