//! From a directory to a plan: load, resolve, connect and observe, plan, audit.

mod everywhere;
mod materials;
mod observe;
mod offline;
mod preview;
mod resume;
mod runs;
mod saved;
mod stores;

use std::path::Path;

use transship_apply::Materials;
use transship_model::Finding;
use transship_model::plan::Plan;
use transship_model::redact::Redactor;
use transship_plan::{PlanInput, PlanOptions, Planned, Survey};
use transship_spec::{LoadOptions, Loaded, ProcessVariables, Resolved};

use crate::args::{EnvironmentArgs, ScopeArgs};
use crate::diagnostics::{Sources, graphical};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::term::Term;

pub(crate) use observe::finding;
pub use observe::{live, live_for};
pub use offline::saved_observation;
pub use resume::{Unfinished, chosen, unfinished_runs};
pub use runs::{KnownRun, KnownRuns, known_runs};
pub use saved::{SavedPlan, joined, options_of, read_plan};

/// A workspace that was read and has no errors.
#[derive(Clone, Debug)]
pub struct Workspace {
    options: LoadOptions,
    /// Whether what is odd in it was told before.
    is_known: bool,
    /// What was read.
    pub loaded: Loaded,
}

/// A workspace whose clusters were looked at.
#[derive(Debug)]
pub struct Seen {
    /// The workspace.
    pub workspace: Workspace,
    /// How its clusters are reached.
    pub resolved: Resolved,
    /// Everything that the planner may know.
    pub input: PlanInput,
}

impl Workspace {
    /// Reads a workspace and tells what is odd in it.
    pub fn load(directory: &Path, environment: &EnvironmentArgs, term: &Term) -> Result<Self, CommandError> {
        let workspace = Self::read(directory, environment)?;
        workspace.tell(&workspace.loaded.warnings, term);
        Ok(workspace)
    }

    /// Reads a workspace again of which everything was told before.
    pub fn reload(directory: &Path, environment: &EnvironmentArgs) -> Result<Self, CommandError> {
        Ok(Self { is_known: true, ..Self::read(directory, environment)? })
    }

    /// The same, of which everything was told.
    #[must_use]
    pub fn known(&self) -> Self {
        Self { is_known: true, ..self.clone() }
    }

    /// Reads a workspace.
    pub fn read(directory: &Path, environment: &EnvironmentArgs) -> Result<Self, CommandError> {
        refuse_file(directory)?;
        let options = LoadOptions {
            directory: directory.to_owned(),
            environment: environment.env.clone(),
            allow_roots: environment.allow_roots.clone(),
        };
        match transship_spec::load(&options) {
            Ok(loaded) => Ok(Self { options, is_known: false, loaded }),
            Err(error) => {
                let directory = directory.display().to_string();
                let sources = Sources { directory, index: error.index, files: error.sources, masked: error.masked };
                Err(CommandError::workspace(error.findings, sources))
            }
        }
    }

    /// The text that findings about it point into.
    pub fn sources(&self) -> Sources {
        Sources {
            directory: self.options.directory.display().to_string(),
            index: self.loaded.index.clone(),
            files: self.loaded.sources.clone(),
            masked: self.loaded.masked.clone(),
        }
    }

    /// Its name and environment, as sentences name them.
    pub fn title(&self) -> String {
        let spec = &self.loaded.spec;
        let env = spec.environment.as_ref().map(|env| format!(" in {env}")).unwrap_or_default();
        format!("{}{env}", spec.workspace)
    }

    /// Its directory as it was given.
    pub fn directory(&self) -> &Path {
        &self.options.directory
    }

    /// How its clusters and stores are reached.
    pub fn resolve(&self, term: &Term) -> Result<Resolved, CommandError> {
        let resolved = transship_spec::resolve(&self.loaded, &self.options, &ProcessVariables);
        self.protect(resolved, term)
    }

    /// From here on, no secret of the workspace is printed.
    fn protect(&self, resolved: Result<Resolved, Vec<Finding>>, term: &Term) -> Result<Resolved, CommandError> {
        let resolved = resolved.map_err(|findings| CommandError::workspace(findings, self.sources()))?;
        term.protect(resolved.redactor.clone());
        self.tell(&resolved.warnings, term);
        Ok(resolved)
    }

    fn tell(&self, warnings: &[Finding], term: &Term) {
        if !warnings.is_empty() && !self.is_known {
            term.note(graphical(warnings, &self.sources(), term.width()).trim_end());
        }
    }
}

impl Seen {
    /// Plans, and checks the plan.
    pub fn plan(&self) -> Result<Planned, CommandError> {
        let planned = transship_plan::plan(&self.input)
            .map_err(|findings| CommandError::workspace(findings, self.workspace.sources()))?;
        audit(&planned.plan)?;
        Ok(planned)
    }

    /// Plans what can be planned, and checks that.
    pub fn survey(&self) -> Result<Survey, CommandError> {
        let survey = transship_plan::survey(&self.input);
        audit(&survey.planned.plan)?;
        Ok(survey)
    }

    /// What rows are changed by on the way; an error where the key of a mask of `plan` is missing.
    pub fn materials(&self, plan: &Plan) -> Result<Materials, CommandError> {
        materials::of(&self.workspace, &self.resolved, materials::keys(plan))
    }

    /// What knows every secret of the workspace.
    pub fn redactor(&self) -> &Redactor {
        &self.resolved.redactor
    }
}

/// Refuses a file where a directory is to be named.
fn refuse_file(path: &Path) -> Result<(), CommandError> {
    if !path.is_file() {
        return Ok(());
    }
    let shown = path.display();
    if saved::is_plan(path) {
        let message = format!("{shown} is a saved plan, not a workspace");
        let help = format!("to see it: `transship show {shown}`; to do it: `transship apply {shown}`");
        return Err(CommandError::usage(message, help));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let help = format!("give its directory: `{}`; every YAML file in it belongs to the workspace", directory.display());
    Err(CommandError::usage(format!("{shown} is a file, and a workspace is a directory"), help))
}

/// The options of the planner that the command line gives.
pub fn plan_options(scope: &ScopeArgs) -> PlanOptions {
    PlanOptions {
        targets: scope.targets.clone(),
        exclude: scope.exclude.clone(),
        resync: scope.resync.clone(),
        allow_drop: scope.allow_drop.clone(),
        part: scope.only_flows,
        wait_timeout: scope.wait_timeout,
    }
}

/// Refuses a plan that breaks a rule that every plan keeps.
pub fn audit(plan: &Plan) -> Result<(), CommandError> {
    let violations = transship_plan::audit(plan);
    if violations.is_empty() {
        return Ok(());
    }
    let findings = violations.iter().map(|violation| {
        Finding::error("plan::audit", format!("the plan breaks a rule that every plan keeps: {violation}"))
            .help("nothing was changed; this is a fault of transship or of whoever edited the plan")
    });
    Err(CommandError { exit: Exit::Error, findings: findings.collect(), sources: Box::default() })
}
