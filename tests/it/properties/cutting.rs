//! A story that is cut, and then applied until nothing is to be done.

use std::collections::BTreeSet;

use super::case::{MOST, Whole, again};
use super::consents;
use super::ends::{compare, difference};
use super::judge::{Bounds, of_others, targets};
use super::kinds::{Existing, Past};
use super::ledger::{self, Chunks};
use super::script::Cut;
use super::stage::Stage;
use super::tables::THEIRS;
use super::tally::Came;
use super::watch::Seen;

pub(super) struct Cutting<'a> {
    stage: Stage<'a>,
    whole: &'a Whole<'a>,
    /// The runs of before.
    earlier: BTreeSet<String>,
    has_changed: bool,
    told: &'a mut String,
    /// How many runs were killed, failed, and ended well in spite of all.
    came: (usize, usize, usize),
}

impl<'a> Cutting<'a> {
    pub(super) const fn new(stage: Stage<'a>, whole: &'a Whole<'a>, told: &'a mut String) -> Self {
        Self { stage, whole, earlier: BTreeSet::new(), has_changed: false, told, came: (0, 0, 0) }
    }

    pub(super) fn play(mut self, cuts: &[Cut]) -> Result<Came, String> {
        let before = self.stage.state();
        if before != self.whole.before {
            return Err(format!("the story begins otherwise\n{}", difference(&before, &self.whole.before)));
        }
        self.earlier = ledger::runs(&self.stage);
        let mut others = of_others(&self.stage);
        for (number, cut) in cuts.iter().enumerate() {
            self.cut(cut, number > 0)?;
            self.is_untouched(&others)?;
            if number == 0 {
                self.stage.run_all(&self.stage.story.later);
                self.has_changed = true;
                others = of_others(&self.stage);
            }
        }
        self.finish()?;
        self.is_untouched(&others)?;
        compare(&self.stage, self.whole)?;
        let (killed, failed, ended) = self.came;
        Ok(Came::Cut { killed, failed, ended })
    }

    fn is_untouched(&self, others: &[String]) -> Result<(), String> {
        let now = of_others(&self.stage);
        if now == others { Ok(()) } else { Err(format!("what is others' has changed\n{others:#?}\n{now:#?}")) }
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { before: &self.whole.before, end: &self.whole.end }
    }

    /// A run that is disturbed, and all that has to hold after it.
    fn cut(&mut self, cut: &Cut, is_again: bool) -> Result<(), String> {
        let (outcome, seen) = self.stage.disturbed(&self.arguments(is_again), cut)?;
        *self.told += &match &outcome {
            None => "--- it was killed\n".to_owned(),
            Some(outcome) => format!("--- exit {}\n{}\n", outcome.code, outcome.all()),
        };
        let code = outcome.map(|outcome| outcome.code);
        match code {
            None => self.came.0 += 1,
            Some(0) => self.came.2 += 1,
            Some(_) => self.came.1 += 1,
        }
        if !matches!(code, None | Some(0 | 1 | 4 | 5 | 7)) {
            return Err(format!("a run that is disturbed exits {code:?}"));
        }
        consents::hold(self.stage.story, &self.whole.before, &seen)?;
        self.stage.unlock()?;
        self.holds()
    }

    fn holds(&self) -> Result<(), String> {
        self.bounds().hold_in_place(&self.stage, self.has_changed)?;
        ledger::holds(&self.stage, &self.bounds(), &self.earlier, self.has_changed)?;
        ledger::exports_hold(&self.stage)
    }

    fn arguments(&self, is_again: bool) -> Vec<String> {
        let mut arguments = again(self.stage.story);
        arguments.extend((is_again && self.stage.story.resumes).then(|| "--resume".to_owned()));
        arguments
    }

    /// Runs undisturbed until nothing is to be done.
    fn finish(&mut self) -> Result<(), String> {
        for number in 0..MOST {
            let chunks = ledger::chunks(&self.stage);
            let mut arguments = self.arguments(true);
            arguments.extend(self.take_out()?);
            let (outcome, seen) = self.stage.disturbed(&arguments, &Cut::default())?;
            let outcome = outcome.ok_or("nothing halts, and yet it has halted")?;
            *self.told +=
                &format!("--- run {number} that nothing disturbs: exit {}\n{}\n", outcome.code, outcome.all());
            if outcome.code != 0 {
                return Err(format!("a run that nothing disturbs exits {}", outcome.code));
            }
            consents::hold(self.stage.story, &self.whole.before, &seen)?;
            self.are_not_read_again(&chunks, &seen)?;
            self.holds()?;
            if self.stage.is_settled()? {
                return Ok(());
            }
            if !self.has_changed || !self.stage.story.flows.iter().any(|flow| self.stage.story.moves(flow)) {
                return Err(format!("the plan after it is not empty\n{}", self.stage.workspace.run(&["plan"]).all()));
            }
        }
        Err(format!("after {MOST} runs there is something to do still"))
    }

    /// Rows that a run may have added are taken out, as it tells whoever applies again; the arguments that say so.
    fn take_out(&self) -> Result<Vec<String>, String> {
        let mut arguments = Vec::new();
        for (cluster, row) in ledger::rows(&self.stage) {
            let flow = self.stage.story.flows.iter().find(|flow| flow.ids().contains(&row.flow));
            let adding: Vec<&str> =
                row.document["adding"].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
            let Some(flow) = flow.filter(|flow| !adding.is_empty() && flow.existing == Existing::Append) else {
                continue;
            };
            let is_begun = |place: &(&str, String)| place.0 == cluster && adding.contains(&place.1.as_str());
            for target in targets(self.stage.story).filter(|it| it.flow.name == flow.name && is_begun(&it.place)) {
                let table = crate::inventory::quoted(&target.place.1);
                let ours = target.carried.table.below(THEIRS);
                let sql = format!("REFRESH TABLE {table}; DELETE FROM {table} WHERE {ours}; REFRESH TABLE {table}");
                self.stage.pair.sandbox.execute(cluster, &sql).map_err(|error| format!("{sql}: {error}"))?;
            }
            arguments.extend(["--resync".to_owned(), row.flow]);
        }
        Ok(arguments)
    }

    /// A run that goes on with chunks reads those alone that are not whole.
    fn are_not_read_again(&self, chunks: &Chunks, seen: &[Seen]) -> Result<(), String> {
        for (copy, (all, whole)) in chunks.iter().filter(|(_, (_, whole))| *whole > 0) {
            let (flow, from) = copy.split_once(' ').expect("a flow and a table");
            let declared = self.stage.story.flows.iter().find(|it| it.ids().iter().any(|id| id == flow));
            let Some(declared) =
                declared.filter(|it| it.past != Past::Resync && !self.stage.story.moves(it) && it.to.len() == 1)
            else {
                continue;
            };
            let from = format!(" FROM {} WHERE ", crate::inventory::quoted(from));
            let reads = |sent: &&Seen| {
                let sql = &sent.statement;
                sent.to == declared.from && sql.contains(&from) && sql.contains("$2::text") && !sql.contains("count(*)")
            };
            let read = seen.iter().filter(reads).count();
            if read != all - whole {
                return Err(format!("{read} chunks of{from} were read, and {whole} of {all} were whole"));
            }
        }
        Ok(())
    }
}
