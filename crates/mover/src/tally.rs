//! The counts of a running copy, its refused rows, and whom to tell.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use transship_cluster::{ClusterError, WireCanceller};

use crate::error::{MoveError, RefusedRow};
use crate::job::{PartNews, Progress, Watch};
use crate::reason::without_values;

/// Shared by the reader and the writers of one copy.
pub(crate) struct Tally<'a> {
    state: Mutex<State>,
    shown: usize,
    told: &'a dyn Watch,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// The refused rows with the lowest numbers: writers do not find them in their order.
    refused: BTreeMap<u64, RefusedRow>,
    connections: Vec<WireCanceller>,
    /// Those that were begun and are not whole.
    parts: BTreeMap<usize, Part>,
}

/// The counts of a part.
#[derive(Default)]
struct Part {
    /// Rows that are read, and whether these are all.
    read: u64,
    is_read: bool,
    written: u64,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(shown: usize, told: &'a dyn Watch) -> Self {
        Self { state: Mutex::default(), shown, told }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.state().progress
    }

    /// Begins to count a part.
    pub(crate) fn begin(&self, part: usize) {
        self.state().parts.insert(part, Part::default());
        self.told.part(PartNews::Begun { part });
    }

    /// Counts rows that were read, and gives the number of the first.
    pub(crate) fn read(&self, part: usize, rows: u64, bytes: u64) -> u64 {
        self.state().parts.entry(part).or_default().read += rows;
        let progress = self.change(|progress| {
            progress.read += rows;
            progress.bytes += bytes;
        });
        progress.read - rows + 1
    }

    /// All rows of a part are read.
    pub(crate) fn read_all(&self, part: usize) {
        self.state().parts.entry(part).or_default().is_read = true;
        self.tell_whole(part);
    }

    /// Counts rows that were written.
    pub(crate) fn written(&self, part: usize, rows: u64) {
        self.change(|progress| progress.written += rows);
        self.state().parts.entry(part).or_default().written += rows;
        self.tell_whole(part);
    }

    /// Counts rows that were there, as written.
    pub(crate) fn kept(&self, part: usize, rows: u64) {
        self.change(|progress| progress.kept += rows);
        self.written(part, rows);
    }

    /// Tells of a part once each of its rows is written.
    fn tell_whole(&self, part: usize) {
        let mut state = self.state();
        let rows = state.parts.get(&part).filter(|it| it.is_read && it.read == it.written).map(|it| it.read);
        if rows.is_some() {
            state.parts.remove(&part);
        }
        drop(state);
        if let Some(rows) = rows {
            self.told.part(PartNews::Whole { part, rows });
        }
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
        MoveError::Target { error: masked(error), progress: self.progress() }
    }

    /// The error for rows of which nobody knows whether they were written.
    pub(crate) fn unknown(&self, rows: usize, error: ClusterError) -> MoveError {
        MoveError::Unknown { rows: rows as u64, error: masked(error), progress: self.progress() }
    }

    /// The error for rows of a statement of which some were not written.
    pub(crate) fn short(&self, rows: usize, written: u64, error: Option<ClusterError>) -> MoveError {
        MoveError::Short { rows: rows as u64, written, error: error.map(masked), progress: self.progress() }
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

    fn change(&self, change: impl FnOnce(&mut Progress)) -> Progress {
        let progress = {
            let mut state = self.state();
            change(&mut state.progress);
            state.progress
        };
        self.told.progress(progress);
        progress
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server said of many rows, without the values that it repeats.
fn masked(error: ClusterError) -> ClusterError {
    error.saying(|message| without_values(message, std::iter::empty()))
}
