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

    /// Whether `now` has nothing that was not here before. Of a shard that was not started nothing was known, so that it
    /// may have anything.
    pub fn covers(&self, now: &Self) -> bool {
        let is_known = |index: &String, id: &i64, reached: &Option<i64>| {
            let before = self.0.get(index).and_then(|shards| shards.get(id));
            before.is_some_and(|before| before.is_none() || before == reached)
        };
        now.0.iter().all(|(index, shards)| shards.iter().all(|(id, reached)| is_known(index, id, reached)))
    }
}

impl FromIterator<(String, i64, Option<i64>)> for Contents {
    fn from_iter<T: IntoIterator<Item = (String, i64, Option<i64>)>>(shards: T) -> Self {
        let mut contents = Self::default();
        for (index, id, reached) in shards {
            contents.0.entry(index).or_default().insert(id, reached);
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
    fn a_row_a_partition_and_another_table_are_seen() {
        let before = contents(&[("a", 0, Some(4)), ("a", 1, None)]);
        assert!(before.covers(&before));
        assert!(before.covers(&contents(&[("a", 0, Some(4)), ("a", 1, Some(9))])));
        assert!(before.covers(&contents(&[("a", 0, Some(4))])));
        assert!(!before.covers(&contents(&[("a", 0, Some(5)), ("a", 1, None)])));
        assert!(!before.covers(&contents(&[("a", 0, None), ("a", 1, None)])));
        assert!(!before.covers(&contents(&[("a", 0, Some(4)), ("a", 1, None), ("b", 0, Some(0))])));
        assert!(!before.covers(&contents(&[("b", 0, Some(4)), ("b", 1, None)])));
    }

    #[test]
    fn the_ledger_has_them_as_json() {
        let before = contents(&[("a", 0, Some(4)), ("a", 1, None)]);
        let json = serde_json::to_string(&before).expect("JSON");
        assert_eq!(json, r#"{"a":{"0":4,"1":null}}"#);
        assert_eq!(serde_json::from_str::<Contents>(&json).expect("contents"), before);
    }
}
