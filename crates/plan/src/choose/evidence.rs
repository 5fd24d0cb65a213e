//! What is known of what no catalog tells: whether the target reaches the source over the network, and whether both see
//! one place in a store. Nothing here is a proof for the copy to come; what has not been seen to work is said to be
//! still to be shown.

use std::collections::BTreeSet;

use transship_model::ledger::{FlowRow, FlowState};
use transship_model::observed::{Observed, Subscription};
use transship_model::spec::way::Way;
use transship_model::spec::{Instance, ReplicationMode, StrategyChoice};
use transship_model::store::StoreLocation;
use transship_model::{FlowId, Name};
use transship_sql::connection;

use super::candidates::Candidate;
use super::instances;
use crate::input::PlanInput;
use crate::{replication, snapshot};

/// How sure something is, and what is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// There is nothing that would have to be shown.
    Needless,
    /// It was seen to work; where.
    Shown(String),
    /// The spec says so, and it is still to be shown.
    Declared(String),
    /// Nobody says so, and it is still to be shown.
    Open(String),
}

impl Evidence {
    /// Whether neither the clusters nor the spec say anything of it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Whether it was seen to work.
    pub(super) const fn is_shown(&self) -> bool {
        matches!(self, Self::Needless | Self::Shown(_))
    }

    /// What is still to be shown.
    pub(super) fn still_to_be_shown(&self) -> Option<&str> {
        match self {
            Self::Declared(what) | Self::Open(what) => Some(what),
            Self::Needless | Self::Shown(_) => None,
        }
    }

    const fn doubt(&self) -> u8 {
        match self {
            Self::Needless => 0,
            Self::Shown(_) => 1,
            Self::Declared(_) => 2,
            Self::Open(_) => 3,
        }
    }
}

/// What is known of what a candidate rests on: the least that is known for any target of the flow.
pub(super) fn of(input: &PlanInput, flow: &Name, candidate: &Candidate) -> Evidence {
    let all = instances(input, flow).into_iter().filter_map(|instance| of_one(input, &instance, candidate));
    all.max_by_key(Evidence::doubt).unwrap_or(Evidence::Needless)
}

fn of_one(input: &PlanInput, instance: &Instance<'_>, candidate: &Candidate) -> Option<Evidence> {
    let (from, to) = (instance.from?, instance.to?);
    let ends = (from, input.observed(from)?, to, input.observed(to)?);
    Some(match (&candidate.strategy, candidate.way) {
        (Some(StrategyChoice::LogicalReplication(settings)), Way::Replication | Way::Detach) => {
            network(input, ends, settings.mode)
        }
        _ => candidate.store().map_or(Evidence::Needless, |name| store(input, ends, name)),
    })
}

/// The source's name and what was seen of it, and the target's.
type Ends<'a> = (&'a Name, &'a Observed, &'a Name, &'a Observed);

fn network(input: &PlanInput, (from, source, to, target): Ends<'_>, mode: ReplicationMode) -> Evidence {
    let Some(endpoint) = input.endpoints.get(from) else { return Evidence::Open(format!("{to} reaches {from}")) };
    let connection = connection::catalog_form(endpoint, mode);
    let follows = |subscription: &Subscription| {
        let asked_for = |table| replication::is_asked_for(source, table, &target.cluster_name);
        subscription.connection == connection && subscription.tables.keys().any(asked_for)
    };
    if let Some((name, _)) = target.subscriptions.iter().find(|(_, is)| follows(is)) {
        return Evidence::Shown(format!("{to} reaches {from}: its subscription {name} asks there for operations"));
    }
    let declared = input.spec.clusters.get(from).map(|cluster| (&cluster.tunnel, &cluster.transport));
    let (address, key, declared) = match mode {
        ReplicationMode::Tunnel => (&endpoint.tunnel, "tunnel", declared.is_some_and(|it| it.0.is_some())),
        ReplicationMode::Sniff => (&endpoint.transport, "transport", declared.is_some_and(|it| it.1.is_some())),
    };
    if declared {
        Evidence::Declared(format!("{to} reaches {from} at {address}, as `{key}` of the cluster says"))
    } else {
        Evidence::Open(format!("{to} reaches {from} at {address} (`{key}` of cluster {from} would say so)"))
    }
}

/// Whether copies have gone from one cluster to the other through the store.
fn store(input: &PlanInput, (from, source, to, target): Ends<'_>, name: &Name) -> Evidence {
    let through = |flow: &FlowId, row: &FlowRow| {
        let exported = row.exports.values().any(|export| export.store == *name && export.whole);
        exported || (!row.copies.is_empty() && snapshot::lies_in(input, &flow.flow, row, name))
    };
    let mut rows = target.ledger.rows().filter(|(_, row)| row.from_id == source.id && row.state == FlowState::Done);
    match rows.find(|(flow, row)| through(flow, row)) {
        Some((flow, _)) => Evidence::Shown(format!("{from} and {to} see one place there: flow {flow} went through it")),
        None => Evidence::Declared(format!("{from} and {to} see one place in store {name}")),
    }
}

/// Whether the nodes may use the directory of a candidate's store: no catalog shows `path.repo`, but a repository that lies
/// there was allowed.
pub(super) fn of_directory(input: &PlanInput, flow: &Name, candidate: &Candidate) -> Evidence {
    let Some(StoreLocation::Directory(directory)) = candidate.store().and_then(|name| input.stores.get(name)) else {
        return Evidence::Needless;
    };
    let all = instances(input, flow);
    let ends: BTreeSet<&Name> = all.iter().flat_map(|instance| [instance.from, instance.to]).flatten().collect();
    let is_used = |name: &&&Name| input.observed(name).is_some_and(|seen| uses(seen, &directory.path));
    let (used, open): (Vec<&Name>, Vec<&Name>) = ends.iter().partition(|name| is_used(name));
    let list = |names: &[&Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    if open.is_empty() {
        return Evidence::Shown(format!("{} have repositories in {}", list(&used), directory.path));
    }
    Evidence::Declared(format!(
        "`path.repo` of the nodes of {} has {}, which no catalog shows",
        list(&open),
        directory.path
    ))
}

/// Whether a repository lies in the directory, or around it.
fn uses(seen: &Observed, directory: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let repositories = seen.repositories.values().filter(|repository| repository.kind == "fs");
    let mut places = repositories.filter_map(|repository| repository.settings.get("location"));
    places.any(|place| within(place, directory) || within(directory, place))
}
