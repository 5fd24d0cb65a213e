//! Runs: a line for each, and what happened in one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use transship_model::Name;
use transship_model::event::{Event, Happened};
use transship_model::ledger::{RunRow, RunState, StepRow, StepState};

use super::event::{line_of, span};
use super::style::{Page, alarm, bold, columns, cyan, dim, green, plain, yellow};
use super::{Human, Json, View};
use crate::file;
use crate::pipeline::KnownRun;

/// The format of [`RunsShown`] and [`RunShown`].
pub const RUNS_FORMAT: u32 = 1;

/// The runs of a workspace, the newest first.
#[derive(Debug, Serialize)]
pub struct RunsShown<'a> {
    /// 1.
    pub format_version: u32,
    /// The runs.
    pub runs: Vec<RunLine<'a>>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct RunLine<'a> {
    /// What is known of it as a whole.
    #[serde(flatten)]
    pub row: &'a RunRow,
    /// How many of its steps stand how.
    pub counts: BTreeMap<StepState, u64>,
    /// The clusters whose ledgers have it.
    pub clusters: &'a BTreeSet<Name>,
    /// Whether its log was kept here.
    pub log: bool,
}

/// A run with what happened in it.
#[derive(Debug, Serialize)]
pub struct RunShown<'a> {
    /// 1.
    pub format_version: u32,
    /// The run.
    #[serde(flatten)]
    pub line: RunLine<'a>,
    /// Its steps, as the ledgers have them.
    pub steps: &'a [StepRow],
    /// What happened, as its log has it.
    pub events: &'a [Event],
}

impl<'a> RunsShown<'a> {
    /// A line for each.
    pub fn new(runs: &'a [KnownRun]) -> Self {
        Self { format_version: RUNS_FORMAT, runs: runs.iter().map(RunLine::new).collect() }
    }
}

impl<'a> RunLine<'a> {
    fn new(run: &'a KnownRun) -> Self {
        Self { row: &run.row, counts: run.counts.clone(), clusters: &run.clusters, log: run.log.is_some() }
    }

    /// `12s`; `since 17:56` where it has not ended.
    fn took(&self) -> String {
        let took = |end: Timestamp| u64::try_from(end.duration_since(self.row.started).as_millis()).unwrap_or(0);
        self.row.finished.map_or_else(|| "-".to_owned(), |end| span(took(end)))
    }

    /// `5 done, 1 failed`.
    fn steps(&self) -> String {
        let words = [
            (StepState::Done, "done"),
            (StepState::Failed, "failed"),
            (StepState::Skipped, "not started"),
            (StepState::Started, "begun"),
        ];
        let count = |(state, word): (StepState, &str)| Some(format!("{} {word}", self.counts.get(&state)?));
        words.into_iter().filter_map(count).collect::<Vec<_>>().join(", ")
    }

    fn state(&self) -> String {
        match self.row.state {
            RunState::Running => yellow("no end"),
            RunState::Done => green("done"),
            RunState::Failed => alarm("failed"),
            RunState::Cancelled => yellow("cancelled"),
        }
    }

    fn on(&self) -> String {
        if self.clusters.is_empty() { "log only".to_owned() } else { names(self.clusters) }
    }
}

impl<'a> RunShown<'a> {
    /// The run.
    pub fn new(run: &'a KnownRun) -> Self {
        let events = run.log.as_ref().map_or(&[][..], |log| &log.events);
        Self { format_version: RUNS_FORMAT, line: RunLine::new(run), steps: &run.steps, events }
    }
}

impl View<RunsShown<'_>> for Json {
    fn render(&self, shown: &RunsShown<'_>) -> String {
        file::json(shown)
    }
}

impl View<RunShown<'_>> for Json {
    fn render(&self, shown: &RunShown<'_>) -> String {
        file::json(shown)
    }
}

impl View<RunsShown<'_>> for Human {
    fn render(&self, shown: &RunsShown<'_>) -> String {
        let mut page = Page::new(self.width);
        if shown.runs.is_empty() {
            page.line("No run of this workspace is known.");
            return page.finish();
        }
        let head = ["RUN", "ENDED", "STARTED", "TOOK", "STEPS", "ON"].map(bold);
        let row = |run: &RunLine<'_>| {
            [bold(&run.row.run), run.state(), second(run.row.started), run.took(), run.steps(), dim(&run.on())]
        };
        let rows: Vec<[String; 6]> = std::iter::once(head).chain(shown.runs.iter().map(row)).collect();
        for line in aligned(&rows) {
            page.line(&line);
        }
        if shown.runs.iter().any(|run| run.row.state == RunState::Running) {
            page.gap();
            let text =
                "`no end`: it runs still, or was cut. `transship apply --resume` goes on where the last one stopped.";
            page.wrapped("", 0, text, dim);
        }
        page.finish()
    }
}

impl View<RunShown<'_>> for Human {
    fn render(&self, shown: &RunShown<'_>) -> String {
        let mut page = Page::new(self.width);
        let line = &shown.line;
        page.pair(&format!("{} {}", bold(&line.row.run), line.state()), &dim(&line.on()));
        let facts = format!(
            "{}, took {}, transship {}, plan {}",
            second(line.row.started),
            line.took(),
            line.row.tool_version,
            line.row.digest.chars().take(12).collect::<String>()
        );
        page.line(&dim(&facts));
        page.gap();
        if shown.events.is_empty() {
            shown.steps.iter().for_each(|step| step_line(&mut page, line.row.started, step));
        } else {
            replay(&mut page, shown.events, self.verbose);
        }
        let steps = line.steps();
        if !steps.is_empty() {
            page.gap();
            page.line(&bold(&steps));
        }
        page.finish()
    }
}

/// What happened, each with the time since the run began.
fn replay(page: &mut Page, events: &[Event], verbose: bool) {
    let Some(began) = events.first().map(|event| event.at) else { return };
    for event in events {
        let progress = matches!(event.what, Happened::StepProgress { .. });
        if let Some(text) = line_of(&event.what).filter(|_| verbose || !progress) {
            page.line(&format!("{} {text}", dim(&since(began, event.at))));
            if let Happened::StepFailed { help: Some(help), .. } = &event.what {
                page.wrapped(&" ".repeat(11), 11, help, cyan);
            }
        }
    }
}

fn step_line(page: &mut Page, began: Timestamp, step: &StepRow) {
    let at = step.finished.or(step.started).map_or_else(|| " ".repeat(8), |at| since(began, at));
    let (sign, word) = match step.state {
        StepState::Done => (green("✓"), String::new()),
        StepState::Failed => (alarm("✗"), step.code.clone().unwrap_or_default()),
        StepState::Skipped => (yellow("-"), "not started".to_owned()),
        StepState::Started => (yellow("?"), "begun, and no end is known".to_owned()),
    };
    let message = step.message.as_deref().map(plain).unwrap_or_default();
    let parts = [message.into_owned(), dim(&word)];
    let text = parts.iter().filter(|part| columns(part) > 0).cloned().collect::<Vec<_>>().join("  ");
    page.line(&format!("{} {sign} {}  {text}", dim(&at), step.step));
}

/// `+0:01:05`.
fn since(began: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(began).as_secs().max(0);
    format!("+{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn names(clusters: &BTreeSet<Name>) -> String {
    clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Cells in columns, two blanks between them.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |at: usize| rows.iter().map(|row| columns(&row[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        cells.map(|(cell, width)| format!("{cell}{}  ", " ".repeat(width - columns(cell)))).collect::<String>()
    };
    rows.iter().map(line).collect()
}
