//! A tree against a [`Shape`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Number;
use transship_model::{Finding, SpecPath};

use super::form::Form;
use super::{ListRule, MapRule, NumberRule, Shape, TextRule, unknown};
use crate::node::{Entry, Kind, Node};
use crate::report::Report;
use crate::suggest;

/// The word by which something is switched off, and what people write for it.
const DISABLE: &str = "disable";
const OFF: [&str; 5] = ["off", "no", "false", "none", "disabled"];

/// Reports everything about `node` that `shape` does not allow.
pub(crate) fn check(node: &Node, shape: &Shape, path: &SpecPath, report: &mut Report) {
    if shape.secret && !matches!(node.kind, Kind::Map(_) | Kind::Null) {
        return literal_secret(node, path, report);
    }
    match &node.kind {
        Kind::Null if shape.null => {}
        Kind::Null => no_value(shape, path, report),
        Kind::Bool(_) if shape.boolean => {}
        Kind::Number(number) => match &shape.number {
            Some(rule) => check_number(number, rule, path, report),
            None => wrong_type(node, shape, path, report),
        },
        Kind::Text(text) => match &shape.text {
            Some(rule) => check_text(text, rule, shape, node, path, report),
            None => wrong_type(node, shape, path, report),
        },
        Kind::List(items) => match &shape.list {
            Some(rule) => check_list(items, rule, path, report),
            None => wrong_type(node, shape, path, report),
        },
        Kind::Map(_) if !shape.maps.is_empty() => check_map(node, shape, path, report),
        _ => wrong_type(node, shape, path, report),
    }
}

fn literal_secret(node: &Node, path: &SpecPath, report: &mut Report) {
    node.mask(report);
    report.push(Finding::error("spec::literal-secret", "a secret stands here as it is").at(path.clone()).help(
        "put it into an environment variable or a file and write `{ env: NAME }` or `{ file: PATH }`; \
                   if this file was shared, replace the secret",
    ));
}

fn no_value(shape: &Shape, path: &SpecPath, report: &mut Report) {
    let key = path.0.rsplit('.').next().unwrap_or_default();
    report.push(
        Finding::error("spec::empty-value", format!("`{key}` has no value"))
            .at_key(path.clone())
            .help(format!("expected {}; or remove the key", shape.words())),
    );
}

fn wrong_type(node: &Node, shape: &Shape, path: &SpecPath, report: &mut Report) {
    let finding = Finding::error("spec::wrong-type", format!("expected {}, found {}", shape.words(), node.words()));
    let help = match (&node.kind, &shape.text) {
        (Kind::Text(text), None) if shape.marks().iter().any(|(_, mark)| mark == text) => {
            format!("write `{text}: {{ … }}` as a map, with its settings")
        }
        (Kind::Text(text), None) if shape.boolean && ["yes", "on", "y"].contains(&text.to_lowercase().as_str()) => {
            "write `true`".to_owned()
        }
        (Kind::Text(text), None) if shape.boolean && ["no", "off", "n"].contains(&text.to_lowercase().as_str()) => {
            "write `false`".to_owned()
        }
        (Kind::Number(_), Some(rule)) if rule.form == Some(Form::TimeSpan) => {
            "write it with its unit, for example `5m`".to_owned()
        }
        (Kind::Bool(false), Some(rule)) if rule.can_be(DISABLE) => format!("write `{DISABLE}`"),
        (Kind::Number(_) | Kind::Bool(_), Some(_)) => "if it is meant as text, put it in quotes".to_owned(),
        (Kind::Text(_) | Kind::Map(_), None) if shape.list.is_some() => "write a list: `[…, …]`".to_owned(),
        _ => format!("write {}", shape.words()),
    };
    report.push(finding.at(path.clone()).help(help));
}

fn check_number(number: &Number, rule: &NumberRule, path: &SpecPath, report: &mut Report) {
    let whole = number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX));
    let Some(value) = whole else {
        if rule.whole {
            let message = format!("expected a whole number, found {number}");
            report
                .push(Finding::error("spec::wrong-type", message).at(path.clone()).help("write it without a fraction"));
        }
        return;
    };
    if rule.least.is_some_and(|least| value < least) || rule.most.is_some_and(|most| value > most) {
        let bounds = match (rule.least, rule.most) {
            (Some(least), Some(most)) => format!("between {least} and {most}"),
            (Some(least), None) => format!("of at least {least}"),
            (_, most) => format!("of at most {}", most.unwrap_or(i64::MAX)),
        };
        report.push(
            Finding::error("spec::out-of-range", format!("{number} is out of range"))
                .at(path.clone())
                .help(format!("write a number {bounds}")),
        );
    }
}

