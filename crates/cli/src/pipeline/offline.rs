//! Planning from a saved observation, without connecting and without secrets.

use std::collections::BTreeSet;
use std::env::VarError;
use std::path::Path;

use transship_model::Finding;
use transship_model::observed::{OBSERVATION_FORMAT, Observation};
use transship_model::spec::{Cluster, EnvReference, Secret, Store};
use transship_plan::PlanOptions;
use transship_spec::{ProcessVariables, Variables};

use super::{Seen, Workspace, observe};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file;
use crate::term::Term;

/// Stands in place of a password that is not there: nobody is asked for one. No text ever holds it.
const NO_SECRET: &str = "\u{1}\u{2}\u{3}";

/// Takes what was seen from `path`, where `--save-observed` saved it.
pub fn saved_observation(
    workspace: Workspace,
    path: &Path,
    options: PlanOptions,
    term: &Term,
) -> Result<Seen, CommandError> {
    let observation = read(path)?;
    let spec = &workspace.loaded.spec;
    let of_clusters = spec.clusters.values().flat_map(secrets_of_cluster);
    let secrets = of_clusters.chain(spec.stores.values().flat_map(Store::secrets)).filter_map(variable).collect();
    let resolved = transship_spec::resolve(&workspace.loaded, &workspace.options, &WithoutSecrets { secrets });
    let resolved = workspace.protect(resolved, term)?;
    let input = observe::input(&workspace, &resolved, observation, options);
    Ok(Seen { workspace, resolved, input })
}

fn read(path: &Path) -> Result<Observation, CommandError> {
    let text = file::read(path)?;
    let observation: Observation = file::parse(path, &text, "an observation", OBSERVATION_FORMAT)?;
    if observation.clusters.is_empty() {
        let finding = Finding::error("cli::observation", format!("{} has no clusters", path.display()));
        return Err(CommandError::new(Exit::Error, finding));
    }
    Ok(observation)
}

/// The variables of this process, and something for every secret that is not set.
struct WithoutSecrets {
    secrets: BTreeSet<String>,
}

impl Variables for WithoutSecrets {
    fn get(&self, name: &str) -> Result<String, VarError> {
        match ProcessVariables.get(name) {
            Err(VarError::NotPresent) if self.secrets.contains(name) => Ok(NO_SECRET.to_owned()),
            other => other,
        }
    }
}

fn secrets_of_cluster(cluster: &Cluster) -> impl Iterator<Item = &Secret> {
    let subscriber = cluster.subscriber.as_ref().and_then(|subscriber| subscriber.password.as_ref());
    cluster.password.iter().chain(subscriber)
}

/// The variable that holds nothing but a secret.
fn variable(secret: &Secret) -> Option<String> {
    match secret {
        Secret::Env(EnvReference { env }) => Some(env.clone()),
        Secret::File(_) => None,
    }
}
