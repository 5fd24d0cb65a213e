//! The plan: plain data, complete, and exactly what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::consent::{AllowDrop, DropKind};
use crate::ledger::FlowRow;
use crate::name::{FlowId, Glob, Name, TableName};
use crate::span::Place;
use crate::time::TimeSpan;
use crate::version::Version;

/// The format of a saved [`Plan`].
pub const PLAN_FORMAT: u32 = 1;

/// Everything that one apply does, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship plan, format 1")]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format_version: u32,
    /// The version of transship that made it.
    pub tool_version: String,
    /// The workspace.
    #[schemars(with = "String")]
    pub workspace: Name,
    /// The environment.
    #[schemars(with = "Option<String>")]
    pub env: Option<Name>,
    /// The files it was made from.
    pub spec: SpecFiles,
    /// What the command line said; not part of the digest, which is of what came of it.
    pub options: PlanOptions,
    /// Whether flows were left out by `--target` or `--exclude`; a partial plan removes nothing for being absent.
    pub partial: bool,
    /// SHA-256 in hexadecimal over everything but estimates, times, the tool's version, `spec` and `due`.
    pub digest: String,
    /// The clusters by their name in the spec.
    #[schemars(with = "BTreeMap<String, PlannedCluster>")]
    pub clusters: BTreeMap<Name, PlannedCluster>,
    /// The facts that the plan relies on.
    pub basis: Vec<Basis>,
    /// The ledger rows that the run writes: before the first step of a flow, and when its last step has succeeded.
    pub records: Vec<Record>,
    /// What is done, each step after those it depends on.
    pub steps: Vec<Step>,
    /// Why the plan may not be applied as it is.
    pub blocked: Vec<Blocked>,
    /// Steps of work that merely fell due, by flow.
    #[schemars(with = "BTreeMap<String, Vec<Step>>")]
    pub due: BTreeMap<FlowId, Vec<Step>>,
    /// What could not be judged: flows that stand here are neither planned nor clean.
    pub unseen: Vec<Note>,
    /// What a reviewer should know.
    pub warnings: Vec<Note>,
}

impl Plan {
    /// Whether applying it would do nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.due.is_empty()
    }

    /// Every step, those that fell due included, in order.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(self.due.values().flatten())
    }

    /// The steps that drop something or overwrite what was there.
    pub fn destructive(&self) -> impl Iterator<Item = &Step> {
        self.all_steps().filter(|step| step.destructive)
    }
}

/// What the command line says about a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanOptions {
    /// Only flows whose id or name matches one of these; empty for all.
    pub targets: Vec<Glob>,
    /// No flow whose id or name matches one of these.
    pub exclude: Vec<Glob>,
    /// Flows that are done again from scratch.
    #[schemars(with = "Vec<String>")]
    pub resync: Vec<FlowId>,
    /// Consents to drop.
    pub allow_drop: Vec<AllowDrop>,
}

impl PlanOptions {
    /// Whether the plan covers every flow, so that absence from the spec means removal.
    pub fn is_full(&self) -> bool {
        self.targets.is_empty() && self.exclude.is_empty()
    }

    /// Whether the flow is chosen.
    pub fn selects(&self, flow: &FlowId) -> bool {
        let matches = |globs: &[Glob]| {
            globs.iter().any(|glob| glob.matches(&flow.to_string()) || glob.matches(flow.flow.as_str()))
        };
        (self.targets.is_empty() || matches(&self.targets)) && !matches(&self.exclude)
    }
}

/// The files that a plan was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecFiles {
    /// The workspace's directory as it was given.
    pub path: String,
    /// File name to SHA-256 in hexadecimal.
    pub files: BTreeMap<String, String>,
}

/// A cluster that a plan touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedCluster {
    /// `sys.cluster.id`.
    pub id: String,
    /// The lowest version among its nodes.
    pub version: Version,
}

/// An object that a plan relies on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// The cluster's name in the spec.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// What kind of object.
    pub kind: ObjectKind,
    /// Its name: `schema.table` for a table, empty for the cluster itself.
    pub name: String,
}

