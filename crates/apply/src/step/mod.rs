//! What steps do, one file per kind.

mod context;
mod create_ledger;
mod create_publication;
mod create_subscription;
mod drop_publication;
mod drop_subscription;
mod drop_table;
mod error;
mod perform;
mod publish_tables;
mod unpublish_tables;
mod wait_leases_gone;
mod wait_released;
mod wait_synced;

pub use error::StepError;

pub(crate) use context::Context;
pub(crate) use perform::perform;
