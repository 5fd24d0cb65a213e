//! How many readers and writers work at the same time, and how many rows go in one statement: found by trying.
//!
//! Every few seconds one more writer is tried, or one more reader where the writers wait for rows, and stays if more rows
//! come through. What does not help is tried less and less often. A target that says that it is busy gets half at once.
//! Nothing here reads a clock.

use std::time::Duration;

/// How long rows are counted before something is judged.
const WINDOW: Duration = Duration::from_secs(3);

/// An answer that takes longer makes statements smaller.
const SLOW: Duration = Duration::from_secs(10);

/// Answers that come faster let statements grow again.
const FAST: Duration = Duration::from_secs(2);

/// How many windows pass after something that did not help, at first and at most.
const REST: u32 = 2;
const LONGEST_REST: u32 = 64;

/// What works at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Connections that read.
    pub(crate) readers: usize,
    /// Connections that write.
    pub(crate) writers: usize,
    /// Rows of a statement.
    pub(crate) rows: usize,
}

/// What a writer tells when a batch is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// Rows of the batch.
    pub(crate) rows: u64,
    /// How long it took until the target had answered.
    pub(crate) took: Duration,
    /// How long the writer had waited for it.
    pub(crate) waited: Duration,
    /// Whether the target could not take it at first.
    pub(crate) busy: bool,
}

/// Finds the setting.
#[derive(Debug)]
pub(crate) struct Pace {
    most: Setting,
    setting: Setting,
    fewest_rows: usize,
    window: Window,
    /// The setting before the one that is tried, and how many rows a second came through with it.
    before: Option<(Setting, f64)>,
    /// Windows to pass before something is tried.
    rest: u32,
    /// How many the next disappointment costs.
    next_rest: u32,
}

#[derive(Debug, Default)]
struct Window {
    began: Duration,
    batches: usize,
    rows: u64,
    took: Duration,
    waited: Duration,
    slowest: Duration,
}

impl Pace {
    /// Begins with `first`, and never goes beyond `most`, nor below `fewest_rows` in a statement.
    pub(crate) fn new(first: Setting, most: Setting, fewest_rows: usize) -> Self {
        Self {
            most,
            setting: first,
            fewest_rows: fewest_rows.min(most.rows).max(1),
            window: Window::default(),
            before: None,
            rest: 0,
            next_rest: REST,
        }
    }

    /// What is to work now.
    pub(crate) const fn setting(&self) -> Setting {
        self.setting
    }

    /// Hears of a batch that was done at `now`, counted from any moment; `true` where the setting is another one now.
    pub(crate) fn note(&mut self, now: Duration, note: Note) -> bool {
        let before = self.setting;
        if note.busy {
            self.halve(now);
        } else {
            self.window.add(note);
            if now.saturating_sub(self.window.began) >= WINDOW && self.window.batches >= 2 * self.setting.writers {
                self.judge(now);
            }
        }
        self.setting != before
    }

    fn halve(&mut self, now: Duration) {
        self.setting.writers = (self.setting.writers / 2).max(1);
        self.setting.rows = (self.setting.rows / 2).max(self.fewest_rows);
        self.before = None;
        self.rest = self.next_rest;
        self.window = Window { began: now, ..Window::default() };
    }

    fn judge(&mut self, now: Duration) {
        let window = std::mem::replace(&mut self.window, Window { began: now, ..Window::default() });
        let rate = window.rate(now);
        match self.before.take() {
            // It has to be worth a connection.
            Some((_, before)) if rate >= before * 1.08 => self.next_rest = REST,
            Some((setting, _)) => {
                self.setting = Setting { rows: self.setting.rows, ..setting };
                self.rest = self.next_rest;
                self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
                return;
            }
            None => {}
        }
        if window.slowest > SLOW {
            self.setting.rows = (self.setting.rows / 2).max(self.fewest_rows);
        } else if window.slowest < FAST {
            self.setting.rows = (self.setting.rows * 2).min(self.most.rows);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.try_one_more(&window, rate);
    }

    fn try_one_more(&mut self, window: &Window, rate: f64) {
        let mut more = self.setting;
        if window.waited > window.took {
            more.readers = (more.readers + 1).min(self.most.readers);
        } else {
            more.writers = (more.writers + 1).min(self.most.writers);
        }
        if more != self.setting {
            self.before = Some((self.setting, rate));
            self.setting = more;
        }
    }
}

impl Window {
    fn add(&mut self, note: Note) {
        self.batches += 1;
        self.rows += note.rows;
        self.took += note.took;
        self.waited += note.waited;
        self.slowest = self.slowest.max(note.took);
    }

