//! What goes wrong in a command: findings with their places, and the exit code that they end with.

use std::path::Path;

use transship_apply::ApplyError;
use transship_model::Finding;

use crate::diagnostics::Sources;
use crate::exit::Exit;

/// A command that could not do what it was asked.
#[derive(Debug)]
pub struct CommandError {
    /// How the command ends.
    pub exit: Exit,
    /// What is wrong; at least one.
    pub findings: Vec<Finding>,
    /// The text that the findings point into.
    pub sources: Box<Sources>,
}

impl CommandError {
    /// Problems of a workspace.
    pub fn workspace(findings: Vec<Finding>, sources: Sources) -> Self {
        Self { exit: Exit::Error, findings, sources: Box::new(sources) }
    }

    /// One problem that has no place in a workspace.
    pub fn new(exit: Exit, finding: Finding) -> Self {
        Self { exit, findings: vec![finding], sources: Box::default() }
    }

    /// One problem that is no fault of a workspace.
    pub fn plain(code: &'static str, message: &str) -> Self {
        Self::new(Exit::Error, Finding::error(code, message))
    }

    /// A wrong command line, found only when looking at what it names.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Finding::error("cli::usage", message).help(help))
    }

    /// A file that could not be read.
    pub fn read(path: &Path, source: &std::io::Error) -> Self {
        Self::new(
            Exit::Error,
            Finding::error("cli::file", format!("cannot read {}: {}", path.display(), reason(source))),
        )
    }

    /// A file that could not be written.
    pub fn write(path: &Path, source: &std::io::Error) -> Self {
        let finding = Finding::error("cli::file", format!("cannot write {}: {}", path.display(), reason(source)));
        Self::new(Exit::Error, finding)
    }
}

impl From<ApplyError> for CommandError {
    fn from(error: ApplyError) -> Self {
        let exit = match &error {
            ApplyError::Stale { .. } | ApplyError::Identity { .. } => Exit::Stale,
            ApplyError::Blocked(_) => Exit::Blocked,
            ApplyError::Locked { .. } => Exit::Locked,
            ApplyError::LockLost(_) => Exit::Incomplete,
            _ => Exit::Error,
        };
        let finding = Finding::error(error.code(), error.to_string());
        Self::new(exit, error.help().into_iter().fold(finding, Finding::help))
    }
}

/// The system's words, without the path that `fs_err` puts before them.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once("`: ").map_or(text.as_str(), |(_, words)| words);
    words.split(" (os error").next().unwrap_or_default().to_owned()
}
