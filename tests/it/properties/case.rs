//! Plays a story twice, once undisturbed and once cut, and compares.

use crate::random::Random;
use crate::real::Outcome;

use super::cutting::Cutting;
use super::flows::Flow;
use super::judge::{Bounds, is_right, of_others};
use super::kinds::Past;
use super::script::{Cut, Places};
use super::stage::{Stage, State};
use super::story::Story;
use super::tally::Came;
use super::watch::Seen;
use super::{consents, ledger};

/// How often it is applied undisturbed until it has to be done.
pub(super) const MOST: usize = 4;

/// What a run leaves that nothing has disturbed.
pub(super) struct Whole<'a> {
    pub(super) stage: Stage<'a>,
    pub(super) before: State,
    pub(super) end: State,
    /// The same after what changes later.
    pub(super) last: State,
    pub(super) ledger: Vec<String>,
    pub(super) seen: Vec<Seen>,
}

/// How a story goes that nothing disturbs.
enum Undisturbed<'a> {
    Ended(Box<Whole<'a>>),
    Settled,
    /// Why.
    Refused(String),
    Failed,
}

pub(super) fn play(seed: u64, told: &mut String) -> Result<Came, String> {
    let story = Story::random(seed);
    *told = story.text();
    let whole = match undisturbed(&story)? {
        Undisturbed::Ended(whole) => *whole,
        Undisturbed::Settled => return Ok(Came::Settled),
        Undisturbed::Refused(why) => return Ok(Came::Refused(why)),
        Undisturbed::Failed => return Ok(Came::Failed),
    };
    let mut random = Random::new(seed ^ 0x5eed);
    let places = Places::of(&whole.seen);
    let cuts: Vec<Cut> = (0..[1, 1, 1, 2, 3][random.below(5)]).map(|_| places.cut(&mut random)).collect();
    *told += &format!("--- cut\n{cuts:#?}\n");
    let stage = Stage::set(&story).map_err(|outcome| format!("it begins otherwise: {}", outcome.all()))?;
    Cutting::new(stage, &whole, told).play(&cuts)
}

/// The arguments of a run that does some flows once more.
pub(super) fn again(story: &Story) -> Vec<String> {
    let flows = story.flows.iter().filter(|flow| flow.past == Past::Resync);
    flows.flat_map(Flow::ids).flat_map(|id| ["--resync".to_owned(), id]).collect()
}

fn undisturbed(story: &Story) -> Result<Undisturbed<'_>, String> {
    let stage = match Stage::set(story) {
        Ok(stage) => stage,
        Err(outcome) if [1, 5].contains(&outcome.code) => return Ok(refused(&outcome)),
        Err(outcome) if is_failure(&outcome) => return Ok(Undisturbed::Failed),
        Err(outcome) => return Err(format!("what was before is not applied: {}\n{}", outcome.code, outcome.all())),
    };
    let earlier = ledger::runs(&stage);
    let (before, others) = (stage.state(), of_others(&stage));
    let (outcome, seen) = stage.disturbed(&again(story), &Cut::default())?;
    let outcome = outcome.ok_or("nothing halts, and yet it has halted")?;
    consents::hold(story, &before, &seen)?;
    let end = stage.state();
    if of_others(&stage) != others {
        return Err(format!("what is others' has changed\n{others:#?}\n{:#?}", of_others(&stage)));
    }
    match outcome.code {
        0 if before == end && !seen.iter().any(|sent| sent.changes) => return Ok(Undisturbed::Settled),
        0 => {}
        1 | 5 if before == end => return Ok(refused(&outcome)),
        7 if is_failure(&outcome) => return Ok(Undisturbed::Failed),
        code => return Err(format!("a run that nothing disturbs exits {code}\n{}", outcome.all())),
    }
    if !stage.is_settled()? {
        return Err(format!("the plan after it is not empty\n{}", stage.workspace.run(&["plan"]).all()));
    }
    is_right(&stage, &before, &end)?;
    let bounds = Bounds { before: &before, end: &end };
    ledger::holds(&stage, &bounds, &earlier, false)?;
    ledger::exports_hold(&stage)?;
    stage.run_all(&story.later);
    settle(&stage)?;
    let (last, ledger) = (stage.state(), ledger::summary(&stage));
    let whole = Whole { stage, before, end, last, ledger, seen };
    Ok(Undisturbed::Ended(Box::new(whole)))
}

/// A plan that is refused, with the code of the first reason.
fn refused(outcome: &Outcome) -> Undisturbed<'static> {
    let why = match outcome.code {
        5 => "no consent",
        _ => outcome.stderr.split_whitespace().find(|word| word.contains("::")).unwrap_or_default(),
    };
    Undisturbed::Refused(why.to_owned())
}

/// Whether a run ends as it always would: a copy with too few rows takes no table's place.
fn is_failure(outcome: &Outcome) -> bool {
    outcome.code == 7 && outcome.all().contains("apply::shrinks")
}

/// Applies until nothing is to be done.
fn settle(stage: &Stage<'_>) -> Result<(), String> {
    for _ in 0..MOST {
        if stage.is_settled()? {
            return Ok(());
        }
        let applied = stage.apply(&[]);
        if applied.code != 0 {
            return Err(format!("a run that nothing disturbs exits {}\n{}", applied.code, applied.all()));
        }
    }
    Err(format!("after {MOST} runs there is something to do still\n{}", stage.workspace.run(&["plan"]).all()))
}
