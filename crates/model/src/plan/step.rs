//! One step: what is done, where, why, and what permits it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, ObjectRef};
use crate::consent::DropKind;
use crate::name::{FlowId, Name};
use crate::span::Place;

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
    /// Waits until other jobs have done flows that come before.
    WaitFlows,
    /// Drops a publication.
    DropPublication,
    /// Drops a table.
    DropTable,
    /// Makes a table; where there is one of the name, the step fails.
    CreateTable,
    /// Copies rows from the source.
    CopyRows,
    /// Makes a foreign server: the source, as the target reaches it.
    CreateServer,
    /// Says as whom the target reads the source.
    CreateUserMapping,
    /// Makes a foreign table through which the target reads one of the source.
    CreateForeignTable,
    /// Has the target read rows from the source.
    PullRows,
    /// Drops a foreign table; no rows go with it.
    DropForeignTable,
    /// Drops what says as whom the target reads the source.
    DropUserMapping,
    /// Drops a foreign server.
    DropServer,
    /// Has an external program fill copies of the flow's tables.
    RunCommand,
    /// Writes the rows of a copy aside into the table that is there.
    MergeRows,
    /// Deletes rows of a table whose key the source no longer has.
    PruneRows,
    /// Writes rows of the source to files in a store.
    ExportRows,
    /// Writes rows of the source to files in a store, from the machine that runs transship.
    WriteFiles,
    /// Reads rows from files in a store.
    ImportRows,
    /// Removes files of earlier exports from a store.
    RemoveFiles,
    /// Reads the files of an export back, and writes down what they are.
    WriteManifest,
    /// Compares the files of an export with what its manifest says of them.
    CheckFiles,
    /// Gives or denies users what they may do with the table that a copy replaces.
    GrantPrivileges,
    /// Gives a table that came as files the settings that the flow asks for.
    AlterTable,
    /// Gives a table another name.
    RenameTable,
    /// Puts a copy in the place of a table, and drops the table.
    SwapTable,
    /// Has a view read from a copy from now on.
    SwitchView,
    /// Renames a table, and makes a view over a copy in its place, with the privileges that the table had.
    ReplaceByView,
    /// Shows that the flow's source and target see the same place in a store, and leaves nothing there.
    CheckStore,
    /// Makes a repository of snapshots.
    CreateRepository,
    /// Drops a repository; its snapshots stay where they lie.
    DropRepository,
    /// Makes a snapshot of exactly the named tables, and sees that it is whole.
    CreateSnapshot,
    /// Restores one table of a snapshot under another name, and sees that all of it is there.
    RestoreTable,
    /// Restores chosen partitions of a table aside, sees that all of them are there, and drops the copy again: what follows
    /// can be restored on this cluster.
    TryRestore,
    /// Restores one partition of a snapshot into a table that has none of its values.
    RestorePartition,
    /// Deletes one partition of a table with its rows, and restores that of a snapshot, or writes that of a copy aside, in
    /// its place.
    ReplacePartition,
    /// Writes the rows of one partition of a copy aside into the table, which has none of its values.
    FillPartition,
    /// Drops a snapshot.
    DropSnapshot,
    /// Compares what a subscription has filled with the source, and writes down that it is whole.
    NoteSynced,
    /// Takes a table that a subscription has let go of for a copy of the flow.
    TakeCopy,
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
            Self::WaitFlows => "wait-flows",
            Self::DropPublication => "drop-publication",
            Self::DropTable => "drop-table",
            Self::CreateTable => "create-table",
            Self::CopyRows => "copy-rows",
            Self::RunCommand => "run-command",
            Self::MergeRows => "merge-rows",
            Self::PruneRows => "prune-rows",
            Self::ExportRows => "export-rows",
            Self::WriteFiles => "write-files",
            Self::ImportRows => "import-rows",
            Self::RemoveFiles => "remove-files",
            Self::WriteManifest => "write-manifest",
            Self::CheckFiles => "check-files",
            Self::GrantPrivileges => "grant-privileges",
            Self::AlterTable => "alter-table",
            Self::RenameTable => "rename-table",
            Self::SwapTable => "swap-table",
            Self::SwitchView => "switch-view",
            Self::ReplaceByView => "replace-by-view",
            Self::CheckStore => "check-store",
            Self::CreateRepository => "create-repository",
            Self::DropRepository => "drop-repository",
            Self::CreateSnapshot => "create-snapshot",
            Self::RestoreTable => "restore-table",
            Self::TryRestore => "try-restore",
            Self::RestorePartition => "restore-partition",
            Self::ReplacePartition => "replace-partition",
            Self::FillPartition => "fill-partition",
            Self::DropSnapshot => "drop-snapshot",
            Self::NoteSynced => "note-synced",
            Self::TakeCopy => "take-copy",
            Self::CreateServer => "create-server",
            Self::CreateUserMapping => "create-user-mapping",
            Self::CreateForeignTable => "create-foreign-table",
            Self::PullRows => "pull-rows",
            Self::DropForeignTable => "drop-foreign-table",
            Self::DropUserMapping => "drop-user-mapping",
            Self::DropServer => "drop-server",
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
    /// The password of [`crate::access::Endpoint::subscriber`] of `cluster`: as whom others connect.
    SubscriberPassword {
        /// The cluster's name in the spec.
        #[schemars(with = "String")]
        cluster: Name,
    },
    /// A secret of a store.
    StoreSecret {
        /// The store's name in the spec.
        #[schemars(with = "String")]
        store: Name,
        /// Which of its secrets.
        secret: crate::store::StoreSecret,
    },
    /// The URI of a place in a store, for COPY TO.
    CopyTo {
        /// The store's name in the spec.
        #[schemars(with = "String")]
        store: Name,
        /// The place, parts joined by `/`.
        path: String,
    },
    /// The URIs of the files that an export of the same plan has written to a place in a store, for COPY FROM.
    CopyFrom {
        /// The store's name in the spec.
        #[schemars(with = "String")]
        store: Name,
        /// The place, parts joined by `/`.
        path: String,
    },
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
    /// `existing: replace` of the flow: to putting a verified copy in place, and to dropping what it replaced.
    Replace,
    /// The name: it is that of a copy that a flow of this workspace made aside.
    Aside,
    /// `keep` of the flow: to dropping the snapshots that it ages out.
    Keep,
    /// `then: detach` of the flow: to dropping its own subscription and publication.
    Detach,
    /// `prune` of the table: to deleting rows of a copy that was made as it is declared now.
    Prune,
    /// The ledger: it is a copy that a run of the flow began and did not finish.
    Arriving,
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
