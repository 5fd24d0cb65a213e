//! Turns references into values, and clusters into what a connection needs.

mod access;
mod read;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::env::VarError;

use secrecy::SecretString;
use transship_model::access::Access;
use transship_model::redact::Redactor;
use transship_model::spec::{Flow, Secret, Store, Text};
use transship_model::store::StoreAccess;
use transship_model::{Finding, Name, SpecPath};

use crate::{LoadOptions, Loaded};
use access::Resolver;

/// Where environment variables come from.
pub trait Variables {
    /// The value of the variable `name`.
    fn get(&self, name: &str) -> Result<String, VarError>;
}

/// The variables of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessVariables;

impl Variables for ProcessVariables {
    fn get(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }
}

impl Variables for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Result<String, VarError> {
        Self::get(self, name).cloned().ok_or(VarError::NotPresent)
    }
}

/// What the references of a workspace stand for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// How each cluster is reached.
    pub access: BTreeMap<Name, Access>,
    /// How each store is reached: those that a flow in use names, and every other that could be resolved.
    pub stores: BTreeMap<Name, StoreAccess>,
    /// The keys of masks that could be resolved.
    pub keys: BTreeMap<Secret, SecretString>,
    /// Knows every secret that could be resolved, also those that no cluster needs.
    pub redactor: Redactor,
    /// What is odd, but no error.
    pub warnings: Vec<Finding>,
}

/// Resolves the references of every cluster, and of every store that a flow names which is not disabled. Everything
/// that is missing is reported, each with its place.
///
/// Those of other stores and of masks are not demanded; the secrets that can be resolved are known to the redactor.
pub fn resolve(loaded: &Loaded, options: &LoadOptions, environment: &dyn Variables) -> Result<Resolved, Vec<Finding>> {
    let mut resolver = Resolver::new(options, environment);
    let access: BTreeMap<Name, Access> = (loaded.spec.clusters.iter())
        .filter_map(|(name, cluster)| Some((name.clone(), resolver.cluster(name, cluster)?)))
        .collect();
    let used = used_stores(loaded);
    let stores: BTreeMap<Name, StoreAccess> = (loaded.spec.stores.iter())
        .filter_map(|(name, store)| {
            let found = if used.contains(name) {
                resolver.store(name, store)
            } else {
                resolver.attempt(|resolver| resolver.store(name, store))
            };
            Some((name.clone(), found?))
        })
        .collect();
    let keys = resolver.keys(keys_of_masks(loaded));
    resolver.learn(&further_secrets(loaded));
    resolver.finish(access, stores, keys)
}

/// Resolves one secret, which stands at `path`.
pub fn resolve_secret(
    secret: &Secret,
    path: &SpecPath,
    options: &LoadOptions,
    environment: &dyn Variables,
) -> Result<SecretString, Finding> {
    read::secret(secret, path, options, environment)
}

/// Resolves one text, which stands at `path`.
pub fn resolve_text(
    text: &Text,
    path: &SpecPath,
    options: &LoadOptions,
    environment: &dyn Variables,
) -> Result<String, Finding> {
    read::text(text, path, options, environment)
}

/// The stores that flows name which are not disabled.
fn used_stores(loaded: &Loaded) -> BTreeSet<&Name> {
    let flows = loaded.spec.flows.values().filter(|flow| flow.enabled);
    flows.flat_map(Flow::stores).collect()
}

/// The secrets of a workspace that are not part of a cluster.
fn further_secrets(loaded: &Loaded) -> Vec<&Secret> {
    let stores = loaded.spec.stores.values().flat_map(Store::secrets);
    stores.chain(&loaded.spec.fingerprint_key).chain(keys_of_masks(loaded)).collect()
}

fn keys_of_masks(loaded: &Loaded) -> impl Iterator<Item = &Secret> {
    use transship_model::spec::{ColumnRule, Columns, TableEntry};
    let tables = loaded.spec.flows.values().flat_map(|flow| &flow.tables);
    let rules = tables.filter_map(|entry| match entry {
        TableEntry::Table(table) => match &table.columns {
            Some(Columns::Rules(rules)) => Some(rules.values()),
            _ => None,
        },
        TableEntry::Pattern(_) => None,
    });
    rules.flatten().filter_map(|rule| match rule {
        ColumnRule::Rule(rule) => rule.mask.as_ref().map(|mask| &mask.hmac),
        ColumnRule::Sql(_) => None,
    })
}
