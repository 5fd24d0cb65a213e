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
    running: BTreeMap<(&'a Name, Lane), usize>,
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

/// What a step needs room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// A statement.
    Statement,
    /// A wait for the cluster.
    Wait,
    /// A wait for another job, which may itself wait for this one: it takes no room from anything.
    Job,
}

/// Where a step needs room, and how much there is: one statement at a time on each cluster, and some waits beside it.
fn lane(step: &Step) -> ((&Name, Lane), usize) {
    let (lane, room) = match step.kind {
        StepKind::WaitSynced | StepKind::WaitReleased | StepKind::WaitLeasesGone => (Lane::Wait, WAITS),
        StepKind::WaitFlows => (Lane::Job, usize::MAX),
        _ => (Lane::Statement, 1),
    };
    ((&step.cluster, lane), room)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::mpsc;
    use transship_model::redact::Redactor;

    use super::*;
    use crate::cancel::cancellation;
    use crate::clock::manual::ManualClock;

    /// Logs what starts and ends; every step takes a moment, and those that are named fail.
    struct Log {
        lines: Mutex<Vec<String>>,
        fails: &'static str,
    }

    impl<'a> Runner<'a> for Log {
        fn run(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Succeeded, StepError>> {
            Box::pin(async move {
                self.lines.lock().unwrap().push(format!("+{}", step.id));
                tokio::task::yield_now().await;
                self.lines.lock().unwrap().push(format!("-{}", step.id));
                if step.id.0 == self.fails { Err(StepError::Cancelled) } else { Ok(Succeeded::default()) }
            })
        }

        fn skip(&'a self, step: &'a Step, because: String) -> BoxFuture<'a, ()> {
            self.lines.lock().unwrap().push(format!("{} {because}", step.id));
            Box::pin(async {})
        }
    }

    fn step(id: &str, cluster: &str, kind: StepKind, depends_on: &[&str]) -> Step {
        Step {
            id: StepId(id.to_owned()),
            flow: None,
            cluster: cluster.parse().unwrap(),
            kind,
            sql: Vec::new(),
            params: Vec::new(),
            action: None,
            preconditions: Vec::new(),
            because: String::new(),
            at: None,
            depends_on: depends_on.iter().map(|id| StepId((*id).to_owned())).collect(),
            destructive: false,
            consent: None,
            estimate: None,
        }
    }

    async fn check(steps: &[Step], fails: &'static str, tally: (usize, usize, usize), expected: &[&str]) {
        let (clock, redactor) = (ManualClock::new(), Redactor::default());
        let (sender, _receiver) = mpsc::channel(100);
        let emitter = Emitter::new(&clock, &redactor, sender);
        let (_canceller, cancel) = cancellation();
        let log = Log { lines: Mutex::default(), fails };
        let found = Scheduler::new(steps.iter().collect()).run(&log, &emitter, &cancel).await;
        assert_eq!((found.done, found.failed, found.skipped), tally);
        assert_eq!(*log.lines.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn statements_wait_for_their_cluster_and_waits_do_not() {
        let steps = [
            step("a1", "a", StepKind::CreatePublication, &[]),
            step("a2", "a", StepKind::CreatePublication, &[]),
            step("b1", "b", StepKind::CreatePublication, &[]),
            step("w1", "a", StepKind::WaitSynced, &[]),
            step("w2", "a", StepKind::WaitSynced, &[]),
        ];
        let lines = ["+a1", "+b1", "+w1", "+w2", "-w2", "-w1", "-b1", "-a1", "+a2", "-a2"];
        check(&steps, "", (5, 0, 0), &lines).await;
    }

    #[tokio::test]
    async fn waits_for_other_jobs_take_no_room_from_anything() {
        let mut steps: Vec<Step> =
            (0..40).map(|number| step(&format!("j{number:02}"), "a", StepKind::WaitFlows, &[])).collect();
        steps.push(step("w", "a", StepKind::WaitSynced, &[]));
        steps.push(step("s", "a", StepKind::CreatePublication, &[]));
        let begun: Vec<String> = steps.iter().map(|step| format!("+{}", step.id)).collect();
        let (clock, redactor) = (ManualClock::new(), Redactor::default());
        let (sender, _receiver) = mpsc::channel(200);
        let emitter = Emitter::new(&clock, &redactor, sender);
        let (_canceller, cancel) = cancellation();
        let log = Log { lines: Mutex::default(), fails: "" };
        let found = Scheduler::new(steps.iter().collect()).run(&log, &emitter, &cancel).await;
        assert_eq!((found.done, found.failed), (42, 0));
        let mut first = log.lines.lock().unwrap()[..42].to_vec();
        first.sort();
        let mut begun = begun;
        begun.sort();
        assert_eq!(first, begun, "all have begun before one has ended");
    }

    #[tokio::test]
    async fn what_depends_on_two_failures_is_skipped_once() {
        let steps = [
            step("x", "a", StepKind::CreatePublication, &[]),
            step("y", "b", StepKind::CreatePublication, &[]),
            step("z", "a", StepKind::CreatePublication, &["x", "y"]),
            step("end", "a", StepKind::CreatePublication, &["z"]),
            step("free", "a", StepKind::CreatePublication, &["y"]),
        ];
        let lines = ["+x", "+y", "-y", "-x", "z because x failed", "end because x failed", "+free", "-free"];
        check(&steps, "x", (2, 1, 2), &lines).await;
    }
}
