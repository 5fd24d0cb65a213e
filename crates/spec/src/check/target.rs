//! Settings of tables that are made.

use transship_model::spec::{Cell, Flow};
use transship_model::{Finding, SpecPath};

use crate::report::Report;
use crate::suggest;

/// What `CREATE TABLE … WITH` takes, and the two that have a clause or a short name.
const SETTINGS: [&str; 25] = [
    "shards",
    "replicas",
    "number_of_replicas",
    "column_policy",
    "refresh_interval",
    "blocks.read_only",
    "blocks.read_only_allow_delete",
    "blocks.read",
    "blocks.write",
    "blocks.metadata",
    "translog.flush_threshold_size",
    "translog.sync_interval",
    "translog.durability",
    "routing.allocation.enable",
    "routing.allocation.total_shards_per_node",
    "mapping.total_fields.limit",
    "mapping.depth.limit",
    "unassigned.node_left.delayed_timeout",
    "write.wait_for_active_shards",
    "allocation.max_retries",
    "max_ngram_diff",
    "max_shingle_diff",
    "number_of_routing_shards",
    "codec",
    "store.type",
];

/// Further ones, whose last part is free or which are rarely meant.
const MORE: [&str; 2] = ["merge.scheduler.max_thread_count", "soft_deletes.retention_lease.period"];
const PREFIXES: [&str; 3] =
    ["routing.allocation.require.", "routing.allocation.include.", "routing.allocation.exclude."];

pub(super) fn check(flow: &Flow, path: &SpecPath, report: &mut Report) {
    let path = path.key("target");
    for (key, value) in &flow.target {
        let path = path.key(key);
        if !is_known(key) {
            report.push(
                Finding::error("spec::unknown-setting", format!("there is no table setting `{key}`"))
                    .at_key(path)
                    .help(suggest::help(key, "settings", SETTINGS.into_iter().chain(MORE))),
            );
        } else if let Some(expected) = misfit(key, value) {
            report.push(
                Finding::error("spec::bad-setting", format!("`{key}` cannot have this value"))
                    .at(path)
                    .help(format!("write {expected}")),
            );
        }
    }
    if flow.target.contains_key("replicas") && flow.target.contains_key("number_of_replicas") {
        report.push(
            Finding::error("spec::exactly-one-of", "`replicas`, `number_of_replicas` exclude each other")
                .at_key(path.key("number_of_replicas"))
                .related(path.key("replicas"), "and here")
                .help("they are the same setting: keep `replicas`"),
        );
    }
}

fn is_known(key: &str) -> bool {
    let has_free_end = |prefix: &str| key.len() > prefix.len() && key.starts_with(prefix);
    SETTINGS.contains(&key) || MORE.contains(&key) || PREFIXES.into_iter().any(has_free_end)
}

/// What is expected, where the value is something else.
fn misfit(key: &str, value: &Cell) -> Option<&'static str> {
    match (key, value) {
        (_, Cell::Null(())) => Some("a value, or remove the key"),
        ("shards", Cell::Number(number)) if number.as_u64().is_some_and(|n| (1..=1024).contains(&n)) => None,
        ("shards", _) => Some("a number between 1 and 1024"),
        ("replicas" | "number_of_replicas", Cell::Number(number)) if number.is_u64() => None,
        ("replicas" | "number_of_replicas", Cell::Text(text)) if is_replicas(text) => None,
        ("replicas" | "number_of_replicas", _) => Some("a number, or a range such as `\"0-1\"` or `\"0-all\"`"),
        ("column_policy", Cell::Text(text)) if text == "strict" || text == "dynamic" => None,
        ("column_policy", _) => Some("`strict` or `dynamic`"),
        _ => None,
    }
}

fn is_replicas(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        None => is_number(text),
        Some((least, most)) => is_number(least) && (most == "all" || is_number(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_numbers_and_ranges() {
        for (text, good) in [("0", true), ("0-1", true), ("1-all", true), ("all", false), ("", false), ("1-", false)] {
            assert_eq!(is_replicas(text), good, "{text}");
        }
    }

    #[test]
    fn allocation_settings_have_a_free_end() {
        assert!(is_known("routing.allocation.require.zone"));
        assert!(!is_known("routing.allocation.require."));
    }
}
