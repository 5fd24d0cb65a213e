//! Runs the corpus in `tests/spec`: one file per case, with the workspace's files and the findings that they give.
//!
//! A case is a text with sections `-- NAME --`: files of the workspace, then `-- findings --`. A line `--env NAME` before
//! the first section chooses an environment. `TRANSSHIP_BLESS=1` writes what is found into the cases.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use transship_model::{Finding, SpanIndex, SpecPath};

use crate::{LoadOptions, load};

const FINDINGS: &str = "findings";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec")
}

/// Every file of every case, as texts to mutilate.
pub(crate) fn texts() -> Vec<String> {
    let mut all = Vec::new();
    cases(&root(), &mut all);
    all.sort();
    let files = all.iter().flat_map(|path| parse(&fs_err::read_to_string(path).unwrap()).files);
    files.map(|(_, text)| text).collect()
}

/// A directory that is removed when the test is done.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("transship-spec-{}-{name}", std::process::id()));
        fs_err::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's temporary directory.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

struct Case {
    header: String,
    files: Vec<(String, String)>,
    expected: String,
}

fn parse(text: &str) -> Case {
    let mut case = Case { header: String::new(), files: Vec::new(), expected: String::new() };
    let mut current = None;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.trim_end().strip_prefix("-- ").and_then(|line| line.strip_suffix(" --")) {
            current = Some(name.to_owned());
            if name != FINDINGS {
                case.files.push((name.to_owned(), String::new()));
            }
            continue;
        }
        match current.as_deref() {
            None => case.header.push_str(line),
            Some(FINDINGS) => case.expected.push_str(line),
            Some(_) => case.files.last_mut().unwrap().1.push_str(line),
        }
    }
    case
}

fn found(case: &Case, name: &str) -> String {
    let scratch = Scratch::new(&name.replace(['/', '.'], "-"));
    for (name, content) in &case.files {
        scratch.write(name, content);
    }
    let environment = case.header.lines().find_map(|line| line.strip_prefix("--env "));
    let options = LoadOptions {
        directory: scratch.0.clone(),
        environment: environment.map(|name| name.parse().unwrap()),
        allow_roots: Vec::new(),
    };
    let (findings, index, sources) = match load(&options) {
        Ok(loaded) => (loaded.warnings, loaded.index, loaded.sources),
        Err(error) => (error.findings, error.index, error.sources),
    };
    let mut shown: String = findings.iter().map(|finding| show(finding, &index)).collect();
    for secret in case.header.lines().filter_map(|line| line.strip_prefix("--secret ")) {
        let everything = format!("{findings:?}{sources:?}");
        assert!(!everything.contains(secret), "{name}: `{secret}` is shown");
    }
    shown = shown.replace(&*scratch.0.to_string_lossy(), "WORKSPACE");
    shown
}

fn place(path: &SpecPath, at_key: bool, index: &SpanIndex) -> String {
    let span = if at_key { index.key(path) } else { index.value(path) };
    let place = span.map_or_else(|| "nowhere".to_owned(), |s| format!("{}:{}:{}", s.file, s.line, s.column));
    if place == path.0 { place } else { format!("{path} {place}") }
}

fn show(finding: &Finding, index: &SpanIndex) -> String {
    let severity = format!("{:?}", finding.severity).to_lowercase();
    let at = finding.path.as_ref().map(|path| format!(" {}", place(path, finding.at_key, index))).unwrap_or_default();
    let mut text = format!("{severity} {}{at}\n  {}\n", finding.code, finding.message);
    for (path, note) in &finding.related {
        writeln!(text, "  + {}: {note}", place(path, true, index)).unwrap();
    }
    if let Some(help) = &finding.help {
        writeln!(text, "  = {help}").unwrap();
    }
    text
}

fn cases(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cases(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "txt") {
            all.push(path);
        }
    }
}

#[test]
fn every_case_gives_its_findings() {
    let mut all = Vec::new();
    cases(&root(), &mut all);
    all.sort();
    assert!(all.len() > 10, "the corpus is missing");
    let mut wrong = String::new();
    for path in all {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let text = fs_err::read_to_string(&path).unwrap();
        let case = parse(&text);
        let found = found(&case, &name);
        assert_eq!(found.is_empty(), name.starts_with("good/"), "{name}:\n{found}");
        if found == case.expected {
            continue;
        }
        if std::env::var_os("TRANSSHIP_BLESS").is_some() {
            let marker = "-- findings --\n";
            let kept = text.find(marker).map_or(text.len(), |at| at + marker.len());
            fs_err::write(&path, format!("{}{found}", &text[..kept])).unwrap();
        } else {
            writeln!(wrong, "{name}: found\n{found}but expected\n{}", case.expected).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}(TRANSSHIP_BLESS=1 accepts what is found)");
}