    #[expect(clippy::cast_precision_loss, reason = "rates are compared roughly")]
    fn rate(&self, now: Duration) -> f64 {
        self.rows as f64 / now.saturating_sub(self.began).as_secs_f64().max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Setting = Setting { readers: 1, writers: 2, rows: 3_000 };
    const MOST: Setting = Setting { readers: 4, writers: 8, rows: 3_000 };

    /// Lets a target work for `seconds` that answers a batch as `answer` says, and gives what was set at each moment.
    fn run(seconds: u64, answer: impl Fn(Setting, Duration) -> Note) -> Vec<Setting> {
        let mut pace = Pace::new(FIRST, MOST, 100);
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        while now < Duration::from_secs(seconds) {
            let setting = pace.setting();
            let note = answer(setting, now);
            // So many writers have a batch each in that time.
            now += note.took + note.waited;
            for _ in 0..setting.writers {
                pace.note(now, note);
            }
            seen.push(setting);
        }
        seen
    }

    fn took(rows: usize, millis: u64) -> Note {
        Note { rows: rows as u64, took: Duration::from_millis(millis), ..Note::default() }
    }

    #[test]
    fn writers_are_added_while_that_brings_rows() {
        let seen = run(120, |setting, _| took(setting.rows, 200));
        assert_eq!(seen.last(), Some(&Setting { readers: 1, ..MOST }));
        assert_eq!(seen[0], FIRST);
    }

    #[test]
    fn what_does_not_help_is_tried_less_and_less() {
        // Two writers are all that the target can do: more of them only wait for each other.
        let millis = |writers: usize| if writers <= 2 { 200 } else { 100 * writers as u64 };
        let seen = run(1_000, |setting, _| took(setting.rows, millis(setting.writers)));
        assert!(seen.iter().all(|setting| setting.writers <= 3));
        let half = seen.len() / 2;
        let tried = |seen: &[Setting]| seen.windows(2).filter(|two| two[0].writers < two[1].writers).count();
        assert!(tried(&seen[..half]) > tried(&seen[half..]), "{} {}", tried(&seen[..half]), tried(&seen[half..]));
        assert!((4..12).contains(&tried(&seen)), "{}", tried(&seen));
    }

    #[test]
    fn readers_are_added_where_writers_wait() {
        let waits = |setting: Setting| Note {
            waited: Duration::from_millis(900 / setting.readers as u64),
            ..took(setting.rows, 100)
        };
        let last = *run(120, |setting, _| waits(setting)).last().expect("some");
        assert_eq!((last.readers, last.writers), (4, 2));
    }

    #[test]
    fn a_target_that_is_busy_gets_half_and_more_again_later() {
        let busy_until = Duration::from_secs(10);
        let seen = run(300, |setting, now| Note { busy: now < busy_until, ..took(setting.rows, 500) });
        let fewest = seen.iter().min_by_key(|setting| (setting.writers, setting.rows)).expect("some");
        assert_eq!((fewest.writers, fewest.rows), (1, 100));
        let last = *seen.last().expect("some");
        assert!(last.writers > 2 && last.rows == MOST.rows, "{last:?}");
    }

    #[test]
    fn answers_that_are_slow_make_statements_smaller() {
        // A row takes 10 ms: a hundred seconds for 10,000 of them.
        let seen = run(3_000, |setting, _| took(setting.rows, setting.rows as u64 * 10));
        let last = *seen.last().expect("some");
        assert!((100..=1_000).contains(&last.rows), "{last:?}");
        assert!(seen.iter().all(|setting| setting.rows >= 100));
    }
}
