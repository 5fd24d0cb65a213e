//! The locks of flows: leases on the cluster whose ledger has the flow's row.
//!
//! [`Locks::take`] takes all or none, [`Locks::keep`] renews them beside the work, and [`Locks::release`] lets go of them.
//! No lock in CrateDB is a proof: every step checks its preconditions, and a newer epoch keeps older ones out of the
//! ledger. `docs/locks.md` tells what is guarded against, and how.

mod guard;
mod held;
mod locks;
mod table;
mod terms;
mod unlock;

pub use guard::Lost;
pub use held::HeldLease;
pub use locks::{LockRequest, Locks};
pub use unlock::{Unlocked, Unlocker};

#[cfg(test)]
pub(crate) use guard::Guard;
