//! The log of a run: its events as JSON lines under `.transship/runs/` of the workspace.
//!
//! The first line tells the format and the plan, every further line is one event.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use transship_model::Name;
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

/// What the first line of a log tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLogHeader {
    /// [`RUN_LOG_FORMAT`].
    pub format_version: u32,
    /// The run's id.
    pub run: String,
    /// The workspace.
    pub workspace: Name,
    /// The environment.
    pub env: Option<Name>,
    /// The digest of the plan.
    pub digest: String,
    /// The version of transship that ran.
    pub tool_version: String,
}

/// A log that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLog {
    /// What its first line tells.
    pub header: RunLogHeader,
    /// What happened, as far as it was written.
    pub events: Vec<Event>,
}

/// The log of a run; `None` where there is none. A line that a cut left unfinished ends it.
pub fn read_run_log(workspace: &Path, run: &str) -> Result<Option<KeptLog>, String> {
    let path = run_log_path(workspace, run);
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let header: RunLogHeader = serde_json::from_str(first)
        .map_err(|error| format!("{} does not begin like the log of a run: {error}", path.display()))?;
    if header.format_version != RUN_LOG_FORMAT {
        let found = header.format_version;
        return Err(format!("{} has format {found}, this transship reads {RUN_LOG_FORMAT}", path.display()));
    }
    let events = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
    Ok(Some(KeptLog { header, events }))
}

/// The ids of the runs whose logs are kept, the newest first.
pub fn kept_run_logs(workspace: &Path) -> Vec<String> {
    let folder = workspace.join(".transship").join("runs");
    let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(".jsonl")?.to_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.path())).collect();
    names.sort_by(|a, b| b.cmp(a));
    names
}

impl RunLog {
    /// Makes the log of `run`; the error says what could not be done.
    pub(crate) fn create(workspace: &Path, run: &str, plan: &Plan, tool_version: &str) -> Result<Self, String> {
        let path = run_log_path(workspace, run);
        // Of a run that has many rounds, the last one's is kept.
        fs_err::remove_file(&path).ok();
        let made = path.parent().map_or(Ok(()), fs_err::create_dir_all).and_then(|()| create(&path));
        let mut log = Self { file: made.map_err(|error| problem(&error))? };
        log.line(&RunLogHeader {
            format_version: RUN_LOG_FORMAT,
            run: run.to_owned(),
            workspace: plan.workspace.clone(),
            env: plan.env.clone(),
            digest: plan.digest.clone(),
            tool_version: tool_version.to_owned(),
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

/// Makes a file that its owner alone can read.
fn create(path: &Path) -> std::io::Result<fs_err::File> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt as _;

        options.mode(0o600);
    }
    options.open(path)
}

fn problem(error: &impl std::fmt::Display) -> String {
    format!("the log of the run is not written: {error}")
}