impl ObjectRef {
    /// The table `name` of `cluster`.
    pub fn table(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Table, name: name.to_string() }
    }

    /// The publication `name` of `cluster`.
    pub fn publication(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Publication, name: name.to_owned() }
    }

    /// The subscription `name` of `cluster`.
    pub fn subscription(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Subscription, name: name.to_owned() }
    }

    /// The cluster itself.
    pub fn cluster(cluster: &Name) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Cluster, name: String::new() }
    }

    /// The indices of the table `name` of `cluster`.
    pub fn indices(cluster: &Name, name: &TableName) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Indices, name: name.to_string() }
    }

    /// The row of `flow` in the ledger on `cluster`.
    pub fn flow(cluster: &Name, flow: &FlowId) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Flow, name: flow.to_string() }
    }

    /// The tables of the subscription `name` of `cluster`.
    pub fn subscribed_tables(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::SubscribedTables, name: name.to_owned() }
    }

    /// The tables of the publication `name` of `cluster`.
    pub fn published_tables(cluster: &Name, name: &str) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::PublishedTables, name: name.to_owned() }
    }

    /// The ledger on `cluster`.
    pub fn ledger(cluster: &Name) -> Self {
        Self { cluster: cluster.clone(), kind: ObjectKind::Ledger, name: String::new() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ObjectKind::Cluster => write!(f, "cluster {}", self.cluster),
            ObjectKind::Ledger => write!(f, "ledger on {}", self.cluster),
            ObjectKind::Table => write!(f, "table {}.{}", self.cluster, self.name),
            ObjectKind::Indices => write!(f, "indices of table {}.{}", self.cluster, self.name),
            ObjectKind::Publication => write!(f, "publication {}.{}", self.cluster, self.name),
            ObjectKind::Subscription => write!(f, "subscription {}.{}", self.cluster, self.name),
            ObjectKind::PublishedTables => write!(f, "tables of publication {}.{}", self.cluster, self.name),
            ObjectKind::SubscribedTables => write!(f, "tables of subscription {}.{}", self.cluster, self.name),
            ObjectKind::Flow => write!(f, "row of flow {} in the ledger on {}", self.name, self.cluster),
        }
    }
}

/// A kind of object that a plan can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// The cluster's identity, user and version.
    Cluster,
    /// The ledger's tables and format.
    Ledger,
    /// A table's existence, identity and definition.
    Table,
    /// The identities of all indices of a table: one for each partition, and others when it was made again. Relied on
    /// where the table is to be dropped, so that whatever was written into new partitions meanwhile is not.
    Indices,
    /// A publication's existence, and whether it is FOR ALL TABLES.
    Publication,
    /// The tables of a publication.
    PublishedTables,
    /// A subscription's existence, connection and publications.
    Subscription,
    /// The tables that a subscription follows, and which of them have failed.
    SubscribedTables,
    /// Which run wrote the ledger's row of a flow last: a plan that was used, or overtaken by another, is stale.
    Flow,
}

/// A fact that a plan relies on: identity and definition, never rows, sizes or sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The object.
    pub object: ObjectRef,
    /// SHA-256 in hexadecimal of what matters of it, or `absent`.
    pub fingerprint: String,
}

/// A ledger row that a run writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// The cluster whose ledger has the row.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// The row as it is written before the flow's first step.
    pub row: FlowRow,
    /// What becomes of it when the flow's last step has succeeded.
    pub then: Afterwards,
}

/// What becomes of a ledger row when the last step of its flow has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Afterwards {
    /// Its state becomes `done`.
    Done,
    /// It is deleted: the flow is gone.
    Forget,
}

/// The id of a step: `orders-live/02-create-subscription`. Derived, never random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that is done on one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The flow it belongs to; `None` for the ledger.
    #[schemars(with = "Option<String>")]
    pub flow: Option<FlowId>,
    /// The cluster it changes (or, for a wait, looks at).
    #[schemars(with = "String")]
    pub cluster: Name,
    /// What is done.
    pub kind: StepKind,
    /// The exact statements that run, in order.
    pub sql: Vec<String>,
    /// The values of `$1`, `$2` … of a single statement, as references.
    pub params: Vec<Param>,
    /// What is done beyond statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What has to hold just before.
    pub preconditions: Vec<Precondition>,
    /// Why.
    pub because: String,
    /// Where in the spec it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// The steps that have to succeed before.
    pub depends_on: Vec<StepId>,
    /// Whether it drops something or overwrites what was there.
    pub destructive: bool,
    /// What permits it, where it needs a permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// How much it moves, as far as it is known; not part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Makes the ledger's tables.
    CreateLedger,
    /// Writes the flow's ledger row and nothing else: for objects that exist already, or are gone already.
    RecordFlow,
    /// Makes an empty publication.
    CreatePublication,
    /// Adds tables to a publication.
    PublishTables,
    /// Sets the tables of a publication, so that it loses some. By name alone a table that no longer exists could not
    /// be taken out.
    UnpublishTables,
    /// Waits until the target no longer follows tables that were taken out.
    WaitReleased,
    /// Makes a subscription.
    CreateSubscription,
    /// Waits until the target has what the source had when the wait began.
    WaitSynced,
    /// Drops a subscription; its tables stay, writable.
    DropSubscription,
    /// Waits until the source no longer keeps operations for a dropped subscription.
    WaitLeasesGone,
    /// Drops a publication.
    DropPublication,
    /// Drops a table.
    DropTable,
}

impl StepKind {
    /// Whether it takes something down, or waits for what was taken down to be gone.
    pub const fn takes_down(self) -> bool {
        matches!(
            self,
            Self::UnpublishTables
                | Self::WaitReleased
                | Self::DropSubscription
                | Self::WaitLeasesGone
                | Self::DropTable
                | Self::DropPublication
        )
    }

