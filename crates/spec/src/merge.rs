//! Merges the files of a workspace into one tree.

use std::collections::BTreeMap;

use serde_json::Number;
use transship_model::Finding;
use transship_model::spec::SPEC_VERSION;

use crate::node::{Entry, Kind, Node};
use crate::report::{At, Report};
use crate::shape;
use crate::yaml::defined_twice;

/// The sections whose entries have names.
pub(crate) const SECTIONS: [&str; 3] = ["clusters", "stores", "flows"];

/// The merged workspace. What is missing or stands twice is reported.
pub(crate) fn merge(documents: Vec<(u32, Node)>, complete: bool, report: &mut Report) -> Node {
    let first = documents.first().map_or(0, |(file, _)| *file);
    let mut merged = Merged::default();
    for (file, document) in documents {
        if let Some(entries) = entries_of(file, document, report) {
            check_version(file, &entries, report);
            for entry in entries.into_iter().filter(|entry| entry.key != "version") {
                merged.add(entry, report);
            }
        }
    }
    if complete && !merged.top.contains_key("workspace") {
        let place = report.place_start(first);
        report.push(
            Finding::error("spec::missing-workspace", "no file names the workspace")
                .at(place)
                .help("write `workspace: NAME` in exactly one of the files"),
        );
    }
    merged.into_root(report.start_of(first))
}

/// The entries of a file's document, which must be a map.
pub(crate) fn entries_of(file: u32, document: Node, report: &mut Report) -> Option<Vec<Entry>> {
    let at = if document.kind == Kind::Null { report.start_of(file) } else { document.at };
    match document.kind {
        Kind::Map(entries) => Some(entries),
        Kind::Null => Some(Vec::new()),
        _ => {
            let place = report.place(at);
            let message = format!("a workspace file is a map of keys, this one is {}", document.words());
            report.push(Finding::error("spec::wrong-type", message).at(place).help("begin the file with `version: 1`"));
            None
        }
    }
}

/// Checks that a file says which version of the language it is written in.
pub(crate) fn check_version(file: u32, entries: &[Entry], report: &mut Report) {
    let Some(version) = entries.iter().find(|entry| entry.key == "version") else {
        let place = report.place_start(file);
        report.push(
            Finding::error("spec::missing-version", "the file does not say its version")
                .at(place)
                .help(format!("write `version: {SPEC_VERSION}` as its first line")),
        );
        return;
    };
    if version.value.kind == Kind::Number(Number::from(SPEC_VERSION)) {
        return;
    }
    let message = match &version.value.kind {
        Kind::Number(number) => format!("version {number} of the spec language is not known here"),
        _ => format!("the version is the number {SPEC_VERSION}, here stands {}", version.value.words()),
    };
    let place = report.place(version.value.at);
    report.push(
        Finding::error("spec::unknown-version", message)
            .at(place)
            .help(format!("this transship reads `version: {SPEC_VERSION}`; a newer one may read others")),
    );
}

fn no_section(key: &str, at: At, report: &mut Report) {
    let place = report.place(at);
    report.push(
        Finding::error("spec::wrong-type", format!("`{key}` is a map of names, here it is something else"))
            .at(place)
            .help(format!("write `{key}:` with a name in each line below, or remove it")),
    );
}

#[derive(Default)]
struct Merged {
    top: BTreeMap<String, Entry>,
    /// Per section, the place of each name.
    names: BTreeMap<(String, String), At>,
}

impl Merged {
    fn add(&mut self, mut entry: Entry, report: &mut Report) {
        if let Some(meant) = shape::meant_section(&entry.key, entry.key_at, report) {
            meant.clone_into(&mut entry.key);
        }
        self.note_names(&entry);
        let Some(existing) = self.top.get_mut(&entry.key) else {
            self.top.insert(entry.key.clone(), entry);
            return;
        };
        let section = SECTIONS.contains(&entry.key.as_str());
        match (&mut existing.value.kind, entry.value.kind) {
            (Kind::Map(all), Kind::Map(more)) if section => {
                for more in more {
                    match self.names[&(entry.key.clone(), more.key.clone())] {
                        first if first == more.key_at => all.push(more),
                        first => defined_twice(&more.key, first, more.key_at, report),
                    }
                }
            }
            // What is no map is said of the first by the check of the shape, of others here.
            (Kind::Map(_), _) if section => no_section(&entry.key, entry.key_at, report),
            (_, _) if section => {}
            (Kind::List(all), Kind::List(more)) if entry.key == "allow_drop" => all.extend(more),
            _ => defined_twice(&entry.key, existing.key_at, entry.key_at, report),
        }
    }

    /// Remembers where each name of a section was first defined.
    fn note_names(&mut self, entry: &Entry) {
        if SECTIONS.contains(&entry.key.as_str()) {
            for named in entry.value.entries() {
                self.names.entry((entry.key.clone(), named.key.clone())).or_insert(named.key_at);
            }
        }
    }

    fn into_root(self, at: At) -> Node {
        let version = Node { kind: Kind::Number(Number::from(SPEC_VERSION)), at, written: at };
        let mut entries: Vec<Entry> = self.top.into_values().collect();
        entries.push(Entry { key: "version".to_owned(), key_at: at, value: version });
        Node { kind: Kind::Map(entries), at, written: at }
    }
}
