//! Shows what a program prints: redacted, in lines of some length, and so many a second.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use transship_model::event::{Happened, OutputStream};
use transship_model::plan::StepId;
use transship_model::redact::Redactor;

use super::lines::{Line, Lines};
use crate::clock::Clock;
use crate::emit::Emitter;

/// So much of a line is shown.
const SHOWN: usize = 500;

/// So many lines are shown at once, and one more each time that so much has passed.
const BURST: u32 = 500;
const EACH: Duration = Duration::from_millis(50);

/// Shows lines.
pub(crate) struct Output<'a> {
    step: &'a StepId,
    emitter: &'a Emitter<'a>,
    redactor: &'a Redactor,
    clock: &'a dyn Clock,
    /// Whether nothing that is printed may be shown.
    is_withheld: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rate: Rate,
    /// Lines that were not shown.
    left_out: u64,
    /// The last line of each stream, shown or not: what went wrong is said at the end.
    last: [Option<String>; 2],
}

impl<'a> Output<'a> {
    pub(crate) fn new(
        (step, is_withheld): (&'a StepId, bool),
        emitter: &'a Emitter<'a>,
        redactor: &'a Redactor,
        clock: &'a dyn Clock,
    ) -> Self {
        Self { step, emitter, redactor, clock, is_withheld, state: Mutex::default() }
    }

    /// Shows what comes until nothing more does.
    pub(super) async fn pump(&self, stream: OutputStream, mut from: impl AsyncRead + Unpin + Send) {
        let (mut lines, mut piece) = (Lines::default(), vec![0; 8 * 1024]);
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            for line in lines.feed(&piece[..length]) {
                self.take(stream, &line).await;
            }
        }
        if let Some(line) = lines.end() {
            self.take(stream, &line).await;
        }
    }

    async fn take(&self, stream: OutputStream, line: &Line) {
        let (text, now) = (shown(line, self.redactor), self.clock.elapsed());
        let before = {
            let mut state = self.state();
            if self.is_withheld {
                state.left_out += 1;
                return;
            }
            state.last[stream as usize] = Some(text.clone());
            if !state.rate.takes(now) {
                state.left_out += 1;
                return;
            }
            std::mem::take(&mut state.left_out)
        };
        self.tell_left_out(before).await;
        self.emitter.tell(Happened::StepOutput { step: self.step.clone(), stream, text }).await;
    }

    /// Tells how many lines were not shown, at the end.
    pub(crate) async fn finish(&self) {
        let left_out = std::mem::take(&mut self.state().left_out);
        self.tell_left_out(left_out).await;
    }

    async fn tell_left_out(&self, left_out: u64) {
        if left_out == 0 {
            return;
        }
        let lines = if left_out == 1 { "1 line".to_owned() } else { format!("{left_out} lines") };
        let why = if self.is_withheld { "the flow has sensitive columns" } else { "there were too many at once" };
        let text = format!("({lines} not shown: {why})");
        let stream = OutputStream::Stderr;
        self.emitter.tell(Happened::StepOutput { step: self.step.clone(), stream, text }).await;
    }

    /// The last line, of stderr where it has one.
    pub(crate) fn last(&self) -> Option<String> {
        let [stdout, stderr] = self.state().last.clone();
        stderr.or(stdout)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

/// The line without secrets, and without what steers a terminal.
fn shown(line: &Line, redactor: &Redactor) -> String {
    let clean = redactor.redact(&line.text);
    let clean = if line.is_cut { redactor.redact_end(&clean) } else { clean };
    let clean = without_escapes(&clean);
    match clean.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None if line.is_cut => format!("{clean}…"),
        None => clean,
    }
}

/// Without colours and other control sequences, and without control characters.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.trim_end().chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            if rest.as_str().starts_with('[') {
                rest.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
        } else if c == '\t' {
            clean.push(' ');
        } else if !c.is_control() {
            clean.push(c);
        }
    }
    clean
}

/// So many at once, and then one after the other.
#[derive(Default)]
struct Rate {
    /// The time until which it is spent; the burst lies before it.
    spent: Duration,
}

impl Rate {
    fn takes(&mut self, now: Duration) -> bool {
        let spent = self.spent.max(now) + EACH;
        let takes = spent <= now + EACH * BURST;
        if takes {
            self.spent = spent;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_burst_is_shown_and_then_some_a_second() {
        let mut rate = Rate::default();
        let mut at = |second: u64, lines: u32| (0..lines).filter(|_| rate.takes(Duration::from_secs(second))).count();
        assert_eq!(at(7, 10_000), 500);
        assert_eq!(at(8, 10_000), 20);
        assert_eq!(at(9, 10), 10);
        assert_eq!(at(10, 100), 30);
        assert_eq!(at(1000, 10_000), 500);
    }

    #[test]
    fn no_secret_and_no_control_character_gets_through() {
        let redactor = Redactor::new(&[SecretString::from("canary-of-the-mine")]);
        let of = |text: &str, is_cut| shown(&Line { text: text.to_owned(), is_cut }, &redactor);
        assert_eq!(of("\u{1b}[31mred\u{1b}[0m canary-of-the-mine\u{7}\t!", false), "red *** !");
        assert_eq!(of("it ends with canary-of-th", true), "it ends with ***…");
        assert_eq!(of("it ends with canary-of-th", false), "it ends with canary-of-th");
        let long = of(&format!("{}canary-of-the-mine", "x".repeat(490)), false);
        assert_eq!(long, format!("{}***", "x".repeat(490)));
        assert_eq!(of(&"é".repeat(600), false), format!("{}…", "é".repeat(500)));
        assert_eq!(of(&"canary-of-the-mine".repeat(900)[..LONG], true), format!("{}…", "*".repeat(500)));
    }

    /// A line that was cut in the middle of a secret.
    const LONG: usize = 18 * 800 + 9;

    async fn told(is_withheld: bool, text: &[u8]) -> (Vec<String>, Option<String>) {
        let (clock, redactor) = (ManualClock::new(), Redactor::new(&[SecretString::from("canary")]));
        let (sender, mut receiver) = mpsc::channel(10_000);
        let emitter = Emitter::new(&clock, &redactor, sender);
        let step = StepId("a/01-run-command".to_owned());
        let output = Output::new((&step, is_withheld), &emitter, &redactor, &clock);
        output.pump(OutputStream::Stdout, text).await;
        output.finish().await;
        let last = output.last();
        drop(emitter);
        let mut told = Vec::new();
        while let Some(event) = receiver.recv().await {
            let Happened::StepOutput { text, .. } = event.what else { panic!("{event:?}") };
            told.push(text);
        }
        (told, last)
    }

    #[tokio::test]
    async fn lines_are_told_and_those_that_are_too_many_counted() {
        let (lines, last) = told(false, b"one\ntwo canary\n").await;
        assert_eq!(lines, ["one", "two ***"]);
        assert_eq!(last.as_deref(), Some("two ***"));
        let many: String = (0..2000).map(|number| format!("line {number}\n")).collect();
        let (lines, last) = told(false, many.as_bytes()).await;
        assert_eq!(lines.len(), 501);
        assert_eq!(lines[500], "(1500 lines not shown: there were too many at once)");
        assert_eq!(last.as_deref(), Some("line 1999"));
    }

    #[tokio::test]
    async fn what_may_not_be_shown_is_only_counted() {
        let (lines, last) = told(true, b"one\ntwo\n").await;
        assert_eq!(lines, ["(2 lines not shown: the flow has sensitive columns)"]);
        assert_eq!(last, None);
    }
}
