//! Why a row is refused, without what stands in it: a server repeats values in its messages.

use secrecy::SecretString;
use transship_model::redact::{MASK, Redactor};

/// `reason` without values. What CrateDB's messages enclose as a value is masked, and so is any of `hidden`, the texts
/// of the row's cells, that stands anywhere in it.
pub(crate) fn without_values(reason: &str, hidden: impl Iterator<Item = String>) -> String {
    let mut clean = reason.to_owned();
    for (before, after) in ENCLOSED {
        clean = mask_between(&clean, before, after);
    }
    let secrets: Vec<SecretString> = hidden.map(SecretString::from).collect();
    Redactor::new(&secrets).redact(&clean)
}

/// What stands before and after a value in CrateDB's messages; nothing after it means to the end.
const ENCLOSED: [(&str, &str); 5] = [
    ("for values: ", ""),
    ("Invalid value '", "' for type "),
    ("Cannot cast value `", "` to type "),
    ("Cannot cast `", "` of type "),
    ("Cannot cast `", "` to type "),
];

fn mask_between(text: &str, before: &str, after: &str) -> String {
    let Some((head, rest)) = text.split_once(before) else { return text.to_owned() };
    let end = if after.is_empty() { Some(rest.len()) } else { rest.rfind(after) };
    end.map_or_else(|| text.to_owned(), |end| format!("{head}{before}{MASK}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked() {
        let check = |reason: &str, hidden: &[&str], expected: &str| {
            let hidden = hidden.iter().map(|text| (*text).to_owned());
            assert_eq!(without_values(reason, hidden), expected);
        };
        check(
            "Failed CONSTRAINT positive CHECK (\"n\" > 0) for values: [-1, x]",
            &[],
            "Failed CONSTRAINT positive CHECK (\"n\" > 0) for values: ***",
        );
        check(
            "Validation failed for n: Invalid value 'it's' for type 'integer'",
            &[],
            "Validation failed for n: Invalid value '***' for type 'integer'",
        );
        check("Cannot cast `'x'` of type `text` to type `ip`", &[], "Cannot cast `***` of type `text` to type `ip`");
        check("no canary here", &["canary", "o"], "no *** here");
        check("\"n\" must not be null", &["NULL"], "\"n\" must not be null");
    }
}
