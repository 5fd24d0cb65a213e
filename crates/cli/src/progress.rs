//! What happens during a run, as it happens: drawn on a terminal, as plain lines in CI and pipes. Always on stderr.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use transship_model::event::{Event, Happened};
use transship_model::plan::StepId;

use crate::term::Term;
use crate::view::event::line_of;
use crate::view::style::plain;

/// Plain lines about a step that takes long come at most this often.
const PLAIN_EVERY: i64 = 15;

/// The columns of a drawn line that hold neither the step nor its text: the spinner, the time and what is between.
const AROUND: usize = 12;

/// Shows events.
pub struct Progress<'a> {
    term: &'a Term,
    bars: Option<MultiProgress>,
    running: BTreeMap<StepId, ProgressBar>,
    told: BTreeMap<StepId, (Timestamp, String)>,
}

impl<'a> Progress<'a> {
    /// Progress as `term` can show it.
    pub fn new(term: &'a Term) -> Self {
        let bars = term.draws().then(MultiProgress::new);
        Self { term, bars, running: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        match &event.what {
            Happened::StepStarted { step, .. } => self.start(step),
            Happened::StepProgress { step, text } => self.further(step, text, event.at),
            Happened::StepDone { step, .. } | Happened::StepFailed { step, .. } => self.end(step, &event.what),
            Happened::StepSkipped { .. } | Happened::StepOutput { .. } => self.tell(&event.what),
            Happened::FlowDone { .. } | Happened::RunStarted { .. } | Happened::RunFinished { .. } => {}
        }
    }

    fn start(&mut self, step: &StepId) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template("{spinner:.cyan} {prefix}  {wide_msg:.dim} {elapsed}")
            .expect("the template is a constant");
        let bar = bars.add(ProgressBar::new_spinner().with_style(style).with_prefix(step.to_string()));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.running.insert(step.clone(), bar);
    }

    fn further(&mut self, step: &StepId, text: &str, at: Timestamp) {
        let text = self.term.safe(&plain(text));
        if let Some(bar) = self.running.get(step) {
            let room = self.term.columns().saturating_sub(step.0.chars().count() + AROUND);
            bar.set_message(cut(&text, room));
            return;
        }
        let due = self
            .told
            .get(step)
            .is_none_or(|(told, before)| *before != text && at.duration_since(*told).as_secs() >= PLAIN_EVERY);
        if due {
            self.tell(&Happened::StepProgress { step: step.clone(), text: text.clone() });
            self.told.insert(step.clone(), (at, text));
        }
    }

    fn end(&mut self, step: &StepId, what: &Happened) {
        if let Some(bar) = self.running.remove(step) {
            bar.finish_and_clear();
        }
        self.tell(what);
    }

    fn tell(&self, what: &Happened) {
        if let Some(line) = line_of(what) {
            self.line(&line);
        }
    }

    fn line(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.term.note(line)),
            None => self.term.note(line),
        }
    }
}

/// `text` on one line of at most `room` columns; where something is cut off, it ends with `…`.
fn cut(text: &str, room: usize) -> String {
    let line = text.replace('\n', " ");
    if line.chars().count() <= room {
        return line;
    }
    let kept: String = line.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        for (text, room, shown) in [("one two", 7, "one two"), ("one\ntwo", 6, "one t…"), ("one two", 5, "one…")] {
            assert_eq!(cut(text, room), shown);
        }
    }
}
