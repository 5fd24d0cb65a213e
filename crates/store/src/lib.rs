//! Reaches stores from the machine that transship runs on: buckets that speak S3, and directories that are mounted here.
//!
//! CrateDB itself reads and writes what flows through a store. transship looks first ([`look`], which changes nothing),
//! and keeps small things beside the data: manifests, markers, lists of files, and what is no longer needed. Azure,
//! Google Cloud Storage and URLs are reached by the clusters alone.

mod answer;
mod directory;
mod download;
mod error;
mod export;
mod look;
mod retry;
mod s3;
mod store;
mod transport;
mod upload;

pub use download::Download;
pub use error::{Details, ErrorKind, StoreError};
pub use export::{checksum, look_for_export};
pub use look::{Sight, look, probe};
pub use store::{Object, Store};
pub use upload::Upload;
