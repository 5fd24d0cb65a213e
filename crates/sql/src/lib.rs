//! Every SQL statement that transship sends, built in one place. Nothing else formats SQL.
//!
//! Builders take names as they are stored and quote them; values travel as bind parameters. No IO.

pub mod bulk;
pub mod chunk;
pub mod command;
pub mod connection;
pub mod copy;
pub mod cursor;
pub mod definition;
pub mod digest;
pub mod foreign;
pub mod ident;
pub mod lease;
pub mod ledger;
pub mod lookup;
pub mod observe;
pub mod partition;
pub mod place;
pub mod prune;
pub mod replication;
pub mod repository;
pub mod scalar;
pub mod snapshot;
pub mod statement;
pub mod store;
pub mod table;
pub mod transfer;
pub mod view;
