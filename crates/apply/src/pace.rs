//! The rhythm of a wait: how long to pause, when to tell, when to give up.

use std::time::Duration;

use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::step::StepError;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

/// How long a wait may see no change at all.
pub(crate) const STALL: Duration = Duration::from_mins(10);

/// The rhythm of one wait.
pub(crate) struct Pace<'a> {
    clock: &'a dyn Clock,
    cancel: Option<&'a Cancel>,
    limit: Duration,
    began: Duration,
    changed: Duration,
    told: Option<Duration>,
    pause: Duration,
}

impl<'a> Pace<'a> {
    /// A wait of at most `limit`, which begins now; with `cancel`, one that ends when the run is to stop.
    pub(crate) fn new(clock: &'a dyn Clock, cancel: Option<&'a Cancel>, limit: Duration) -> Self {
        let now = clock.elapsed();
        Self { clock, cancel, limit, began: now, changed: now, told: None, pause: FIRST_PAUSE }
    }

    /// The time since some fixed moment.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Notes that something changed, so that the wait has not stalled.
    pub(crate) fn changed(&mut self) {
        self.changed = self.clock.elapsed();
    }

    /// Whether to report progress now: at most once a second.
    pub(crate) fn may_tell(&mut self) -> bool {
        let now = self.clock.elapsed();
        let due = self.told.is_none_or(|told| now.saturating_sub(told) >= BETWEEN_REPORTS);
        if due {
            self.told = Some(now);
        }
        due
    }

    /// Fails when nothing changed for [`STALL`]; `state` says how far the wait has come.
    pub(crate) fn check_stall(&self, state: impl FnOnce() -> String) -> Result<(), StepError> {
        let after = self.clock.elapsed().saturating_sub(self.changed);
        if after >= STALL { Err(StepError::Stalled { after, state: state() }) } else { Ok(()) }
    }

    /// The same, but only where nothing is known to go on.
    pub(crate) fn check_stall_while(&self, goes_on: bool, state: impl FnOnce() -> String) -> Result<(), StepError> {
        if goes_on { Ok(()) } else { self.check_stall(state) }
    }

    /// Pauses before the next look; fails when the limit has passed or the run is cancelled.
    pub(crate) async fn pause(&mut self, state: impl FnOnce() -> String) -> Result<(), StepError> {
        let passed = self.clock.elapsed().saturating_sub(self.began);
        if passed >= self.limit {
            return Err(StepError::TimedOut { limit: self.limit, state: state() });
        }
        let pause = self.pause.min(self.limit.saturating_sub(passed));
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
        let cancelled = async {
            match self.cancel {
                Some(cancel) => cancel.requested().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = cancelled => Err(StepError::Cancelled),
            () = self.clock.sleep(pause) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::cancellation;
    use crate::clock::manual::ManualClock;

    #[tokio::test]
    async fn pauses_grow_and_end_with_the_limit() {
        let (clock, (_canceller, cancel)) = (ManualClock::new(), cancellation());
        let mut pace = Pace::new(&clock, Some(&cancel), Duration::from_mins(1));
        let mut looks = 0;
        while pace.pause(String::new).await.is_ok() {
            looks += 1;
        }
        assert_eq!(clock.elapsed(), Duration::from_mins(1));
        assert!((60..70).contains(&looks), "{looks}");
    }

    #[tokio::test]
    async fn a_cancelled_wait_ends_at_once() {
        let (clock, (canceller, cancel)) = (ManualClock::new(), cancellation());
        let mut pace = Pace::new(&clock, Some(&cancel), Duration::from_mins(1));
        canceller.cancel();
        assert!(matches!(pace.pause(String::new).await, Err(StepError::Cancelled)));
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn reports_come_at_most_once_a_second() {
        let (clock, (_canceller, cancel)) = (ManualClock::new(), cancellation());
        let mut pace = Pace::new(&clock, Some(&cancel), Duration::from_mins(1));
        assert!(pace.may_tell());
        assert!(!pace.may_tell());
        clock.sleep(BETWEEN_REPORTS).await;
        assert!(pace.may_tell());
    }
}
