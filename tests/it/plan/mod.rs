//! The planner on constructed observations: scenarios, properties, and the audit.

mod audit;
mod properties;
mod scenarios;
pub(crate) mod world;
