//! Findings for a pull request: a short list with code, place, message and help.

use transship_model::Finding;

use super::{Sources, count};
use crate::view::markdown::{code, text};

/// A heading and one item for each finding.
pub fn list(findings: &[Finding], sources: &Sources) -> String {
    let items: String = findings.iter().map(|finding| item(finding, sources)).collect();
    format!("## transship: {}\n\n{items}", count(findings))
}

/// One item.
pub fn item(finding: &Finding, sources: &Sources) -> String {
    let place = sources.span(finding).map(|span| format!("{}:{}:{}", sources.open(&span.file), span.line, span.column));
    let place = place.map(|place| format!(" ({})", code(&place))).unwrap_or_default();
    let help = finding.help.as_ref().map(|help| format!("  - help: {}\n", text(help))).unwrap_or_default();
    format!("- {}{place}: {}\n{help}", code(finding.code), text(&finding.message))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings, sources};
    use super::*;

    #[test]
    fn a_list_names_code_place_message_and_help() {
        insta::assert_snapshot!(list(&findings(), &sources()), @r"
        ## transship: 3 errors and 1 warning

        - `spec::unknown-key` (`specs/shop.yaml:5:5`): unknown key `urll`
          - help: did you mean `url`?
        - `spec::literal-password` (`specs/shop.yaml:5:11`): a password stands in the URL
          - help: write `password: { env: NAME }` instead
        - `spec::defined-twice` (`specs/shop.yaml:4:3`): cluster `shop` is defined twice
        - `spec::no-flows`: the workspace declares no flows
        ");
    }
}
