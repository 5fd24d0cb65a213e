//! Annotations of a GitHub workflow: one command a line, which the runner turns into marks on the changed files.

use transship_model::{Finding, Severity};

use super::Sources;

/// One annotation for each finding.
pub fn annotations(findings: &[Finding], sources: &Sources) -> String {
    findings.iter().map(|finding| of(finding, sources)).collect()
}

/// One annotation: `level` is `error`, `warning` or `notice`; `place` is file, line and column.
pub fn annotation(level: &str, title: &str, place: Option<(&str, usize, Option<usize>)>, text: &str) -> String {
    let mut properties = Vec::new();
    if let Some((file, line, column)) = place {
        properties.push(format!("file={}", property(file)));
        properties.push(format!("line={line}"));
        properties.extend(column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(title)));
    format!("::{level} {}::{}\n", properties.join(","), data(text))
}

fn of(finding: &Finding, sources: &Sources) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    let span = sources.span(finding);
    let file = span.map(|span| sources.open(&span.file));
    let place = file.as_deref().zip(span).map(|(file, span)| (file, span.line, Some(span.column)));
    annotation(level, finding.code, place, &text)
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings, sources};
    use super::*;

    #[test]
    fn annotations_name_file_and_line_and_escape_the_rest() {
        let all = annotations(&findings(), &sources());
        let first = "::error file=specs/shop.yaml,line=5,col=5,title=spec%3A%3Aunknown-key::\
                     unknown key `urll`%0Ahelp: did you mean `url`?";
        assert_eq!(all.lines().next(), Some(first));
        assert_eq!(all.lines().last(), Some("::warning title=spec%3A%3Ano-flows::the workspace declares no flows"));
        assert_eq!(annotation("notice", "a,b", None, "5%\n6"), "::notice title=a%2Cb::5%25%0A6\n");
    }
}
