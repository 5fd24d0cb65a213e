//! Takes a subscription down in the one order that leaves its tables free: they leave the publication, the target lets
//! go of them, the subscription is dropped, the source lets go of its leases.
//!
//! Dropped outright, a subscription that is just taking over a new partition leaves its table locked for good: CrateDB
//! marks the table as followed once more when that partition arrives, and no subscription is left to take the mark off.

use std::collections::BTreeSet;

use transship_model::consent::DropKind;
use transship_model::observed::{Observed, Publication, RelationState, Subscription, Table};
use transship_model::plan::{Action, ChangeTables, ObjectRef, Precondition, StepKind, WaitLeasesGone, WaitReleased};
use transship_model::{Name, TableName, TimeSpan};
use transship_sql::replication as sql;

use super::context::Context;
use super::health;
use crate::consent::Consents;
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;

/// How long either cluster may take to let go of tables.
pub(super) const RELEASE_TIMEOUT: TimeSpan = TimeSpan::seconds(60);

/// How long the source may take to forget a subscription: longer than a lease has to be without a renewal.
pub(super) const LEASES_TIMEOUT: TimeSpan = TimeSpan::seconds(150);

/// What frees a table that counts as followed although its subscription is gone.
pub const LEFT_FOLLOWED: &str = "a subscription of another user that follows it has to be dropped by that user. If there is surely \
    none, the mark was left behind; to take it off: make an empty publication on the source and a subscription to it on the \
    target, add the table to the publication, wait until it fails with `Relation already exists`, then drop both";

/// A subscription that is to go, and what it follows.
pub(super) struct Takedown<'a> {
    pub(super) input: &'a PlanInput,
    pub(super) source_name: &'a Name,
    pub(super) source: &'a Observed,
    pub(super) target_name: &'a Name,
    pub(super) target: &'a Observed,
    pub(super) publication_name: &'a str,
    pub(super) publication: Option<&'a Publication>,
    pub(super) subscription_name: &'a str,
    pub(super) subscription: &'a Subscription,
    pub(super) consents: &'a Consents<'a>,
    /// Tables that it follows and that are dropped after it without anybody's consent, as long as nothing arrives in them.
    pub(super) halves: BTreeSet<TableName>,
    /// Tables that it is said to copy, of which nothing is there.
    pub(super) not_begun: BTreeSet<TableName>,
    /// Why it goes.
    pub(super) because: &'a str,
}

impl<'a> Takedown<'a> {
    /// That of a flow that stays; `None` without a subscription.
    pub(super) fn of_flow(context: &'a Context<'a>, because: &'a str) -> Option<Self> {
        Some(Self {
            input: context.input,
            source_name: context.source_name,
            source: context.source,
            target_name: context.target_name,
            target: context.target,
            publication_name: &context.publication_name,
            publication: context.publication,
            subscription_name: &context.subscription_name,
            subscription: context.subscription?,
            consents: &context.consents,
            halves: context.followed_halves(),
            not_begun: context.not_begun(),
            because,
        })
    }

    /// The tables that leave the publication before the subscription is dropped: all that exist. None where it no longer
    /// looks at the publication, which the caller may know better (`stopped`), and where strangers may be reading it.
    pub(super) fn withdrawn(&self, stopped: bool) -> BTreeSet<TableName> {
        let Some(publication) = self.publication.filter(|it| !stopped && self.looks_at(it)) else {
            return BTreeSet::new();
        };
        let exist = publication.tables.iter().filter(|table| self.source.tables.contains_key(*table));
        let withdrawn: BTreeSet<TableName> = exist.cloned().collect();
        let follows = withdrawn.iter().any(|table| self.subscription.tables.contains_key(table));
        if follows && self.strangers(&withdrawn).is_empty() { withdrawn } else { BTreeSet::new() }
    }

