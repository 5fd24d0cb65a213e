//! SARIF 2.1.0, which code-scanning services read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use transship_model::span::Span;
use transship_model::{Finding, Severity};

use super::Sources;

/// The findings as one SARIF log.
pub fn log(findings: &[Finding], sources: &Sources) -> Value {
    let rules: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<_> = rules.into_iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, sources)).collect();
    let driver = json!({ "name": "transship", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    })
}

fn result(finding: &Finding, sources: &Sources) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &finding.help {
        Some(help) => format!("{}. {help}", finding.message),
        None => finding.message.clone(),
    };
    let related: Vec<_> = finding
        .related
        .iter()
        .filter_map(|(path, text)| {
            let mut place = location(sources.related(path)?, sources);
            place["message"] = json!({ "text": text });
            Some(place)
        })
        .collect();
    let places: Vec<_> = sources.span(finding).map(|span| location(span, sources)).into_iter().collect();
    json!({
        "ruleId": finding.code,
        "level": level,
        "message": { "text": text },
        "locations": places,
        "relatedLocations": related,
    })
}

fn location(span: &Span, sources: &Sources) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": sources.open(&span.file) },
        "region": { "startLine": span.line, "startColumn": span.column },
    }})
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings, sources};
    use super::*;

    #[test]
    fn results_have_rule_level_and_place() {
        let log = log(&findings(), &sources());
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(4));
        let place = &run["results"][2]["relatedLocations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "specs/more.yaml");
        assert_eq!(place["region"]["startLine"], 3);
    }
}
