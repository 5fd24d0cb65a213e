//! How long things take. The clock is the caller's, so that tests need not wait.

use std::time::Duration;

/// How long a lease is taken and renewed for, by the server's clock.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How long after it was last renewed a lease counts as one's own. What was sent just before still has time to arrive, and
/// the nodes' clocks may differ by as much.
pub(super) const HELD: Duration = Duration::from_secs(25);

/// How often leases are renewed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);

/// How soon again where that failed.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// The shortest and the longest pause before a lease that somebody else holds is asked for again.
pub(super) const POLL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1500));

/// How many leases one statement is about.
pub(super) const AT_ONCE: usize = 50;

/// How long it is said that somebody waits for a lease, unless it is said again.
pub(super) const WAITS: Duration = Duration::from_secs(5);
