//! Random stories: clusters with tables of every shape, flows of every strategy, and what goes wrong while they are applied.
//! Each is played twice, once undisturbed and once cut, and has to come to the same end; `docs/testing.md` says what has to
//! hold on the way.
//!
//! A story is known by its seed: `TRANSSHIP_SEED=N` plays that one alone, and with `TRANSSHIP_PROPERTIES=2000` so many from
//! there.

mod carried;
mod case;
mod consents;
mod cutting;
mod ends;
mod flows;
mod judge;
mod kinds;
mod ledger;
mod script;
mod stage;
mod story;
mod tables;
mod tally;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use tally::Tally;

use crate::random::{SEED, seed};
use crate::real::say;

/// How many stories are played.
const COUNT: &str = "TRANSSHIP_PROPERTIES";

#[test]
fn whatever_goes_wrong_the_end_is_the_same() {
    let (first, given) = (seed(), std::env::var(COUNT).ok().and_then(|count| count.parse().ok()));
    let count = given.unwrap_or(if std::env::var_os(SEED).is_some() { 1 } else { 16 });
    say(&format!("{count} stories from {SEED}={first}"));
    let tally = Mutex::new(Tally::default());
    crate::sandbox::all_converge((first..first.saturating_add(count)).rev().collect(), |seed| {
        let mut told = String::new();
        let played = catch_unwind(AssertUnwindSafe(|| case::play(seed, &mut told)));
        let came = played.unwrap_or_else(|panic| Err(text(panic.as_ref())));
        let came = came.map_err(|problem| format!("{SEED}={seed}\n{told}--- {problem}"))?;
        tally.lock().unwrap().add(came);
        Ok(())
    });
    let tally = tally.into_inner().unwrap();
    say(&tally.to_string());
    assert!(count < 16 || tally.is_worth_it(), "too few of the stories come to a run: {tally}");
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
