//! Reads the catalogs of a cluster into one [`Observed`].
//!
//! The number of statements is constant. A catalog that may not be read is listed as unseen and
//! leaves its part of the value empty; a cluster whose identity may not be read cannot be observed at all.

mod answers;
mod ledger;
pub(crate) mod objects;
mod repositories;
mod tables;
#[cfg(test)]
mod tests;
mod users;

use std::time::Duration;

use transship_model::ledger::LedgerView;
use transship_model::observed::Observed;
use transship_model::{Name, Version};
use transship_sql::observe as catalog;

use crate::error::{ClusterError, ErrorKind};
use crate::session::Server;
use crate::value::{Rows, ValueError};
use answers::{Answers, Problem};

/// How often is looked at a cluster whose ledger cannot be read: another run may be making it just then.
const LOOKS: usize = 3;

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What `sys.cluster` has for an id before a node has found its cluster.
const NO_IDENTITY: &str = "_na_";

/// Reads everything that a plan for `workspace` and `environment` may need, except definitions.
pub async fn observe(
    server: &dyn Server,
    workspace: &Name,
    environment: Option<&Name>,
) -> Result<Observed, ClusterError> {
    for _ in 1..LOOKS {
        let observed = once(server, workspace, environment).await?;
        // Tables that are made while the catalogs are read look like tables that are hidden.
        if !matches!(observed.ledger, LedgerView::Unreadable(_)) {
            return Ok(observed);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    once(server, workspace, environment).await
}

async fn once(server: &dyn Server, workspace: &Name, environment: Option<&Name>) -> Result<Observed, ClusterError> {
    let mut answers = Answers::ask(server, workspace, environment).await;
    let observed = assemble(&mut answers).map_err(|problem| problem.into_error(server.name()))?;
    if observed.id == NO_IDENTITY {
        let message = "the cluster has no identity yet: its nodes are starting";
        return Err(ClusterError::new(server.name(), ErrorKind::Transient, message));
    }
    Ok(observed)
}

fn assemble(answers: &mut Answers) -> Result<Observed, Problem> {
    let session = answers.required(catalog::SESSION)?;
    let user = session.text(0, "user")?.to_owned();
    let (id, cluster_name) = identity(answers, &user)?;
    let nodes = answers.seen(catalog::NODES)?;
    let (version, newest_version) = versions(nodes.as_ref(), &session)?;
    let users = users::users(answers)?;
    let privileges = users::privileges(answers)?;
    let relations = tables::relations(answers, privileges.as_deref())?;
    let publications = objects::publications(answers)?;
    let subscriptions = objects::subscriptions(answers)?;
    let repositories = repositories::repositories(answers)?;
    let servers = objects::servers(answers)?;
    let ledger = ledger::view(answers, &relations.hidden)?;
    Ok(Observed {
        id,
        cluster_name,
        version,
        newest_version,
        superuser: users.as_ref().map(|users| users.get(&user).is_some_and(|user| user.superuser)),
        user,
        users,
        privileges,
        now: session.time(0, "now")?,
        tables: relations.tables,
        publications,
        subscriptions,
        repositories,
        servers,
        ledger,
        described: std::collections::BTreeMap::new(),
        unseen: answers.unseen(),
    })
}

fn identity(answers: &mut Answers, user: &str) -> Result<(String, String), Problem> {
    let rows = match answers.take(catalog::CLUSTER) {
        Err(error) if error.is_unseen() => return Err(unidentified(error, user).into()),
        answer => answer?,
    };
    Ok((rows.text(0, "id")?.to_owned(), rows.text(0, "name")?.to_owned()))
}

fn unidentified(mut error: ClusterError, user: &str) -> ClusterError {
    error.message = format!(
        "the user \"{user}\" may not read sys.cluster, so the cluster cannot be identified ({})",
        error.message
    );
    error.kind = ErrorKind::MissingPrivilege {
        privilege: Some("DQL".to_owned()),
        on: Some("SCHEMA sys".to_owned()),
        user: user.to_owned(),
    };
    error
}

/// The lowest and the highest version; that of the answering node where the nodes may not be read.
fn versions(nodes: Option<&Rows>, session: &Rows) -> Result<(Version, Version), ValueError> {
    let mut versions = Vec::new();
    if let Some(nodes) = nodes {
        for row in 0..nodes.len() {
            versions.push(version(nodes.text(row, "version")?)?);
        }
    }
    if versions.is_empty() {
        let text = session.text(0, "version")?;
        versions.push(version(text.strip_prefix("CrateDB ").unwrap_or(text).split(' ').next().unwrap_or(text))?);
    }
    let lowest = versions.iter().copied().min().unwrap_or(versions[0]);
    Ok((lowest, versions.iter().copied().max().unwrap_or(lowest)))
}

fn version(text: &str) -> Result<Version, ValueError> {
    text.parse().map_err(|found| ValueError { column: "version".to_owned(), expected: "a version", found })
}
