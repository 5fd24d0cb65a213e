//! What the command line accepts. Types only: the commands say what happens with them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use transship_model::plan::Part;
use transship_model::time::TimeSpan;
use transship_model::{AllowDrop, FlowId, Glob, Name};

use crate::commands::demo::world::EXCHANGE;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 error, 2 changes (plan --detailed-exitcode), 3 drift, 4 stale plan, \
                          5 blocked, 6 locked, 7 some steps failed, 8 cancelled, 64 wrong command line.";

const OUTPUT: &str = "Output";
const SCOPE: &str = "Scope and consent";

/// Moves tables between CrateDB clusters: declared in YAML, reviewed as a plan, applied from CI, checked for drift
#[derive(Debug, Parser)]
#[command(name = "transship", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// How everything is shown.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// When to use colours: auto (on terminals, unless `NO_COLOR` is set), always or never
    #[arg(long, global = true, help_heading = OUTPUT, value_enum, value_name = "WHEN", default_value_t = Color::Auto,
          hide_possible_values = true, hide_default_value = true)]
    pub color: Color,
    /// Say more: unchanged flows, every table, the digest
    #[arg(short, long, global = true, help_heading = OUTPUT, conflicts_with = "quiet")]
    pub verbose: bool,
    /// No progress and no notes on stderr, only errors
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a workspace without connecting to anything
    Validate(ValidateArgs),
    /// Show what would change, and why; changes nothing
    Plan(PlanArgs),
    /// Show a saved plan
    Show(ShowArgs),
    /// Do what the plan says
    Apply(ApplyArgs),
    /// Report what differs from the workspace; changes nothing
    Drift(DriftArgs),
    /// Tell which strategy a flow has or could have, and what each needs; changes nothing
    Explain(ExplainArgs),
    /// List the runs of a workspace, or replay one; changes nothing
    Runs(RunsArgs),
    /// Take flows away from a run that holds their locks
    Unlock(UnlockArgs),
    /// See it all in seconds, between two clusters in memory
    Demo,
    /// Start two clusters in memory to try it on
    Sandbox(SandboxArgs),
    /// Print a JSON Schema
    Schema(SchemaArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Stand between transship and a program that it has started; nothing for people
    #[command(name = GUARD, hide = true)]
    Guard(GuardArgs),
}

/// The name of the command that stands between transship and programs.
pub const GUARD: &str = "guard-command";

/// Arguments of [`GUARD`].
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub run: Vec<OsString>,
}

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port of cluster `shop`
    #[arg(long, value_name = "PORT", default_value_t = 5433)]
    pub shop_port: u16,
    /// The port of cluster `analytics`
    #[arg(long, value_name = "PORT", default_value_t = 5434)]
    pub analytics_port: u16,
    /// A directory that both clusters reach, for stores; made if it is not there
    #[arg(long, value_name = "DIR", default_value = EXCHANGE, value_hint = ValueHint::DirPath)]
    pub exchange: PathBuf,
    /// Without the tables of the demo
    #[arg(long)]
    pub empty: bool,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// How the findings are shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ValidateFormat::Human)]
    pub format: ValidateFormat,
    /// Write the findings as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// What the plan covers and may do.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Save the plan, for review and `transship apply FILE`
    #[arg(short, long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Show the exact SQL of every step
    #[arg(long)]
    pub explain: bool,
    /// Exit with 2 when there are changes and with 0 when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Save what was seen on the clusters
    #[arg(long, value_name = "FILE", conflicts_with = "observed", value_hint = ValueHint::FilePath)]
    pub save_observed: Option<PathBuf>,
    /// Plan from what --save-observed saved, without connecting
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub observed: Option<PathBuf>,
    /// Show N rows of every table that a `stream` flow copies, before and after, and write nothing; JSON is of these alone
    #[arg(long, value_name = "N", conflicts_with = "observed", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub preview: Option<u8>,
    /// How the plan is shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = PlanFormat::Human)]
    pub format: PlanFormat,
    /// Write the plan as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The saved plan
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    /// Show the exact SQL of every step
    #[arg(long)]
    pub explain: bool,
    /// How the plan is shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = PlanFormat::Human)]
    pub format: PlanFormat,
    /// Write the plan as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The workspace's directory, or a plan that `transship plan -o` saved
    #[arg(value_name = "WORKSPACE|PLAN", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Where values come from.
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// What the plan covers and may do.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Go on where a run stopped, the last one by default: with its options, and consents given then
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "",
          help_heading = SCOPE)]
    pub resume: Option<String>,
    /// Keep tables with a `cursor` up until it is stopped, round by round
    #[arg(long, conflicts_with_all = ["resync", "resume"])]
    pub follow: bool,
    /// Do not ask before running the plan of a workspace
    #[arg(long)]
    pub auto_approve: bool,
    /// How long to wait for another run that holds the lock of a flow
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "0s")]
    pub lock_timeout: Duration,
    /// How long the steps may take all in all: then running ones finish, and no others start
    #[arg(long, value_name = "SPAN")]
    pub timeout: Option<TimeSpan>,
    /// Show the exact SQL of every step
    #[arg(long)]
    pub explain: bool,
    /// How plan and outcome are shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BasicFormat::Human)]
    pub format: BasicFormat,
    /// Write the outcome as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// How the differences are shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DriftFormat::Human)]
    pub format: DriftFormat,
    /// Write the report as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The flow, in use or not
    #[arg(value_name = "FLOW")]
    pub flow: FlowId,
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// Explain from what --save-observed saved, without connecting
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub observed: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BasicFormat::Human)]
    pub format: BasicFormat,
    /// Write the explanation as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// What else than a list.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Of which runs, and how.
    #[command(flatten)]
    pub list: RunsListArgs,
}

