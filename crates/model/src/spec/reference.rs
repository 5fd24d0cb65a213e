//! Values that may stand elsewhere: in an environment variable or a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value in an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct EnvReference {
    /// The name of the variable.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env: String,
}

/// A value in a file; one trailing line break is taken off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FileReference {
    /// The path, relative to the workspace; outside of it only below a root given by `--allow-root`.
    #[schemars(length(min = 1))]
    pub file: String,
}

/// A secret: always a reference, `{ env: NAME }` or `{ file: PATH }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Secret {
    /// In an environment variable.
    Env(EnvReference),
    /// In a file.
    File(FileReference),
}

/// A text, or a reference to one: `{ env: NAME }` or `{ file: PATH }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Literal(String),
    /// In an environment variable.
    Env(EnvReference),
    /// In a file.
    File(FileReference),
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(EnvReference { env }) => write!(f, "env:{env}"),
            Self::File(FileReference { file }) => write!(f, "file:{file}"),
        }
    }
}
