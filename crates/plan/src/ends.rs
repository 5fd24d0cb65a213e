//! The clusters at both ends of a flow.

use transship_model::observed::Observed;
use transship_model::spec::Instance;
use transship_model::store::StoreLocation;
use transship_model::{Finding, Name, SpecPath};

use crate::input::PlanInput;

/// The cluster at one end, and what was seen of it. `what` needs one there: a strategy.
pub(crate) fn end<'a>(
    input: &'a PlanInput,
    cluster: Option<&'a Name>,
    instance: &Instance<'_>,
    what: &str,
) -> Result<(&'a Name, &'a Observed), Vec<Finding>> {
    let cluster = cluster.ok_or_else(|| {
        let message = format!("{what} goes from a cluster to a cluster, not through a store");
        vec![Finding::error("plan::needs-clusters", message).at(instance.path.clone())]
    })?;
    input.observed(cluster).map(|observed| (cluster, observed)).ok_or_else(|| vec![not_observed(instance, cluster)])
}

/// Nothing was seen of a cluster that the flow needs.
pub(crate) fn not_observed(instance: &Instance<'_>, cluster: &Name) -> Finding {
    Finding::error("plan::not-observed", format!("nothing is known of cluster {cluster}"))
        .at(instance.path.clone())
        .help("the observation was taken for another workspace; take it again with --save-observed")
}

/// Where a store is that a flow names at `path`.
pub(crate) fn store<'a>(input: &'a PlanInput, name: &Name, path: &SpecPath) -> Result<&'a StoreLocation, Finding> {
    input.stores.get(name).ok_or_else(|| {
        Finding::error("plan::store-unknown", format!("where store {name} is could not be told"))
            .at(path.clone())
            .help("give the store what it needs, see `stores` of the spec")
    })
}
