//! From a tree whose shape was checked to the model's types.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use transship_model::spec::Spec;
use transship_model::{Finding, Name, SpecPath};

use crate::merge::SECTIONS;
use crate::node::Node;
use crate::report::Report;
use crate::shape::Unknown;

/// Every name that is declared, also of what could not be decoded: whoever refers to it made no mistake.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) stores: BTreeSet<String>,
    pub(crate) flows: BTreeSet<String>,
}

impl Declared {
    pub(crate) fn of(root: &Node) -> Self {
        let names =
            |section| root.get(section).map_or(&[][..], Node::entries).iter().map(|entry| entry.key.clone()).collect();
        Self { clusters: names("clusters"), stores: names("stores"), flows: names("flows") }
    }
}

/// Everything that could be decoded. Entries about which something was reported are left out, so that the rest can
/// still be checked; the result is a whole workspace only if nothing was reported.
pub(crate) fn decode(root: &Node, environment: Option<Name>, report: &mut Report) -> Spec {
    let broken = broken_entries(report);
    let decoder = &mut Decoder { root, broken, report };
    Spec {
        workspace: decoder.value("workspace").unwrap_or_else(nameless),
        environment,
        clusters: decoder.section("clusters"),
        stores: decoder.section("stores"),
        flows: decoder.section("flows"),
        allow_drop: decoder.value("allow_drop").unwrap_or_default(),
        fingerprint_key: decoder.value("fingerprint_key"),
    }
}

/// Stands in for a name that is missing, which is reported.
fn nameless() -> Name {
    "nameless".parse().expect("a lower-case word is a name")
}

/// The top-level keys and the entries of sections about which something was reported that keeps them from being read.
fn broken_entries(report: &Report) -> BTreeSet<String> {
    let stays = |path: &SpecPath| matches!(report.unknown.get(path), Some(Unknown::Means(_) | Unknown::LeftOut));
    let paths = report.findings.iter().filter_map(|finding| finding.path.as_ref());
    paths.filter(|path| !stays(path)).map(entry_of).collect()
}

/// `flows.NAME` of a path within a section, else the top-level key.
fn entry_of(path: &SpecPath) -> String {
    let mut parts = path.0.split(['.', '[']);
    let top = parts.next().unwrap_or_default();
    match parts.next() {
        Some(name) if SECTIONS.contains(&top) => format!("{top}.{name}"),
        _ => top.to_owned(),
    }
}

struct Decoder<'a> {
    root: &'a Node,
    broken: BTreeSet<String>,
    report: &'a mut Report,
}

impl Decoder<'_> {
    fn section<T: DeserializeOwned>(&mut self, section: &str) -> BTreeMap<Name, T> {
        let mut decoded = BTreeMap::new();
        for entry in self.root.get(section).map_or(&[][..], Node::entries) {
            let path = SpecPath::of(section, &entry.key);
            let Ok(name) = entry.key.parse::<Name>() else { continue };
            if !self.broken.contains(&path.0) {
                decoded.extend(self.decoded(&entry.value, path).map(|value| (name, value)));
            }
        }
        decoded
    }

    fn value<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let node = self.root.get(key)?;
        if self.broken.contains(key) {
            return None;
        }
        self.decoded(node, SpecPath(key.to_owned()))
    }

    fn decoded<T: DeserializeOwned>(&mut self, node: &Node, path: SpecPath) -> Option<T> {
        let decoded = serde_json::from_value(node.to_json());
        if decoded.is_err() {
            // The error's text may repeat a value, and no value is known to be harmless here.
            self.report.push(
                Finding::error("spec::internal", "the schema allows what the spec language cannot hold")
                    .at(path)
                    .help("this is a mistake in transship: please report it with this entry of the spec"),
            );
        }
        decoded.ok()
    }
}
