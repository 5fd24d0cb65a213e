//! Runs a serialised plan: scheduler, one file per kind of step, ledger, clock.
