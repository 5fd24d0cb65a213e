//! Version 1 of the spec language: what a workspace declares, as it is written, after merging and checking.
//!
//! These types are also the source of `schemas/workspace.json`; their comments are what editors show.

mod cluster;
mod column;
mod flow;
pub mod matrix;
mod reference;
mod store;
mod strategy;
mod table;
mod usage;
pub mod way;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cluster::{Cluster, Limits, Subscriber, TlsMode};
pub use column::{
    Cell, ColumnRule, Columns, Hash, Lookup, LookupFile, LookupTable, Mask, Partial, Redact, Rule, TruncateTo,
};
pub use flow::Flow;
pub use flow::{
    Every, Existing, From, Ignore, Names, Need, OnNewColumn, Repeat, ReplaceBy, Store as StoreEnd, StoreSource, To,
    Verify,
};
pub use reference::{EnvReference, FileReference, Secret, Text};
pub use store::{AzureStore, DirectoryStore, GcsStore, Protocol, S3Store, Store, UrlStore};
pub use strategy::{
    Compression, Custom, Engine, ExportImport, Format, LogicalReplication, ReplicationMode, Snapshot, Strategy,
    StrategyChoice, Then,
};
pub use table::{Table, TableEntry};
pub use usage::StoreUse;

use crate::consent::AllowDrop;
use crate::name::{FlowId, Name};
use crate::span::SpecPath;

/// The version of the spec language that this transship reads.
pub const SPEC_VERSION: u32 = 1;

/// One file of a workspace, or all of them merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transship workspace, version 1")]
pub struct Workspace {
    /// The version of the spec language; stands in every file.
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// The name of the workspace; stands in exactly one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Name>,
    /// The CrateDB clusters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<Name, Cluster>,
    /// Buckets and shared directories that clusters reach.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<Name, Store>,
    /// Tables that flow from one cluster to another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flows: BTreeMap<Name, Flow>,
    /// Consents to drop things, also of flows that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_drop: Vec<AllowDrop>,
    /// The key under which the ledger keeps keyed hashes of secrets, to notice rotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_key: Option<Secret>,
}

/// A whole, checked workspace in one environment. Holds references to secrets, never secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The workspace's name.
    pub workspace: Name,
    /// The environment, where the workspace has environments.
    pub environment: Option<Name>,
    /// The clusters by name.
    pub clusters: BTreeMap<Name, Cluster>,
    /// The stores by name.
    pub stores: BTreeMap<Name, Store>,
    /// The flows by name, disabled ones included.
    pub flows: BTreeMap<Name, Flow>,
    /// Consents of the whole workspace.
    pub allow_drop: Vec<AllowDrop>,
    /// The key for keyed hashes of secrets.
    pub fingerprint_key: Option<Secret>,
}

/// One flow towards one target: the unit that plans, ledgers and reports speak of.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance<'a> {
    /// Its id.
    pub id: FlowId,
    /// Where it stands in the spec: `flows.NAME`.
    pub path: SpecPath,
    /// Where the target stands in the spec: `flows.NAME.to`, or an item of it.
    pub to_path: SpecPath,
    /// What is declared.
    pub flow: &'a Flow,
    /// The source cluster; `None` where the flow reads from a store.
    pub from: Option<&'a Name>,
    /// The target cluster; `None` where the flow writes to a store.
    pub to: Option<&'a Name>,
}

impl<'a> Instance<'a> {
    /// The cluster whose ledger knows the flow: the target, or the source where the flow ends in a store.
    pub fn home(&self) -> Option<&'a Name> {
        self.to.or(self.from)
    }
}

impl Spec {
    /// Every flow towards every target, in the order of their ids.
    pub fn instances(&self) -> Vec<Instance<'_>> {
        let mut all: Vec<_> = self.flows.iter().flat_map(|(name, flow)| instances_of(name, flow)).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

fn instances_of<'a>(name: &'a Name, flow: &'a Flow) -> Vec<Instance<'a>> {
    let path = SpecPath::of("flows", name);
    let from = match &flow.from {
        From::Cluster(cluster) => Some(cluster),
        From::Store(_) => None,
    };
    let one = |target: Option<&'a Name>, to: Option<&'a Name>, to_path| Instance {
        id: FlowId { flow: name.clone(), target: target.cloned() },
        path: path.clone(),
        to_path,
        flow,
        from,
        to,
    };
    match &flow.to {
        To::Cluster(to) => vec![one(None, Some(to), path.key("to"))],
        To::Store(_) => vec![one(None, None, path.key("to"))],
        To::Clusters(list) => {
            list.iter().enumerate().map(|(i, to)| one(Some(to), Some(to), path.key("to").item(i))).collect()
        }
    }
}
