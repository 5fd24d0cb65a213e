//! Whole runs against the fake world.

mod cancelled;
mod failures;
mod happy;
mod harness;
mod locks;
mod refused;
mod steps;
mod twice;
mod waits;
