//! What this machine can tell about a store before anything is changed.

use transship_model::Name;
use transship_model::redact::Redactor;
use transship_model::store::StoreAccess;

use crate::error::StoreError;
use crate::store::Store;

/// What this machine sees of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The store is there, and lets itself be used as far as it was tried.
    Seen,
    /// This machine does not see it; the clusters may.
    Unseen(StoreError),
    /// It cannot work, neither from here nor from the clusters.
    Wrong(StoreError),
}

/// Looks at a store without changing anything: whether it is reached, the keys are right, bucket and region are.
pub async fn look(name: &Name, access: &StoreAccess, redactor: &Redactor) -> Sight {
    let looked = match Store::open(name, access, redactor) {
        Ok(store) => store.first("", 1).await.map(drop),
        Err(error) => Err(error),
    };
    judged(looked)
}

/// Writes a small object of this key, reads it back and removes it.
pub async fn probe(name: &Name, access: &StoreAccess, redactor: &Redactor, key: &str) -> Sight {
    let probed = match Store::open(name, access, redactor) {
        Ok(store) => store.write_and_read(key).await,
        Err(error) => Err(error),
    };
    judged(probed)
}

fn judged(result: Result<(), StoreError>) -> Sight {
    match result {
        Ok(()) => Sight::Seen,
        Err(error) if error.may_be_local() => Sight::Unseen(error),
        Err(error) => Sight::Wrong(error),
    }
}
