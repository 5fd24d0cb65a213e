//! A world of clusters in memory that understands exactly the statements that steps send, with faults on demand.

mod answers;
mod plans;
mod replication;
mod server;
mod world;

pub(crate) use plans::{Draft, access, name, step_of, table};
pub(crate) use server::{FakeServers, Fault};
pub(crate) use world::World;
