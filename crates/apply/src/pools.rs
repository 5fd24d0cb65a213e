//! How much is asked of each cluster at once: `limits` of the spec.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use transship_model::Name;
use transship_model::access::Access;
use transship_model::spec::Limits;

/// Connections that a run keeps to each cluster beside those of copies: for what changes something, for what runs beside it,
/// and for looks.
const OWN: u32 = 3;

/// What is left of each cluster's limits.
#[derive(Debug)]
pub(crate) struct Pools(BTreeMap<Name, Pool>);

#[derive(Debug)]
struct Pool {
    /// Copies that read or write there.
    copies: Arc<Semaphore>,
    /// Connections beyond the one that each copy has.
    more: Arc<Semaphore>,
}

impl Pool {
    fn new(limits: &Limits) -> Self {
        let places = |count: u32| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX)));
        let for_copies = limits.connections.saturating_sub(OWN).max(1);
        let copies = limits.copies.min(for_copies);
        Self { copies: places(copies), more: places(for_copies - copies) }
    }
}

impl Pools {
    /// Those of all clusters that are reached.
    pub(crate) fn new(access: &BTreeMap<Name, Access>) -> Self {
        Self(access.iter().map(|(name, access)| (name.clone(), Pool::new(&access.endpoint.limits))).collect())
    }

    /// Waits until a copy from one cluster to another may begin. Everybody asks in the order of the names, so that nobody
    /// waits for somebody who waits for them. What moves within one cluster ends a copy that came there before, often with
    /// rows deleted that it puts back: it waits for nobody.
    pub(crate) async fn places(&self, source: &Name, target: &Name) -> Vec<OwnedSemaphorePermit> {
        let mut names = if source == target { Vec::new() } else { vec![source, target] };
        names.sort_unstable();
        let mut places = Vec::new();
        for pool in names.into_iter().filter_map(|name| self.0.get(name)) {
            // It is never closed.
            places.extend(Arc::clone(&pool.copies).acquire_owned().await.ok());
        }
        places
    }

    /// What more connections of a copy to a cluster take from.
    pub(crate) fn more(&self, cluster: &Name) -> Option<Arc<Semaphore>> {
        self.0.get(cluster).map(|pool| Arc::clone(&pool.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_for_all_that_a_run_opens() {
        let places = |connections, copies| {
            let pool = Pool::new(&Limits { connections, copies });
            (pool.copies.available_permits(), pool.more.available_permits())
        };
        assert_eq!(places(8, 2), (2, 3));
        assert_eq!(places(20, 4), (4, 13));
        assert_eq!(places(4, 10), (1, 0));
        assert_eq!(places(2, 2), (1, 0), "a copy needs one");
    }
}
