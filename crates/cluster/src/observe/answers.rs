//! The answers to the statements of an observation, taken one by one, and what could not be seen among them.

use std::collections::BTreeMap;

use transship_model::Name;
use transship_model::observed::Unseen;
use transship_sql::observe as catalog;

use crate::error::{ClusterError, ErrorKind};
use crate::session::Server;
use crate::value::{Bind, Rows, ValueError};

/// The answers by statement.
pub(super) struct Answers {
    answers: BTreeMap<&'static str, Result<Rows, ClusterError>>,
    unseen: Vec<Unseen>,
}

/// Why an observation cannot be made.
pub(super) enum Problem {
    /// The server or the network said no.
    Cluster(ClusterError),
    /// An answer is not what it should be.
    Value(ValueError),
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<ValueError> for Problem {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl Problem {
    /// The problem as an error of `cluster`.
    pub(super) fn into_error(self, cluster: &Name) -> ClusterError {
        match self {
            Self::Cluster(error) => error,
            Self::Value(error) => ClusterError::answer(cluster, "the catalogs", &error),
        }
    }
}

impl Answers {
    /// Sends every statement.
    pub(super) async fn ask(server: &dyn Server, workspace: &Name, environment: Option<&Name>) -> Self {
        let environment = environment.map(Name::as_str).unwrap_or_default();
        let identity = [Bind::Text(workspace.as_str().to_owned()), Bind::Text(environment.to_owned())];
        let mut answers = BTreeMap::new();
        for (_, sql) in catalog::ALL {
            let binds: &[Bind] = if sql.contains("$1") { &identity } else { &[] };
            answers.insert(sql, server.query(sql, binds).await);
        }
        Self { answers, unseen: Vec::new() }
    }

    /// The answer to `sql`, which is one of [`catalog::ALL`]. Every answer is taken once.
    pub(super) fn take(&mut self, sql: &'static str) -> Result<Rows, ClusterError> {
        self.answers.remove(sql).expect("every statement of the list is asked and its answer taken once")
    }

    /// An answer that nobody needs a privilege for, and that has a row.
    pub(super) fn required(&mut self, sql: &'static str) -> Result<Rows, Problem> {
        Ok(self.take(sql)?)
    }

    /// The answer, or `None` where the user may not see it, which is noted.
    pub(super) fn seen(&mut self, sql: &'static str) -> Result<Option<Rows>, Problem> {
        match self.take(sql) {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if error.is_unseen() => {
                let what = catalog::ALL.iter().find(|(_, listed)| *listed == sql).map_or(sql, |(what, _)| what);
                self.unseen.push(Unseen { what: what.to_owned(), reason: error.message.clone() });
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The answer, which is empty where the cluster has no such catalog.
    pub(super) fn seen_or_absent(&mut self, sql: &'static str) -> Result<Rows, Problem> {
        if matches!(self.answers.get(sql), Some(Err(error)) if matches!(error.kind, ErrorKind::NotFound { .. })) {
            return Ok(Rows::default());
        }
        Ok(self.seen(sql)?.unwrap_or_default())
    }

    /// What could not be seen, in order.
    pub(super) fn unseen(&mut self) -> Vec<Unseen> {
        self.unseen.sort();
        std::mem::take(&mut self.unseen)
    }
}
