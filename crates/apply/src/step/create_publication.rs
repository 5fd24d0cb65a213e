//! Makes an empty publication.

use transship_cluster::ErrorKind;
use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::statement::{self, Statement};

pub(super) struct CreatePublication {
    publication: String,
}

impl CreatePublication {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        cx.record()?;
        match statement::of(cx.step)? {
            Statement::CreatePublication { publication } => Ok(Self { publication }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    fn object(&self, cx: &Context<'_>) -> ObjectRef {
        ObjectRef::publication(&cx.step.cluster, &self.publication)
    }
}

impl Work for CreatePublication {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(cx.publications(&cx.step.cluster).await?.contains_key(&self.publication))
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        match cx.execute(&cx.step.sql[0], &[], LIMIT).await {
            // It is not visible, so it is somebody else's: publications show to their owner alone.
            Err(StepError::Cluster(error)) if matches!(error.kind, ErrorKind::AlreadyExists { .. }) => {
                Err(StepError::OwnedByAnother { object: self.object(cx), user: cx.user() })
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
