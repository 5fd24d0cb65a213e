//! Keeps secrets out of text that comes back from servers and goes out to people.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Secrets shorter than this are not searched for: masking them would destroy the text and tell more than it hides.
pub const SHORTEST: usize = 3;

/// Knows every resolved secret and masks it in text, in every form in which it may be repeated:
/// as it is, percent-encoded, form-encoded, escaped in JSON and doubled quotes in SQL.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.len())
    }
}

impl Redactor {
    /// A redactor that knows `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(|secret| forms_of(secret.expose_secret())).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// `text` with every known secret masked.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            if clean.contains(form.as_str()) {
                clean = clean.replace(form.as_str(), MASK);
            }
        }
        clean
    }
}

fn forms_of(secret: &str) -> Vec<String> {
    // A file with several lines is repeated line by line.
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= 16).map(str::to_owned);
    let whole = [
        secret.to_owned(),
        percent_encode(secret, false),
        percent_encode(secret, true),
        percent_encode(secret, false).replace("%20", "+"),
        serde_json::Value::from(secret).to_string().trim_matches('"').to_owned(),
        secret.replace('\'', "''"),
    ];
    whole.into_iter().chain(lines).filter(|form| form.chars().count() >= SHORTEST).collect()
}

/// Percent-encodes everything but RFC 3986's unreserved characters; `lower` chooses the case of the digits.
pub fn percent_encode(text: &str, lower: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let written = match (plain, lower) {
            (true, _) => {
                encoded.push(char::from(byte));
                Ok(())
            }
            (false, true) => write!(encoded, "%{byte:02x}"),
            (false, false) => write!(encoded, "%{byte:02X}"),
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let redactor = Redactor::new(&[SecretString::from("p&'s \"w"), SecretString::from("ab")]);
        for text in ["x p&'s \"w y", "x p%26%27s%20%22w y", "x p%26%27s+%22w y", r#"x p&'s \"w y"#, "x p&''s \"w y"] {
            assert_eq!(redactor.redact(text), "x *** y", "{text}");
        }
        assert_eq!(redactor.redact("about"), "about");
    }
}
