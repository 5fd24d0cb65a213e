//! The planner on constructed observations: scenarios, properties, and the audit.

mod audit;
mod auto;
mod chunks;
mod command;
mod copies;
mod copies_cut;
mod copies_refused;
mod cursor;
mod detach;
mod export;
mod foreign;
mod manifests;
mod new_columns;
mod parts;
mod properties;
mod prune;
mod repeats;
mod scenarios;
mod snapshot_partitions;
mod snapshots;
mod subset;
mod transform;
mod traps;
pub(crate) mod world;
