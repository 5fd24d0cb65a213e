//! Keys that nothing knows: what each was probably meant to be, so that one mistake gives one finding and the rest of
//! its entry is checked all the same.

use std::collections::BTreeSet;

use transship_model::{Finding, SpecPath};

use super::{MapRule, Shape, check, workspace};
use crate::merge::SECTIONS;
use crate::node::{Entry, Kind, Node};
use crate::report::{At, Report};
use crate::suggest;

/// How a map with an unknown key is read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// As if this key stood there.
    Means(String),
    /// Without it.
    LeftOut,
    /// Not at all: it was meant to be a key that the map needs, and its value does not fit there.
    Needed,
}

/// Reports an unknown key. The key that was probably meant counts as present.
pub(super) fn report<'a>(
    entry: &Entry,
    rule: &'a MapRule,
    secret: bool,
    present: &mut BTreeSet<&'a str>,
    path: SpecPath,
    report: &mut Report,
) {
    let meant = meant(&entry.key, rule);
    if secret || meant.is_some_and(|(_, shape)| shape.secret) {
        entry.value.mask(report);
    }
    let help = suggest::help(&entry.key, "known keys", rule.known.keys().map(String::as_str));
    let elsewhere = rule.elsewhere(&entry.key);
    let help = match &elsewhere {
        Some(place) => format!("`{}` belongs into `{place}`; {help}", entry.key),
        None => help,
    };
    let unknown = match meant.filter(|(key, _)| present.insert(key)) {
        Some((key, shape)) if elsewhere.is_none() && fits(&entry.value, shape) => Unknown::Means(key.to_owned()),
        Some((key, _)) if rule.required.iter().any(|needed| needed == key) => Unknown::Needed,
        _ => Unknown::LeftOut,
    };
    report.unknown.insert(path.clone(), unknown);
    report.push(finding(&entry.key, help).at_key(path));
}

/// The section of a workspace that a top-level key was meant to be, or `workspace`; reported.
pub(crate) fn meant_section(key: &str, at: At, report: &mut Report) -> Option<&'static str> {
    let [rule] = &workspace().maps[..] else { return None };
    if rule.known.contains_key(key) {
        return None;
    }
    let (meant, _) = meant(key, rule)?;
    if meant != "workspace" && !SECTIONS.contains(&meant) {
        return None;
    }
    let place = report.place(at);
    let help = suggest::help(key, "known keys", rule.known.keys().map(String::as_str));
    report.push(finding(key, help).at(place));
    Some(meant)
}

/// `node` as it is read all the same: unknown keys renamed or left out. Their places stay known.
pub(crate) fn settle(node: &mut Node, path: &SpecPath, report: &mut Report) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().enumerate().for_each(|(i, item)| settle(item, &path.item(i), report)),
        Kind::Map(entries) => entries.retain_mut(|entry| {
            let path = path.key(&entry.key);
            let Some(unknown) = report.unknown.get(&path).cloned() else {
                settle(&mut entry.value, &path, report);
                return true;
            };
            report.places.insert(path, report.span(entry.key_at));
            if let Unknown::Means(key) = &unknown {
                entry.key.clone_from(key);
            }
            matches!(unknown, Unknown::Means(_))
        }),
        _ => {}
    }
}

fn finding(key: &str, help: String) -> Finding {
    Finding::error("spec::unknown-key", format!("unknown key `{key}`")).help(help)
}

fn meant<'a>(key: &str, rule: &'a MapRule) -> Option<(&'a str, &'a Shape)> {
    let meant = suggest::closest(key, rule.known.keys().map(String::as_str))?;
    Some((meant, rule.known.get(meant)?))
}

fn fits(value: &Node, shape: &Shape) -> bool {
    let mut aside = Report::default();
    check(value, shape, &SpecPath::default(), &mut aside);
    aside.findings.is_empty()
}
