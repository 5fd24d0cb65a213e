//! Decides which step runs when.
//!
//! A step starts once everything that it depends on has succeeded. Statements on one cluster run one at a time and in
//! the order of the plan, waits beside them. A failure stops only what depends on it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use transship_model::event::Happened;
use transship_model::plan::{Step, StepId, StepKind};
use transship_model::{FlowId, Name};

use crate::cancel::Cancel;
use crate::emit::Emitter;
use crate::step::StepError;

/// How many waits look at one cluster at a time.
const WAITS: usize = 16;

/// How a step succeeded, and what came of its flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Succeeded {
    pub(crate) already: bool,
    pub(crate) note: Option<String>,
    pub(crate) milliseconds: u64,
    pub(crate) flow_done: Option<FlowId>,
}

/// Runs steps on behalf of the scheduler.
pub(crate) trait Runner<'a>: Sync {
    /// Does one step.
    fn run(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Succeeded, StepError>>;

    /// Notes that a step will not run, and why.
    fn skip(&'a self, step: &'a Step, because: String) -> BoxFuture<'a, ()>;
}

/// How many steps ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// The steps of a run and how they stand.
pub(crate) struct Scheduler<'a> {
    steps: Vec<&'a Step>,
    /// The steps that depend on a step, by its index.
    dependents: Vec<Vec<usize>>,
    /// How many steps a step still waits for.
    waits_for: Vec<usize>,
    /// Steps that wait for nothing but their turn, in the order of the plan.
    ready: BTreeSet<usize>,
    /// How many statements and waits run, by cluster.
    running: BTreeMap<(&'a Name, bool), usize>,
    skipped: BTreeSet<usize>,
    tally: Tally,
}

type Running<'a> = FuturesUnordered<BoxFuture<'a, (usize, Result<Succeeded, StepError>)>>;

impl<'a> Scheduler<'a> {
    /// Steps in the order of the plan, each after those that it depends on (which the audit has checked).
    pub(crate) fn new(steps: Vec<&'a Step>) -> Self {
        let index: BTreeMap<&StepId, usize> = steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
        let mut dependents = vec![Vec::new(); steps.len()];
        let mut waits_for = vec![0; steps.len()];
        for (at, step) in steps.iter().enumerate() {
            for before in &step.depends_on {
                dependents[index[before]].push(at);
                waits_for[at] += 1;
            }
        }
        let ready = (0..steps.len()).filter(|at| waits_for[*at] == 0).collect();
        Self {
            steps,
            dependents,
            waits_for,
            ready,
            running: BTreeMap::new(),
            skipped: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Runs everything that can run, until nothing is left or the run is to stop and what runs has ended.
    pub(crate) async fn run(mut self, runner: &'a impl Runner<'a>, emitter: &Emitter<'_>, cancel: &Cancel) -> Tally {
        let mut running = Running::new();
        loop {
            while !cancel.is_requested()
                && let Some(at) = self.next()
            {
                let step = self.steps[at];
                emitter.tell(Happened::StepStarted { step: step.id.clone(), kind: step.kind }).await;
                running.push(Box::pin(async move { (at, runner.run(step).await) }));
            }
            let Some((at, result)) = running.next().await else { break };
            self.release(at);
            match result {
                Ok(succeeded) => self.succeed(at, succeeded, emitter).await,
                Err(error) => self.fail(at, &error, runner, emitter).await,
            }
        }
        // What never started because the run was to stop is neither done nor failed.
        self.tally.skipped = self.steps.len() - self.tally.done - self.tally.failed;
        self.tally
    }

    /// The first step that is ready and whose cluster has room for it.
    fn next(&mut self) -> Option<usize> {
        let has_room = |at: &&usize| {
            let (lane, room) = lane(self.steps[**at]);
            self.running.get(&lane).copied().unwrap_or_default() < room
        };
        let at = *self.ready.iter().find(has_room)?;
        self.ready.remove(&at);
        *self.running.entry(lane(self.steps[at]).0).or_default() += 1;
        Some(at)
    }

    fn release(&mut self, at: usize) {
        if let Some(running) = self.running.get_mut(&lane(self.steps[at]).0) {
            *running -= 1;
        }
    }

    async fn succeed(&mut self, at: usize, succeeded: Succeeded, emitter: &Emitter<'_>) {
        self.tally.done += 1;
        for dependent in std::mem::take(&mut self.dependents[at]) {
            self.waits_for[dependent] -= 1;
            if self.waits_for[dependent] == 0 && !self.skipped.contains(&dependent) {
                self.ready.insert(dependent);
            }
        }
        let Succeeded { already, note, milliseconds, flow_done } = succeeded;
        emitter.tell(Happened::StepDone { step: self.steps[at].id.clone(), already, note, milliseconds }).await;
        if let Some(flow) = flow_done {
            emitter.tell(Happened::FlowDone { flow }).await;
        }
    }

    async fn fail(&mut self, at: usize, error: &StepError, runner: &'a impl Runner<'a>, emitter: &Emitter<'_>) {
        self.tally.failed += 1;
        let failed = &self.steps[at].id;
        emitter
            .tell(Happened::StepFailed {
                step: failed.clone(),
                code: error.code().to_owned(),
                message: error.to_string(),
                help: error.help(),
            })
            .await;
        for skipped in self.skip_dependents(at) {
            let step = self.steps[skipped];
            emitter.tell(Happened::StepSkipped { step: step.id.clone(), because_of: failed.clone() }).await;
            runner.skip(step, format!("because {failed} failed")).await;
        }
    }

    /// Everything that depends on a failed step, near or far, unless it was skipped for another one already.
    fn skip_dependents(&mut self, at: usize) -> BTreeSet<usize> {
        let mut new = BTreeSet::new();
        let mut next = self.dependents[at].clone();
        while let Some(dependent) = next.pop() {
            if self.skipped.insert(dependent) {
                new.insert(dependent);
                next.extend(&self.dependents[dependent]);
            }
        }
        new
    }
}

/// Where a step needs room, and how much there is: one statement at a time on each cluster, and some waits beside it.
fn lane(step: &Step) -> ((&Name, bool), usize) {
    let waits = matches!(step.kind, StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone);
    ((&step.cluster, waits), if waits { WAITS } else { 1 })
}
