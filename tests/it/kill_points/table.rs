//! The table of kinds of steps by kill points, in `docs/kill-points.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use transship_sandbox::Halt;

use super::kill::{CameOut, Point, Recorded};
use super::{HALTS, KILLS};

/// The kills of one sort: in a kind of step, at its own statements or at those of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    step: String,
    is_ledger: bool,
    halt: Halt,
}

impl Cell {
    pub(super) fn of(point: &Point, halt: Halt) -> Self {
        Self { step: point.step.clone(), is_ledger: point.is_ledger, halt }
    }
}

/// What came out of all kills of each sort.
pub(super) struct Table {
    /// The scenarios that each kind of step is killed in.
    scenarios: BTreeMap<String, Vec<&'static str>>,
    cells: BTreeMap<Cell, BTreeSet<CameOut>>,
}

impl Table {
    pub(super) fn new(recorded: &[Recorded]) -> Self {
        let mut scenarios: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        for recorded in recorded {
            for kind in &recorded.kinds {
                scenarios.entry(kind.clone()).or_default().push(recorded.scenario.name);
            }
        }
        Self { scenarios, cells: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, cell: Cell, came_out: CameOut) {
        // Whether there is something left to wait for is a matter of milliseconds.
        let either =
            if cell.step.starts_with("wait-") { vec![CameOut::DoneAgain, CameOut::NotAgain] } else { Vec::new() };
        self.cells.entry(cell).or_default().extend(either.into_iter().chain([came_out]));
    }

    /// Compares with what is written; all of it where all kills were done, which `TRANSSHIP_BLESS=1` writes anew.
    pub(super) fn check(&self, is_whole: bool) {
        let is_blessed = std::env::var("TRANSSHIP_BLESS").is_ok_and(|value| value == "1");
        let text = fs_err::read_to_string(path()).expect("the page is there");
        let (head, rest) = text.split_once(BEGIN).expect("the page has a place for the table");
        let (written, tail) = rest.split_once(END).expect("the page has a place for the table");
        if is_whole && is_blessed {
            fs_err::write(path(), format!("{head}{BEGIN}\n\n{}\n{END}{tail}", self.shown()))
                .expect("it can be written");
        } else if is_whole {
            assert_eq!(written.trim(), self.shown().trim(), "bless it with TRANSSHIP_BLESS=1 {KILLS}=all");
        } else {
            self.is_within(written);
        }
    }

    /// Every row is there, and nothing came out otherwise than written.
    fn is_within(&self, written: &str) {
        let rows: BTreeMap<String, Vec<&str>> = written
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| line.split_once("` | "))
            .map(|(kind, rest)| (kind.to_owned(), rest.split(" | ").map(|cell| cell.trim_end_matches(" |")).collect()))
            .collect();
        for kind in self.scenarios.keys() {
            assert!(rows.contains_key(kind), "{kind} is not in docs/kill-points.md: {KILLS}=all TRANSSHIP_BLESS=1");
        }
        for (cell, came_out) in self.cells.iter().filter(|(cell, _)| !cell.step.is_empty()) {
            let column = HALTS.iter().position(|halt| *halt == cell.halt).expect("one of them");
            let said = rows[&cell.step].get(column + if cell.is_ledger { 3 } else { 0 }).copied().unwrap_or_default();
            for found in came_out {
                assert!(
                    said.contains(word(*found)),
                    "{cell:?}: `{}`, but docs/kill-points.md has `{said}`",
                    word(*found)
                );
            }
        }
    }

    fn shown(&self) -> String {
        let mut text =
            "| step | before | during | after | ledger: before | during | after |\n|---|---|---|---|---|---|---|\n"
                .to_owned();
        for step in self.scenarios.keys() {
            let mut cells = Vec::new();
            for is_ledger in [false, true] {
                for halt in HALTS {
                    let found = self.cells.get(&Cell { step: step.clone(), is_ledger, halt });
                    let words = found.into_iter().flatten().map(|came_out| word(*came_out)).collect::<Vec<_>>();
                    cells.push(if words.is_empty() { "–".to_owned() } else { words.join(", ") });
                }
            }
            text += &format!("| `{step}` | {} |\n", cells.join(" | "));
        }
        text += "\nWhere each kind of step was killed:\n\n| step | scenarios |\n|---|---|\n";
        for (step, scenarios) in &self.scenarios {
            text += &format!("| {step} | {} |\n", scenarios.join(", "));
        }
        text
    }
}

const fn word(came_out: CameOut) -> &'static str {
    match came_out {
        CameOut::DoneAgain => "done again",
        CameOut::FoundDone => "found done",
        CameOut::NotAgain => "not again",
        CameOut::Refused => "refused first",
    }
}

const BEGIN: &str = "<!-- kills: written by `TRANSSHIP_KILLS=all TRANSSHIP_BLESS=1 cargo test -p transship --test it killed_anywhere` -->";
const END: &str = "<!-- end -->";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kill-points.md")
}