fn check_text(text: &str, rule: &TextRule, shape: &Shape, node: &Node, path: &SpecPath, report: &mut Report) {
    if !rule.choices.is_empty() && !rule.choices.iter().any(|choice| choice == text) {
        if shape.marks().iter().any(|(_, mark)| *mark == text) {
            return wrong_type_of_choice(text, path, report);
        }
        if rule.can_be(DISABLE) && OFF.contains(&text.to_lowercase().as_str()) {
            return switched_off(text, path, report);
        }
        let marks = shape.marks();
        let candidates = rule.choices.iter().map(String::as_str).chain(marks.iter().map(|(_, mark)| *mark));
        report.push(
            Finding::error("spec::unknown-value", format!("`{text}` is not known here"))
                .at(path.clone())
                .help(suggest::help(text, "known values", candidates)),
        );
        return;
    }
    if rule.not_empty && text.is_empty() {
        report.push(Finding::error("spec::empty-value", "the text is empty").at(path.clone()).help("write something"));
    }
    let Some(Err(misformed)) = rule.form.map(|form| form.check(text)) else { return };
    if misformed.code == "spec::bad-variable-name" {
        node.mask(report);
    }
    report.push(Finding::error(misformed.code, misformed.message).at(path.clone()).help(misformed.help));
}

fn switched_off(text: &str, path: &SpecPath, report: &mut Report) {
    report.push(
        Finding::error("spec::unknown-value", format!("`{text}` is not known here"))
            .at(path.clone())
            .help(format!("write `{DISABLE}`")),
    );
}

fn wrong_type_of_choice(text: &str, path: &SpecPath, report: &mut Report) {
    report.push(
        Finding::error("spec::wrong-type", format!("`{text}` needs its settings"))
            .at(path.clone())
            .help(format!("write `{{ {text}: {{ … }} }}`")),
    );
}

fn check_list(items: &[Node], rule: &ListRule, path: &SpecPath, report: &mut Report) {
    if rule.not_empty && items.is_empty() {
        report.push(
            Finding::error("spec::empty-value", "the list is empty")
                .at_key(path.clone())
                .help(format!("write at least one of: {}", rule.items.words())),
        );
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        check(item, &rule.items, &path.item(i), report);
        let Some(text) = item.as_text().filter(|_| rule.unique) else { continue };
        if let Some(first) = seen.insert(text, i) {
            report.push(
                Finding::error("spec::defined-twice", format!("`{text}` stands here twice"))
                    .at(path.item(i))
                    .related(path.item(first), "first here")
                    .help("remove one of the two"),
            );
        }
    }
}

fn check_map(node: &Node, shape: &Shape, path: &SpecPath, report: &mut Report) {
    let Some(rule) = shape.choose(node, path, report) else {
        if shape.secret {
            node.mask(report);
        }
        return;
    };
    let entries = node.entries();
    let mut present: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    for entry in entries {
        check_entry(entry, rule, shape.secret, &mut present, path, report);
    }
    for key in rule.required.iter().filter(|key| !present.contains(key.as_str())) {
        let expected = rule.known.get(key).map_or_else(String::new, Shape::words);
        report.push(
            Finding::error("spec::missing-key", format!("`{key}` is missing"))
                .at_key(path.clone())
                .help(format!("write `{key}:` with {expected}")),
        );
    }
    if rule.not_empty && entries.is_empty() {
        report
            .push(Finding::error("spec::empty-value", "the map is empty").at_key(path.clone()).help("write an entry"));
    }
}

fn check_entry<'a>(
    entry: &Entry,
    rule: &'a MapRule,
    secret: bool,
    present: &mut BTreeSet<&'a str>,
    path: &SpecPath,
    report: &mut Report,
) {
    let path = path.key(&entry.key);
    if let Some(shape) = rule.known.get(&entry.key) {
        return check(&entry.value, shape, &path, report);
    }
    let Some((form, shape)) = &rule.other else {
        return unknown::report(entry, rule, secret, present, path, report);
    };
    if let Some(Err(misformed)) = form.map(|form| form.check(&entry.key)) {
        report.push(Finding::error(misformed.code, misformed.message).at_key(path.clone()).help(misformed.help));
    }
    check(&entry.value, shape, &path, report);
}
