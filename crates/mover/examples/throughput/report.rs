//! The table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::rounds::Figures;

const HEAD: [&str; 8] = ["way", "seconds", "rows/s", "to the floor", "own s", "source s", "target s", "peak MiB"];

/// One line for each way; ways that never moved all rows have only what is to be said of them.
pub(crate) fn table(arguments: &Arguments, all: &[Figures]) -> String {
    let (rows, shape, rounds) = (arguments.rows, arguments.shape, arguments.rounds);
    let mut text =
        format!("{rows} rows, {shape}, medians of {rounds} rounds; the ratio's lowest and highest in brackets\n");
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(all.iter().map(|figures| line(arguments, figures)));
    let widths: Vec<_> =
        (0..HEAD.len()).map(|at| lines.iter().map(|line| line[at].len()).max().unwrap_or_default()).collect();
    let notes = std::iter::once(String::new()).chain(all.iter().map(notes));
    for (line, notes) in lines.iter().zip(notes) {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", format!("{cells}  {notes}").trim_end()).expect("a String takes everything");
    }
    text
}

fn line(arguments: &Arguments, figures: &Figures) -> [String; 8] {
    let Some(seconds) = median(figures, |used| Some(used.seconds)) else {
        return std::array::from_fn(|at| if at == 0 { figures.way.to_string() } else { "-".to_owned() });
    };
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (rows, mebibyte) = (arguments.rows as f64, |kibibytes: u64| kibibytes as f64 / 1024.0);
    let show = |number: Option<f64>, digits: usize| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
    };
    [
        figures.way.to_string(),
        format!("{seconds:.2}"),
        format!("{:.0}", rows / seconds),
        ratio(figures),
        show(median(figures, |used| used.own), 2),
        show(median(figures, |used| Some(used.servers?.0)), 2),
        show(median(figures, |used| Some(used.servers?.1)), 2),
        show(median(figures, |used| used.peak.map(mebibyte)), 0),
    ]
}

/// How many rows a second for each that the floor of the same round writes.
fn ratio(figures: &Figures) -> String {
    let mut ratios: Vec<_> = ratios(figures).collect();
    ratios.sort_by(f64::total_cmp);
    match ratios.as_slice() {
        [] => "-".to_owned(),
        [lowest, .., highest] => format!("{:.2} ({lowest:.2} to {highest:.2})", ratios[ratios.len() / 2]),
        [only] => format!("{only:.2}"),
    }
}

fn ratios(figures: &Figures) -> impl Iterator<Item = f64> {
    figures.rounds.iter().filter_map(|(used, floor)| Some((*floor)? / used.seconds))
}

/// What is to be said, each thing once, and in how many rounds.
fn notes(figures: &Figures) -> String {
    let mut said: Vec<(&str, usize)> = Vec::new();
    for note in &figures.notes {
        match said.iter_mut().find(|(known, _)| known == note) {
            Some((_, times)) => *times += 1,
            None => said.push((note, 1)),
        }
    }
    let texts = said.into_iter().map(|(note, times)| {
        if note.starts_with("not installed") { note.to_owned() } else { format!("{note} ({times} times)") }
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// The median of what is known of every round.
fn median(figures: &Figures, number: impl Fn(&crate::process::Used) -> Option<f64>) -> Option<f64> {
    let mut numbers: Vec<_> = figures.rounds.iter().filter_map(|(used, _)| number(used)).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// Every round by itself.
pub(crate) fn json(all: &[Figures]) -> Value {
    let round = |(used, floor): &(crate::process::Used, Option<f64>)| {
        json!({
            "seconds": used.seconds, "floor_seconds": floor, "own_seconds": used.own, "peak_kib": used.peak,
            "source_seconds": used.servers.map(|servers| servers.0),
            "target_seconds": used.servers.map(|servers| servers.1),
        })
    };
    let way = |figures: &Figures| {
        let rounds: Vec<_> = figures.rounds.iter().map(round).collect();
        json!({ "way": figures.way.to_string(), "rounds": rounds, "notes": figures.notes })
    };
    all.iter().map(way).collect()
}
