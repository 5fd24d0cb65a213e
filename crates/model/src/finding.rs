//! What is wrong, with a code, a cause, a place and a next step.

use serde::Serialize;

use crate::span::SpecPath;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The command cannot go on.
    Error,
    /// The command goes on, and says so.
    Warning,
}

/// One problem. Its text never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable code such as `spec::unknown-key`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The place in the workspace, where there is one.
    pub path: Option<SpecPath>,
    /// Whether the key at `path` is meant, rather than its value.
    pub at_key: bool,
    /// Further places with what each has to do with it.
    pub related: Vec<(SpecPath, String)>,
    /// What to do next.
    pub help: Option<String>,
}

impl Finding {
    /// An error with code and message; add the place and the help with the `with` functions.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            path: None,
            at_key: false,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning with code and message.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same, placed at the value of `path`.
    #[must_use]
    pub fn at(mut self, path: SpecPath) -> Self {
        self.path = Some(path);
        self
    }

    /// The same, placed at the key of `path`.
    #[must_use]
    pub fn at_key(mut self, path: SpecPath) -> Self {
        self.path = Some(path);
        self.at_key = true;
        self
    }

    /// The same with one more place and what it has to do with the finding.
    #[must_use]
    pub fn related(mut self, path: SpecPath, text: impl Into<String>) -> Self {
        self.related.push((path, text.into()));
        self
    }

    /// The same with a next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
