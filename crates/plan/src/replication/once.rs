//! Replication of tables until they are whole: the steps of a flow that follows them for good, and the way back.

use std::collections::BTreeSet;

use transship_model::consent::DropKind;
use transship_model::ledger::Owned;
use transship_model::observed::RelationState;
use transship_model::plan::{Action, ChangeTables, ObjectRef, Precondition, StepKind, WaitLeasesGone, WaitReleased};
use transship_model::spec::{Instance, LogicalReplication};
use transship_model::{Finding, TableName};
use transship_sql::replication as sql;

use super::assess::{self, Assessment, Fate};
use super::context::Context;
use super::takedown::{self, Takedown};
use super::{health, observable, refuse, steps};
use crate::draft::{FlowDraft, NewStep};
use crate::input::PlanInput;

/// A flow that follows tables until they are whole.
pub(crate) struct Once<'a> {
    context: Context<'a>,
    /// Tables on the target that the flow filled in part.
    half: BTreeSet<TableName>,
}

impl<'a> Once<'a> {
    /// What is declared and seen of it, with the tables that are to be `filled`, by the names that they have on the source,
    /// and those that are known to be `half` copies of earlier runs.
    pub(crate) fn gather(
        input: &'a PlanInput,
        instance: &'a Instance<'a>,
        settings: &'a LogicalReplication,
        filled: &BTreeSet<TableName>,
        half: &BTreeSet<TableName>,
    ) -> Result<Self, Vec<Finding>> {
        let mut context = Context::gather(input, instance, settings)?;
        context.chosen.retain(|table, _| filled.contains(table));
        let full = |table| (DropKind::Table, format!("{}.{table}", context.target_name));
        let arriving = half.iter().map(full).collect();
        context.consents = context.consents.detaching().arriving(arriving);
        context.made.clone_from(half);
        context.once = true;
        Ok(Self { context, half: half.clone() })
    }

    /// Why the connected users cannot judge the flow.
    pub(crate) fn observable(&self) -> Result<(), String> {
        observable::check(&self.context)
    }

    /// The publication and the subscription, as the ledger has them.
    pub(crate) fn owned(&self) -> (Owned, Owned) {
        let context = &self.context;
        let owned = |name: &str, owner: &str| Owned { name: name.to_owned(), owner: owner.to_owned() };
        (
            owned(&context.publication_name, &context.source.user),
            owned(&context.subscription_name, &context.target.user),
        )
    }

    /// The name of the subscription.
    pub(crate) fn subscription(&self) -> &str {
        &self.context.subscription_name
    }

    /// The tables that the flow's own subscription follows.
    pub(crate) fn followed(&self) -> BTreeSet<TableName> {
        self.context.subscription.into_iter().flat_map(|is| is.tables.keys().cloned()).collect()
    }

    /// Objects of the flow's names that are there.
    pub(crate) fn objects(&self) -> Vec<String> {
        let publication = self.context.publication.map(|_| format!("publication {}", self.context.publication_full()));
        let subscription =
            self.context.subscription.map(|_| format!("subscription {}", self.context.subscription_full()));
        publication.into_iter().chain(subscription).collect()
    }

    /// What forbids to fill the tables.
    pub(crate) fn refuse(&self) -> Vec<Finding> {
        let found = self.assess();
        refuse::check(&self.context, &found).err().unwrap_or_default()
    }

    /// Fills the tables, up to the wait until they have what the source has; returns whether there are any.
    pub(crate) fn fill(&self, because: &str, draft: &mut FlowDraft) -> bool {
        let (context, found) = (&self.context, self.assess());
        if context.chosen.is_empty() {
            return false;
        }
        if found.subscription == Fate::Remake {
            let why = found.differences.first().map_or(because, String::as_str);
            steps::take_down(context, &found, why, draft);
        }
        self.drop_half(&found, draft);
        if found.subscribes() {
            steps::wait_leases_gone(context, &found, draft);
        }
        steps::publication(context, &found, because, draft);
        if found.subscribes() {
            steps::create_subscription(context, &found, draft);
        }
        steps::wait_synced(context, &found, because, draft);
        steps::basis(context, &found, draft);
        true
    }

    /// Lets go of the tables that this plan has filled: they leave the publication, then subscription and publication go.
    pub(crate) fn let_go(&self, draft: &mut FlowDraft) {
        let context = &self.context;
        let tables = context.desired();
        let because = "everything has arrived, and the ledger says so";
        let (source, target) = (context.source_name, context.target_name);
        let publication = ObjectRef::publication(source, &context.publication_name);
        let subscription = ObjectRef::subscription(target, &context.subscription_name);
        let change = ChangeTables {
            publication: context.publication_name.clone(),
            before: tables.clone(),
            after: BTreeSet::new(),
        };
        draft.push(
            NewStep::new(source, StepKind::UnpublishTables, because)
                .sql(sql::withdraw_tables(&context.publication_name, &tables))
                .action(Action::ChangeTables(change))
                .requires(Precondition::Present(publication.clone())),
        );
        self.wait_released(&tables, draft);
        draft.push(
            NewStep::new(target, StepKind::DropSubscription, because)
                .sql(sql::drop_subscription(&context.subscription_name))
                .requires(Precondition::Present(subscription))
                .drops(context.consents.ask(DropKind::Subscription, context.subscription_full())),
        );
        draft.push(
            NewStep::new(source, StepKind::DropPublication, because)
                .sql(sql::drop_publication(&context.publication_name))
                .requires(Precondition::Present(publication))
                .drops(context.consents.ask(DropKind::Publication, context.publication_full())),
        );
        self.wait_leases_gone(&tables, draft);
    }

