//! Tests that cross crates.

#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "a test says what went wrong by panicking, and is short"
)]

mod cli;
mod cli_help;
mod cli_schemas;
mod plan;
mod real;
mod real_observe;
mod real_refusals;
mod real_replication;
mod real_secrets;
mod real_session;
mod views;
mod views_plans;
