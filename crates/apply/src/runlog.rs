//! The log of a run: its events as JSON lines under `.transship/runs/` of the workspace.
//!
//! The first line tells the format and the plan, every further line is one event.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use transship_model::event::Event;
use transship_model::plan::Plan;

/// The format of the log that this transship writes.
pub const RUN_LOG_FORMAT: u32 = 1;

/// Where the log of a run is kept, under the directory of the workspace.
pub fn run_log_path(workspace: &Path, run: &str) -> PathBuf {
    workspace.join(".transship").join("runs").join(format!("{run}.jsonl"))
}

/// An open log.
#[derive(Debug)]
pub(crate) struct RunLog {
    file: fs_err::File,
}

#[derive(Serialize)]
struct Header<'a> {
    format_version: u32,
    run: &'a str,
    workspace: &'a str,
    env: Option<&'a str>,
    digest: &'a str,
    tool_version: &'a str,
}

impl RunLog {
    /// Makes the log of `run`; the error says what could not be done.
    pub(crate) fn create(workspace: &Path, run: &str, plan: &Plan, tool_version: &str) -> Result<Self, String> {
        let path = run_log_path(workspace, run);
        let made = path.parent().map_or(Ok(()), fs_err::create_dir_all).and_then(|()| fs_err::File::create_new(&path));
        let mut log = Self { file: made.map_err(|error| problem(&error))? };
        log.line(&Header {
            format_version: RUN_LOG_FORMAT,
            run,
            workspace: plan.workspace.as_str(),
            env: plan.env.as_ref().map(transship_model::Name::as_str),
            digest: &plan.digest,
            tool_version,
        })?;
        Ok(log)
    }

    /// Appends an event.
    pub(crate) fn write(&mut self, event: &Event) -> Result<(), String> {
        self.line(event)
    }

    /// Writes a whole line at once, so that a cut leaves at most the last line broken.
    fn line(&mut self, value: &impl Serialize) -> Result<(), String> {
        let mut text = serde_json::to_string(value).map_err(|error| problem(&error))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|error| problem(&error))
    }
}

fn problem(error: &impl std::fmt::Display) -> String {
    format!("the log of the run is not written: {error}")
}
