//! Which tables are said to be copied by a subscription that is not at it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::TableName;

/// How long no restore of the subscription may run while a table is said to be copied. Between the states of a copy
/// there is none for less than a second; after a restart of the target's cluster there never is one again (6.4.0).
const ABANDONED: Duration = Duration::from_secs(30);

/// Since when each table has been without a restore.
#[derive(Debug, Default)]
pub(super) struct Watch(BTreeMap<TableName, Duration>);

impl Watch {
    /// Takes in the tables that are said to be copied while nothing is restored; gives those for which that has held for
    /// long.
    pub(super) fn look(&mut self, idle: BTreeSet<TableName>, now: Duration) -> BTreeSet<TableName> {
        let since = |table: TableName| (self.0.get(&table).copied().unwrap_or(now), table);
        self.0 = idle.into_iter().map(since).map(|(since, table)| (table, since)).collect();
        let long = self.0.iter().filter(|(_, since)| now.saturating_sub(**since) >= ABANDONED);
        long.map(|(table, _)| table.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_abandoned_once_nothing_was_restored_for_long() {
        let (mut watch, t) = (Watch::default(), TableName::new("s", "t"));
        let idle = || BTreeSet::from([t.clone()]);
        assert!(watch.look(idle(), Duration::from_secs(5)).is_empty());
        assert!(watch.look(idle(), Duration::from_secs(34)).is_empty());
        assert_eq!(watch.look(idle(), Duration::from_secs(35)), idle());
        assert!(watch.look(BTreeSet::new(), Duration::from_secs(36)).is_empty());
        assert!(watch.look(idle(), Duration::from_secs(37)).is_empty(), "it was restored meanwhile");
    }
}
