//! What steps do beyond statements, with every statement that they will send.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{Name, TableName};
use crate::time::TimeSpan;

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
