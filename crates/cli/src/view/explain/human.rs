//! The explanation for people at a terminal: what is taken and all that it needs, then the others, shorter.

use super::{Explained, Explored, Needed, State, Verdict};
use crate::view::style::{Page, alarm, bold, cyan, dim, green, red, yellow};
use crate::view::{Human, View};

/// Where the text of a requirement begins.
const INDENT: usize = 24;

impl View<Explained> for Human {
    fn render(&self, explained: &Explained) -> String {
        let mut page = Page::new(self.width);
        header(&mut page, explained);
        for strategy in &explained.strategies {
            self.strategy(&mut page, strategy);
        }
        if !self.verbose {
            page.gap();
            page.line(&dim("-v shows everything that each of them needs."));
        }
        page.finish()
    }
}

fn header(page: &mut Page, explained: &Explained) {
    let from = explained.from.as_ref().map(ToString::to_string).unwrap_or_default();
    let to = explained.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let place = explained.at.as_ref().map(ToString::to_string).unwrap_or_default();
    page.pair(&format!("{}  {from} → {to}", bold(&explained.flow.to_string())), &dim(&place));
    page.wrapped("  ", 2, &explained.because, str::to_owned);
}

impl Human {
    fn strategy(&self, page: &mut Page, strategy: &Explored) {
        page.gap();
        let verdict = match (strategy.taken, strategy.verdict) {
            (true, Verdict::Possible) => green("taken"),
            (true, Verdict::NotObservable) => alarm("taken, and it cannot be judged"),
            (true, _) => alarm("taken, and cannot be done"),
            (false, Verdict::Possible) => "possible".to_owned(),
            (false, Verdict::NotObservable) => dim("cannot be judged"),
            (false, Verdict::Refused) => dim("not possible"),
            (false, Verdict::Unfit) => dim("not what is declared"),
        };
        page.line(&format!("{}  {verdict}", bold(&strategy.name)));
        for requirement in strategy.requirements.iter().filter(|it| self.is_shown(strategy, it)) {
            line(page, requirement);
        }
    }

    /// Of what is taken, everything is shown; of the others, what stands against them, and what is not known.
    const fn is_shown(&self, strategy: &Explored, requirement: &Needed) -> bool {
        let tells = match strategy.verdict {
            Verdict::Unfit => matches!(requirement.state, State::Fails),
            _ => matches!(requirement.state, State::Fails | State::Open),
        };
        self.verbose || strategy.taken || tells
    }
}

fn line(page: &mut Page, requirement: &Needed) {
    let (word, paint): (&str, fn(&str) -> String) = match requirement.state {
        State::Holds => ("holds", green),
        State::Fails => ("fails", red),
        State::Open => ("open", yellow),
        State::Unjudged => ("–", dim),
    };
    let start = format!("  {}  {:<13}  ", paint(&format!("{word:<5}")), requirement.subject);
    page.wrapped(&start, INDENT, &requirement.text, str::to_owned);
    if let Some(help) = &requirement.help {
        page.wrapped(&" ".repeat(INDENT), INDENT, help, cyan);
    }
}
