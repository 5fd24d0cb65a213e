//! Runs a scenario: to its end, to know its statements, or to the one at which it is killed, and then again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use transship_sandbox::{Arrival, Halt};

use super::scenario::Scenario;
use super::world::World;
use crate::real::Transship;

/// Who sends what: a cluster's name and a statement, or `store` and a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sent {
    to: String,
    text: String,
}

/// A point at which a run can be killed: the n-th time that something is sent, from 1.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) sent: Sent,
    nth: usize,
    /// The step that is running; empty before the first and after the last.
    pub(super) step: String,
    pub(super) is_ledger: bool,
    changes: bool,
}

/// What an uncut run of a scenario does, and what is there afterwards.
pub(super) struct Recorded {
    pub(super) scenario: &'static Scenario,
    /// The points that are worth a kill.
    pub(super) points: Vec<Point>,
    /// The kinds of its steps.
    pub(super) kinds: BTreeSet<String>,
    pub(super) inventory: Vec<String>,
}

/// What the next run did about the step that was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CameOut {
    /// It did it.
    DoneAgain,
    /// It found it done.
    FoundDone,
    /// It had no such step.
    NotAgain,
    /// It refused until somebody had looked, and did it then.
    Refused,
}

impl Sent {
    fn new(world: &World, arrival: &Arrival<'_>) -> Self {
        let folder = world.pair.folder().display().to_string();
        let text = arrival.statement.replace(&folder, "EXCHANGE");
        // The name of a marker has the moment in it.
        let text = match text.split_once("\"marker-") {
            Some((before, after)) => format!("{before}\"marker-{}", after.trim_start_matches(|it| it != '"')),
            None => text,
        };
        // A server of foreign tables is told the port of its cluster.
        let text = match text.split_once("jdbc:postgresql://127.0.0.1:") {
            Some((before, after)) => {
                format!("{before}jdbc:{}", after.trim_start_matches(|it: char| it.is_ascii_digit()))
            }
            None => text,
        };
        Self { to: arrival.cluster.to_owned(), text }
    }
}

/// The kind of the step that was begun last and has not ended; empty where there is none.
fn running(log: &[Value]) -> String {
    let mut open: Vec<(&str, &str)> = Vec::new();
    for what in log.iter().map(|line| &line["what"]) {
        let text = |value: &'static str, key: &str| what[value][key].as_str();
        if let (Some(step), Some(kind)) = (text("step-started", "step"), text("step-started", "kind")) {
            open.push((step, kind));
        }
        for end in ["step-done", "step-failed"] {
            open.retain(|(step, _)| text(end, "step") != Some(step));
        }
    }
    open.last().map(|(_, kind)| (*kind).to_owned()).unwrap_or_default()
}

fn kinds(log: &[Value]) -> impl Iterator<Item = (&str, bool)> {
    let done = |step: &Value| log.iter().map(|line| &line["what"]["step-done"]).find(|done| done["step"] == *step);
    let started = log.iter().map(|line| &line["what"]["step-started"]).filter(|started| started.is_object());
    started.map(move |started| {
        let already = done(&started["step"]).is_some_and(|done| done["already"] == true);
        (started["kind"].as_str().unwrap_or_default(), already)
    })
}

/// Runs a scenario uncut.
pub(super) fn record(scenario: &'static Scenario) -> Recorded {
    let world = Arc::new(World::prepared(scenario));
    let seen: Arc<Mutex<Vec<Point>>> = Arc::default();
    let before = world.runs();
    let of_before = before.clone();
    let (note, of_world) = (Arc::clone(&seen), Arc::downgrade(&world));
    world.pair.sandbox.gate().watch(move |arrival| {
        let world = of_world.upgrade()?;
        let sent = Sent::new(&world, arrival);
        let mut seen = note.lock().expect("nobody panics with it");
        let nth = seen.iter().filter(|point| point.sent == sent).count() + 1;
        let step = running(&world.run_log(&before));
        let is_ledger = sent.text.contains("INTO \"transship\".") || sent.text.contains("FROM \"transship\".");
        seen.push(Point { sent, nth, step, is_ledger, changes: arrival.changes });
        None
    });
    let _ = world.apply(&[]).expect(0);
    world.pair.block_on(world.pair.sandbox.resume());
    let log = world.run_log(&of_before);
    let kinds = kinds(&log).map(|(kind, _)| kind.to_owned()).collect();
    let _ = world.workspace.run(&["plan", "--detailed-exitcode"]).expect(0);
    let points = worth_a_kill(std::mem::take(&mut *seen.lock().expect("nobody panics with it")));
    Recorded { scenario, points, kinds, inventory: world.inventory() }
}

/// Whatever changes something, of the program and not of a cluster; the first statement of a step that changes nothing.
fn worth_a_kill(points: Vec<Point>) -> Vec<Point> {
    let own = |point: &Point| !point.is_ledger && !point.step.is_empty();
    let changing: BTreeSet<String> =
        points.iter().filter(|point| own(point) && point.changes).map(|point| point.step.clone()).collect();
    let mut quiet = BTreeSet::new();
    let is_copy = |step: &str| matches!(step, "export-rows" | "import-rows");
    let mut keep = |point: &Point| match () {
        () if point.sent.to == "store" && is_copy(&point.step) => false,
        () if point.changes => true,
        () => own(point) && !changing.contains(&point.step) && quiet.insert(point.step.clone()),
    };
    points.into_iter().filter(|point| keep(point)).collect()
}

