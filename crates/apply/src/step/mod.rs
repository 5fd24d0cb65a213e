//! What steps do, one file per kind.

mod alter_table;
mod context;
mod copy_rows;
mod create_ledger;
mod create_publication;
mod create_repository;
mod create_snapshot;
mod create_subscription;
mod create_table;
mod disks;
mod drop_publication;
mod drop_repository;
mod drop_snapshot;
mod drop_subscription;
mod drop_table;
mod error;
mod export_rows;
mod files;
mod grant_privileges;
mod import_rows;
mod marks;
mod note_synced;
mod perform;
mod publish_tables;
mod put_in_place;
mod readable;
mod remove_files;
mod replace_by_view;
mod restore_partition;
mod restore_table;
mod row_files;
mod summary;
mod take_copy;
mod unpublish_tables;
mod wait_leases_gone;
mod wait_released;
mod wait_synced;
mod whole_copy;
mod write_files;

pub use error::StepError;
pub use summary::FileProblem;

pub(crate) use context::Context;
pub(crate) use create_repository::repositories;
pub(crate) use perform::perform;
