//! The one place that reads clocks and sleeps. Everything else is handed a [`Clock`].

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// A source of time.
pub trait Clock: Send + Sync {
    /// The time of day, for people and the ledger.
    fn now(&self) -> Timestamp;

    /// The time since the clock was made, for limits: it never jumps.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    made: Instant,
}

impl SystemClock {
    /// The clock of this machine.
    pub fn new() -> Self {
        Self { made: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads clocks")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.made.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
pub(crate) mod manual {
    //! A clock whose time passes only by sleeping, and then at once.

    use std::sync::Mutex;

    use super::*;

    pub(crate) struct ManualClock {
        elapsed: Mutex<Duration>,
        /// By how much the time of day is ahead.
        jumped: Mutex<Duration>,
    }

    impl ManualClock {
        pub(crate) fn new() -> Self {
            Self { elapsed: Mutex::default(), jumped: Mutex::default() }
        }

        /// The machine sleeps: the time of day goes on, the other clock does not.
        pub(crate) fn jump(&self, by: Duration) {
            *self.jumped.lock().unwrap() += by;
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_800_000_000).unwrap() + self.elapsed() + *self.jumped.lock().unwrap()
        }

        fn elapsed(&self) -> Duration {
            *self.elapsed.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                *self.elapsed.lock().unwrap() += duration;
            })
        }
    }
}
