//! The statements that read the catalogs.
