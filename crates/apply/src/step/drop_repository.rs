//! Drops a repository. Its snapshots stay where they lie.

use transship_model::plan::ObjectRef;
use transship_sql::bulk::Bulk;

use super::context::{Context, LIMIT};
use super::create_repository::repositories;
use super::error::StepError;
use super::perform::Work;

pub(super) struct DropRepository {
    repository: String,
}

impl DropRepository {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match cx.step.sql.first().and_then(|sql| Bulk::read(sql)) {
            Some(Bulk::DropRepository { repository }) => Ok(Self { repository }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }
}

impl Work for DropRepository {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(!repositories(cx, &cx.step.cluster).await?.contains_key(&self.repository))
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let object = ObjectRef::repository(&cx.step.cluster, &self.repository);
        Err(StepError::NoEffect { object, problem: "is still there".to_owned() })
    }
}
