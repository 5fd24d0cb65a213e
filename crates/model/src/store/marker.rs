//! How it is shown that two clusters see the same store: one writes a marker, the other looks for it.
//!
//! Addresses alone do not tell: one host name may stand for two servers, one path for two disks. The marker is a
//! snapshot of a table without shards, in a repository of its own below the store: it costs a few requests, shows in
//! `sys.snapshots` of whoever sees the place, and is dropped again.

use super::place_of;
use crate::name::{FlowId, Name, TableName};

/// The table that marker snapshots are of: partitioned, without a partition, so that it has no shard.
pub const TABLE: &str = "store_marker";

/// A marker of one run of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Where its repository is, below the store. It is the same in every run, so that little is left lying there, and
    /// differs between flows, so that only one cluster ever writes there.
    pub below: String,
    /// The name of the snapshot: that of the run, so that an old marker is not taken for a new one.
    pub snapshot: String,
}

/// What the cluster that reads has seen of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Both see the same place.
    Same,
    /// It sees another place, or a place that it cannot read: CrateDB does not tell which.
    NotSeen,
}

impl Marker {
    /// The marker of a run. `run` is in lower case and without spaces, as names of snapshots have to be.
    pub fn new(workspace: &Name, environment: Option<&Name>, flow: &FlowId, run: &str) -> Self {
        let place = place_of(workspace, environment, flow);
        Self { below: format!("{place}/marker"), snapshot: format!("marker-{}", run.to_ascii_lowercase()) }
    }

    /// The table to snapshot, in transship's schema on the cluster that writes.
    pub fn table() -> TableName {
        TableName::new("transship", TABLE)
    }

    /// What the snapshots in the reader's repository say. Nobody is refused who cannot read a repository: it looks
    /// empty.
    pub fn judge<'a>(&self, snapshots: impl IntoIterator<Item = &'a str>) -> Seen {
        if snapshots.into_iter().any(|name| name == self.snapshot) { Seen::Same } else { Seen::NotSeen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_of_its_run_alone() {
        let name = |text: &str| text.parse::<Name>().expect("a name");
        let flow = FlowId { flow: name("orders"), target: Some(name("beta")) };
        let marker = Marker::new(&name("shop"), Some(&name("prod")), &flow, "20261123T0100-AB12");
        assert_eq!(marker.below, "shop@prod/orders@beta/marker");
        assert_eq!(marker.snapshot, "marker-20261123t0100-ab12");
        assert_eq!(marker.judge(["s1", "marker-20261123t0100-ab12"]), Seen::Same);
        assert_eq!(marker.judge(["marker-20261122t0100-ab12"]), Seen::NotSeen);
    }
}
