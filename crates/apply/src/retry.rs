//! When to try again what failed for a passing reason: a lost connection, a node that starts again, a full queue.

use std::time::Duration;

use crate::cancel::Cancel;
use crate::clock::Clock;

/// The pauses between attempts. Together they outlast the restart of a node.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
];

/// The attempts at one thing. Whether it may be tried at all is for its owner to say.
pub(crate) struct Retry<'a> {
    clock: &'a dyn Clock,
    cancel: Option<&'a Cancel>,
    pauses: std::slice::Iter<'static, Duration>,
}

impl<'a> Retry<'a> {
    /// No attempt was made yet. With `cancel`, nothing is tried again once the run is to stop.
    pub(crate) fn new(clock: &'a dyn Clock, cancel: Option<&'a Cancel>) -> Self {
        Self { clock, cancel, pauses: PAUSES.iter() }
    }

    /// Waits before the next attempt; `false` where enough were made.
    pub(crate) async fn again(&mut self) -> bool {
        let is_stopped = || self.cancel.is_some_and(Cancel::is_requested);
        let Some(pause) = self.pauses.next().filter(|_| !is_stopped()) else { return false };
        let nanos = u32::try_from(self.clock.now().subsec_nanosecond()).unwrap_or(0);
        self.clock.sleep(jittered(*pause, nanos)).await;
        !is_stopped()
    }
}

/// Between three and five quarters of `pause`, so that many who failed together do not come back together.
fn jittered(pause: Duration, nanos: u32) -> Duration {
    let mixed = nanos.wrapping_mul(0x9E37_79B1) >> 16;
    pause * 3 / 4 + pause / 2 * mixed / (1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::cancellation;
    use crate::clock::manual::ManualClock;

    #[tokio::test]
    async fn attempts_end_after_some_twenty_seconds() {
        let clock = ManualClock::new();
        let mut retry = Retry::new(&clock, None);
        let mut attempts = 1;
        while retry.again().await {
            attempts += 1;
        }
        assert_eq!(attempts, 7);
        assert!((17..30).contains(&clock.elapsed().as_secs()), "{:?}", clock.elapsed());
    }

    #[tokio::test]
    async fn a_run_that_is_to_stop_tries_nothing_again() {
        let (clock, (canceller, cancel)) = (ManualClock::new(), cancellation());
        let mut retry = Retry::new(&clock, Some(&cancel));
        assert!(retry.again().await);
        canceller.cancel();
        assert!(!retry.again().await);
    }

    #[test]
    fn pauses_differ_by_a_quarter_at_most() {
        let second = Duration::from_secs(1);
        let pauses: Vec<Duration> = (0..1000).map(|at| jittered(second, at * 1_000_003)).collect();
        assert!(pauses.iter().all(|pause| (750..=1250).contains(&pause.as_millis())));
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(most.as_millis() - least.as_millis() > 400, "{least:?} {most:?}");
    }
}
