//! The statements of the ledger.
