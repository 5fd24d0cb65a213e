//! Embedded clusters in memory that speak the PostgreSQL wire and behave like CrateDB for the statements that transship
//! sends, and for what one needs to look around with psql. What they do not understand is an error.

mod ast;
mod cast;
mod catalog;
mod clock;
mod decimal;
mod engine;
mod error;
mod fault;
mod halt;
mod json;
mod lexer;
mod parse;
mod print;
mod sandbox;
mod time;
mod types;
mod value;
mod wire;
mod world;

pub use clock::Clock;
pub use error::SqlError;
pub use fault::{Fault, What};
pub use halt::{Arrival, Gate, Halt};
pub use sandbox::{Answer, ClusterSpec, Sandbox};
pub use value::Value;

/// The release of CrateDB that the sandbox behaves like.
const VERSION: &str = "6.4.0";

/// What `version()` gives.
const VERSION_TEXT: &str = "CrateDB 6.4.0 (built sandbox/NA, in memory)";
