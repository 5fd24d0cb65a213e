//! Why a row is refused: whether anything was written before, and the same without what stands in the row, since a server
//! repeats values in its messages.

use secrecy::SecretString;
use transship_model::redact::{MASK, Redactor};

/// `reason` without values: what CrateDB's messages enclose as a value is masked. In a message that is not known any of
/// `hidden`, the texts of the row's cells, is masked wherever it stands.
pub(crate) fn without_values(reason: &str, hidden: impl Iterator<Item = String>) -> String {
    if let Some(clean) = ENCLOSED.iter().find_map(|(before, after)| mask_between(reason, before, after)) {
        return clean;
    }
    let secrets: Vec<SecretString> = hidden.map(SecretString::from).collect();
    Redactor::new(&secrets).redact(reason)
}

/// Whether the server refuses a bulk while it evaluates its rows, which comes before it writes any.
pub(crate) fn is_of_evaluation(reason: &str) -> bool {
    reason.starts_with("Cannot cast ")
}

/// What stands before and after a value in CrateDB's messages, the more special ones first; nothing after it means to
/// the end.
const ENCLOSED: [(&str, &str); 6] = [
    ("for values: ", ""),
    ("Invalid value '", "' for type "),
    ("Cannot cast value `", "` to type "),
    (" with value `", "` to type "),
    ("Cannot cast `", "` of type "),
    ("Cannot cast `", "` to type "),
];

fn mask_between(text: &str, before: &str, after: &str) -> Option<String> {
    let (head, rest) = text.split_once(before)?;
    let end = if after.is_empty() { rest.len() } else { rest.rfind(after)? };
    Some(format!("{head}{before}{MASK}{}", &rest[end..]))
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