/// Kills a run of a scenario, applies again, and says what came out; an error says what does not hold.
pub(super) fn kill(recorded: &Recorded, point: &Point, halt: Halt) -> Result<CameOut, String> {
    let world = Arc::new(World::prepared(recorded.scenario));
    let killed = killed(&world, point, halt)?;
    let (run, step) = (run_of(&killed), running(&killed));
    if world.says_done(&run) {
        let settled = world.workspace.run(&["plan", "--detailed-exitcode"]);
        if settled.code != 0 {
            return Err(format!("the ledger says done, and the plan exits {}\n{}", settled.code, settled.all()));
        }
    }
    let came_out = again(&world, &step)?;
    holds(recorded, &world).map_err(|problem| format!("{problem}\n--- the run that was killed\n{}", shown(&killed)))?;
    Ok(came_out)
}

fn run_of(log: &[Value]) -> String {
    log.first().and_then(|header| header["run"].as_str()).unwrap_or_default().to_owned()
}

fn shown(log: &[Value]) -> String {
    log.iter().map(|line| format!("{}\n", line["what"])).collect()
}

/// Runs until the point, kills the process there, and gives the log of the run.
fn killed(world: &Arc<World>, point: &Point, halt: Halt) -> Result<Vec<Value>, String> {
    let left = Arc::new(Mutex::new(point.nth));
    let (counted, wanted, of_world) = (Arc::clone(&left), point.sent.clone(), Arc::downgrade(world));
    let before = world.runs();
    let gate = world.pair.sandbox.gate();
    gate.watch(move |arrival| {
        let mut left = counted.lock().expect("nobody panics with it");
        if *left == 0 || Sent::new(&*of_world.upgrade()?, arrival) != wanted {
            return None;
        }
        *left -= 1;
        (*left == 0).then_some(halt)
    });
    world.pair.kill_when_halted(Transship::new(&world.workspace, &world.arguments(&[])).start())?;
    if *left.lock().expect("nobody panics with it") > 0 {
        return Err("it ends before it comes to the statement".to_owned());
    }
    Ok(world.run_log(&before))
}

/// Applies again. An append that may have added rows is refused first, and goes on when those are out.
fn again(world: &World, step: &str) -> Result<CameOut, String> {
    let before = world.runs();
    // Nobody waits until the lease of the one that was killed has run out.
    let unlocked = world.unlock();
    if unlocked.code != 0 {
        return Err(format!("unlock exits {}\n{}", unlocked.code, unlocked.all()));
    }
    let second = world.apply(&[]);
    if second.code == 0 {
        let log = world.run_log(&before);
        let found: BTreeSet<bool> = kinds(&log).filter(|(kind, _)| *kind == step).map(|(_, already)| already).collect();
        return Ok(match (found.contains(&false), found.contains(&true)) {
            (true, _) => CameOut::DoneAgain,
            (false, true) => CameOut::FoundDone,
            (false, false) => CameOut::NotAgain,
        });
    }
    if second.code != 1 || !second.all().contains("plan::append-unfinished") {
        return Err(format!("the second run exits {}\n{}", second.code, second.all()));
    }
    let out = "REFRESH TABLE shop.people; DELETE FROM shop.people WHERE id > 0; REFRESH TABLE shop.people";
    world.pair.sql("analytics", out);
    let third = world.apply(&["--resync", "copy"]);
    if third.code == 0 {
        Ok(CameOut::Refused)
    } else {
        Err(format!("the third run exits {}\n{}", third.code, third.all()))
    }
}

/// What has to hold in the end: what an uncut run leaves, and a plan that is empty.
fn holds(recorded: &Recorded, world: &World) -> Result<(), String> {
    let is_whole =
        |world: &World| world.versions() <= recorded.scenario.versions && world.inventory() == recorded.inventory;
    // What was still to be taken away when all else was done goes with the next run that copies.
    if let Some(flow) = recorded.scenario.keeps.filter(|_| !is_whole(world)) {
        let outcome = world.apply(&["--resync", flow]);
        if outcome.code != 0 {
            return Err(format!("the run after it exits {}\n{}", outcome.code, outcome.all()));
        }
    }
    if !is_whole(world) {
        let found = world.inventory();
        let lines = |of: &[String]| of.iter().map(|line| format!("\n  {line}")).collect::<String>();
        return Err(format!(
            "something is otherwise than after a whole run, {} versions\nthere is{}\ninstead of{}",
            world.versions(),
            lines(&found),
            lines(&recorded.inventory)
        ));
    }
    let settled = world.workspace.run(&["plan", "--detailed-exitcode"]);
    if settled.code == 0 { Ok(()) } else { Err(format!("the last plan exits {}\n{}", settled.code, settled.all())) }
}
