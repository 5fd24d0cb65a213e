//! The consents that a plan lacks, as flags to paste.

use std::collections::BTreeMap;

use transship_model::consent::DropKind;
use transship_model::plan::{Consent, Plan};

/// So many tables of one schema get a flag each; where there are more, a shorter form is offered too.
const SINGLE: usize = 3;

/// The flags that give every consent that is missing, ready to be pasted.
pub fn missing_consents(plan: &Plan) -> Vec<String> {
    missing(plan).map(|consent| allow_drop(consent.kind, &consent.name)).collect()
}

/// The same in fewer flags, where many tables of one schema are to be dropped; else empty.
pub fn shorter_consents(plan: &Plan) -> Vec<String> {
    let schema = |consent: &Consent| {
        let end = consent.name.match_indices('.').nth(1).filter(|_| consent.kind == DropKind::Table)?.0;
        Some(consent.name[..end].to_owned())
    };
    let mut tables = BTreeMap::<String, usize>::new();
    for schema in missing(plan).filter_map(schema) {
        *tables.entry(schema).or_default() += 1;
    }
    tables.retain(|_, n| *n > SINGLE);
    if tables.is_empty() {
        return Vec::new();
    }
    let is_single = |consent: &&Consent| schema(consent).is_none_or(|schema| !tables.contains_key(&schema));
    let single = missing(plan).filter(is_single).map(|consent| allow_drop(consent.kind, &consent.name));
    let schemas = tables.keys().map(|schema| allow_drop(DropKind::Table, &format!("{schema}.*")));
    single.chain(schemas).collect()
}

fn missing(plan: &Plan) -> impl Iterator<Item = &Consent> {
    plan.all_steps().filter_map(|step| step.consent.as_ref()).filter(|consent| consent.given.is_none())
}

fn allow_drop(kind: DropKind, name: &str) -> String {
    format!("--allow-drop {}", quoted(&format!("{kind}:{name}")))
}

/// `word` as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/@%+=,".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Each flag on its line, all but the last continued as a shell wants it; a flag that permits several drops stands there once.
pub fn continued(flags: &[String]) -> Vec<String> {
    let mut once: Vec<&String> = Vec::new();
    for flag in flags {
        if !once.contains(&flag) {
            once.push(flag);
        }
    }
    let end = |index: usize| if index + 1 < once.len() { " \\" } else { "" };
    once.iter().enumerate().map(|(index, flag)| format!("{flag}{}", end(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_told_once() {
        let flags = ["rows:a", "rows:b", "rows:a"].map(|name| format!("--allow-drop {name}"));
        assert_eq!(continued(&flags), ["--allow-drop rows:a \\", "--allow-drop rows:b"]);
    }

    #[test]
    fn flags_survive_a_shell() {
        assert_eq!(quoted("table:b.shop.orders"), "table:b.shop.orders");
        assert_eq!(quoted("table:b.shop.it's *"), r"'table:b.shop.it'\''s *'");
    }
}
