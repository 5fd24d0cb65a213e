//! Why a plan does not run at all. Nothing has been changed when one of these comes back.

use std::fmt::Write as _;
use std::time::Duration;

use thiserror::Error;
use transship_cluster::ClusterError;
use transship_model::Name;
use transship_model::plan::{Blocked, ObjectRef};
use transship_store::StoreError;

use crate::lock::{HeldLease, Lost};

/// Why a plan does not run at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The text is no plan.
    #[error("this is not a plan: {reason}")]
    NotAPlan {
        /// What the reader says.
        reason: String,
    },
    /// The plan is of a format that this transship does not run.
    #[error("the plan has format {found}, this transship runs format {known}")]
    Format {
        /// The plan's format.
        found: u64,
        /// The format that is known.
        known: u32,
    },
    /// The plan is not the one that its digest names.
    #[error("the plan says that its digest is {stated}, but it is {computed}: it was changed after it was made")]
    Digest {
        /// What the plan says.
        stated: String,
        /// What it is.
        computed: String,
    },
    /// The plan breaks a rule that every plan keeps.
    #[error("the plan breaks {} of the rules that every plan keeps: {}", .0.len(), .0.join("; "))]
    Violations(Vec<String>),
    /// A step of the plan is blocked.
    #[error("{} of the plan's steps are blocked: {}", .0.len(), .0.iter().map(|b| b.reason.as_str()).collect::<Vec<_>>().join("; "))]
    Blocked(Vec<Blocked>),
    /// The plan names a cluster that is not known here.
    #[error("the plan names cluster `{cluster}`, which this workspace does not have")]
    UnknownCluster {
        /// The cluster.
        cluster: Name,
    },
    /// A cluster is not the one that was planned with.
    #[error("cluster `{cluster}` has id {found}, the plan was made with {planned}")]
    Identity {
        /// The cluster.
        cluster: Name,
        /// The id in the plan.
        planned: String,
        /// The id that it has.
        found: String,
    },
    /// The clusters are no longer what the plan was made from.
    #[error("the plan is stale: {} changed since it was made: {}", count(.changed), list(.changed))]
    Stale {
        /// What changed.
        changed: Vec<ObjectRef>,
    },
    /// Another run holds the lock of a flow.
    #[error("flow {} is being applied by {}", .lease.flow, .lease.told())]
    Locked {
        /// Its lease.
        lease: Box<HeldLease>,
        /// How long was waited for it.
        waited: Duration,
    },
    /// The locks were lost before anything was changed.
    #[error("the lock was lost: {0}")]
    LockLost(Lost),
    /// The plan names a store that is not known here.
    #[error("the plan names store `{store}`, which this workspace does not have")]
    UnknownStore {
        /// The store.
        store: Name,
    },
    /// A cluster could not be reached or looked at.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A store could not be reached or looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApplyError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAPlan { .. } => "apply::not-a-plan",
            Self::Format { .. } => "apply::plan-format",
            Self::Digest { .. } => "apply::plan-edited",
            Self::Violations(_) => "apply::plan-violations",
            Self::Blocked(_) => "apply::blocked",
            Self::UnknownCluster { .. } => "apply::unknown-cluster",
            Self::Identity { .. } => "apply::other-cluster",
            Self::Stale { .. } => "apply::stale",
            Self::Locked { .. } => "apply::locked",
            Self::LockLost(_) => "apply::lock-lost",
            Self::UnknownStore { .. } => "apply::unknown-store",
            Self::Cluster(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::NotAPlan { .. } => "give the file that `transship plan -o FILE` wrote",
            Self::Format { .. } => "make the plan again with this transship",
            Self::Digest { .. } => "plans are not edited: change the spec and make the plan again",
            Self::Violations(_) => "this is a fault of the planner: report it with the plan; nothing was changed",
            Self::Blocked(blocked) => return blocked.first().map(|blocked| blocked.help.clone()),
            Self::UnknownCluster { .. } | Self::UnknownStore { .. } => {
                "apply the plan in the workspace and environment that it was made in"
            }
            Self::Identity { .. } => "check the cluster's url; if the cluster was made anew, make the plan again",
            Self::Stale { .. } => "make the plan again and review it; nothing was changed",
            Self::Locked { lease, waited } => return Some(wait_or_unlock(lease, *waited)),
            Self::LockLost(_) => "nothing was changed; apply again",
            Self::Cluster(error) => return error.help(),
            Self::Store(error) => return error.help(),
        };
        Some(text.to_owned())
    }
}

fn wait_or_unlock(lease: &HeldLease, waited: Duration) -> String {
    let waited = if waited.is_zero() {
        "nothing was changed: wait for it, or give --lock-timeout to be kept waiting".to_owned()
    } else {
        format!("nothing was changed in the {} s that were waited: give a longer --lock-timeout", waited.as_secs())
    };
    format!("{waited}. Who died holds it no longer than that; `transship unlock --flow {}` takes it away", lease.flow)
}

fn count(objects: &[ObjectRef]) -> String {
    if let [_] = objects { "1 object".to_owned() } else { format!("{} objects", objects.len()) }
}

/// The first few of what changed; the rest is counted.
fn list(objects: &[ObjectRef]) -> String {
    const SHOWN: usize = 5;
    let mut text = objects.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if objects.len() > SHOWN {
        write!(text, " and {} more", objects.len() - SHOWN).expect("writing to a String cannot fail");
    }
    text
}