    /// The names of clusters that follow any of the tables, and for which no flow of this workspace is known.
    fn strangers(&self, tables: &BTreeSet<TableName>) -> BTreeSet<&'a str> {
        let known = |name: &str| {
            let named = self.input.observation.clusters.values().filter(|seen| seen.cluster_name == name);
            let mut rows = named.flat_map(|seen| seen.ledger.rows());
            rows.any(|(_, row)| row.from_id == self.source.id && !row.tables.is_disjoint(tables))
        };
        others(self.source, tables, &self.target.cluster_name).into_iter().filter(|name| !known(name)).collect()
    }

    /// Says who else follows tables of the publication, where it would be emptied for them as well.
    pub(super) fn warn_of_strangers(&self, consequence: &str, draft: &mut FlowDraft) {
        let published = self.publication.map(|publication| publication.tables.clone()).unwrap_or_default();
        let strangers = self.strangers(&published);
        if !strangers.is_empty() {
            let names = strangers.into_iter().collect::<Vec<_>>().join(", ");
            draft.warn(
                "plan::other-subscribers",
                format!("clusters named {names} follow these tables too{consequence}"),
            );
        }
    }

    /// Writes the steps up to the dropped subscription.
    pub(super) fn write(&self, withdrawn: &BTreeSet<TableName>, draft: &mut FlowDraft) {
        if !withdrawn.is_empty() {
            self.withdraw(withdrawn, draft);
            self.wait_released(withdrawn, draft);
        }
        self.drop(withdrawn.is_empty(), draft);
    }

    /// Whether the subscription, as far as its own tables tell, still looks at the publication.
    fn looks_at(&self, publication: &Publication) -> bool {
        let tables = &self.subscription.tables;
        !publication.all_tables
            && self.subscription.publications == [self.publication_name]
            && tables.values().all(|table| table.state != RelationState::Failed)
            && tables.keys().all(|table| publication.tables.contains(table))
    }

    fn subscribed_tables(&self) -> ObjectRef {
        ObjectRef::subscribed_tables(self.target_name, self.subscription_name)
    }

    fn withdraw(&self, withdrawn: &BTreeSet<TableName>, draft: &mut FlowDraft) {
        let before = self.publication.map(|publication| publication.tables.clone()).unwrap_or_default();
        let after = before.difference(withdrawn).cloned().collect();
        let publication = self.publication_name.to_owned();
        let object = ObjectRef::publication(self.source_name, self.publication_name);
        draft.basis.insert(self.subscribed_tables());
        let step = NewStep::new(self.source_name, StepKind::UnpublishTables, self.because)
            .sql(sql::withdraw_tables(self.publication_name, withdrawn))
            .action(Action::ChangeTables(ChangeTables { publication, before, after }))
            .requires(Precondition::Present(object))
            .requires(Precondition::Unchanged(self.subscribed_tables()));
        let step = self.guard_halves(step, draft);
        draft.push(step);
    }

    /// The first step, from which there is no way back, looks once more at what is dropped with nobody's consent, and
    /// whether what was not begun still is not.
    fn guard_halves(&self, step: NewStep, draft: &mut FlowDraft) -> NewStep {
        let absent = self.not_begun.iter().map(|table| ObjectRef::table(self.target_name, table));
        let step = absent.fold(step, |step, table| step.requires(Precondition::Absent(table)));
        let arrivals = self.halves.iter().map(|table| ObjectRef::arrival(self.target_name, table));
        arrivals.fold(step, |step, arrival| {
            draft.basis.insert(arrival.clone());
            step.requires(Precondition::Unchanged(arrival))
        })
    }

    fn wait_released(&self, withdrawn: &BTreeSet<TableName>, draft: &mut FlowDraft) {
        let because = "a partition that arrives while the subscription is dropped would lock its table";
        let wait = WaitReleased {
            subscription: self.subscription_name.to_owned(),
            tables: withdrawn.iter().cloned().collect(),
            timeout: RELEASE_TIMEOUT,
            required: false,
            states: sql::subscribed_tables(),
        };
        draft.push(NewStep::new(self.target_name, StepKind::WaitReleased, because).action(Action::WaitReleased(wait)));
    }

    fn drop(&self, outright: bool, draft: &mut FlowDraft) {
        let full = format!("{}.{}", self.target_name, self.subscription_name);
        let object = ObjectRef::subscription(self.target_name, self.subscription_name);
        draft.basis.insert(object.clone());
        let mut step = NewStep::new(self.target_name, StepKind::DropSubscription, self.because)
            .sql(sql::drop_subscription(self.subscription_name))
            .requires(Precondition::Unchanged(object))
            .drops(self.consents.ask(DropKind::Subscription, full));
        if outright {
            draft.basis.insert(self.subscribed_tables());
            step = step.requires(Precondition::Unchanged(self.subscribed_tables()));
            step = self.guard_halves(step, draft);
        }
        draft.push(step);
    }
}

/// Waits until the source keeps no operations of `tables` for the target; a subscription that comes before collides
/// with what is kept for the old one, which is when the wait is `required`.
pub(super) fn wait_leases_gone(
    (source_name, source): (&Name, &Observed),
    subscriber: &str,
    tables: &BTreeSet<TableName>,
    required: bool,
    because: &str,
    draft: &mut FlowDraft,
) {
    let leased = tables.iter().filter(|table| source.tables.get(*table).is_some_and(|it| is_leased(it, subscriber)));
    let leased: Vec<TableName> = leased.cloned().collect();
    if leased.is_empty() {
        return;
    }
    let wait = WaitLeasesGone {
        subscriber: subscriber.to_owned(),
        leases: sql::leases(&leased),
        tables: leased,
        timeout: if required { LEASES_TIMEOUT } else { RELEASE_TIMEOUT },
        unused_after: health::UNUSED_AFTER,
        required,
    };
    draft.push(NewStep::new(source_name, StepKind::WaitLeasesGone, because).action(Action::WaitLeasesGone(wait)));
}

/// Whether the source keeps operations of a table for a subscriber.
pub(super) fn is_leased(table: &Table, subscriber: &str) -> bool {
    table.primaries.iter().flat_map(|shard| &shard.leases).any(|lease| lease.subscriber == subscriber)
}

/// The names of other clusters that follow any of the tables.
pub(super) fn others<'a>(source: &'a Observed, tables: &BTreeSet<TableName>, own: &str) -> BTreeSet<&'a str> {
    let tables = tables.iter().filter_map(|table| source.tables.get(table));
    let leases = tables.flat_map(|table| &table.primaries).flat_map(|shard| &shard.leases);
    leases.map(|lease| lease.subscriber.as_str()).filter(|name| *name != own).collect()
}
