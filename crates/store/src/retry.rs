//! How often something is tried that may be done twice, where the error may go away by itself.

use std::time::Duration;

/// The pauses before the second attempt and those that follow.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    [200, 400, 800].map(Duration::from_millis).into_iter()
}
