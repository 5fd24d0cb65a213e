//! How subscriptions of the fake world follow their publications: a little at every look.

use std::collections::BTreeSet;

use transship_model::observed::{RelationState, SubscribedTable};
use transship_model::{Name, TableName};

use super::world::{Table, World, taken_up};

impl World {
    /// A second passes: sources are written, subscriptions of `cluster` take over what they can.
    pub(super) fn tick(&mut self, cluster: &Name) {
        let writes = self.writes;
        let tables = self.clusters.values_mut().flat_map(|cluster| cluster.tables.values_mut());
        for table in tables.filter(|table| table.subscribed.is_none()) {
            table.shards.values_mut().for_each(|max| *max += writes);
        }
        let names: Vec<String> = self.clusters[cluster].subscriptions.keys().cloned().collect();
        for name in names {
            self.follow(cluster, &name);
        }
    }

    fn follow(&mut self, cluster: &Name, subscription: &str) {
        let followed = self.clusters[cluster].subscriptions[subscription].clone();
        let published = self.published(&followed.source, &followed.publication);
        for table in followed.tables.keys().filter(|table| !published.contains(*table)) {
            self.release(cluster, subscription, table);
        }
        for table in &published {
            match followed.tables.get(table).map(|found| found.state) {
                None => self.take_up(cluster, subscription, &followed.source, table),
                Some(RelationState::Initializing) => {
                    self.set_state(cluster, subscription, table, RelationState::Restoring);
                }
                Some(RelationState::Restoring) if self.endless => {
                    self.take_over(cluster, &followed.source, table);
                }
                Some(RelationState::Restoring) => self.finish_copy(cluster, subscription, table),
                Some(RelationState::Monitoring) => self.take_over(cluster, &followed.source, table),
                Some(RelationState::Failed) => {}
            }
        }
    }

    /// The tables of a publication that the subscriber may read.
    pub(super) fn published(&self, source: &Name, publication: &str) -> BTreeSet<TableName> {
        let all = self.clusters[source].publications.get(publication).map(|(_, tables)| tables.clone());
        all.unwrap_or_default().into_iter().filter(|table| !self.denied.contains(table)).collect()
    }

    pub(super) fn take_up(&mut self, cluster: &Name, subscription: &str, source: &Name, table: &TableName) {
        let uuid = self.next_uuid();
        let copy = Table { uuid, subscribed: Some(subscription.to_owned()), ..Table::default() };
        let target = self.clusters.get_mut(cluster).unwrap();
        target.tables.insert(table.clone(), copy);
        target.subscriptions.get_mut(subscription).unwrap().tables.insert(table.clone(), taken_up());
        let published = self.clusters.get_mut(source).unwrap().tables.get_mut(table).unwrap();
        published.leases.insert(cluster.to_string(), None);
    }

    pub(super) fn release(&mut self, cluster: &Name, subscription: &str, table: &TableName) {
        let looks = self.lease_looks;
        let target = self.clusters.get_mut(cluster).unwrap();
        target.tables.get_mut(table).unwrap().subscribed = None;
        let followed = target.subscriptions.get_mut(subscription).unwrap();
        followed.tables.remove(table);
        let source = followed.source.clone();
        if let Some(published) = self.clusters.get_mut(&source).unwrap().tables.get_mut(table) {
            published.leases.insert(cluster.to_string(), Some(looks));
        }
    }

    fn set_state(&mut self, cluster: &Name, subscription: &str, table: &TableName, state: RelationState) {
        let reason = self.failing.get(table).cloned();
        let state = if reason.is_some() { RelationState::Failed } else { state };
        let followed = self.clusters.get_mut(cluster).unwrap().subscriptions.get_mut(subscription).unwrap();
        followed.tables.insert(table.clone(), SubscribedTable { reason, ..SubscribedTable::new(state) });
    }

    fn finish_copy(&mut self, cluster: &Name, subscription: &str, table: &TableName) {
        self.set_state(cluster, subscription, table, RelationState::Monitoring);
    }

    /// Takes over operations of every shard, as many as the speed allows.
    fn take_over(&mut self, cluster: &Name, source: &Name, table: &TableName) {
        let (speed, shards) = (self.speed, self.clusters[source].tables[table].shards.clone());
        let copy = self.clusters.get_mut(cluster).unwrap().tables.get_mut(table).unwrap();
        for (shard, max) in shards {
            let reached = copy.shards.entry(shard).or_insert(-1);
            *reached = max.min(reached.saturating_add(speed));
        }
    }

    /// A look at the leases of `cluster`: those whose subscription is gone come closer to their end.
    pub(super) fn age_leases(&mut self, cluster: &Name) {
        for table in self.clusters.get_mut(cluster).unwrap().tables.values_mut() {
            table.leases.retain(|_, looks| *looks != Some(0));
            for looks in table.leases.values_mut().flatten() {
                *looks -= 1;
            }
        }
    }
}
