//! Does what may be done twice again, a few times, when the error may go away by itself.

use std::time::Duration;

use crate::error::StoreError;

/// How often something is tried.
const ATTEMPTS: u32 = 4;

/// The pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// The first success, or the last error.
pub(crate) async fn retried<T>(mut attempt: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_transient() => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 2;
    }
    attempt().await
}
