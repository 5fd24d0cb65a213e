//! Drops a publication.

use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::statement::{self, Statement};

pub(super) struct DropPublication {
    publication: String,
}

impl DropPublication {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::DropPublication { publication } => Ok(Self { publication }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }
}

impl Work for DropPublication {
    /// One that cannot be seen is gone, or somebody else's: then it is not the one that was planned with, and a
    /// superuser's DROP would take it all the same. So nothing is sent.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(!cx.publications(&cx.step.cluster).await?.contains_key(&self.publication))
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let object = ObjectRef::publication(&cx.step.cluster, &self.publication);
        Err(StepError::NoEffect { object, problem: "is still there".to_owned() })
    }
}
