//! Findings as JSON: our own stable format.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use transship_model::span::Span;
use transship_model::{Finding, Severity};

use super::Sources;

/// The format of [`Diagnostics`].
pub const DIAGNOSTICS_FORMAT: u32 = 1;

/// What is wrong, in the order in which it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship diagnostics, format 1")]
pub struct Diagnostics {
    /// 1.
    #[schemars(extend("const" = 1))]
    pub format_version: u32,
    /// The problems.
    pub findings: Vec<Diagnostic>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    /// A stable code such as `spec::unknown-key`.
    pub code: String,
    /// `error` or `warning`.
    #[schemars(regex(pattern = "^(error|warning)$"))]
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// The file, relative to the workspace.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// The place in the merged workspace: `flows.orders-live.tables[0]`.
    pub path: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Further places.
    pub related: Vec<RelatedPlace>,
}

/// A further place of a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelatedPlace {
    /// What it has to do with the problem.
    pub message: String,
    /// The file, relative to the workspace.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// The place in the merged workspace.
    pub path: String,
}

impl Diagnostics {
    /// `findings` with the places that `sources` knows.
    pub fn new(findings: &[Finding], sources: &Sources) -> Self {
        let findings = findings.iter().map(|finding| Diagnostic::new(finding, sources)).collect();
        Self { format_version: DIAGNOSTICS_FORMAT, findings }
    }
}

impl Diagnostic {
    fn new(finding: &Finding, sources: &Sources) -> Self {
        let (file, line, column) = place(sources.span(finding));
        let related = finding.related.iter().map(|(path, text)| {
            let (file, line, column) = place(sources.related(path));
            RelatedPlace { message: text.clone(), file, line, column, path: path.to_string() }
        });
        Self {
            code: finding.code.to_owned(),
            severity: word(finding.severity).to_owned(),
            message: finding.message.clone(),
            file,
            line,
            column,
            path: finding.path.as_ref().map(ToString::to_string),
            help: finding.help.clone(),
            related: related.collect(),
        }
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn place(span: Option<&Span>) -> (Option<String>, Option<usize>, Option<usize>) {
    (span.map(|s| s.file.clone()), span.map(|s| s.line), span.map(|s| s.column))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings, sources};
    use super::*;

    #[test]
    fn every_finding_has_its_place() {
        let json = Diagnostics::new(&findings(), &sources());
        let places: Vec<_> = json.findings.iter().map(|f| (f.file.as_deref(), f.line, f.column)).collect();
        let shop = Some("shop.yaml");
        assert_eq!(
            places,
            [(shop, Some(5), Some(5)), (shop, Some(5), Some(11)), (shop, Some(4), Some(3)), (None, None, None)]
        );
        assert_eq!(json.findings[2].related[0].file.as_deref(), Some("more.yaml"));
    }
}
