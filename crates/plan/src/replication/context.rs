//! What is declared for one flow and what was seen of it, side by side.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::access::Endpoint;
use transship_model::consent::DropKind;
use transship_model::ledger::FlowRow;
use transship_model::observed::{Observed, Publication, Subscription, TableKind};
use transship_model::spec::{Instance, LogicalReplication, Names};
use transship_model::{Contents, Finding, Name, TableName};

use super::{assess, health};
use crate::consent::Consents;
use crate::ends;
use crate::input::PlanInput;
use crate::names;
use crate::tables::{self, Chosen};
use crate::wanted::WantedByCluster;

/// What is declared for one flow and what was seen of it.
pub(super) struct Context<'a> {
    pub(super) input: &'a PlanInput,
    pub(super) instance: &'a Instance<'a>,
    pub(super) settings: &'a LogicalReplication,
    pub(super) source_name: &'a Name,
    pub(super) target_name: &'a Name,
    pub(super) source: &'a Observed,
    pub(super) target: &'a Observed,
    pub(super) source_endpoint: &'a Endpoint,
    /// The ledger's row of the flow, where it could be read and has one.
    pub(super) row: Option<&'a FlowRow>,
    /// The name of the publication, derived or adopted.
    pub(super) publication_name: String,
    /// The name of the subscription, derived or adopted.
    pub(super) subscription_name: String,
    /// The publication, where the user sees it.
    pub(super) publication: Option<&'a Publication>,
    /// The subscription, where the user sees it.
    pub(super) subscription: Option<&'a Subscription>,
    /// The tables that the flow means.
    pub(super) chosen: Chosen,
    pub(super) consents: Consents<'a>,
    /// The tables on the target that runs of this flow made.
    pub(super) made: BTreeSet<TableName>,
    /// Tables on the target that the flow's subscription has begun to copy, that no run has confirmed and that nobody can have
    /// relied on, with what they have.
    pub(super) arriving: BTreeMap<TableName, Contents>,
    /// Whether the subscription is dropped as soon as everything has arrived.
    pub(super) once: bool,
}

impl<'a> Context<'a> {
    /// Gathers it; errors are about tables that the source does not have.
    pub(super) fn gather(
        input: &'a PlanInput,
        instance: &'a Instance<'a>,
        settings: &'a LogicalReplication,
    ) -> Result<Self, Vec<Finding>> {
        let (source_name, source) = ends::end(input, instance.from, instance, "logical replication")?;
        let (target_name, target) = ends::end(input, instance.to, instance, "logical replication")?;
        let source_endpoint =
            input.endpoints.get(source_name).ok_or_else(|| vec![ends::not_observed(instance, source_name)])?;
        let derived = names::of_flow(&input.spec, &instance.id);
        let adopted = instance.flow.names.clone().unwrap_or_default();
        let Names { publication, subscription, .. } = adopted;
        let row = target.ledger.row(&instance.id);
        let publication_name = publication.unwrap_or_else(|| derived.clone());
        let subscription_name = subscription.unwrap_or(derived);
        let mut context = Self {
            input,
            instance,
            settings,
            source_name,
            target_name,
            source,
            target,
            source_endpoint,
            row,
            publication: source.publications.get(&publication_name),
            subscription: target.subscriptions.get(&subscription_name),
            publication_name,
            subscription_name,
            chosen: tables::choose(instance, source)?,
            consents: Consents::new(input, &instance.flow.allow_drop),
            made: row.map(|row| row.made.clone()).unwrap_or_default(),
            arriving: BTreeMap::new(),
            once: false,
        };
        context.arriving = context.half_copied();
        let consents = context.own_consents();
        Ok(Self { consents: Consents::new(input, &instance.flow.allow_drop).arriving(consents), ..context })
    }

    /// The tables that the flow means.
    pub(super) fn desired(&self) -> BTreeSet<TableName> {
        self.chosen.keys().cloned().collect()
    }

    /// The tables that the publication has.
    pub(super) fn published(&self) -> BTreeSet<TableName> {
        self.publication.map(|publication| publication.tables.clone()).unwrap_or_default()
    }

    /// What needs no consent: dropping copies that never were in sync, and a subscription that has no others, or none at all.
    fn own_consents(&self) -> BTreeSet<(DropKind, String)> {
        let half = &self.arriving;
        let tables = half.keys().map(|table| (DropKind::Table, format!("{}.{table}", self.target_name)));
        let mut consents: BTreeSet<_> = tables.collect();
        let not_begun = self.not_begun();
        let is_nothing = |name: &TableName| half.contains_key(name) || not_begun.contains(name);
        let follows_others =
            self.subscription.is_none_or(|it| it.tables.is_empty() || !it.tables.keys().all(is_nothing));
        let is_known = !half.is_empty() || self.chosen.keys().all(|name| not_begun.contains(name));
        if !follows_others && self.made.is_empty() && is_known {
            consents.insert((DropKind::Subscription, self.subscription_full()));
        }
        consents
    }

    /// Whether the whole flow is to be done again from scratch.
    pub(super) fn is_resync(&self) -> bool {
        self.input.options.resync.contains(&self.instance.id)
    }

    /// `cluster.publication`, as consents and views name it.
    pub(super) fn publication_full(&self) -> String {
        format!("{}.{}", self.source_name, self.publication_name)
    }

    /// `cluster.subscription`, as consents and views name it.
    pub(super) fn subscription_full(&self) -> String {
        format!("{}.{}", self.target_name, self.subscription_name)
    }

    /// The tables that it reads, by cluster.
    pub(super) fn reads(&self) -> BTreeSet<(Name, TableName)> {
        self.chosen.keys().map(|table| (self.source_name.clone(), table.clone())).collect()
    }

    /// The tables that it writes, by cluster.
    pub(super) fn writes(&self) -> BTreeSet<(Name, TableName)> {
        self.chosen.keys().map(|table| (self.target_name.clone(), table.clone())).collect()
    }

    /// Asks for the definitions of tables that will have to go, which of the shards that are behind get on, and whether
    /// target tables outside of a visible subscription, or in one and not known to be in sync, and source tables that are not published yet,
    /// can be written: a subscription of somebody else shows in nothing else.
    pub(super) fn want(&self, wanted: &mut WantedByCluster) {
        let published = self.published();
        let sources = self.chosen.keys().filter(|table| !published.contains(*table)).cloned();
        let source = wanted.entry(self.source_name.clone()).or_default();
        source.writable.extend(sources.filter(|table| self.source.tables.contains_key(table)));
        let listed =
            self.subscription.into_iter().flat_map(|it| it.tables.keys()).filter(|table| !self.was_in_sync(table));
        let targets = self.chosen.keys().filter(|table| !self.is_followed(table)).chain(listed).cloned();
        let target = wanted.entry(self.target_name.clone()).or_default();
        target.writable.extend(targets.filter(|table| self.target.tables.contains_key(table)));
        target.behind.extend(health::behind_shards(self));
        let followed = self.subscription.into_iter().flat_map(|it| &it.tables);
        let copying = followed.filter(|(_, table)| table.state.is_copying());
        let copying: BTreeSet<TableName> = copying.map(|(name, _)| name.clone()).collect();
        if !copying.is_empty() {
            target.copying.entry(self.subscription_name.clone()).or_default().extend(copying);
        }
        let is_table = |name: &TableName| self.target.tables.get(name).is_some_and(|it| it.kind == TableKind::Table);
        target.definitions.extend(assess::assess(self).stale.into_iter().filter(is_table));
    }
}
