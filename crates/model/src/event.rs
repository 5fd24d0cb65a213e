//! What happens during a run. One stream of events feeds the terminal, the log of the run and the tests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::FlowId;
use crate::plan::{StepId, StepKind};

/// Something that happened during a run, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the clock of the machine that runs.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// Where a program prints to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputStream {
    /// Its stdout.
    Stdout,
    /// Its stderr.
    Stderr,
}

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// The run began.
    RunStarted {
        /// Its id.
        run: String,
        /// How many steps it has.
        steps: usize,
    },
    /// A step began.
    StepStarted {
        /// The step.
        step: StepId,
        /// What it does.
        kind: StepKind,
    },
    /// A step came further; sent at most about once a second.
    StepProgress {
        /// The step.
        step: StepId,
        /// How far, in words: `2 of 3 tables in sync, 4211 operations behind`.
        text: String,
    },
    /// The program of a step printed a line.
    StepOutput {
        /// The step.
        step: StepId,
        /// Where to.
        stream: OutputStream,
        /// The line, redacted.
        text: String,
    },
    /// A step succeeded.
    StepDone {
        /// The step.
        step: StepId,
        /// Whether its effect was there already, so that nothing was sent.
        already: bool,
        /// What it found out, where that is worth telling.
        note: Option<String>,
        /// How long it took.
        milliseconds: u64,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// A stable code.
        code: String,
        /// Why, redacted.
        message: String,
        /// What to do next.
        help: Option<String>,
    },
    /// A step was not started because one that it depends on failed.
    StepSkipped {
        /// The step.
        step: StepId,
        /// The step that failed.
        because_of: StepId,
    },
    /// A flow's last step succeeded and its ledger row says so.
    FlowDone {
        /// The flow.
        flow: FlowId,
    },
    /// The run ended.
    RunFinished {
        /// Steps that succeeded.
        done: usize,
        /// Steps that failed.
        failed: usize,
        /// Steps that were not started.
        skipped: usize,
    },
}
