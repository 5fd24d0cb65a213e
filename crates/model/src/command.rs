//! What an external program of a flow with `engine: command` is told, and what it answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{FlowId, Name, TableName};
use crate::spec::{Existing, TlsMode};

/// The format of [`CommandInput`] and [`CommandResult`].
pub const COMMAND_FORMAT: u32 = 1;

/// The document on the stdin of the program: everything that it needs, secrets included.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "transship command input, format 1")]
pub struct CommandInput {
    /// [`COMMAND_FORMAT`].
    pub format_version: u32,
    /// The run.
    pub run: String,
    /// The workspace.
    #[schemars(with = "String")]
    pub workspace: Name,
    /// The environment; null without one.
    #[schemars(with = "Option<String>")]
    pub environment: Option<Name>,
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// How often it was run before in this step, and asked to be run once more.
    pub attempt: u32,
    /// What the flow does with tables that are there. What is to be written to is empty whatever it says.
    pub existing: Existing,
    /// The cluster that is to be read.
    pub source: CommandCluster,
    /// The cluster that is to be written.
    pub target: CommandCluster,
    /// The tables, in the order of their names.
    pub tables: Vec<CommandInputTable>,
    /// The file descriptor that the result is written to: 3.
    pub result_fd: u32,
}

/// How a cluster is reached.
#[derive(Serialize, JsonSchema)]
pub struct CommandCluster {
    /// Its name in the spec.
    #[schemars(with = "String")]
    pub name: Name,
    /// The host, without brackets.
    pub host: String,
    /// The port of the PostgreSQL wire.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The user's password; null without one. A secret.
    pub password: Option<String>,
    /// `postgres://USER:PASSWORD@HOST:PORT/` with `?sslmode=`, percent-encoded. A secret where there is a password.
    pub url: String,
    /// How the connection is to be protected.
    pub tls: TlsMode,
    /// PEM text of the authorities to trust; null for the system's.
    pub ca: Option<String>,
    /// PEM text of the client certificate; null without one.
    pub cert: Option<String>,
    /// PEM text of its key; null without one. A secret.
    pub key: Option<String>,
}

/// A table of [`CommandInput`].
#[derive(Serialize, JsonSchema)]
pub struct CommandInputTable {
    /// What the result calls it: the target's name, `schema.table`.
    pub name: String,
    /// The table that is to be read.
    pub from: CommandTableName,
    /// The table that is to be filled: empty, made by transship, and put in place by it afterwards.
    pub into: CommandTableName,
    /// The table of the flow, which is not to be touched.
    pub to: CommandTableName,
    /// The columns that are to be written, in the order of `query`.
    pub columns: Vec<CommandInputColumn>,
    /// The SQL condition on the rows that are to be read; null for all.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// A statement that reads exactly these rows and columns.
    pub query: String,
}

/// A column of [`CommandInputTable`].
#[derive(Serialize, JsonSchema)]
pub struct CommandInputColumn {
    /// Its name in `into`.
    pub name: String,
    /// Its type in `into`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What the source has for it, in SQL.
    pub sql: String,
}

/// The name of a table, in parts and as SQL has it.
#[derive(Serialize, JsonSchema)]
pub struct CommandTableName {
    /// The schema.
    pub schema: String,
    /// The table in it.
    pub table: String,
    /// Both, quoted.
    pub sql: String,
}

/// The document that the program writes to file descriptor 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship command result, format 1")]
pub struct CommandResult {
    /// [`COMMAND_FORMAT`].
    pub format_version: u32,
    /// How many rows it has written to each table, by its `name`: every table that it was given, and no other.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub rows: BTreeMap<TableName, u64>,
}
