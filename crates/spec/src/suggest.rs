//! Did you mean …?

/// How many names a help text lists at most.
const LISTED: usize = 30;

/// The candidate that is most like `word`, if any is like it.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    if let Some(same) = candidates.iter().find(|candidate| plain(candidate) == plain(word)) {
        return Some(same);
    }
    similar::get_close_matches(word, &candidates, 1, 0.6).first().copied()
}

/// "did you mean `x`? WHAT are `a`, `b`", as far as there is something to say.
pub fn help<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let known = match candidates.len() {
        0 => format!("there are no {what}"),
        n if n > LISTED => format!("there are {n} {what}"),
        _ => format!("{what}: {}", list(&candidates)),
    };
    match closest(word, candidates.iter().copied()) {
        Some(best) => format!("did you mean `{best}`? {known}"),
        None => known,
    }
}

/// `a`, `b`, `c`.
pub(crate) fn list<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_offered() {
        let known = ["from", "to", "depends_on", "strategy"];
        for (word, best) in [("form", Some("from")), ("depends-on", Some("depends_on")), ("zzz", None)] {
            assert_eq!(closest(word, known), best, "{word}");
        }
        assert_eq!(help("startegy", "known keys", ["strategy"]), "did you mean `strategy`? known keys: `strategy`");
        assert_eq!(help("x", "stores", []), "there are no stores");
    }
}
