//! The memory of a copy: batches wait for their share of it, so that readers never get far ahead of writers.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// In how many bytes it is counted.
const UNIT: usize = 1024;

/// What is left for batches.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    all: u32,
    free: Arc<Semaphore>,
}

impl Memory {
    /// So many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { all, free: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX))) }
    }

    /// Waits for a share; one that is larger than the whole is the whole. It is given back when it is dropped.
    pub(crate) async fn share(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.all);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn shares_are_waited_for_and_given_back() {
        let memory = Memory::new(10 * UNIT);
        let half = memory.share(5 * UNIT).now_or_never().expect("there is enough");
        assert!(memory.share(6 * UNIT).now_or_never().is_none(), "there is not enough");
        drop(half);
        let whole = memory.share(1_000_000 * UNIT).now_or_never().expect("all of it");
        assert!(memory.share(1).now_or_never().is_none());
        drop(whole);
        assert!(memory.share(1).now_or_never().is_some());
    }
}
