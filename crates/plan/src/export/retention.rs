//! Which files go: those of runs that failed, and those of exports beyond the ones that are kept.

use std::collections::BTreeMap;

use transship_model::ledger::ExportRow;

/// The exports whose files go when one more has been written, if `keep` of them stay, it included.
pub(super) fn aged(exports: &BTreeMap<u32, ExportRow>, keep: usize) -> BTreeMap<u32, ExportRow> {
    let kept: Vec<u32> =
        exports.iter().rev().filter(|(_, row)| row.whole).map(|(number, _)| *number).take(keep.max(1) - 1).collect();
    let goes = |(number, _): &(&u32, &ExportRow)| !kept.contains(number);
    exports.iter().filter(goes).map(|(number, row)| (*number, row.clone())).collect()
}

/// The number of the next export.
pub(super) fn next(exports: &BTreeMap<u32, ExportRow>) -> u32 {
    exports.keys().last().map_or(1, |last| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_ones_stay() {
        let row = |whole| ExportRow { store: "s".parse().expect("a name"), path: "w/f/1".to_owned(), whole };
        let exports = BTreeMap::from([(3, row(true)), (4, row(false)), (5, row(true)), (6, row(false))]);
        let numbers = |keep| aged(&exports, keep).into_keys().collect::<Vec<_>>();
        assert_eq!([numbers(1), numbers(2), numbers(9)], [vec![3, 4, 5, 6], vec![3, 4, 6], vec![4, 6]]);
        assert_eq!((next(&exports), next(&BTreeMap::new())), (7, 1));
    }
}