/// What `runs` does beside listing them.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show what happened in a run, from its log or from the ledgers
    Show(RunsShowArgs),
}

/// Arguments of `runs` without a further word.
#[derive(Debug, Args)]
pub struct RunsListArgs {
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// How they are shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BasicFormat::Human)]
    pub format: BasicFormat,
    /// Write them as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `runs show`.
#[derive(Debug, Args)]
pub struct RunsShowArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// How it is shown
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BasicFormat::Human)]
    pub format: BasicFormat,
    /// Write it as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Which workspace.
    #[command(flatten)]
    pub workspace: WorkspaceArgs,
    /// This flow; may be repeated
    #[arg(long = "flow", value_name = "FLOW", required_unless_present = "all")]
    pub flows: Vec<FlowId>,
    /// Every flow that is locked
    #[arg(long, conflicts_with = "flows")]
    pub all: bool,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// How it is shown what was unlocked
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BasicFormat::Human)]
    pub format: BasicFormat,
    /// Write what was unlocked as JSON to FILE as well
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of which document
    #[arg(value_enum, value_name = "DOCUMENT", default_value_t = SchemaOf::Workspace)]
    pub document: SchemaOf,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Which workspace, in which environment.
#[derive(Clone, Debug, Args)]
pub struct WorkspaceArgs {
    /// The workspace's directory
    #[arg(value_name = "WORKSPACE", default_value = ".", value_hint = ValueHint::DirPath)]
    pub workspace: PathBuf,
    /// Where values come from.
    #[command(flatten)]
    pub environment: EnvironmentArgs,
}

/// The environment, and where references may point.
#[derive(Clone, Debug, Args)]
pub struct EnvironmentArgs {
    /// The environment: adds environments/NAME.yaml; required where there are environments
    #[arg(long, value_name = "NAME")]
    pub env: Option<Name>,
    /// A directory outside the workspace that { file: … } may read from; may be repeated
    #[arg(long = "allow-root", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub allow_roots: Vec<PathBuf>,
}

/// What a plan covers and may do.
#[derive(Clone, Debug, Default, Args)]
pub struct ScopeArgs {
    /// Only flows that match; such a plan removes no flow; may be repeated
    #[arg(long = "target", help_heading = SCOPE, value_name = "GLOB", value_parser = glob)]
    pub targets: Vec<Glob>,
    /// Not the flows that match; such a plan removes no flow; may be repeated
    #[arg(long, help_heading = SCOPE, value_name = "GLOB", value_parser = glob)]
    pub exclude: Vec<Glob>,
    /// Only the flows of part I of N, for jobs that share a workspace; such a plan removes no flow
    #[arg(long, help_heading = SCOPE, value_name = "I/N")]
    pub only_flows: Option<Part>,
    /// How long to wait for flows of other parts that come before; by default as long as a step of the flow may take
    #[arg(long, help_heading = SCOPE, value_name = "SPAN", requires = "only_flows")]
    pub wait_timeout: Option<TimeSpan>,
    /// Do this flow from scratch (dropping still needs --allow-drop); may be repeated
    #[arg(long, help_heading = SCOPE, value_name = "FLOW")]
    pub resync: Vec<FlowId>,
    /// Permit drops: KIND is table, publication, subscription, repository, snapshot or rows, GLOB is over
    /// cluster.schema.table or cluster.name; may be repeated
    #[arg(long, help_heading = SCOPE, value_name = "KIND:GLOB")]
    pub allow_drop: Vec<AllowDrop>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The formats of most commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BasicFormat {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// The formats of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal.
    Human,
    /// The plan itself.
    Json,
    /// For a pull request.
    Markdown,
}

/// The formats of a drift report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// For a terminal.
    Human,
    /// For programs.
    Json,
    /// For an issue or a pull request.
    Markdown,
    /// Annotations of a GitHub workflow.
    Github,
}

/// The formats of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// For a terminal, with the text that is wrong.
    Human,
    /// For programs.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// The documents that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// One file of a workspace.
    Workspace,
    /// A plan.
    Plan,
    /// What --save-observed saves.
    Observation,
    /// The manifest of an export, `manifest.json`.
    Manifest,
    /// What names the newest export of a flow, `latest.json`.
    Pointer,
    /// What `drift --format json` prints.
    Drift,
    /// What `explain --format json` prints.
    Explanation,
    /// What `validate --format json` prints.
    Diagnostics,
    /// What a program of `engine: command` reads from its stdin.
    CommandInput,
    /// What a program of `engine: command` writes to file descriptor 3.
    CommandResult,
}

/// A span of time, which may be none.
fn span(text: &str) -> Result<Duration, String> {
    if ["0", "0s"].contains(&text) { Ok(Duration::ZERO) } else { text.parse().map(TimeSpan::as_duration) }
}

fn glob(text: &str) -> Result<Glob, String> {
    if text.is_empty() { Err("the pattern is empty".to_owned()) } else { Ok(Glob(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
