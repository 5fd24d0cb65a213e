//! Findings as a report for people: every one with the marked text, its code and its help.

use std::fmt::{self, Write as _};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles,
};
use transship_model::{Finding, Severity};

use super::Sources;
use super::source::Desk;
use crate::view::style::plain;

/// So many findings are shown; nobody reads more before mending some.
const SHOWN: usize = 100;

/// The findings, one after the other, at most `width` columns wide.
pub fn graphical(findings: &[Finding], sources: &Sources, width: usize) -> String {
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles: ThemeStyles::ansi() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_urls(false).with_context_lines(1);
    let mut out = String::new();
    for finding in findings.iter().take(SHOWN) {
        let report = Report::new(finding, sources);
        handler.render_report(&mut out, &report).expect("writing to a String cannot fail");
        out.push('\n');
    }
    if let Some(more) = findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(out, "… and {more} more; `--format json` has them all\n").expect("writing to a String cannot fail");
    }
    out
}

#[derive(Debug)]
struct Report<'a> {
    finding: &'a Finding,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    desk: Desk,
}

impl<'a> Report<'a> {
    fn new(finding: &'a Finding, sources: &Sources) -> Self {
        let main = sources.span(finding);
        let related: Vec<_> =
            finding.related.iter().filter_map(|(path, text)| Some((sources.related(path)?, text))).collect();
        let desk = Desk::new(sources, main.into_iter().chain(related.iter().map(|(span, _)| *span)));
        let first = main.and_then(|span| desk.mark(span)).map(|mark| LabeledSpan::new_primary_with_span(None, mark));
        let others = related.into_iter().filter_map(|(span, text)| {
            Some(LabeledSpan::new_with_span(Some(plain(text).into_owned()), desk.mark(span)?))
        });
        let labels = first.into_iter().chain(others).collect();
        let help = finding.help.as_deref().map(|help| plain(help).into_owned());
        Self { finding, message: plain(&finding.message).into_owned(), help, labels, desk }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.desk as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings, sources};
    use super::*;

    #[test]
    fn a_report_marks_the_text_and_hides_what_is_secret() {
        let report = anstream::adapter::strip_str(&graphical(&findings(), &sources(), 80)).to_string();
        assert!(!report.contains("hunter2"), "{report}");
        insta::assert_snapshot!(report, @"
        spec::unknown-key

          × unknown key `urll`
           ╭─[specs/shop.yaml:5:5]
         4 │   shop:
         5 │     urll: postgres://u:***@h/
           ·     ────
           ╰────
          help: did you mean `url`?

        spec::literal-password

          × a password stands in the URL
           ╭─[specs/shop.yaml:5:11]
         4 │   shop:
         5 │     urll: postgres://u:***@h/
           ·           ───────────────────
           ╰────
          help: write `password: { env: NAME }` instead

        spec::defined-twice

          × cluster `shop` is defined twice
           ╭─[specs/shop.yaml:4:3]
         3 │ clusters:
         4 │   shop:
           ·   ─────
         5 │     urll: postgres://u:***@h/
           ╰────
           ╭─[specs/more.yaml:3:3]
         2 │ clusters:
         3 │   shop: {}
           ·   ──┬─
           ·     ╰── defined again here
           ╰────

        spec::no-flows

          ⚠ the workspace declares no flows
        ");
    }
}
