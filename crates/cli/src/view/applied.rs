//! How a run ended: what became of every step, and what to do next.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use transship_apply::RunOutcome;
use transship_model::event::Happened;
use transship_model::plan::{Blocked, Plan, StepId};

use super::style::{Page, alarm, bold, counted, cyan, dim, green, yellow};
use super::{Human, Json, View};
use crate::exit::Exit;
use crate::file;

/// The format of an [`Applied`].
pub const APPLIED_FORMAT: u32 = 1;

/// How an apply ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// 1.
    pub format_version: u32,
    /// How it ended.
    pub result: Ended,
    /// The id of the run; none where nothing was run.
    pub run: Option<String>,
    /// The digest of the plan.
    pub digest: String,
    /// What became of every step, in the order of the plan.
    pub steps: Vec<Became>,
    /// Why nothing was run.
    pub blocked: Vec<Blocked>,
    /// What went wrong without harm to the run.
    pub warnings: Vec<String>,
}

/// How an apply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// There was nothing to do.
    Nothing,
    /// Something blocks the plan; nothing was run.
    Blocked,
    /// Every step succeeded.
    Done,
    /// Some step failed.
    Failed,
    /// It was interrupted.
    Cancelled,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Became {
    /// The step.
    pub id: StepId,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It was not started, and nothing says why: the run was stopped.
    NotStarted,
    /// It succeeded.
    Done {
        /// Whether its effect was there already.
        already: bool,
        /// What it found out.
        note: Option<String>,
        /// How long it took.
        milliseconds: u64,
    },
    /// It failed.
    Failed {
        /// A stable code.
        code: String,
        /// Why.
        message: String,
        /// What to do next.
        help: Option<String>,
    },
    /// It was not started because another one failed.
    Skipped {
        /// The step that failed.
        because_of: StepId,
    },
}

impl Applied {
    /// Nothing of the plan has happened yet.
    pub fn new(plan: &Plan) -> Self {
        let steps = plan.all_steps().map(|step| Became { id: step.id.clone(), fate: Fate::NotStarted });
        Self {
            format_version: APPLIED_FORMAT,
            result: Ended::Nothing,
            run: None,
            digest: plan.digest.clone(),
            steps: steps.collect(),
            blocked: plan.all_blocked().cloned().collect(),
            warnings: Vec::new(),
        }
    }

    /// A plan that is blocked or empty.
    pub fn without_a_run(plan: &Plan) -> Self {
        let result = if plan.is_blocked() { Ended::Blocked } else { Ended::Nothing };
        Self { result, ..Self::new(plan) }
    }

    /// Takes up what happened.
    pub fn take(&mut self, what: Happened) {
        let (step, fate) = match what {
            Happened::StepDone { step, already, note, milliseconds } => {
                (step, Fate::Done { already, note, milliseconds })
            }
            Happened::StepFailed { step, code, message, help } => (step, Fate::Failed { code, message, help }),
            Happened::StepSkipped { step, because_of } => (step, Fate::Skipped { because_of }),
            _ => return,
        };
        if let Some(became) = self.steps.iter_mut().find(|became| became.id == step) {
            became.fate = fate;
        }
    }

    /// The same with how the run ended.
    #[must_use]
    pub fn with(self, outcome: RunOutcome) -> Self {
        let result = match &outcome {
            outcome if outcome.cancelled => Ended::Cancelled,
            outcome if outcome.is_success() => Ended::Done,
            _ => Ended::Failed,
        };
        Self { result, run: Some(outcome.run), warnings: outcome.warnings, ..self }
    }

    /// How `apply` ends.
    pub const fn exit(&self) -> Exit {
        match self.result {
            Ended::Nothing | Ended::Done => Exit::Done,
            Ended::Blocked => Exit::Blocked,
            Ended::Failed => Exit::Incomplete,
            Ended::Cancelled => Exit::Cancelled,
        }
    }

    fn count(&self, is: fn(&Fate) -> bool) -> usize {
        self.steps.iter().filter(|became| is(&became.fate)).count()
    }

    /// `5 done, 1 failed, 2 not started`.
    fn counts(&self) -> String {
        let counts = [
            (self.count(|fate| matches!(fate, Fate::Done { .. })), "done"),
            (self.count(|fate| matches!(fate, Fate::Failed { .. })), "failed"),
            (self.count(|fate| matches!(fate, Fate::Skipped { .. } | Fate::NotStarted)), "not started"),
        ];
        let parts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        parts.join(", ")
    }
}

impl View<Applied> for Json {
    fn render(&self, applied: &Applied) -> String {
        file::json(applied)
    }
}

impl View<Applied> for Human {
    fn render(&self, applied: &Applied) -> String {
        let mut page = Page::new(self.width);
        page.line("");
        for warning in &applied.warnings {
            page.wrapped(&format!("{} ", yellow("!")), 2, warning, str::to_owned);
        }
        failures(&mut page, applied);
        skipped(&mut page, applied);
        let run = applied.run.as_deref().map(|run| dim(&format!("run {run}"))).unwrap_or_default();
        match applied.result {
            Ended::Done => page.pair(&green(&format!("Done: {}.", counted(applied.steps.len(), "step"))), &run),
            Ended::Failed => page.pair(&alarm(&format!("Failed: {}.", applied.counts())), &run),
            Ended::Cancelled => page.pair(&alarm(&format!("Cancelled: {}.", applied.counts())), &run),
            Ended::Nothing => page.line(&bold("Nothing to do.")),
            Ended::Blocked => page.line(&alarm("Blocked: nothing was run.")),
        }
        if matches!(applied.result, Ended::Failed | Ended::Cancelled) {
            let next = "What is done stays done. Settle what failed, then apply the workspace again: it plans from what is there; --resume brings this run's options back.";
            page.wrapped("", 0, next, str::to_owned);
        }
        page.finish()
    }
}

/// Every failure; a remedy that several share stands under the first of them.
fn failures(page: &mut Page, applied: &Applied) {
    let mut told = BTreeSet::new();
    for became in &applied.steps {
        if let Fate::Failed { code, message, help } = &became.fate {
            page.line(&format!("{} {}  {}", alarm("✗"), bold(&became.id.0), dim(code)));
            page.wrapped("    ", 4, message, str::to_owned);
            if let Some(help) = help.as_ref().filter(|help| told.insert(*help)) {
                page.wrapped("    ", 4, help, cyan);
            }
        }
    }
}

/// How much was not started, for each step that is to blame.
fn skipped(page: &mut Page, applied: &Applied) {
    let mut blamed = BTreeMap::<&StepId, usize>::new();
    for became in &applied.steps {
        if let Fate::Skipped { because_of } = &became.fate {
            *blamed.entry(because_of).or_default() += 1;
        }
    }
    for (blame, steps) in blamed {
        let text = format!("{} not started because of {blame}", counted(steps, "step"));
        page.wrapped(&format!("{} ", yellow("-")), 2, &text, str::to_owned);
    }
}
