//! Lays an environment over the merged workspace: maps merge by key, scalars and lists replace, null is an error.

mod guard;

use transship_model::{Finding, SpecPath};

use crate::merge::{check_version, entries_of};
use crate::node::{Entry, Kind, Node};
use crate::report::Report;
use crate::yaml::defined_twice;

/// Keys of which exactly one may stand in a map: another one replaces the map instead of joining it.
const ALTERNATIVES: [&[&str]; 3] = [
    &["env", "file"],
    &["s3", "directory", "azure", "gcs", "url"],
    &["logical-replication", "snapshot", "export-import", "custom"],
];

/// `base` with the overlay document laid over it. What an overlay may not do is reported.
pub(crate) fn apply(base: Node, file: u32, document: Node, report: &mut Report) -> Node {
    let Some(entries) = entries_of(file, document, report) else { return base };
    check_version(file, &entries, report);
    let mut merged = base.clone();
    for entry in entries.into_iter().filter(|entry| entry.key != "version") {
        if entry.key == "workspace" {
            workspace_stands_twice(&base, &entry, report);
        } else if let Kind::Map(all) = &mut merged.kind {
            lay(all, entry, &SpecPath::default(), report);
        }
    }
    guard::check(&base, &merged, report);
    merged
}

fn workspace_stands_twice(base: &Node, entry: &Entry, report: &mut Report) {
    if let Some(first) = base.entries().iter().find(|first| first.key == "workspace") {
        return defined_twice("workspace", first.key_at, entry.key_at, report);
    }
    let place = report.place(entry.key_at);
    report.push(
        Finding::error("spec::overlay-workspace", "an environment cannot name the workspace")
            .at(place)
            .help("write `workspace: NAME` in one of the workspace's own files"),
    );
}

fn lay(all: &mut Vec<Entry>, over: Entry, path: &SpecPath, report: &mut Report) {
    let path = path.key(&over.key);
    if over.value.kind == Kind::Null {
        let place = report.place(over.key_at);
        report.push(
            Finding::error("spec::overlay-null", format!("an environment cannot take away `{path}`"))
                .at(place)
                .help("an environment adds and replaces; what only some environments need stands in these alone"),
        );
        return;
    }
    let Some(base) = all.iter_mut().find(|entry| entry.key == over.key) else {
        all.push(over);
        return;
    };
    match (&mut base.value.kind, over.value.kind) {
        (Kind::Map(inner), Kind::Map(entries)) if !is_another_alternative(inner, &entries) => {
            for entry in entries {
                lay(inner, entry, &path, report);
            }
        }
        (_, kind) => *base = Entry { key: over.key, key_at: over.key_at, value: Node { kind, ..over.value } },
    }
}

fn is_another_alternative(base: &[Entry], over: &[Entry]) -> bool {
    match (base, over) {
        ([base], [over]) => {
            base.key != over.key
                && ALTERNATIVES
                    .iter()
                    .any(|keys| keys.contains(&base.key.as_str()) && keys.contains(&over.key.as_str()))
        }
        _ => false,
    }
}
