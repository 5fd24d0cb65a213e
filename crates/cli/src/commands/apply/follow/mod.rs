//! `transship apply --follow`: keeps tables with a `cursor` up, round by round, until it is stopped.
//!
//! A round plans, takes the locks of the flows that have work, plans again, applies, and lets go. All rounds are one run to
//! the ledger and its log, which therefore do not grow. `docs/continuous.md` tells the rest.

mod passing;
mod tell;

use std::time::Duration;

use tokio::sync::watch;
use transship_apply::{Clock as _, Locks, SystemClock, new_run_id};
use transship_model::plan::Plan;
use transship_model::spec::TableEntry;
use transship_model::{Finding, TimeSpan};
use transship_plan::{PlanOptions, Planned};

use passing::{all_pass, passes};
use tell::{is_yielded, rows, seconds};

use super::locked::{Wanted, locked};
use super::{execute, human, plan, show};
use crate::args::ApplyArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::interrupt::interrupted;
use crate::pipeline::{self, Seen, Workspace};
use crate::term::Term;
use crate::view::applied::{Applied, Fate};
use crate::view::{View as _, clusters};

/// The pause after a round that had work, and after one that had none.
const BUSY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);

/// The longest pause after a round that failed by something that passes.
const LONGEST: Duration = Duration::from_mins(1);

/// The shortest of all pauses.
const SHORTEST: Duration = Duration::from_millis(100);

/// What came of a round.
enum Round {
    /// There was nothing to do.
    Idle,
    /// There was; and why a flow could not be judged.
    Worked(Box<Applied>, Option<String>),
    /// Other flows had work than a moment before.
    Overtaken,
    /// It was stopped before it changed anything.
    Stopped,
    /// It cannot go on.
    Ends(Exit),
}

struct Following<'a> {
    args: &'a ApplyArgs,
    term: &'a Term,
    workspace: Workspace,
    options: PlanOptions,
    clock: SystemClock,
    /// The run that all rounds are.
    run: String,
    stop: watch::Receiver<bool>,
    /// The lag that the flows allow.
    max_lag: Option<TimeSpan>,
    number: u64,
    /// When a round began after which the target had all that was there by then.
    fresh: Option<Duration>,
    failures: u32,
}

/// Goes round until it is stopped, or cannot go on.
pub(super) async fn follow(args: &ApplyArgs, term: &Term) -> Result<Exit, CommandError> {
    if !args.auto_approve || args.resume.is_some() {
        let help = "give --auto-approve, and no --resume: nobody approves what a round finds";
        return Err(CommandError::usage("--follow plans and applies round by round", help));
    }
    let workspace = Workspace::load(&args.path, &args.environment, term)?;
    let max_lag = continuous(&workspace)?;
    let clock = SystemClock::new();
    let following = Following {
        args,
        term,
        workspace: workspace.known(),
        options: pipeline::plan_options(&args.scope),
        clock,
        run: new_run_id(&clock),
        stop: listen(),
        max_lag,
        number: 0,
        fresh: None,
        failures: 0,
    };
    following.go().await
}

/// Knows from now on whether the process was asked to stop.
fn listen() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        sender.send_replace(true);
        std::future::pending::<()>().await;
    });
    receiver
}

/// The least lag that a flow with a cursor allows; an error where no flow has a cursor.
fn continuous(workspace: &Workspace) -> Result<Option<TimeSpan>, CommandError> {
    let has_cursor = |entry: &TableEntry| entry.settings().is_some_and(|table| table.cursor.is_some());
    let flows = workspace.loaded.spec.flows.values();
    let kept: Vec<_> = flows.filter(|flow| flow.enabled && flow.tables.iter().any(has_cursor)).collect();
    if kept.is_empty() {
        let finding = Finding::error("apply::nothing-to-follow", "no table of any flow has a `cursor`");
        let help = "name the column that grows with every change, `cursor: COLUMN`; or apply without --follow";
        return Err(CommandError::new(Exit::Error, finding.help(help)));
    }
    Ok(kept.iter().filter_map(|flow| flow.max_lag).min())
}

