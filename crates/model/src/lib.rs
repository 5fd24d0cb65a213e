//! The types that every other crate speaks: what is declared ([`spec`]), what is there
//! ([`observed`], [`ledger`]), what will be done ([`plan`]), what happens ([`event`]) and what is wrong
//! ([`finding`]). Types and their text forms only: no IO, no clock, no randomness.

pub mod access;
pub mod command;
pub mod consent;
pub mod contents;
pub mod event;
pub mod finding;
pub mod ledger;
pub mod manifest;
pub mod name;
pub mod observed;
pub mod plan;
pub mod redact;
pub mod span;
pub mod spec;
pub mod store;
pub mod time;
pub mod version;

pub use consent::{AllowDrop, DropKind};
pub use contents::Contents;
pub use finding::{Finding, Severity};
pub use name::{FlowId, Glob, Name, TableName};
pub use span::{Place, SpanIndex, SpecPath};
pub use time::TimeSpan;
pub use version::Version;
