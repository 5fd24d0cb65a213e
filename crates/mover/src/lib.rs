//! Copies rows from one CrateDB cluster to another over the PostgreSQL wire, and accounts for every one.
//!
//! A [`Job`] names both ends and the exact statements. [`copy`] reads one stream and writes many rows by one statement, or
//! each by an execution of its own, cells as the bytes that came. Rows that the target refuses are found and named;
//! everything else is written. [`unload`] writes rows as lines of files instead. `docs/mover.md` tells why it is done in
//! this way. Nothing is known here of plans.

mod batch;
mod cell;
mod class;
mod copy;
mod crew;
pub mod error;
pub mod job;
mod json;
mod making;
mod many;
mod memory;
mod pace;
mod preview;
mod read;
mod reason;
mod settle;
mod tally;
pub mod transform;
mod unload;
mod write;

pub use class::{kind_of_reason, without_values};
pub use copy::copy;
pub use error::{MoveError, RefusedRow};
pub use job::{Done, End, Job, KeyColumn, Limits, Many, PartNews, Progress, Watch, Width, Write};
pub use preview::{MOST as MOST_PREVIEWED, Preview, PreviewRow, preview};
pub use transform::Transform;
pub use unload::{FileColumn, LineFormat, Lines, Unload, csv_header, unload};
