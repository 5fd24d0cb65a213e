//! Repositories, what lies at their places, and snapshots.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::cluster::Ailment;
use super::table::Table;
use super::{TableName, World};
use crate::error::{Result, SqlError};

/// Where the snapshots of a repository lie. Clusters whose repositories have one place share them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Directory(PathBuf),
    /// The settings that tell buckets apart.
    Remote(Vec<String>),
}

/// What lies at a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depot {
    /// Grows with every snapshot that is made or dropped.
    pub(crate) generation: u64,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    InProgress,
    Success,
    Partial,
    Failed,
}

impl SnapshotState {
    /// The word in `sys.snapshots`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Success => "SUCCESS",
            Self::Partial => "PARTIAL",
            Self::Failed => "FAILED",
        }
    }
}

/// A snapshot: whole tables as they were, of partitioned ones what was named.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) uuid: String,
    pub(crate) state: SnapshotState,
    /// How it is going to end.
    pub(crate) end: SnapshotState,
    pub(crate) failures: Vec<String>,
    pub(crate) started: i64,
    pub(crate) finished: i64,
    pub(crate) tables: BTreeMap<TableName, Table>,
}

/// A repository as one cluster knows it.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) kind: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) place: Place,
    pub(crate) is_readonly: bool,
    /// The generation that the cluster expects to find, once it has looked.
    pub(crate) seen: Option<u64>,
    /// Whether it was found to be written by somebody else.
    pub(crate) is_broken: bool,
    /// Snapshots that are being made.
    pub(crate) running: BTreeMap<String, Snapshot>,
}

/// A restore that is running.
#[derive(Clone, Debug)]
pub(crate) struct Restore {
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) snapshot: String,
    /// The partitions that it makes.
    pub(crate) partitions: Vec<(TableName, String)>,
    /// What never comes: the shards of its first partition, or all.
    pub(crate) ailment: Option<Ailment>,
}

impl World {
    /// The repository of a cluster, with what lies there. One that others write breaks, as CrateDB's do.
    pub(crate) fn look(&mut self, cluster: &str, name: &str) -> Result<&mut Depot> {
        let found = self.clusters.get_mut(cluster).and_then(|cluster| cluster.repositories.get_mut(name));
        let found = found.ok_or_else(|| SqlError::internal(format!("[{name}] missing")))?;
        let depot = self.depots.entry(found.place.clone()).or_default();
        if !found.is_readonly {
            found.is_broken |= found.seen.is_some_and(|seen| seen != depot.generation);
            found.seen = Some(depot.generation);
        }
        if found.is_broken {
            return Err(SqlError::internal(format!("[{name}] {CORRUPT}")));
        }
        Ok(depot)
    }

    /// The same to read only, as catalogs do: nothing for a repository that cannot be read.
    pub(crate) fn listed(&self, cluster: &str, name: &str) -> Option<&Depot> {
        let found = self.cluster(cluster).repositories.get(name)?;
        let depot = self.depots.get(&found.place)?;
        let is_current = found.is_readonly || found.seen.is_none_or(|seen| seen == depot.generation);
        (is_current && !found.is_broken).then_some(depot)
    }

    /// Changes what lies at a repository's place.
    pub(crate) fn write_depot(&mut self, cluster: &str, name: &str, change: impl FnOnce(&mut Depot)) -> Result<()> {
        let depot = self.look(cluster, name)?;
        change(depot);
        depot.generation += 1;
        let generation = depot.generation;
        if let Some(found) = self.cluster_mut(cluster).repositories.get_mut(name) {
            found.seen = Some(generation);
        }
        Ok(())
    }

    /// Ends the snapshots and restores that are running.
    pub(crate) fn finish(&mut self) {
        let names: Vec<String> = self.clusters.keys().cloned().collect();
        for cluster in names {
            self.finish_snapshots(&cluster);
            self.cluster_mut(&cluster).finish_restores();
        }
    }

    pub(crate) fn finish_snapshots(&mut self, cluster: &str) {
        let now = self.clock.now();
        let repositories: Vec<String> = self.cluster(cluster).repositories.keys().cloned().collect();
        for repository in repositories {
            let Some(found) = self.cluster_mut(cluster).repositories.get_mut(&repository) else { continue };
            for (name, snapshot) in std::mem::take(&mut found.running) {
                let ended = Snapshot { state: snapshot.end, finished: now, ..snapshot };
                // A repository that broke meanwhile keeps nothing of it.
                self.write_depot(cluster, &repository, |depot| {
                    depot.snapshots.insert(name, ended);
                })
                .ok();
            }
        }
    }
}

impl super::Cluster {
    pub(crate) fn finish_restores(&mut self) {
        for restore in std::mem::take(&mut self.restores) {
            for (at, (name, ident)) in restore.partitions.iter().enumerate() {
                let partition = self.tables.get_mut(name).and_then(|table| table.partitions.get_mut(ident));
                let Some(partition) = partition else { continue };
                partition.lost = restore.ailment.is_some_and(|ailment| ailment == Ailment::All || at == 0);
                if !partition.lost {
                    partition.is_arriving = false;
                }
            }
        }
    }
}

const CORRUPT: &str = "Could not read repository data because the contents of the repository do not match its expected \
                       state. This is likely the result of either concurrently modifying the contents of the \
                       repository by a process other than this cluster or an issue with the repository's underlying \
                       storage. The repository has been disabled to prevent corrupting its contents. To re-enable it \
                       and continue using it please remove the repository from the cluster and add it again to make \
                       the cluster recover the known state of the repository from its physical contents.";
