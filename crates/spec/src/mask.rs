//! Keeps secrets out of the sources that are shown around a finding.
//!
//! Findings never repeat a secret, but whoever renders them shows source lines. What the checks recognise as a literal
//! secret is masked by place; and since broken YAML has no places, lines that look like a secret are masked too.

use std::collections::BTreeSet;

use crate::files::Source;
use crate::report::At;

/// Keys whose literal values are masked even where the file could not be read.
const WORDS: [&str; 8] =
    ["passw", "passphrase", "secret", "token", "credential", "private_key", "access_key", "api_key"];

/// The stretches of `source` that look like literal secrets.
pub(crate) fn suspicious(source: &Source) -> BTreeSet<At> {
    let mut found = BTreeSet::new();
    let mut offset = 0;
    for (line, text) in (1_u32..).zip(source.text.split_inclusive('\n')) {
        for (start, end) in keyed(text).into_iter().chain(in_urls(text)) {
            found.insert(at(source.file, line, offset, text, start, end));
        }
        offset += text.len();
    }
    found
}

fn at(file: u32, line: u32, offset: usize, text: &str, start: usize, end: usize) -> At {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let column = narrow(text[..start].chars().count() + 1);
    At { file, line, column, offset: narrow(offset + start), length: narrow(end - start), is_block: false }
}

/// The value after a key that speaks of a secret, unless it is a map (a reference) or an alias.
fn keyed(line: &str) -> Option<(usize, usize)> {
    let lower = line.to_ascii_lowercase();
    let word = WORDS.iter().filter_map(|word| lower.find(word)).min()?;
    let colon = word + line[word..].find(':')?;
    let between = line[word..colon].trim_end_matches(['"', '\'', ' ']);
    if !between.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return None;
    }
    let value = line[colon + 1..].trim();
    if value.is_empty() || value.starts_with(['{', '*', '&', '#', '|', '>', '[', '}']) {
        return None;
    }
    let start = colon + 1 + line[colon + 1..].find(value)?;
    Some((start, start + value.len()))
}

/// The passwords of the URLs in a line: what stands between `://USER:` and the last `@` before the path.
fn in_urls(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (scheme, _) in line.match_indices("://") {
        let rest = &line[scheme + 3..];
        let end = rest.find([' ', '\t', '\n', '"', '\'']).unwrap_or(rest.len());
        let Some(at) = rest[..end].rfind('@') else { continue };
        let Some(colon) = rest[..at].find(':') else { continue };
        if colon + 1 < at {
            found.push((scheme + 3 + colon + 1, scheme + 3 + at));
        }
    }
    found
}

/// `text` with the stretches `masked` starred out. The number of bytes stays, so that places keep their meaning.
pub(crate) fn apply<'a>(text: &str, masked: impl IntoIterator<Item = &'a At>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for at in masked {
        let (Ok(start), Ok(length)) = (usize::try_from(at.offset), usize::try_from(at.length)) else { continue };
        for byte in bytes.iter_mut().skip(start).take(length).filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let source = Source { file: 0, name: "a.yaml".into(), text: text.into() };
        apply(text, &suspicious(&source))
    }

    #[test]
    fn what_looks_like_a_secret_is_starred_out() {
        for (text, shown) in [
            ("password: hunter2\n", "password: *******\n"),
            ("  'password' : \"hünter: x\n", "  'password' : ***********\n"),
            ("x: { passwrd: abc }\n", "x: { passwrd: *****\n"),
            ("secret_key: { env: S3_SECRET }\n", "secret_key: { env: S3_SECRET }\n"),
            ("url: postgres://u:p@ss@h:1/\nb: 1", "url: postgres://u:****@h:1/\nb: 1"),
            ("# was postgres://u:pw@h", "# was postgres://u:**@h"),
            ("url: postgres://u@h:5432/", "url: postgres://u@h:5432/"),
            ("lookup: { table: a.b, key: code }", "lookup: { table: a.b, key: code }"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
