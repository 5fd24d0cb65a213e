//! Plans as the planner makes them, put together by hand.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use transship_model::access::{Access, Endpoint, HostPort};
use transship_model::consent::DropKind;
use transship_model::ledger::{FlowRow, FlowState, Owned};
use transship_model::observed::{OBSERVATION_FORMAT, Observation};
use transship_model::plan::{
    Action, Afterwards, Basis, ChangeTables, Consent, ConsentBy, DroppedTable, ObjectRef, PLAN_FORMAT, Param, ParamRef,
    Plan, PlannedCluster, Precondition, Record, SpecFiles, Step, StepId, StepKind, WaitLeasesGone, WaitReleased,
    WaitSynced,
};
use transship_model::spec::{ReplicationMode, Strategy};
use transship_model::{FlowId, Name, TableName, TimeSpan, Version};
use transship_sql::{connection, ledger, replication, table as table_sql};

use super::world::World;

/// A name.
pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A table of schema `shop`.
pub(crate) fn table(text: &str) -> TableName {
    TableName::new("shop", text)
}

/// The step of `plan` whose id ends with `ending`.
pub(crate) fn step_of<'a>(plan: &'a Plan, ending: &str) -> &'a Step {
    plan.all_steps().find(|step| step.id.0.ends_with(ending)).unwrap()
}

/// The fingerprint of an object of the world.
pub(crate) fn basis(world: &World, object: ObjectRef) -> Basis {
    let none = BTreeSet::new();
    let clusters = world.clusters.keys().map(|cluster| (cluster.clone(), world.observe(cluster, &none))).collect();
    let taken = jiff::Timestamp::UNIX_EPOCH;
    let observation = Observation { format_version: OBSERVATION_FORMAT, taken, clusters, stores: BTreeMap::new() };
    Basis { fingerprint: transship_plan::fingerprint(&observation, &object), object }
}

/// A plan that is being put together for the flows of cluster `a` to cluster `b`.
pub(crate) struct Draft<'a> {
    world: &'a World,
    plan: Plan,
    objects: BTreeSet<ObjectRef>,
}

impl<'a> Draft<'a> {
    /// A plan without steps.
    pub(crate) fn new(world: &'a World) -> Self {
        let clusters = world.clusters.iter().map(|(cluster, found)| {
            (cluster.clone(), PlannedCluster { id: found.id.clone(), version: Version::new(6, 4, 0) })
        });
        let plan = Plan {
            format_version: PLAN_FORMAT,
            tool_version: "0.0.0".to_owned(),
            workspace: name("shop-sync"),
            env: None,
            spec: SpecFiles::default(),
            options: transship_plan::PlanOptions::default(),
            partial: false,
            digest: String::new(),
            clusters: clusters.collect(),
            basis: Vec::new(),
            records: Vec::new(),
            steps: Vec::new(),
            blocked: Vec::new(),
            due: Vec::new(),
            unseen: Vec::new(),
            warnings: Vec::new(),
        };
        Self { world, plan, objects: BTreeSet::new() }
    }

    /// With the ledger of `b`, where the world has none.
    pub(crate) fn ledger(mut self) -> Self {
        if self.world.clusters[&name("b")].ledger.is_empty() {
            let object = ObjectRef::ledger(&name("b"));
            self.push(None, "b", StepKind::CreateLedger, |step| {
                step.sql = ledger::create_tables();
                step.preconditions = vec![Precondition::Absent(object.clone())];
            });
            self.objects.insert(object);
        }
        self
    }

