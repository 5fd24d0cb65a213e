//! What readers see while a copy is put in place on real clusters: after the step's end only the new, with a view never
//! anything but the old or the new. How long a swap shows something else is measured by the ignored tests, and stands in
//! `docs/copies.md` with the command.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::real::{Copies, Read, Readers};

/// Two shards.
const TWO: &str = "CLUSTERED INTO 2 SHARDS";
/// Eight partitions of four shards each.
const MANY: &str = "CLUSTERED INTO 4 SHARDS PARTITIONED BY (part)";
/// How many rows more each version has.
const MORE: u32 = 7;

/// What four readers saw around one run.
struct Seen {
    reads: Vec<Read>,
    /// When the run had ended.
    ended: Instant,
    old: u64,
    new: u64,
}

impl Seen {
    fn is_right(&self, read: &Read) -> bool {
        read.seen.as_ref().is_ok_and(|count| *count == self.old || *count == self.new)
    }

    fn wrong(&self) -> impl Iterator<Item = &Read> {
        self.reads.iter().filter(|read| !self.is_right(read))
    }

    /// From the first wrong answer's question to the last wrong answer.
    fn gap(&self) -> Duration {
        let begun = self.wrong().map(|read| read.begun).min();
        let ended = self.wrong().map(|read| read.ended).max();
        begun.zip(ended).map(|(begun, ended)| ended - begun).unwrap_or_default()
    }

    /// Every read that was asked after the run sees the new; none sees the old once one has seen the new.
    #[track_caller]
    fn ends_right(&self) {
        let after: Vec<&Read> = self.reads.iter().filter(|read| read.begun > self.ended).collect();
        assert!(after.len() >= 20, "{} reads after the end", after.len());
        for read in after {
            assert_eq!(read.seen, Ok(self.new), "asked after the end");
        }
        assert!(self.reads.iter().any(|read| read.seen == Ok(self.old)), "nobody read before");
    }
}

/// Rows `from` to `to` of the table on alpha.
fn insert(copies: &Copies, from: u32, to: u32) {
    let people = copies.people();
    copies.alpha().sql(&format!(
        "INSERT INTO {people} (id, part, name) (SELECT g, g % 8, 'name ' || g FROM generate_series({from}, {to}) AS t(g)); \
         REFRESH TABLE {people}"
    ));
}

/// A table of `rows` rows on alpha, copied to beta once. It is `CLUSTERED …` as said.
fn copied(name: &str, rows: u32, clustered: &str, keys: &str) -> Option<Copies> {
    let copies = Copies::bare(name)?;
    copies.alpha().sql(&format!(
        "CREATE TABLE {} (id INTEGER, part INTEGER, name TEXT, PRIMARY KEY (id, part)) {clustered} \
         WITH (number_of_replicas = 0)",
        copies.people()
    ));
    for from in (1..=rows).step_by(100_000) {
        insert(&copies, from, (from + 99_999).min(rows));
    }
    copies.declare("SCHEMA.people", keys);
    copies.workspace.apply();
    Some(copies)
}

/// Copies once more under four readers, from `old` rows to some more.
fn again(copies: &Copies, old: u32) -> Seen {
    insert(copies, old + 1, old + MORE);
    let readers = Readers::start(4, copies.beta(), &copies.people());
    std::thread::sleep(Duration::from_millis(100));
    let _ = copies.workspace.run(&["apply", "--auto-approve", "--resync", "copy"]).expect(0);
    let ended = Instant::now();
    std::thread::sleep(Duration::from_millis(500));
    Seen { reads: readers.stop(), ended, old: old.into(), new: (old + MORE).into() }
}

#[test]
fn real_reads_are_right_when_a_swap_has_ended() {
    let Some(copies) = copied("ends", 20_000, TWO, "existing: replace") else { return };
    for round in 0..3 {
        again(&copies, 20_000 + round * MORE).ends_right();
    }
    copies.workspace.is_settled();
    copies.aside(0);
}

#[test]
fn real_readers_of_a_view_see_the_old_or_the_new() {
    let Some(copies) = copied("switch", 20_000, TWO, "existing: replace\n    replace_by: view") else { return };
    for round in 0..3 {
        let seen = again(&copies, 20_000 + round * MORE);
        seen.ends_right();
        assert_eq!(seen.wrong().map(|read| &read.seen).collect::<Vec<_>>(), Vec::<&Result<u64, String>>::new());
    }
    copies.workspace.is_settled();
    copies.aside(2);
}

/// The rounds of each size that are measured.
const ROUNDS: u32 = 10;

fn measure(name: &str, keys: &str, rows: u32, clustered: &str) {
    let Some(copies) = copied(name, rows, clustered, keys) else { return };
    let mut rounds: Vec<Seen> = Vec::new();
    for round in 0..ROUNDS {
        let seen = again(&copies, rows + round * MORE);
        seen.ends_right();
        say(&format!("  gap {:.0?}, {} of {} wrong", seen.gap(), seen.wrong().count(), seen.reads.len()));
        rounds.push(seen);
    }
    let mut gaps: Vec<Duration> = rounds.iter().map(Seen::gap).collect();
    gaps.sort();
    let mut texts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut wrong, mut reads) = (0, 0);
    for seen in &rounds {
        reads += seen.reads.len();
        for read in seen.wrong() {
            wrong += 1;
            let text = match &read.seen {
                Ok(0) => "no rows".to_owned(),
                Ok(_) => "too few rows".to_owned(),
                Err(message) => without_names(message),
            };
            *texts.entry(text).or_default() += 1;
        }
    }
    let middle = (gaps[gaps.len() / 2] + gaps[(gaps.len() - 1) / 2]) / 2;
    let (least, most) = (gaps[0], gaps[gaps.len() - 1]);
    say(&format!(
        "{name}, {rows} rows {clustered}, {ROUNDS} rounds: gap {middle:.0?} ({least:.0?} to {most:.0?}), {wrong} of {reads} reads"
    ));
    for (text, count) in texts {
        say(&format!("  {count} × {text}"));
    }
}

/// Writes past the test harness, which hides what passing tests print.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("stderr takes a line");
}

/// A message without digits and what stands in brackets, which differ each time.
fn without_names(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    first.split_once('[').map_or(first, |(before, _)| before).chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
#[ignore = "it measures, for minutes"]
fn real_measure_swaps() {
    for (rows, clustered) in [(10_000, TWO), (200_000, TWO), (200_000, MANY)] {
        measure("swap", "existing: replace", rows, clustered);
    }
}

#[test]
#[ignore = "it measures, for minutes"]
fn real_measure_switches_of_a_view() {
    for (rows, clustered) in [(200_000, TWO), (200_000, MANY)] {
        measure("view", "existing: replace\n    replace_by: view", rows, clustered);
    }
}
