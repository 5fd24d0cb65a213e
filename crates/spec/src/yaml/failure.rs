//! What the YAML parser stumbled over, in our words.

use serde_yaml::Error;
use serde_yaml::budget::BudgetBreach;
use transship_model::Finding;

use super::{ALIASES_MAX, DEPTH_MAX, NODES_MAX, at};
use crate::files::Source;
use crate::report::At;

/// The finding for a document that cannot be read, and its place.
pub(super) fn finding(error: &Error, source: &Source, start: At) -> (Finding, At) {
    let place = error.location().map_or(start, |location| at(source, location));
    (in_words(error), place)
}

fn in_words(error: &Error) -> Finding {
    match error.without_snippet() {
        // The parser wraps what happens behind an alias.
        Error::AliasError { error, .. } => match &**error {
            Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
            Error::Budget { .. } => alias_bomb(),
            inner => in_words(inner),
        },
        Error::Budget { breach, .. } => over_budget(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => alias_bomb(),
        Error::MultipleDocuments { .. } => several_documents(),
        Error::MergeKeyNotAllowed { .. } | Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            Finding::error("spec::merge-key", "`<<` is not part of the spec language")
                .help("write the keys out, or use an environment to change them")
        }
        Error::UnknownAnchor { .. } => Finding::error("spec::unknown-anchor", "this alias has no anchor before it")
            .help("a value that begins with `*` is an alias: quote it, or define `&NAME` earlier in the file"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Finding::error("spec::alias-loop", "this alias stands within what it names").help("write the value out")
        }
        Error::NonFiniteFloat { .. } => Finding::error("spec::bad-number", "this number is too large or not a number")
            .help("if it is meant as text, put it in quotes"),
        Error::UnsupportedTag { .. }
        | Error::InvalidScalar { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            Finding::error("spec::tag", "YAML tags (`!…`) are not part of the spec language")
                .help("a value that begins with `!` is a tag: remove it, or quote the value")
        }
        other => broken(&other.to_string()),
    }
}

fn over_budget(breach: &BudgetBreach) -> Finding {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Documents { .. } => several_documents(),
        BudgetBreach::Aliases { .. } | BudgetBreach::AliasAnchorRatio { .. } | BudgetBreach::Anchors { .. } => {
            alias_bomb()
        }
        _ => Finding::error("spec::too-many-values", format!("the file holds more than {NODES_MAX} values"))
            .help("split the workspace into several files"),
    }
}

fn too_deep() -> Finding {
    Finding::error("spec::too-deep", format!("the file is nested more than {DEPTH_MAX} levels deep"))
        .help("a spec needs no more than eight levels: check brackets and indentation")
}

fn alias_bomb() -> Finding {
    Finding::error("spec::too-many-aliases", "the file's aliases bring more text than a spec needs")
        .help(format!("use at most {ALIASES_MAX} aliases, and no anchors within anchors; or write the values out"))
}

fn several_documents() -> Finding {
    Finding::error("spec::several-documents", "the file holds more than one YAML document")
        .help("remove the `---` between them, or put each into a file of its own")
}

/// A syntax error. The parser's sentence is kept, since it says best what it expected.
fn broken(text: &str) -> Finding {
    let sentence = text.split(" at line ").next().unwrap_or_default();
    if sentence.contains("tabs") {
        return Finding::error("spec::tab", "YAML is indented by spaces, here stands a tab")
            .help("replace tabs by spaces");
    }
    if sentence.contains("recursion limit") {
        return too_deep();
    }
    let (message, help) = if sentence.contains("mapping values are not allowed") {
        ("broken YAML: a second `: ` in one value".to_owned(), "put a value that contains `: ` in quotes")
    } else if sentence.contains("unclosed quote") {
        ("broken YAML: this quote is not closed".to_owned(), "close the quote")
    } else {
        (format!("broken YAML: {sentence}"), "check brackets, quotes and indentation around this place")
    };
    Finding::error("spec::broken-yaml", message).help(help)
}
