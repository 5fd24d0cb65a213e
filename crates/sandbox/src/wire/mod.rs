//! The PostgreSQL wire. The messages are those of `pgwire`; the flow is CrateDB's: writes wait for Sync, and repeats of
//! one statement run as one bulk.

mod binary;
mod connection;
mod extended;
mod format;
mod message;
mod parameter;

pub(crate) use connection::serve;
pub(crate) use format::encode as text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::fault::Faults;
use crate::halt::Gate;
use crate::world::World;

/// What all connections of a sandbox share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    gate: Arc<Gate>,
    connections: Mutex<JoinSet<()>>,
}

/// The handle that connections hold.
pub(crate) type SharedRef = Arc<Shared>;

impl Shared {
    pub(crate) fn new(world: World) -> SharedRef {
        Arc::new(Self {
            world: Mutex::new(world),
            faults: Mutex::default(),
            gate: Arc::default(),
            connections: Mutex::default(),
        })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The tasks that serve connections.
    pub(crate) fn connections(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