impl Following<'_> {
    async fn go(mut self) -> Result<Exit, CommandError> {
        loop {
            if *self.stop.borrow() || self.left().is_some_and(|left| left.is_zero()) {
                return Ok(Exit::Done);
            }
            self.number += 1;
            let began = self.clock.elapsed();
            let pause = match self.round().await {
                Ok(Round::Stopped) => return Ok(Exit::Done),
                Ok(Round::Ends(exit)) => return Ok(exit),
                Ok(Round::Idle) => self.idle(began),
                Ok(Round::Overtaken) => self.bounded(BUSY),
                Ok(Round::Worked(applied, unseen)) => match self.worked(&applied, unseen, began) {
                    Ok(pause) => pause,
                    Err(exit) => return Ok(exit),
                },
                Err(error) if passes(&error) => self.failed(&error),
                Err(error) => return Err(error),
            };
            let pause = self.left().map_or(pause, |left| pause.min(left));
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    /// How much of the time is left that --timeout gives.
    fn left(&self) -> Option<Duration> {
        Some(self.args.timeout?.as_duration().saturating_sub(self.clock.elapsed()))
    }

    async fn round(&self) -> Result<Round, CommandError> {
        let mut stop = self.stop.clone();
        let planned = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(Round::Stopped),
            planned = plan(self.workspace.known(), &self.options, self.term) => planned,
        };
        let (seen, planned) = planned?;
        if self.number == 1 {
            show(self.args, &planned, &seen, self.term);
        }
        if let Some(round) = self.ends_here(&planned, &seen)? {
            return Ok(round);
        }
        let (clusters, flows) = (clusters(&seen.input.observation), Locks::wanted_by(&planned.plan));
        let wanted = Wanted {
            workspace: &seen.workspace,
            resolved: &seen.resolved,
            clusters: &clusters,
            flows: &flows,
            timeout: if self.number == 1 { self.args.lock_timeout } else { Duration::ZERO },
            round_of: Some(&self.run),
        };
        locked(wanted, self.term, async |locks, clock| self.locked_round((locks, clock)).await).await
    }

    async fn locked_round(&self, locks: (&Locks<'_>, SystemClock)) -> Result<Round, CommandError> {
        let mut stop = self.stop.clone();
        let planned = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(Round::Stopped),
            planned = plan(self.workspace.known(), &self.options, self.term) => planned,
        };
        let (seen, planned) = planned?;
        if let Some(round) = self.ends_here(&planned, &seen)? {
            return Ok(round);
        }
        if !locks.0.cover(&Locks::wanted_by(&planned.plan)) {
            return Ok(Round::Overtaken);
        }
        // Through its text, so that what can be reviewed is what runs.
        let plan = transship_apply::read_plan(&file::json(&planned.plan)).map_err(CommandError::from)?;
        let limit = self.left().map(|left| TimeSpan::seconds(left.as_secs().max(1)));
        let shows = (self.term, self.number == 1);
        let unseen = plan.unseen.first().map(|unseen| unseen.text.clone());
        Ok(Round::Worked(Box::new(execute::execute(&plan, &seen, locks, limit, shows).await?), unseen))
    }

    /// What comes of a plan that is not to be run.
    fn ends_here(&self, planned: &Planned, seen: &Seen) -> Result<Option<Round>, CommandError> {
        let plan: &Plan = &planned.plan;
        if plan.is_blocked() {
            show(self.args, planned, seen, self.term);
            self.term.result(&human(self.args, self.term).render(&Applied::without_a_run(plan)));
            return Ok(Some(Round::Ends(Exit::Blocked)));
        }
        match plan.unseen.first().filter(|_| plan.is_empty()) {
            Some(unseen) => Err(CommandError::plain("plan::not-observable", &unseen.text)),
            None => Ok(plan.is_empty().then_some(Round::Idle)),
        }
    }

    /// The target has all that was there when the round began.
    fn idle(&mut self, began: Duration) -> Duration {
        (self.fresh, self.failures) = (Some(began), 0);
        self.tell("idle", 0, None);
        self.bounded(IDLE)
    }

    /// How long to pause after a round that had work; how to end where it failed by what does not pass.
    fn worked(&mut self, applied: &Applied, unseen: Option<String>, began: Duration) -> Result<Duration, Exit> {
        let failed = applied.steps.iter().find_map(|became| match &became.fate {
            Fate::Failed { code, message, .. } => Some((code.clone(), format!("{}: {message}", became.id))),
            _ => None,
        });
        match (applied.exit(), failed) {
            (Exit::Incomplete, Some((code, message))) if all_pass(applied) => {
                self.failures += 1;
                self.tell("failed", rows(applied), Some((&code, &message)));
                return Ok(self.again());
            }
            // Steps that were not begun, since the locks were lost between two of them.
            (Exit::Incomplete, None) => {
                self.failures += 1;
                self.tell("failed", rows(applied), Some(("apply::lock-lost", "not all steps were begun")));
                return Ok(self.again());
            }
            (Exit::Done | Exit::Error, None) if unseen.is_some() => {}
            (Exit::Done, _) => {}
            (exit, _) => {
                self.term.result(&human(self.args, self.term).render(applied));
                return Err(exit);
            }
        }
        self.failures = 0;
        self.tell("done", rows(applied), None);
        let lag = self.lag();
        if let Some((lag, most)) = lag.zip(self.max_lag).filter(|(lag, most)| *lag > most.as_duration()) {
            self.term.note(&format!("! The lag was {}, and `max_lag` is {most}.", seconds(lag)));
        }
        if let Some(unseen) = unseen {
            self.failures += 1;
            self.tell("failed", 0, Some(("plan::not-observable", &unseen)));
            return Ok(self.again());
        }
        if !applied.steps.iter().any(|became| is_yielded(&became.fate)) {
            self.fresh = Some(began);
        }
        Ok(self.bounded(BUSY))
    }

    fn failed(&mut self, error: &CommandError) -> Duration {
        self.failures += 1;
        let told = error.findings.first().map(|finding| (finding.code.to_string(), finding.message.clone()));
        if let Some((code, message)) = &told {
            self.tell("failed", 0, Some((code, message)));
        }
        self.again()
    }

    /// A pause that grows with each failure.
    fn again(&self) -> Duration {
        BUSY.saturating_mul(2_u32.saturating_pow(self.failures.saturating_sub(1).min(6))).min(LONGEST)
    }

    fn bounded(&self, pause: Duration) -> Duration {
        let most = self.max_lag.map_or(pause, |most| most.as_duration() / 4);
        pause.min(most).max(SHORTEST)
    }

    /// How long ago a row may have come that was not there until the end of this round.
    fn lag(&self) -> Option<Duration> {
        Some(self.clock.elapsed().saturating_sub(self.fresh?))
    }
}
