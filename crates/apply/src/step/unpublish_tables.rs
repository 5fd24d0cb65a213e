//! Takes tables out of a publication, by setting those that stay.

use std::collections::BTreeSet;

use transship_model::TableName;
use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::{StepError, names};
use super::perform::Work;
use crate::statement::{self, Statement};

pub(super) struct UnpublishTables {
    publication: String,
    stay: BTreeSet<TableName>,
}

impl UnpublishTables {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::UnpublishTables { publication, tables } => {
                Ok(Self { publication, stay: tables.into_iter().collect() })
            }
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    /// The tables that the publication has.
    async fn published(&self, cx: &Context<'_>) -> Result<BTreeSet<TableName>, StepError> {
        let found = cx.publications(&cx.step.cluster).await?.remove(&self.publication);
        let publication = || ObjectRef::publication(&cx.step.cluster, &self.publication);
        found.ok_or_else(|| StepError::NoPublication { publication: publication() })
    }
}

impl Work for UnpublishTables {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(self.published(cx).await? == self.stay)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let published = self.published(cx).await?;
        let problem = match (published.difference(&self.stay).next(), self.stay.difference(&published).next()) {
            (None, None) => return Ok(()),
            (Some(_), _) => format!("still has {}", names(published.difference(&self.stay))),
            (None, Some(_)) => format!("has not got {}", names(self.stay.difference(&published))),
        };
        Err(StepError::NoEffect { object: ObjectRef::publication(&cx.step.cluster, &self.publication), problem })
    }
}