    /// With a new flow of `tables`.
    pub(crate) fn replicate(mut self, flow: &str, tables: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Applying, Afterwards::Done);
        let publication = ObjectRef::publication(&name("a"), flow);
        self.push(Some(flow), "a", StepKind::CreatePublication, |step| {
            step.sql = vec![replication::create_publication(flow)];
            step.preconditions = vec![Precondition::Absent(publication.clone())];
        });
        self.push(Some(flow), "a", StepKind::PublishTables, |step| {
            step.sql = vec![replication::publish_tables(flow, &named(tables))];
            step.action = Some(change_tables(flow, &[], tables));
            step.preconditions = vec![Precondition::Present(publication.clone())];
        });
        self.subscribe(flow, tables);
        self.wait_synced(flow, tables);
        self
    }

    /// With the flow's subscription and tables made again.
    pub(crate) fn resync(mut self, flow: &str, tables: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Applying, Afterwards::Done);
        self.take_down(flow, tables);
        self.wait_leases(flow, tables, true);
        for table in named(tables) {
            self.drop_table(flow, &table);
        }
        self.push(Some(flow), "a", StepKind::PublishTables, |step| {
            step.sql = vec![replication::publish_tables(flow, &named(tables))];
            step.action = Some(change_tables(flow, &[], tables));
        });
        self.subscribe(flow, tables);
        self.wait_synced(flow, tables);
        self
    }

    /// With a wait for a flow whose subscription is there.
    pub(crate) fn follow(mut self, flow: &str, tables: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Applying, Afterwards::Done);
        self.wait_synced(flow, tables);
        self
    }

    /// With `gone` taken out of a flow that keeps `tables`.
    pub(crate) fn unpublish(mut self, flow: &str, tables: &[&str], gone: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Applying, Afterwards::Done);
        self.push(Some(flow), "a", StepKind::UnpublishTables, |step| {
            step.sql = vec![replication::set_published_tables(flow, &named(tables))];
            step.action = Some(change_tables(flow, &[tables, gone].concat(), tables));
            step.preconditions = vec![Precondition::Present(ObjectRef::publication(&name("a"), flow))];
        });
        self.wait_released(flow, gone, true);
        self
    }

    /// With a flow removed.
    pub(crate) fn remove(mut self, flow: &str, tables: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Removing, Afterwards::Forget);
        self.take_down(flow, tables);
        self.wait_leases(flow, tables, false);
        let object = ObjectRef::publication(&name("a"), flow);
        self.push(Some(flow), "a", StepKind::DropPublication, |step| {
            step.sql = vec![replication::drop_publication(flow)];
            step.preconditions = vec![Precondition::Unchanged(object.clone())];
            consent(step, DropKind::Publication, format!("a.{flow}"));
        });
        self.objects.insert(object);
        self
    }

    /// With nothing but the ledger row of a flow.
    pub(crate) fn adopt(mut self, flow: &str, tables: &[&str]) -> Self {
        self.record(flow, tables, FlowState::Applying, Afterwards::Done);
        self.push(Some(flow), "b", StepKind::RecordFlow, |step| step.action = Some(Action::Record));
        self
    }

    /// The plan, read back from its text as every plan is.
    pub(crate) fn build(mut self) -> Plan {
        self.plan.basis = self.objects.iter().map(|object| basis(self.world, object.clone())).collect();
        self.plan.digest = transship_plan::digest(&self.plan);
        let plan = crate::read_plan(&serde_json::to_string(&self.plan).unwrap()).unwrap();
        assert_eq!(transship_plan::audit(&plan), []);
        plan
    }

    fn record(&mut self, flow: &str, tables: &[&str], state: FlowState, then: Afterwards) {
        let owned = || Some(Owned { name: flow.to_owned(), owner: "tool".to_owned() });
        let row = FlowRow {
            state,
            strategy: Strategy::LogicalReplication,
            from: name("a"),
            from_id: "id-a".to_owned(),
            to: name("b"),
            to_id: "id-b".to_owned(),
            publication: owned(),
            subscription: owned(),
            tables: named(tables).into_iter().collect(),
            made: BTreeSet::new(),
            prevent_destroy: false,
            declaration: "d".to_owned(),
            copies: BTreeMap::new(),
            repository: None,
            snapshots: BTreeSet::new(),
            placing: BTreeMap::new(),
            adding: BTreeSet::new(),
            restoring: BTreeMap::new(),
            copying: BTreeMap::new(),
            arriving: BTreeMap::new(),
            detach: None,
            end: None,
            exports: BTreeMap::new(),
            auto: None,
        };
        self.plan.records.push(Record { flow: flow.parse().unwrap(), cluster: name("b"), row, then });
    }

    fn subscribe(&mut self, flow: &str, tables: &[&str]) {
        let target = ObjectRef::subscription(&name("b"), flow);
        let absent = named(tables).into_iter().map(|table| Precondition::Absent(ObjectRef::table(&name("b"), &table)));
        self.push(Some(flow), "b", StepKind::CreateSubscription, |step| {
            step.sql = vec![replication::create_subscription(flow, flow)];
            step.params = vec![Param {
                reference: ParamRef::SubscriptionConnection { cluster: name("a"), mode: ReplicationMode::Tunnel },
                shown: connection::shown(&access()[&name("a")].endpoint, ReplicationMode::Tunnel),
            }];
            step.preconditions = vec![Precondition::Absent(target.clone())];
            step.preconditions.extend(absent);
        });
        self.objects.insert(target);
        self.objects.extend(named(tables).iter().map(|table| ObjectRef::table(&name("b"), table)));
    }

    fn wait_synced(&mut self, flow: &str, tables: &[&str]) {
        let tables = named(tables);
        self.push(Some(flow), "b", StepKind::WaitSynced, |step| {
            step.action = Some(Action::WaitSynced(WaitSynced {
                source: name("a"),
                subscription: flow.to_owned(),
                mark: replication::checkpoints(&tables),
                states: replication::subscribed_tables(),
                reached: replication::checkpoints(&tables),
                refresh: table_sql::refresh(&tables),
                tables,
                timeout: TimeSpan::seconds(3_600),
            }));
        });
    }

    fn wait_released(&mut self, flow: &str, tables: &[&str], required: bool) {
        self.push(Some(flow), "b", StepKind::WaitReleased, |step| {
            step.action = Some(Action::WaitReleased(WaitReleased {
                subscription: flow.to_owned(),
                tables: named(tables),
                timeout: TimeSpan::seconds(60),
                required,
                states: replication::subscribed_tables(),
            }));
        });
    }

    fn wait_leases(&mut self, flow: &str, tables: &[&str], required: bool) {
        let tables = named(tables);
        self.push(Some(flow), "a", StepKind::WaitLeasesGone, |step| {
            step.action = Some(Action::WaitLeasesGone(WaitLeasesGone {
                subscriber: "b".to_owned(),
                leases: replication::leases(&tables),
                tables,
                timeout: TimeSpan::seconds(60),
                unused_after: TimeSpan::seconds(90),
                required,
            }));
        });
    }

    fn take_down(&mut self, flow: &str, tables: &[&str]) {
        self.push(Some(flow), "a", StepKind::UnpublishTables, |step| {
            step.sql = vec![replication::withdraw_tables(flow, &named(tables))];
            step.action = Some(change_tables(flow, tables, &[]));
        });
        self.wait_released(flow, tables, false);
        let object = ObjectRef::subscription(&name("b"), flow);
        self.push(Some(flow), "b", StepKind::DropSubscription, |step| {
            step.sql = vec![replication::drop_subscription(flow)];
            step.preconditions = vec![Precondition::Unchanged(object.clone())];
            consent(step, DropKind::Subscription, format!("b.{flow}"));
        });
        self.objects.insert(object);
    }

    fn drop_table(&mut self, flow: &str, table: &TableName) {
        let (object, indices) = (ObjectRef::table(&name("b"), table), ObjectRef::indices(&name("b"), table));
        self.push(Some(flow), "b", StepKind::DropTable, |step| {
            step.sql = vec![table_sql::drop_table(table)];
            step.action = Some(Action::DropTable(DroppedTable { table: table.clone(), definition: None }));
            step.preconditions = vec![
                Precondition::Unchanged(object.clone()),
                Precondition::Unchanged(indices.clone()),
                Precondition::Writable(object.clone()),
            ];
            consent(step, DropKind::Table, format!("b.{table}"));
        });
        self.objects.extend([object, indices]);
    }

    /// Adds a step after the flow's last one; a flow's first waits for the ledger.
    fn push(&mut self, flow: Option<&str>, cluster: &str, kind: StepKind, fill: impl FnOnce(&mut Step)) {
        let flow: Option<FlowId> = flow.map(|flow| flow.parse().unwrap());
        let owner = flow.as_ref().map_or_else(|| format!("@{cluster}"), ToString::to_string);
        let mut of_flow = self.plan.steps.iter().filter(|step| step.flow == flow);
        let number = of_flow.clone().count() + 1;
        let before = of_flow.next_back().or_else(|| self.plan.steps.iter().find(|step| step.flow.is_none()));
        let mut step = Step {
            id: StepId(format!("{owner}/{number:02}-{kind}")),
            cluster: name(cluster),
            kind,
            sql: Vec::new(),
            params: Vec::new(),
            action: None,
            preconditions: Vec::new(),
            because: "a test wants it".to_owned(),
            at: None,
            depends_on: before.map(|step| step.id.clone()).into_iter().collect(),
            destructive: false,
            consent: None,
            estimate: None,
            flow,
        };
        fill(&mut step);
        self.plan.steps.push(step);
    }
}

