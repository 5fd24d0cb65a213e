//! Tests that cross crates.

#![allow(
    clippy::assigning_clones,
    clippy::default_trait_access,
    clippy::duration_suboptimal_units,
    clippy::format_push_string,
    clippy::struct_excessive_bools,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking, and is short"
)]

mod bulk_conformance;
mod cli;
mod cli_help;
mod cli_schemas;
mod conformance;
mod crates;
mod demo;
mod figures;
mod fuzz;
mod inventory;
mod kill_points;
mod leases;
mod noted;
mod plan;
mod properties;
mod random;
mod real;
mod real_auto;
mod real_benchmark;
mod real_bulk_failures;
mod real_chunks;
mod real_command;
mod real_conformance;
mod real_copies;
mod real_copies_existing;
mod real_copies_guards;
mod real_copies_readers;
mod real_copies_refused;
mod real_copies_shapes;
mod real_copies_types;
mod real_cursor;
mod real_detach;
mod real_export;
mod real_fanout;
mod real_follow;
mod real_foreign;
mod real_kills;
mod real_locks;
mod real_manifests;
mod real_memory;
mod real_mover;
mod real_new_column;
mod real_observe;
mod real_partitions;
mod real_prune;
mod real_refusals;
mod real_repeat;
mod real_replication;
mod real_secrets;
mod real_session;
mod real_six_again;
mod real_snapshot;
mod real_store;
mod real_store_check;
mod real_subset;
mod real_target_in_trouble;
mod real_transform;
mod real_types;
mod real_unreadable;
mod s3;
mod sandbox;
mod sandbox_auto;
mod sandbox_begun;
mod sandbox_bulk;
mod sandbox_chunks;
mod sandbox_command;
mod sandbox_copies;
mod sandbox_copies_cut;
mod sandbox_cursor;
mod sandbox_detach;
mod sandbox_export;
mod sandbox_fanout;
mod sandbox_faults;
mod sandbox_follow;
mod sandbox_locks;
mod sandbox_manifests;
mod sandbox_new_column;
mod sandbox_partitions;
mod sandbox_parts;
mod sandbox_prune;
mod sandbox_recordings;
mod sandbox_repeat;
mod sandbox_replication;
mod sandbox_runs;
mod sandbox_statements;
mod sandbox_subset;
mod sandbox_transform;
mod spec_schema;
mod store;
mod views;
mod views_plans;
mod wire;
