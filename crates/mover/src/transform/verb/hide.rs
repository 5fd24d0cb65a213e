//! The ends of a text, and stars for the rest.

use transship_model::spec::Partial;

use super::super::refusal::Refusal;
use super::super::value::Value;

/// Stands for what is left out: as long for one character as for a hundred.
pub(super) const STARS: &str = "***";

/// A text of which the ends would be more than half shows nothing.
pub(super) fn partial(value: &Value<'_>, partial: &Partial) -> Result<Value<'static>, Refusal> {
    let text = value.text().ok_or(Refusal::OtherType)?;
    let (first, last) = (partial.first as usize, partial.last as usize);
    let length = text.chars().count();
    if first.saturating_add(last) > length / 2 {
        return Ok(Value::Text(STARS.into()));
    }
    let start: String = text.chars().take(first).collect();
    let end: String = text.chars().skip(length - last).collect();
    Ok(Value::Text(format!("{start}{STARS}{end}").into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, first: u32, last: u32) -> String {
        match partial(&Value::Text(text.into()), &Partial { first, last }) {
            Ok(Value::Text(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ends_stay_and_short_texts_vanish() {
        assert_eq!(shown("4111111111111111", 0, 4), "***1111");
        assert_eq!(shown("Zürich-West", 2, 1), "Zü***t");
        assert_eq!(shown("ab", 1, 0), "a***");
        assert_eq!(shown("ab", 1, 1), "***");
        assert_eq!(shown("", 1, 1), "***");
        assert_eq!(shown("abc", u32::MAX, u32::MAX), "***");
        let number = partial(&Value::Whole(-12_345_678), &Partial { first: 0, last: 2 });
        assert_eq!(number, Ok(Value::Text("***78".into())));
    }

    proptest! {
        #[test]
        fn no_more_than_half_is_shown(text in "\\PC{0,20}", first in 0..12_u32, last in 0..12_u32) {
            let shown = shown(&text, first, last);
            prop_assert!(shown.contains(STARS));
            prop_assert!(shown.chars().count() - 3 <= text.chars().count() / 2);
        }
    }
}
