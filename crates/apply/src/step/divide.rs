//! Bounds that divide the rows of a table into chunks of about the same size, from a sample of a column's values.

/// A value of a column by which rows are divided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A whole number, or a time in milliseconds.
    Int(i64),
    /// A text.
    Text(String),
}

/// Where chunks begin, and how even they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Division {
    /// The values that all chunks but the first begin with, ascending.
    pub(super) bounds: Vec<String>,
    /// The values of the sample that are in the largest chunk.
    pub(super) largest: usize,
}

/// The longest bound, in characters: bounds are kept in the ledger.
const LONGEST: usize = 120;

/// Divides the rows that a sample stands for into `parts`, or fewer where many have the same value. Rows without a value
/// belong to the first chunk.
pub(super) fn divide(sample: Vec<Option<Key>>, parts: usize) -> Division {
    let all = sample.len();
    let mut keys: Vec<Key> = sample.into_iter().flatten().collect();
    keys.sort_unstable();
    let absent = all - keys.len();
    let (mut bounds, mut largest, mut before) = (Vec::new(), 0, 0);
    for part in 1..parts {
        let wanted = part * all / parts;
        let Some(key) = wanted.checked_sub(absent).and_then(|at| keys.get(at)) else { continue };
        // The chunk begins with the first of equal values.
        let first = keys.partition_point(|other| other < key);
        let begins = absent + first;
        let Some(bound) = keys[..first].last().and_then(|last| bound(last, key)) else { continue };
        if begins > before {
            largest = largest.max(begins - before);
            before = begins;
            bounds.push(bound);
        }
    }
    Division { bounds, largest: largest.max(all - before) }
}

/// A value that is above `last` and not above `first`, as short as can be; `None` where it could be ordered differently by
/// the bytes of UTF-8, as an index does, and by the units of UTF-16, as everything else in CrateDB.
fn bound(last: &Key, first: &Key) -> Option<String> {
    let (last, first) = match (last, first) {
        (_, Key::Int(first)) => return Some(first.to_string()),
        (Key::Text(last), Key::Text(first)) => (last, first),
        (Key::Int(_), Key::Text(_)) => return None,
    };
    let same = last.chars().zip(first.chars()).take_while(|(last, first)| last == first).count();
    let bound: String = first.chars().take(same + 1).collect();
    let is_plain = |character: char| character != '\0' && u32::from(character) < 0xD800;
    (same < LONGEST && bound.chars().all(is_plain)).then_some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Option<Key>> {
        texts.iter().map(|text| Some(Key::Text((*text).to_owned()))).collect()
    }

    fn ints(ints: impl IntoIterator<Item = i64>) -> Vec<Option<Key>> {
        ints.into_iter().map(|int| Some(Key::Int(int))).collect()
    }

    #[test]
    fn chunks_are_even() {
        let division = divide(ints((0..1000).rev()), 4);
        assert_eq!(division, Division { bounds: ["250", "500", "750"].map(str::to_owned).into(), largest: 250 });
        assert_eq!(divide(ints(-3..3), 2).bounds, ["0"]);
    }

    #[test]
    fn equal_values_stay_together() {
        let many = std::iter::repeat_n(7, 90).chain(0..10);
        assert_eq!(divide(ints(many), 10), Division { bounds: vec!["7".to_owned()], largest: 93 });
        assert_eq!(divide(ints([5; 10]), 3), Division { bounds: Vec::new(), largest: 10 });
        assert_eq!(divide(Vec::new(), 3), Division::default());
    }

    #[test]
    fn rows_without_a_value_come_first() {
        let sample = [vec![None; 6], ints(0..6)].concat();
        assert_eq!(divide(sample, 3), Division { bounds: vec!["2".to_owned()], largest: 8 });
    }

    #[test]
    fn texts_are_parted_by_as_little_as_can_be() {
        let sample = texts(&["apple", "apricot", "banana", "bandit", "cherry", "cherub"]);
        assert_eq!(divide(sample.clone(), 3).bounds, ["b", "c"]);
        assert_eq!(divide(sample, 6).bounds, ["apr", "b", "band", "c", "cheru"]);
        assert_eq!(divide(texts(&["a", "ab", "abc"]), 3).bounds, ["ab", "abc"]);
        let long = "x".repeat(LONGEST);
        assert_eq!(divide(texts(&[&long, &format!("{long}a")]), 2).bounds, [""; 0]);
    }

    #[test]
    fn texts_of_two_orders_make_no_bounds() {
        // U+FFFD comes before U+1F600 by bytes, and after it by UTF-16.
        assert_eq!(divide(texts(&["a", "\u{fffd}"]), 2).bounds, [""; 0]);
        assert_eq!(divide(texts(&["\u{fffd}", "\u{1f600}"]), 2).bounds, [""; 0]);
        assert_eq!(divide(texts(&["a\u{1f600}", "b\u{1f600}"]), 2).bounds, ["b"]);
    }
}
