//! A primary shard: its documents, what readers see of them, and its sequence numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::value::Value;

/// A document. Columns that were added after it was written are missing at its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Doc {
    pub(crate) values: Vec<Value>,
    pub(crate) seq_no: i64,
    pub(crate) version: i64,
}

/// A retention lease that a subscriber holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) retaining: i64,
    /// When it was renewed last, in milliseconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) source: String,
}

/// A shard.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// The newest documents by `_id`, as primary key look-ups read them.
    docs: BTreeMap<String, Arc<Doc>>,
    /// What readers still see in place of what was written since the last refresh.
    before: BTreeMap<String, Option<Arc<Doc>>>,
    /// When the oldest write since the last refresh was made.
    unrefreshed: Option<i64>,
    /// The last operation of every document that was ever there, by sequence number.
    operations: BTreeMap<i64, String>,
    pub(crate) max_seq_no: i64,
    pub(crate) leases: BTreeMap<String, Lease>,
}

impl Shard {
    pub(crate) const fn new() -> Self {
        Self {
            docs: BTreeMap::new(),
            before: BTreeMap::new(),
            unrefreshed: None,
            operations: BTreeMap::new(),
            max_seq_no: -1,
            leases: BTreeMap::new(),
        }
    }

    /// The newest state of a document.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Doc>> {
        self.docs.get(id)
    }

    /// Documents that readers see at `now`, when a refresh is due `interval` milliseconds after a write.
    pub(crate) fn visible(&self, now: i64, interval: i64) -> Vec<(&str, &Doc)> {
        let hidden = if self.is_refreshed(now, interval) { None } else { Some(&self.before) };
        let newest = self.docs.iter().filter(|(id, _)| hidden.is_none_or(|hidden| !hidden.contains_key(*id)));
        let older = hidden.into_iter().flatten().filter_map(|(id, doc)| Some((id, doc.as_ref()?)));
        newest.chain(older).map(|(id, doc)| (id.as_str(), doc.as_ref())).collect()
    }

    /// How many documents there are, refreshed or not.
    pub(crate) fn len(&self) -> usize {
        self.docs.len()
    }

    fn is_refreshed(&self, now: i64, interval: i64) -> bool {
        self.unrefreshed.is_none_or(|since| interval > 0 && now - since >= interval)
    }

    /// Makes everything visible.
    pub(crate) fn refresh(&mut self) {
        self.before.clear();
        self.unrefreshed = None;
    }

    /// Writes a document, or deletes it, as the next operation. Returns its sequence number.
    pub(crate) fn write(&mut self, id: &str, values: Option<Vec<Value>>, now: i64, interval: i64) -> i64 {
        let seq_no = self.max_seq_no + 1;
        self.apply(id, values, seq_no, now, interval);
        seq_no
    }

    fn apply(&mut self, id: &str, values: Option<Vec<Value>>, seq_no: i64, now: i64, interval: i64) {
        if self.is_refreshed(now, interval) {
            self.refresh();
        }
        self.unrefreshed = self.unrefreshed.or(Some(now));
        let old = match values {
            Some(values) => {
                let version = self.docs.get(id).map_or(1, |doc| doc.version + 1);
                self.docs.insert(id.to_owned(), Arc::new(Doc { values, seq_no, version }))
            }
            None => self.docs.remove(id),
        };
        if let Some(old) = &old {
            self.operations.remove(&old.seq_no);
        }
        self.before.entry(id.to_owned()).or_insert(old);
        self.operations.insert(seq_no, id.to_owned());
        self.max_seq_no = self.max_seq_no.max(seq_no);
    }

    /// Takes over at most `limit` operations that `source` has and this shard has not.
    pub(crate) fn follow(&mut self, source: &Self, limit: usize, now: i64, interval: i64) {
        let missing: Vec<_> = source.operations.range(self.max_seq_no + 1..).take(limit).collect();
        let is_all = missing.len() < limit;
        for (seq_no, id) in missing {
            let values = source.docs.get(id).filter(|doc| doc.seq_no == *seq_no).map(|doc| doc.values.clone());
            self.apply(id, values, *seq_no, now, interval);
        }
        if is_all {
            self.max_seq_no = self.max_seq_no.max(source.max_seq_no);
        }
    }

    /// Drops a column from every document.
    pub(crate) fn drop_column(&mut self, at: usize) {
        let remove = |doc: &mut Arc<Doc>| {
            let doc = Arc::make_mut(doc);
            if at < doc.values.len() {
                doc.values.remove(at);
            }
        };
        self.docs.values_mut().for_each(remove);
        self.before.values_mut().flatten().for_each(remove);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(shard: &Shard, now: i64) -> Vec<&str> {
        shard.visible(now, 1_000).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn readers_see_writes_after_a_refresh_or_a_second() {
        let mut shard = Shard::new();
        shard.write("a", Some(vec![Value::Int(1)]), 0, 1_000);
        assert!(ids(&shard, 999).is_empty() && shard.get("a").is_some());
        assert_eq!(ids(&shard, 1_000), ["a"]);
        shard.refresh();
        shard.write("a", None, 2_000, 1_000);
        assert_eq!(ids(&shard, 2_500), ["a"]);
        assert_eq!(shard.max_seq_no, 1);
        assert!(ids(&shard, 3_000).is_empty());
    }

    #[test]
    fn a_follower_has_the_same_documents_and_numbers() {
        let (mut source, mut copy) = (Shard::new(), Shard::new());
        for id in ["a", "b", "c"] {
            source.write(id, Some(vec![Value::text(id)]), 0, 1_000);
        }
        copy.follow(&source, 2, 0, 1_000);
        assert_eq!((copy.max_seq_no, copy.len()), (1, 2));
        source.write("a", None, 0, 1_000);
        source.write("b", Some(vec![Value::Null]), 0, 1_000);
        copy.follow(&source, 100, 0, 1_000);
        assert_eq!(copy.docs.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!((copy.max_seq_no, copy.get("b").map(|doc| doc.seq_no)), (4, Some(4)));
    }
}
