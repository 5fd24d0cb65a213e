//! The counts of a running copy, its refused rows, and whom to tell.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use transship_cluster::{ClusterError, WireCanceller};

use crate::error::{MoveError, RefusedRow};
use crate::job::Progress;

/// Shared by the reader and the writers of one copy.
pub(crate) struct Tally<'a> {
    state: Mutex<State>,
    shown: usize,
    told: &'a (dyn Fn(Progress) + Send + Sync),
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// The refused rows with the lowest numbers: writers do not find them in their order.
    refused: BTreeMap<u64, RefusedRow>,
    connections: Vec<WireCanceller>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(shown: usize, told: &'a (dyn Fn(Progress) + Send + Sync)) -> Self {
        Self { state: Mutex::default(), shown, told }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.state().progress
    }

    /// Counts rows that were read.
    pub(crate) fn read(&self, rows: u64, bytes: u64) {
        self.change(|progress| {
            progress.read += rows;
            progress.bytes += bytes;
        });
    }

    /// Counts rows that were written.
    pub(crate) fn written(&self, rows: u64) {
        self.change(|progress| progress.written += rows);
    }

    /// Counts a row that was refused, and keeps it if it is one of the first. Gives the number of refused rows.
    pub(crate) fn refused(&self, row: RefusedRow) -> u64 {
        {
            let mut state = self.state();
            state.refused.insert(row.number, row);
            if state.refused.len() > self.shown {
                state.refused.pop_last();
            }
        }
        self.change(|progress| progress.refused += 1);
        self.progress().refused
    }

    /// The error for the refused rows.
    pub(crate) fn refusal(&self, given_up: bool) -> MoveError {
        let state = self.state();
        MoveError::Refused { first: state.refused.values().cloned().collect(), given_up, progress: state.progress }
    }

    /// The error for a target that takes no rows.
    pub(crate) fn target(&self, error: ClusterError) -> MoveError {
        MoveError::Target { error, progress: self.progress() }
    }

    /// The error for rows of which nobody knows whether they were written.
    pub(crate) fn unknown(&self, rows: usize, error: ClusterError) -> MoveError {
        MoveError::Unknown { rows: rows as u64, error, progress: self.progress() }
    }

    /// Notes a connection that has to be stopped when the copy is.
    pub(crate) fn opened(&self, connection: WireCanceller) {
        self.state().connections.push(connection);
    }

    /// Asks the servers to stop what they do for this copy.
    pub(crate) async fn stop(&self) {
        let connections = std::mem::take(&mut self.state().connections);
        futures_util::future::join_all(connections.iter().map(WireCanceller::cancel)).await;
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let progress = {
            let mut state = self.state();
            change(&mut state.progress);
            state.progress
        };
        (self.told)(progress);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
