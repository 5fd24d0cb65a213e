//! The snapshots of repositories. Reading them costs a look into the store for each, so only those of repositories that a
//! plan asks for are read.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::Observed;
use transship_sql::snapshot;

use crate::error::ClusterError;
use crate::session::Server;

/// Adds the snapshots of `repositories` to `observed`. A repository that cannot be read shows none, and no error.
pub async fn snapshots(
    server: &dyn Server,
    observed: &mut Observed,
    repositories: &BTreeSet<String>,
) -> Result<(), ClusterError> {
    for name in repositories {
        let Some(repository) = observed.repositories.get_mut(name) else { continue };
        let sql = snapshot::snapshots_of(name);
        let rows = server.query(&sql, &[]).await?;
        let mut found = BTreeMap::new();
        for row in 0..rows.len() {
            let text =
                |column| rows.text(row, column).map_err(|error| ClusterError::answer(server.name(), &sql, &error));
            found.insert(text("name")?.to_owned(), text("state")?.to_owned());
        }
        repository.snapshots = Some(found);
    }
    Ok(())
}