    /// Takes down what earlier runs left: the subscription, the publication, and half copies that nobody fills any more.
    pub(crate) fn clear(&self, because: &str, draft: &mut FlowDraft) {
        let context = &self.context;
        let mut found = Assessment::default();
        if let Some(takedown) = Takedown::of_flow(context, because) {
            found.withdrawn = takedown.withdrawn(false);
            if self.is_letting_go() {
                self.drop_once_released(because, draft);
            } else {
                takedown.write(&found.withdrawn, draft);
            }
        }
        self.drop_half(&found, draft);
        if context.publication.is_some() {
            self.drop_publication(because, draft);
        }
        let followed = self.followed();
        if !followed.is_empty() {
            self.wait_leases_gone(&followed, draft);
        }
    }

    /// Whether the tables have left the publication already, and the subscription is about to see that: its tables may
    /// be others by the time that it is dropped.
    fn is_letting_go(&self) -> bool {
        let Some((publication, subscription)) = self.context.publication.zip(self.context.subscription) else {
            return false;
        };
        let failed = subscription.tables.values().any(|table| table.state == RelationState::Failed);
        let published = subscription.tables.keys().any(|table| publication.tables.contains(table));
        !publication.all_tables && !subscription.tables.is_empty() && !failed && !published
    }

    fn drop_once_released(&self, because: &str, draft: &mut FlowDraft) {
        let context = &self.context;
        self.wait_released(&self.followed(), draft);
        let object = ObjectRef::subscription(context.target_name, &context.subscription_name);
        draft.basis.insert(object.clone());
        draft.push(
            NewStep::new(context.target_name, StepKind::DropSubscription, because)
                .sql(sql::drop_subscription(&context.subscription_name))
                .requires(Precondition::Unchanged(object))
                .drops(context.consents.ask(DropKind::Subscription, context.subscription_full())),
        );
    }

    /// Half copies cannot be followed again, and whoever finds them takes them for whole. Those that the subscription
    /// goes on filling stay.
    fn drop_half(&self, found: &Assessment, draft: &mut FlowDraft) {
        let stays = |table: &&TableName| {
            self.context.chosen.contains_key(*table) && self.context.is_followed(table) && !found.subscribes()
        };
        let there = self.half.iter().filter(|table| self.context.target.tables.contains_key(*table));
        for table in there.filter(|table| !stays(table)) {
            steps::drop_table(&self.context, table, found, draft);
        }
    }

    fn drop_publication(&self, because: &str, draft: &mut FlowDraft) {
        let context = &self.context;
        let object = ObjectRef::publication(context.source_name, &context.publication_name);
        draft
            .basis
            .extend([object.clone(), ObjectRef::published_tables(context.source_name, &context.publication_name)]);
        draft.push(
            NewStep::new(context.source_name, StepKind::DropPublication, because)
                .sql(sql::drop_publication(&context.publication_name))
                .requires(Precondition::Unchanged(object))
                .drops(context.consents.ask(DropKind::Publication, context.publication_full())),
        );
    }

    fn wait_released(&self, tables: &BTreeSet<TableName>, draft: &mut FlowDraft) {
        let because = "a partition that arrives while the subscription is dropped would lock its table";
        let wait = WaitReleased {
            subscription: self.context.subscription_name.clone(),
            tables: tables.iter().cloned().collect(),
            timeout: takedown::RELEASE_TIMEOUT,
            required: false,
            states: sql::subscribed_tables(),
        };
        let step = NewStep::new(self.context.target_name, StepKind::WaitReleased, because);
        draft.push(step.action(Action::WaitReleased(wait)));
    }

    fn wait_leases_gone(&self, tables: &BTreeSet<TableName>, draft: &mut FlowDraft) {
        let tables: Vec<TableName> = tables.iter().cloned().collect();
        let wait = WaitLeasesGone {
            subscriber: self.context.target.cluster_name.clone(),
            leases: sql::leases(&tables),
            tables,
            timeout: takedown::RELEASE_TIMEOUT,
            unused_after: health::UNUSED_AFTER,
            required: false,
        };
        let because = "the source keeps operations until it knows that the subscription is gone";
        let step = NewStep::new(self.context.source_name, StepKind::WaitLeasesGone, because);
        draft.push(step.action(Action::WaitLeasesGone(wait)));
    }

    /// What has to be done. Everything is waited for: what says that it is in sync may have been so hours ago.
    fn assess(&self) -> Assessment {
        let mut found = assess::assess(&self.context);
        found.sync = self.context.desired();
        found
    }
}
