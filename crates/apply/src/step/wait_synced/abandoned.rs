//! Which tables are said to be copied by a subscription that is not at it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use transship_model::TableName;

/// How long no restore of the subscription may run while a table is said to be copied. Between the states of a copy
/// there is none for less than a second; after a restart of the target's cluster there never is one again (6.4.0).
const ABANDONED: Duration = Duration::from_secs(30);

/// The same for a table of which nothing is there yet. A subscription begins with its tables within seconds; a target that
/// was restarted before that may never do (6.4.0, `docs/observation.md`).
const NOT_BEGUN: Duration = Duration::from_mins(1);

/// Since when each table has been without a restore.
#[derive(Debug, Default)]
pub(super) struct Watch(BTreeMap<TableName, Duration>);

/// Tables that are said to be copied while nothing is restored for their subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Idle {
    /// Those of which something is there.
    pub(super) begun: BTreeSet<TableName>,
    /// Those of which nothing is there.
    pub(super) not_begun: BTreeSet<TableName>,
}

impl Watch {
    /// Takes in the tables that are idle now; gives those of them that have been for long.
    pub(super) fn look(&mut self, idle: &Idle, now: Duration) -> Idle {
        let since = |table: &TableName| (table.clone(), self.0.get(table).copied().unwrap_or(now));
        self.0 = idle.begun.iter().chain(&idle.not_begun).map(since).collect();
        let long = |tables: &BTreeSet<TableName>, span: Duration| {
            tables.iter().filter(|table| now.saturating_sub(self.0[*table]) >= span).cloned().collect()
        };
        Idle { begun: long(&idle.begun, ABANDONED), not_begun: long(&idle.not_begun, NOT_BEGUN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_abandoned_once_nothing_was_restored_for_long() {
        let (mut watch, t) = (Watch::default(), TableName::new("s", "t"));
        let idle = Idle { begun: BTreeSet::from([t.clone()]), ..Idle::default() };
        assert_eq!(watch.look(&idle, Duration::from_secs(5)), Idle::default());
        assert_eq!(watch.look(&idle, Duration::from_secs(34)), Idle::default());
        assert_eq!(watch.look(&idle, Duration::from_secs(35)), idle);
        assert_eq!(watch.look(&Idle::default(), Duration::from_secs(36)), Idle::default());
        assert_eq!(watch.look(&idle, Duration::from_secs(37)), Idle::default(), "it was restored meanwhile");
    }

    #[test]
    fn a_table_that_is_not_there_yet_is_given_more_time() {
        let (mut watch, t) = (Watch::default(), TableName::new("s", "t"));
        let idle = Idle { not_begun: BTreeSet::from([t]), ..Idle::default() };
        assert_eq!(watch.look(&idle, Duration::from_secs(5)), Idle::default());
        assert_eq!(watch.look(&idle, Duration::from_secs(64)), Idle::default());
        assert_eq!(watch.look(&idle, Duration::from_secs(65)), idle);
    }
}
