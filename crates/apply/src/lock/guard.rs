//! Whether a run still holds its locks, as far as this machine can tell without asking.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use transship_model::FlowId;

use super::held::HeldLease;
use super::terms::HELD;
use crate::clock::Clock;

/// Why a run holds its locks no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// Somebody else holds one.
    Taken {
        /// The flow.
        flow: FlowId,
        /// Who.
        holder: String,
        /// The run.
        run: String,
    },
    /// Somebody took one away.
    Unlocked {
        /// The flow.
        flow: FlowId,
        /// Who.
        holder: String,
    },
    /// A newer run has written to the ledger.
    Overtaken {
        /// The flow.
        flow: FlowId,
        /// The run, where it is known.
        run: Option<String>,
    },
    /// They could not be renewed in time.
    Expired {
        /// How long ago they were renewed.
        after: Duration,
        /// Why that failed last, where it is known.
        problem: Option<String>,
    },
}

impl Lost {
    /// What is to be said of a lease that should be one's own and is not.
    pub(super) fn to(lease: &HeldLease) -> Self {
        let (flow, holder) = (lease.flow.clone(), lease.holder.clone());
        if lease.run.is_empty() {
            Self::Unlocked { flow, holder }
        } else {
            Self::Taken { flow, holder, run: lease.run.clone() }
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { flow, holder, run } => write!(f, "flow {flow} was taken over by {holder} (run {run})"),
            Self::Unlocked { flow, holder } => write!(f, "flow {flow} was unlocked by {holder}"),
            Self::Overtaken { flow, run: Some(run) } => write!(f, "run {run} has written the row of flow {flow} since"),
            Self::Overtaken { flow, run: None } => write!(f, "somebody has taken flow {flow} over since"),
            Self::Expired { after, problem } => {
                write!(f, "it was renewed {} s ago, and a lease is held for {} s", after.as_secs(), HELD.as_secs())?;
                problem.as_ref().map_or(Ok(()), |problem| write!(f, "; it could not be renewed: {problem}"))
            }
        }
    }
}

/// A moment by both clocks: the one that never jumps may stand still while the machine sleeps, the other one may not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    elapsed: Duration,
    now: Timestamp,
}

impl Moment {
    /// Now.
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self { elapsed: clock.elapsed(), now: clock.now() }
    }

    /// How long ago it is, by the clock that says more.
    fn age(self, clock: &dyn Clock) -> Duration {
        let by_day = Duration::try_from(clock.now().duration_since(self.now)).unwrap_or_default();
        clock.elapsed().saturating_sub(self.elapsed).max(by_day)
    }
}

/// Knows until when leases are held, and whether they are lost. What is lost stays so.
#[derive(Debug)]
pub(crate) struct Guard {
    state: Mutex<State>,
    lost: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    /// Of each cluster.
    renewals: Vec<Renewal>,
    lost: Option<Lost>,
}

/// How it stands with the leases of a cluster.
#[derive(Debug)]
struct Renewal {
    /// When they were last renewed.
    at: Moment,
    /// Why that could not be done since.
    problem: Option<String>,
}

impl Guard {
    /// Leases of clusters that were taken at these moments.
    pub(super) fn new(renewed: Vec<Moment>) -> Self {
        let renewals = renewed.into_iter().map(|at| Renewal { at, problem: None }).collect();
        Self { state: Mutex::new(State { renewals, lost: None }), lost: watch::Sender::new(false) }
    }

    /// The leases of a cluster were renewed by what was sent then.
    pub(super) fn renew(&self, cluster: usize, sent: Moment) {
        self.state().renewals[cluster] = Renewal { at: sent, problem: None };
    }

    /// The leases of a cluster could not be renewed, which is tried again.
    pub(super) fn fail(&self, cluster: usize, problem: String) {
        self.state().renewals[cluster].problem = Some(problem);
    }

    /// Fails once the locks are lost, and from then on.
    pub(crate) fn check(&self, clock: &dyn Clock) -> Result<(), Lost> {
        let found = {
            let state = self.state();
            let oldest = state.renewals.iter().map(|it| (it.at.age(clock), &it.problem)).max();
            let expired = oldest.filter(|(age, _)| *age >= HELD);
            let expired = expired.map(|(after, problem)| Lost::Expired { after, problem: problem.clone() });
            state.lost.clone().or(expired)
        };
        match found {
            Some(lost) => Err(self.lose(lost)),
            None => Ok(()),
        }
    }

    /// The locks are lost. Gives the first reason that was told.
    pub(crate) fn lose(&self, lost: Lost) -> Lost {
        let first = self.state().lost.get_or_insert(lost).clone();
        self.lost.send_replace(true);
        first
    }

    /// Why they are lost, if they are known to be.
    pub(crate) fn why(&self) -> Option<Lost> {
        self.state().lost.clone()
    }

    /// Ends when they are known to be lost.
    pub(crate) async fn lost(&self) {
        let mut receiver = self.lost.subscribe();
        if receiver.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How long it is until they expire.
    pub(super) fn left(&self, clock: &dyn Clock) -> Duration {
        let oldest = self.state().renewals.iter().map(|it| it.at.age(clock)).max();
        HELD.saturating_sub(oldest.unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    #[tokio::test]
    async fn leases_are_held_until_the_first_of_them_was_not_renewed_in_time() {
        let clock = ManualClock::new();
        let guard = Guard::new(vec![Moment::of(&clock), Moment::of(&clock)]);
        clock.sleep(Duration::from_secs(10)).await;
        guard.renew(0, Moment::of(&clock));
        clock.sleep(Duration::from_secs(14)).await;
        assert_eq!((guard.check(&clock), guard.left(&clock)), (Ok(()), Duration::from_secs(1)));
        guard.fail(1, "a disk is full".to_owned());
        guard.renew(0, Moment::of(&clock));
        clock.sleep(Duration::from_secs(1)).await;
        let lost = Lost::Expired { after: HELD, problem: Some("a disk is full".to_owned()) };
        assert_eq!(guard.check(&clock), Err(lost.clone()));
        // An answer that comes too late changes nothing any more.
        guard.renew(1, Moment::of(&clock));
        assert_eq!(guard.check(&clock), Err(lost.clone()));
        guard.lost().await;
        assert_eq!(guard.why(), Some(lost));
    }

    #[tokio::test]
    async fn a_machine_that_slept_is_found_out_by_the_time_of_day() {
        let clock = ManualClock::new();
        let guard = Guard::new(vec![Moment::of(&clock)]);
        clock.jump(Duration::from_mins(1));
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert_eq!(guard.check(&clock), Err(Lost::Expired { after: Duration::from_mins(1), problem: None }));
    }

    #[test]
    fn the_first_reason_stays() {
        let clock = ManualClock::new();
        let guard = Guard::new(vec![Moment::of(&clock)]);
        let flow: FlowId = "orders".parse().unwrap();
        let unlocked = Lost::Unlocked { flow: flow.clone(), holder: "me".to_owned() };
        guard.lose(unlocked.clone());
        guard.lose(Lost::Overtaken { flow, run: None });
        assert_eq!(guard.check(&clock), Err(unlocked));
    }
}
