//! All ways in turns, so that what else goes on in the machine meets each of them alike.

use crate::Outcome;
use crate::bench::{Arrived, Bench};
use crate::process::{self, Used};
use crate::way::{Ran, Way};

/// What is known of a way after all rounds.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) way: Way,
    /// What it took in each round that counts, as long as it moved all rows; the floor of the same round beside it.
    pub(crate) rounds: Vec<(Used, Option<f64>)>,
    /// What else has to be said of it.
    pub(crate) notes: Vec<String>,
}

/// Makes the rows, then lets every way move them once in each round. The first round warms up and does not count.
pub(crate) async fn run(bench: &Bench) -> Outcome<Vec<Figures>> {
    bench.clear().await?;
    bench.fill().await?;
    let wanted = bench.arrived(&bench.source, "source").await?;
    let figures = |way: &Way| Figures { way: *way, rounds: Vec::new(), notes: Vec::new() };
    let mut all: Vec<_> = bench.arguments.ways.iter().map(figures).collect();
    for round in 0..=bench.arguments.rounds {
        let used = one(bench, round, &wanted, &mut all).await?;
        let floor = all.iter().zip(&used).find(|(figures, _)| figures.way == Way::Floor);
        let floor = floor.and_then(|(_, used)| used.map(|used| used.seconds));
        if round > 0 {
            for (figures, used) in all.iter_mut().zip(used) {
                figures.rounds.extend(used.map(|used| (used, floor)));
            }
        }
    }
    Ok(all)
}

/// One round, which begins with another way each time. Gives what the ways took that moved all rows, in the order of
/// `all`.
async fn one(bench: &Bench, round: usize, wanted: &Arrived, all: &mut [Figures]) -> Outcome<Vec<Option<Used>>> {
    let mut used = vec![None; all.len()];
    for at in 0..all.len() {
        let at = (at + round) % all.len();
        let figures = &mut all[at];
        bench.prepare(figures.way).await?;
        match measured(bench, figures.way).await {
            Ok(Ran::Done(took)) => {
                let said = compare(bench, figures.way, wanted).await;
                eprintln!(
                    "round {round}: {} {:.2} s{}",
                    figures.way,
                    took.seconds,
                    said.as_deref().unwrap_or_default()
                );
                used[at] = said.is_none().then_some(took);
                figures.notes.extend(said);
            }
            Ok(Ran::NotInstalled(why)) => figures.notes.push(format!("not installed: {why}")),
            Err(error) => {
                eprintln!("round {round}: {} failed: {error}", figures.way);
                figures.notes.push(format!("failed: {error}"));
            }
        }
    }
    Ok(used)
}

/// What a way took, with that of the servers.
async fn measured(bench: &Bench, way: Way) -> Outcome<Ran> {
    let both = |(source, target)| Outcome::Ok((process::of(source)?, process::of(target)?));
    let servers = || bench.arguments.pids.map(both).transpose();
    let before = servers()?;
    let mut ran = way.run(bench).await?;
    let after = servers()?;
    if let Ran::Done(used) = &mut ran {
        used.servers = before.zip(after).map(|(before, after)| (after.0 - before.0, after.1 - before.1));
    }
    Ok(ran)
}

/// What is wrong with the rows that a way has brought.
async fn compare(bench: &Bench, way: Way, wanted: &Arrived) -> Option<String> {
    let table = way.arrives()?;
    let arrived = match bench.arrived(&bench.target, table).await {
        Ok(arrived) => arrived,
        Err(error) => return Some(format!("failed: its rows cannot be read: {error}")),
    };
    if arrived.rows != wanted.rows {
        return Some(format!("rows missing: {} of {} are there", arrived.rows, wanted.rows));
    }
    let columns = bench.arguments.shape.columns().iter().zip(&arrived.columns).zip(&wanted.columns);
    let wrong = columns.filter(|((_, arrived), wanted)| arrived != wanted).map(|((column, _), _)| column.name);
    let wrong: Vec<_> = wrong.collect();
    (!wrong.is_empty()).then(|| format!("values differ: {}", wrong.join(", ")))
}
