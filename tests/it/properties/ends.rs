//! Whether a story that was cut ends as the one that nothing disturbed.

use std::time::{Duration, Instant};

use super::case::Whole;
use super::flows::Flow;
use super::ledger;
use super::stage::{Stage, State};
use super::story::Story;

/// The end is that of the story that nothing disturbed.
pub(super) fn compare(stage: &Stage<'_>, whole: &Whole<'_>) -> Result<(), String> {
    let (story, wanted) = (stage.story, &whole.last);
    let started = Instant::now();
    // Replications go on by themselves.
    let mut found = stage.state();
    while found.relations != wanted.relations && started.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(100));
        found = stage.state();
    }
    let ledger = ledger::summary(stage);
    if ledger != whole.ledger {
        return Err(format!("the ledger ends otherwise\n{ledger:#?}\n{:#?}", whole.ledger));
    }
    if is_alike(story, &found, wanted) {
        return Ok(());
    }
    // What was still to be taken away when all else was done goes with the next run that copies.
    let wanted = once_more(&whole.stage)?;
    let found = once_more(stage)?;
    let settled = stage.is_settled()?;
    match is_alike(story, &found, &wanted) {
        true if settled => Ok(()),
        true => Err("there is something to do in the end".to_owned()),
        false => Err(format!("the end is another one\n{}", difference(&found, &wanted))),
    }
}

/// What is there once everything was copied again that keeps something for a while.
fn once_more(stage: &Stage<'_>) -> Result<State, String> {
    let keeps = stage.story.flows.iter().filter(|flow| flow.keeps());
    let ids = keeps.flat_map(Flow::ids);
    let arguments: Vec<String> = ids.flat_map(|id| ["--resync".to_owned(), id]).collect();
    let outcome = stage.apply(&arguments);
    if outcome.code == 0 { Ok(stage.state()) } else { Err(format!("a copy once more: {}", outcome.all())) }
}

/// Whether all is there, and nothing else. Of a flow that never copies again, files and snapshots of runs that were cut may
/// be left, and only those of the tables that the last run copied.
fn is_alike(story: &Story, found: &State, wanted: &State) -> bool {
    let may_stay = |line: &str| {
        let mut flows = story.flows.iter().filter(|flow| !flow.keeps());
        flows.any(|flow| {
            [format!("/{}/", flow.name), format!("/{}@", flow.name), format!(" {}-", flow.name)]
                .iter()
                .any(|part| line.contains(part))
        })
    };
    let is_same = |found: &[String], wanted: &[String]| {
        let rest = |lines: &[String]| -> Vec<String> { lines.iter().filter(|line| !may_stay(line)).cloned().collect() };
        rest(found) == rest(wanted)
    };
    found.relations == wanted.relations
        && is_same(&found.objects, &wanted.objects)
        && is_same(&found.files, &wanted.files)
        && found.versions <= wanted.versions + 1
}

pub(super) fn difference(found: &State, wanted: &State) -> String {
    let mut text = String::new();
    for (place, relation) in &found.relations {
        if wanted.relations.get(place) != Some(relation) {
            text += &format!("  {place:?} is {relation:?}\n    instead of {:?}\n", wanted.relations.get(place));
        }
    }
    for place in wanted.relations.keys().filter(|place| !found.relations.contains_key(*place)) {
        text += &format!("  {place:?} is not there\n");
    }
    for (what, found, wanted) in [("objects", &found.objects, &wanted.objects), ("files", &found.files, &wanted.files)]
    {
        if found != wanted {
            text += &format!("  {what} {found:#?}\n  instead of {wanted:#?}\n");
        }
    }
    text + &format!("  {} versions, {} in a whole run\n", found.versions, wanted.versions)
}
