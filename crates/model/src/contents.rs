//! What a table has, as far as its shards tell without its rows being read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observed::Table;

/// The highest sequence number of each primary shard by the identity of its index and its number; `None` where the shard is
/// not started. Whoever writes a row changes a number, and a table or partition that is made again has another index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Contents(BTreeMap<String, BTreeMap<i64, Option<i64>>>);

impl Contents {
    /// What is seen of the table.
    pub fn of(table: &Table) -> Self {
        let shards = table.primaries.iter();
        shards.filter_map(|shard| Some((shard.uuid.clone()?, shard.id.into(), shard.max_seq_no))).collect()
    }

    /// Whether there is no index, or none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what is known of `later`. A primary that moves to another node is listed as none for a moment, so a
    /// shard that was started stays as it was.
    pub fn learn(&mut self, later: Self) {
        let known = std::mem::replace(self, later);
        for (index, shards) in &mut self.0 {
            for (id, reached) in shards.iter_mut().filter(|(_, reached)| reached.is_none()) {
                *reached = known.0.get(index).and_then(|shards| *shards.get(id)?);
            }
        }
    }

    /// Whether a shard is not started that was by `before`, or is not listed.
    pub fn lacks_of(&self, before: &Self) -> bool {
        let is_started =
            |index: &String, id: &i64| self.0.get(index).is_some_and(|it| matches!(it.get(id), Some(Some(_))));
        let mut started = before.0.iter().flat_map(|(index, shards)| {
            shards.iter().filter(|(_, reached)| reached.is_some()).map(move |(id, _)| (index, id))
        });
        started.any(|(index, id)| !is_started(index, id))
    }
}

impl FromIterator<(String, i64, Option<i64>)> for Contents {
    fn from_iter<T: IntoIterator<Item = (String, i64, Option<i64>)>>(shards: T) -> Self {
        let mut contents = Self::default();
        for (index, id, reached) in shards {
            let known = contents.0.entry(index).or_default().entry(id).or_default();
            *known = reached.max(*known);
        }
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(shards: &[(&str, i64, Option<i64>)]) -> Contents {
        shards.iter().map(|(index, id, reached)| ((*index).to_owned(), *id, *reached)).collect()
    }

    #[test]
    fn what_was_known_of_a_shard_stays_known_while_it_moves() {
        let mut known = contents(&[("a", 0, Some(4)), ("a", 1, None), ("gone", 0, Some(1))]);
        known.learn(contents(&[("a", 0, None), ("a", 1, Some(7)), ("b", 0, None)]));
        assert_eq!(known, contents(&[("a", 0, Some(4)), ("a", 1, Some(7)), ("b", 0, None)]));
    }

    #[test]
    fn a_shard_that_is_away_is_told_from_one_that_says_something_else() {
        let before = contents(&[("a", 0, Some(4)), ("a", 1, None)]);
        assert!(!contents(&[("a", 0, Some(5)), ("a", 1, Some(9))]).lacks_of(&before));
        assert!(contents(&[("a", 0, None), ("a", 1, None)]).lacks_of(&before));
        assert!(contents(&[("b", 0, Some(4))]).lacks_of(&before));
    }

    #[test]
    fn the_ledger_has_them_as_json() {
        let before = contents(&[("a", 0, Some(4)), ("a", 1, None)]);
        let json = serde_json::to_string(&before).expect("JSON");
        assert_eq!(json, r#"{"a":{"0":4,"1":null}}"#);
        assert_eq!(serde_json::from_str::<Contents>(&json).expect("contents"), before);
    }
}
