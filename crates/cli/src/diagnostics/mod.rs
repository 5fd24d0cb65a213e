//! Findings with their places: as a report for people, as JSON of our own stable format, and as the formats of
//! code-review tools.

pub mod github;
mod graphical;
mod json;
pub mod markdown;
pub mod sarif;
mod source;

use std::collections::BTreeMap;

use transship_model::span::Span;
use transship_model::{Finding, Severity, SpanIndex, SpecPath};

pub use graphical::graphical;
pub use json::{DIAGNOSTICS_FORMAT, Diagnostic, Diagnostics, RelatedPlace};

/// The text that findings point into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The workspace's directory as it was given, put before file names that people and tools open.
    pub directory: String,
    /// Where each value was written.
    pub index: SpanIndex,
    /// File name to text.
    pub files: BTreeMap<String, String>,
    /// Stretches that hold what ought to be secret, never shown.
    pub masked: Vec<Span>,
}

impl Sources {
    /// The span that `finding` is about.
    pub fn span(&self, finding: &Finding) -> Option<&Span> {
        let path = finding.path.as_ref()?;
        if finding.at_key { self.index.key(path) } else { self.index.value(path) }
    }

    /// The span of a related place: its key, which is where a reader looks for it.
    pub fn related(&self, path: &SpecPath) -> Option<&Span> {
        self.index.key(path)
    }

    /// `file` as seen from where the command runs.
    pub fn open(&self, file: &str) -> String {
        match self.directory.trim_end_matches('/') {
            "" if self.directory.starts_with('/') => format!("/{file}"),
            "" | "." => file.to_owned(),
            directory => format!("{}/{file}", directory.trim_start_matches("./")),
        }
    }
}

/// `3 errors and 1 warning`, or `no problems`.
pub fn count(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let of = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, findings.len() - errors) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => of(warnings, "warning"),
        (errors, 0) => of(errors, "error"),
        (errors, warnings) => format!("{} and {}", of(errors, "error"), of(warnings, "warning")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const SHOP: &str =
        "version: 1\nworkspace: shop\nclusters:\n  shop:\n    urll: postgres://u:hunter2@h/\n";
    pub(crate) const MORE: &str = "version: 1\nclusters:\n  shop: {}\n";

    fn span(file: &str, text: &str, part: &str) -> Span {
        let offset = text.find(part).expect("the part is in the text");
        let line = text[..offset].matches('\n').count() + 1;
        let column = offset - text[..offset].rfind('\n').map_or(0, |at| at + 1) + 1;
        Span { file: file.to_owned(), line, column, offset, length: part.len() }
    }

    /// Two files: one with a wrong key and a literal password, one that defines the same cluster again.
    pub(crate) fn sources() -> Sources {
        let keys = BTreeMap::from([
            (SpecPath("clusters.shop".into()), span("shop.yaml", SHOP, "shop:\n")),
            (SpecPath("clusters.shop.urll".into()), span("shop.yaml", SHOP, "urll")),
            (SpecPath("clusters.shop#2".into()), span("more.yaml", MORE, "shop")),
        ]);
        let values = BTreeMap::from([(
            SpecPath("clusters.shop.urll".into()),
            span("shop.yaml", SHOP, "postgres://u:hunter2@h/"),
        )]);
        Sources {
            directory: "specs".to_owned(),
            index: SpanIndex { keys, values },
            files: BTreeMap::from([
                ("shop.yaml".to_owned(), SHOP.to_owned()),
                ("more.yaml".to_owned(), MORE.to_owned()),
            ]),
            masked: vec![span("shop.yaml", SHOP, "hunter2")],
        }
    }

    /// A finding at a key, one at a value, one with a place in another file, one without a place.
    pub(crate) fn findings() -> Vec<Finding> {
        vec![
            Finding::error("spec::unknown-key", "unknown key `urll`")
                .at_key(SpecPath("clusters.shop.urll".into()))
                .help("did you mean `url`?"),
            Finding::error("spec::literal-password", "a password stands in the URL")
                .at(SpecPath("clusters.shop.urll".into()))
                .help("write `password: { env: NAME }` instead"),
            Finding::error("spec::defined-twice", "cluster `shop` is defined twice")
                .at_key(SpecPath("clusters.shop".into()))
                .related(SpecPath("clusters.shop#2".into()), "defined again here"),
            Finding::warning("spec::no-flows", "the workspace declares no flows"),
        ]
    }

    #[test]
    fn counts_read_well() {
        assert_eq!(count(&findings()), "3 errors and 1 warning");
        assert_eq!(count(&findings()[3..]), "1 warning");
        assert_eq!(count(&[]), "no problems");
    }

    #[test]
    fn files_are_named_as_they_are_opened() {
        for (directory, shown) in
            [("", "a.yaml"), (".", "a.yaml"), ("./", "a.yaml"), ("specs/", "specs/a.yaml"), ("/", "/a.yaml")]
        {
            let sources = Sources { directory: directory.to_owned(), ..Sources::default() };
            assert_eq!(sources.open("a.yaml"), shown, "{directory}");
        }
    }
}
