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

    /// `text`, which goes on beyond its end, with the beginning of a secret there masked.
    pub fn redact_end(&self, text: &str) -> String {
        let begins = |form: &String| {
            let parts = form.char_indices().skip(1).map(|(at, _)| at);
            parts.filter(|at| text.ends_with(&form[..*at])).max()
        };
        match self.forms.iter().filter_map(begins).max() {
            Some(length) => format!("{}{MASK}", &text[..text.len() - length]),
            None => text.to_owned(),
        }
    }

    /// Whether `text` is a secret, or an address that holds one.
    pub fn is_secret(&self, text: &str) -> bool {
        let is_address = text.contains("://");
        self.forms.iter().any(|form| form == text || (is_address && text.contains(form.as_str())))
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

    #[test]
    fn the_beginning_of_a_secret_is_masked_where_the_text_is_cut() {
        let redactor = Redactor::new(&[SecretString::from("canary"), SecretString::from("nightingale")]);
        for (text, shown) in [("a canar", "a ***"), ("night", "***"), ("a lark", "a lark"), ("ca nary", "ca nary")] {
            assert_eq!(redactor.redact_end(text), shown, "{text}");
        }
        assert_eq!(redactor.redact_end("a can"), "a ***");
    }

    #[test]
    fn a_value_that_is_a_secret_or_an_address_with_one_is_known() {
        let redactor = Redactor::new(&[SecretString::from("a canary")]);
        for (text, is) in [
            ("a canary", true),
            ("postgres://u:a%20canary@h/", true),
            ("/home/a canary/bin", false),
            ("postgres://u@h/", false),
            ("", false),
        ] {
            assert_eq!(redactor.is_secret(text), is, "{text}");
        }
    }
}
