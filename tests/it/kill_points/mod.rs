//! Every kind of step, killed before, during and after each of its statements, and applied again: the end is that of a run
//! that nobody killed. `docs/kill-points.md` has what the next run does.
//!
//! A kill is no lost connection: everything halts at a statement, the process gets SIGKILL, and nothing more is written.
//! Each time a random part of all kills is done, at least one of each sort at the steps' own statements; `TRANSSHIP_KILLS=all` does them all.

mod kill;
mod scenario;
mod table;
mod world;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};

use kill::{Point, Recorded};
use scenario::SCENARIOS;
use table::{Cell, Table};
use transship_model::plan::StepKind;
use transship_sandbox::Halt;

use crate::random::{Random, SEED, seed};
use crate::real::say;

/// How many kills there are beside one of each sort, or `all`; of processes on real clusters, all in all.
pub(crate) const KILLS: &str = "TRANSSHIP_KILLS";

/// Kinds of steps that take several runs at once: `sandbox_parts` kills them.
const OF_SEVERAL: [&str; 1] = ["wait-flows"];

const HALTS: [Halt; 3] = [Halt::Before, Halt::During, Halt::After];

/// All scenarios, uncut.
fn recorded() -> &'static [Recorded] {
    static ALL: OnceLock<Vec<Recorded>> = OnceLock::new();
    ALL.get_or_init(|| {
        let found = Mutex::new(Vec::new());
        crate::sandbox::all_converge(SCENARIOS.iter().enumerate().collect(), |(number, scenario)| {
            let recorded = kill::record(scenario);
            found.lock().unwrap().push((number, recorded));
            Ok(())
        });
        let mut found = found.into_inner().unwrap();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, recorded)| recorded).collect()
    })
}

/// Every kind of step, as plans name it.
fn all_kinds() -> BTreeSet<String> {
    let schema = schemars::schema_for!(StepKind);
    let kinds = schema.get("oneOf").and_then(serde_json::Value::as_array).expect("a kind of several");
    kinds.iter().map(|kind| kind["const"].as_str().expect("a word").to_owned()).collect()
}

#[test]
fn every_kind_of_step_is_in_a_scenario() {
    let covered: BTreeSet<String> = recorded().iter().flat_map(|recorded| recorded.kinds.clone()).collect();
    let missing: Vec<String> =
        all_kinds().difference(&covered).filter(|kind| !OF_SEVERAL.contains(&kind.as_str())).cloned().collect();
    assert!(missing.is_empty(), "no run is killed in a step of these kinds: {missing:?}");
    for kind in covered {
        let in_points = |recorded: &Recorded| recorded.points.iter().any(|point| point.step == kind);
        assert!(recorded().iter().any(in_points), "no statement of {kind} is known");
    }
}

#[test]
fn a_run_that_is_killed_anywhere_converges() {
    let all: Vec<(&Recorded, &Point, Halt)> = recorded()
        .iter()
        .flat_map(|recorded| recorded.points.iter().map(move |point| (recorded, point)))
        .flat_map(|(recorded, point)| HALTS.map(|halt| (recorded, point, halt)))
        .collect();
    let (count, seed) = (all.len(), seed());
    let (chosen, is_whole) = match std::env::var(KILLS).as_deref() {
        Ok("all") => (all, true),
        found => (some(all, found.ok().and_then(|count| count.parse().ok()).unwrap_or(30), seed), false),
    };
    say(&format!("{} of {count} kills, {SEED}={seed}", chosen.len()));
    let table = Mutex::new(Table::new(recorded()));
    crate::sandbox::all_converge(chosen, |(recorded, point, halt)| {
        let came_out = kill::kill(recorded, point, halt).map_err(|problem| {
            let (name, step) = (recorded.scenario.name, &point.step);
            format!("{name}: killed {halt:?} {point:?} in `{step}`, {SEED}={seed}: {problem}")
        })?;
        table.lock().unwrap().note(Cell::of(point, halt), came_out);
        Ok(())
    });
    table.into_inner().unwrap().check(is_whole);
}

/// One kill of each sort, at the step's own statements, and so many more.
fn some<'a>(
    mut all: Vec<(&'a Recorded, &'a Point, Halt)>,
    more: usize,
    seed: u64,
) -> Vec<(&'a Recorded, &'a Point, Halt)> {
    Random::new(seed).shuffle(&mut all);
    let mut of_each = BTreeMap::new();
    let mut rest = Vec::new();
    for kill in all {
        match of_each.entry(Cell::of(kill.1, kill.2)) {
            Entry::Vacant(entry) if !kill.1.is_ledger => drop(entry.insert(kill)),
            _ => rest.push(kill),
        }
    }
    of_each.into_values().chain(rest.into_iter().take(more)).collect()
}
