//! A flow: tables from one cluster to another by one strategy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::is_default;
use super::column::Cell;
use super::strategy::StrategyChoice;
use super::table::TableEntry;
use crate::consent::AllowDrop;
use crate::name::{Glob, Name};
use crate::time::TimeSpan;

/// Tables that flow from one cluster to another (or to or from a store) by one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Where the tables are: a cluster, or `{ store: NAME }` to import what an export's manifest describes.
    pub from: From,
    /// Where they go: a cluster, a list of clusters (one flow each), or `{ store: NAME }` to export only.
    pub to: To,
    /// Which tables.
    #[schemars(length(min = 1))]
    pub tables: Vec<TableEntry>,
    /// Tables that patterns shall not match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Glob>,
    /// How they get there.
    pub strategy: StrategyChoice,
    /// What `strategy: auto` has to provide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// When the copy is due again: `once` (unless said otherwise), `on-change`, or `{ every: SPAN }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// What happens with target tables that are there already; `error` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
    /// How `existing: replace` puts the copy in place; `swap` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_by: Option<ReplaceBy>,
    /// Settings of tables that are made: `shards`, `replicas`, `refresh_interval` and the other table parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, Cell>,
    /// Whether a table may be replaced by an empty one, or by one with less than half of its rows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_shrink: bool,
    /// Labels, for `--select label:KEY=VALUE`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Name, String>,
    /// Flows that come before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Name>,
    /// `false` leaves the flow as it is: nothing is planned for it, nothing is removed.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// Whether plans that drop anything of this flow are refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prevent_destroy: bool,
    /// Consents to drop things of this flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_drop: Vec<AllowDrop>,
    /// What happens when the source gets a column; `error` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_new_column: Option<OnNewColumn>,
    /// How far a continuous flow may be behind before `drift` reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<TimeSpan>,
    /// Differences that `drift` does not report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignore>,
    /// How long one step of this flow may take; 24h unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
    /// What `apply` compares after a copy; `counts` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Names of things that exist already and are to be taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
}

impl Flow {
    /// What happens with target tables that are there already.
    pub fn existing(&self) -> Existing {
        self.existing.unwrap_or_default()
    }

    /// How long one step may take.
    pub fn timeout(&self) -> TimeSpan {
        self.timeout.unwrap_or(TimeSpan::seconds(24 * 60 * 60))
    }
}

impl Flow {
    /// The stores that it names: as an end, or in its strategy.
    pub fn stores(&self) -> Vec<&Name> {
        let from = match &self.from {
            From::Store(end) => Some(&end.store),
            From::Cluster(_) => None,
        };
        let to = match &self.to {
            To::Store(end) => Some(&end.store),
            To::Cluster(_) | To::Clusters(_) => None,
        };
        let between = match &self.strategy {
            StrategyChoice::Snapshot(snapshot) => Some(&snapshot.store),
            StrategyChoice::ExportImport(settings) => settings.store.as_ref(),
            StrategyChoice::Auto | StrategyChoice::LogicalReplication(_) | StrategyChoice::Custom(_) => None,
        };
        from.into_iter().chain(to).chain(between).collect()
    }
}

/// A store as the end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Store {
    /// The store's name.
    pub store: Name,
}

/// A store as the beginning of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct StoreSource {
    /// The store's name.
    pub store: Name,
    /// Where the export lies below the store, for example `shop-sync/nightly`: the directory of its `manifest.json`, or
    /// of the `latest.json` that names the newest. Not needed where the store has a manifest itself, or one flow exports to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

/// Where a flow's tables are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum From {
    /// On a cluster.
    Cluster(Name),
    /// In a store.
    Store(StoreSource),
}

/// Where a flow's tables go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum To {
    /// To a cluster.
    Cluster(Name),
    /// To several clusters, one flow each.
    Clusters(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<Name>),
    /// To a store.
    Store(Store),
}

/// What `strategy: auto` has to provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Need {
    /// The target follows the source.
    Continuous,
    /// Rows change on the way.
    Transform,
    /// Files that other tools can read.
    OpenFormat,
}

/// When a copy is due again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Repeat {
    /// Never.
    Once,
    /// When the source has changed since the last copy began.
    OnChange,
    /// So long after the last successful run began.
    #[serde(untagged)]
    Every(Every),
}

/// A repetition by time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Every {
    /// The span from the start of the last successful run.
    pub every: TimeSpan,
}

/// What happens with target tables that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Existing {
    /// They are an error.
    #[default]
    Error,
    /// A verified copy takes their place.
    Replace,
    /// Rows are added.
    Append,
    /// Rows are inserted or overwritten by primary key.
    Upsert,
    /// They are left alone.
    Skip,
}

impl Existing {
    /// Every mode, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Error, Self::Replace, Self::Append, Self::Upsert, Self::Skip];

    /// The word that specs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Upsert => "upsert",
            Self::Skip => "skip",
        }
    }
}

/// How a copy is put in the place of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ReplaceBy {
    /// `ALTER CLUSTER SWAP TABLE`: for a moment readers may see errors, too few rows or none.
    #[default]
    Swap,
    /// The name is a view over versioned tables: readers see the old or the new table, never between.
    View,
}

/// What happens when the source gets a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OnNewColumn {
    /// The target gets it too.
    Add,
    /// It is not copied.
    Ignore,
    /// The plan is refused.
    #[default]
    Error,
}

/// A difference that `drift` does not report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// A pattern over the paths that `drift` reports.
    pub path: Glob,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The last day (UTC) on which it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub until: Option<jiff::civil::Date>,
}

/// What `apply` compares after a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Verify {
    /// Nothing.
    Off,
    /// Row counts.
    #[default]
    Counts,
    /// Row counts and checksums.
    Full,
}

/// Names of things that exist already and are to be taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// The publication on the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<String>,
    /// The subscription on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The snapshot repository on both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}