    /// The word that ids and views use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateLedger => "create-ledger",
            Self::RecordFlow => "record-flow",
            Self::CreatePublication => "create-publication",
            Self::PublishTables => "publish-tables",
            Self::UnpublishTables => "unpublish-tables",
            Self::WaitReleased => "wait-released",
            Self::CreateSubscription => "create-subscription",
            Self::WaitSynced => "wait-synced",
            Self::DropSubscription => "drop-subscription",
            Self::WaitLeasesGone => "wait-leases-gone",
            Self::DropPublication => "drop-publication",
            Self::DropTable => "drop-table",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that is bound when the statement runs: never in the plan, only named by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// What it is made from.
    #[serde(rename = "ref")]
    pub reference: ParamRef,
    /// The value with every secret masked, for reviewers; apply refuses to run when it would mask differently.
    pub shown: String,
}

/// What a bound value is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ParamRef {
    /// The connection string by which `cluster` is subscribed to.
    SubscriptionConnection {
        /// The publishing cluster's name in the spec.
        #[schemars(with = "String")]
        cluster: Name,
        /// How it is reached.
        mode: crate::spec::ReplicationMode,
    },
}

/// What a step does beyond its `sql`, with every statement that it will send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Nothing but what the plan's record says.
    Record,
    /// What the statement does to the tables of a publication.
    ChangeTables(ChangeTables),
    /// The table that the statement drops.
    DropTable(DroppedTable),
    /// Polls until every table is followed and has reached the source's mark, then refreshes.
    WaitSynced(WaitSynced),
    /// Polls until the subscription no longer has the tables.
    WaitReleased(WaitReleased),
    /// Polls until the source has no lease of the subscriber on the tables.
    WaitLeasesGone(WaitLeasesGone),
}

/// The table of [`StepKind::DropTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DroppedTable {
    /// Its name on the step's cluster.
    #[schemars(with = "String")]
    pub table: TableName,
    /// Its definition as SHOW CREATE TABLE told it: for reviewers, and for who wants it back. `None` where it was not read.
    pub definition: Option<String>,
}

/// The tables of a publication around [`StepKind::PublishTables`] or [`StepKind::UnpublishTables`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTables {
    /// The publication on the step's cluster.
    pub publication: String,
    /// Its tables before the step.
    #[schemars(with = "BTreeSet<String>")]
    pub before: BTreeSet<TableName>,
    /// Its tables after the step.
    #[schemars(with = "BTreeSet<String>")]
    pub after: BTreeSet<TableName>,
}

/// The wait of [`StepKind::WaitSynced`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitSynced {
    /// The publishing cluster.
    #[schemars(with = "String")]
    pub source: Name,
    /// The subscription on the step's cluster.
    pub subscription: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// The statement that reads the mark, sent once to the source.
    pub mark: String,
    /// The statement that reads the states of the tables, sent to the target until done.
    pub states: String,
    /// The statement that reads what the target has reached, sent to the target until done.
    pub reached: String,
    /// The statement that makes the rows visible, sent to the target at the end.
    pub refresh: String,
}

/// The wait of [`StepKind::WaitReleased`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitReleased {
    /// The subscription on the step's cluster.
    pub subscription: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// Whether tables that are not let go of are a failure; if not, the subscription is dropped with them.
    pub required: bool,
    /// The statement that reads the states, sent until none of the tables is left.
    pub states: String,
}

/// The wait of [`StepKind::WaitLeasesGone`], on the publishing cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitLeasesGone {
    /// The subscribing cluster's `sys.cluster.name`.
    pub subscriber: String,
    /// The tables.
    #[schemars(with = "Vec<String>")]
    pub tables: Vec<TableName>,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// Whether leases that stay are a failure, because a new subscription would collide with them; if not, they are
    /// reported, and end by themselves.
    pub required: bool,
    /// The statement that reads the leases.
    pub leases: String,
}

/// What has to hold just before a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Precondition {
    /// The object does not exist.
    Absent(ObjectRef),
    /// The object exists.
    Present(ObjectRef),
    /// The object is still the one that was planned with: its fingerprint is the basis'.
    Unchanged(ObjectRef),
    /// The table can be written: it belongs to no subscription.
    Writable(ObjectRef),
}

/// What permits a step that drops or overwrites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// What kind of thing is dropped.
    pub kind: DropKind,
    /// Its full name, as `--allow-drop` patterns match it.
    pub name: String,
    /// Who permitted it; `None` blocks the plan.
    pub given: Option<ConsentBy>,
}

/// Where a consent comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConsentBy {
    /// `--allow-drop` on the command line; the pattern.
    Flag(String),
    /// `allow_drop` in the spec; the pattern.
    Spec(String),
}

/// Why a plan may not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    /// A stable code such as `plan::needs-consent`.
    pub code: String,
    /// The step, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The flow.
    #[schemars(with = "Option<String>")]
    pub flow: Option<FlowId>,
    /// What stands against it.
    pub reason: String,
    /// What would permit it.
    pub help: String,
}

/// Something to know about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// A stable code such as `plan::stays-writable`.
    pub code: String,
    /// The flow it is about.
    #[schemars(with = "Option<String>")]
    pub flow: Option<FlowId>,
    /// The text, one sentence or two.
    pub text: String,
}

/// How much a step moves. Never part of the digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}
