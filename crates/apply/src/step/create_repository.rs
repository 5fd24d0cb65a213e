//! Makes a repository of snapshots, secrets bound.

use std::collections::BTreeMap;
use std::time::Duration;

use transship_cluster::{Bind, Rows, Value, ValueError};
use transship_model::Name;
use transship_model::plan::{ObjectRef, ParamRef};
use transship_sql::bulk::Bulk;
use transship_sql::repository::{self, RepositorySettings};

use super::context::Context;
use super::error::StepError;
use super::perform::Work;
use crate::catalog;

/// All nodes try to write there before the server answers.
const LIMIT: Duration = Duration::from_mins(5);

/// Type and settings of repositories by name.
type Repositories = BTreeMap<String, (String, BTreeMap<String, String>)>;

pub(super) struct CreateRepository {
    repository: String,
    settings: RepositorySettings,
}

impl CreateRepository {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match cx.step.sql.as_slice() {
            [sql] => match Bulk::read(sql) {
                Some(Bulk::CreateRepository { repository, settings }) => Ok(Self { repository, settings }),
                _ => Err(cx.wrong("its statement does something else")),
            },
            _ => Err(cx.wrong("it has not exactly one statement")),
        }
    }

    fn object(&self, cx: &Context<'_>) -> ObjectRef {
        ObjectRef::repository(&cx.step.cluster, &self.repository)
    }

    fn secrets(cx: &Context<'_>) -> Result<Vec<Bind>, StepError> {
        let secret = |reference: &ParamRef| match reference {
            ParamRef::StoreSecret { store, secret } => cx.stores.get(store)?.secret(*secret).cloned(),
            _ => None,
        };
        let bound = cx.step.params.iter().map(|param| secret(&param.reference).map(Bind::Secret));
        bound.collect::<Option<Vec<_>>>().ok_or_else(|| cx.wrong("a secret of its store is not known"))
    }
}

/// Type and settings of every repository.
pub(crate) async fn repositories(cx: &Context<'_>, cluster: &Name) -> Result<Repositories, StepError> {
    cx.look(cluster, &repository::repositories(), read).await
}

fn read(rows: &Rows) -> Result<Repositories, ValueError> {
    let settings = |value: Option<&Value>| match value {
        Some(Value::Json(serde_json::Value::Object(settings))) => {
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            settings.iter().map(|(key, value)| (key.clone(), text(value))).collect()
        }
        _ => BTreeMap::new(),
    };
    let row = |row: &Vec<Value>| Ok((catalog::text(row, 0)?, (catalog::text(row, 1)?, settings(row.get(2)))));
    rows.rows.iter().map(row).collect()
}

impl Work for CreateRepository {
    /// Secrets cannot be compared; what can be has to be as planned.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let Some((kind, settings)) = repositories(cx, &cx.step.cluster).await?.remove(&self.repository) else {
            return Ok(false);
        };
        let same = kind == self.settings.kind.as_str()
            && self.settings.literals.iter().all(|(key, value)| settings.get(key) == Some(value));
        if same {
            return Ok(true);
        }
        let difference = "it lies elsewhere".to_owned();
        Err(StepError::Differs { object: self.object(cx), difference })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        match cx.execute(&cx.step.sql[0], &Self::secrets(cx)?, LIMIT).await {
            // Another target of the flow may have made it a moment ago.
            Err(StepError::Cluster(error)) if error.message.contains("already exists") && self.is_done(cx).await? => {
                Ok(())
            }
            answer => answer.map(|_| ()),
        }
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        Err(StepError::NoEffect { object: self.object(cx), problem: "is not there".to_owned() })
    }
}