fn consent(step: &mut Step, kind: DropKind, name: String) {
    step.destructive = true;
    step.consent = Some(Consent { kind, name, given: Some(ConsentBy::Flag("*".to_owned())) });
}

fn change_tables(publication: &str, before: &[&str], after: &[&str]) -> Action {
    let set = |tables| named(tables).into_iter().collect();
    Action::ChangeTables(ChangeTables { publication: publication.to_owned(), before: set(before), after: set(after) })
}

/// In the order in which the planner names them.
fn named(tables: &[&str]) -> Vec<TableName> {
    let sorted: BTreeSet<TableName> = tables.iter().map(|name| table(name)).collect();
    sorted.into_iter().collect()
}

/// How both clusters are reached; every password is the canary.
pub(crate) fn access() -> BTreeMap<Name, Access> {
    let one = |cluster: &str| {
        let address = HostPort { host: cluster.to_owned(), port: 5432 };
        let endpoint = Endpoint {
            subscriber: "repl".to_owned(),
            subscriber_has_password: true,
            ..Endpoint::plain(address, "tool")
        };
        let password = || Some(SecretString::from("canary&1"));
        let access =
            Access { endpoint, password: password(), subscriber_password: password(), ca: None, cert: None, key: None };
        (name(cluster), access)
    };
    ["a", "b"].map(one).into()
}
