//! Takes tables out of a publication.

use transship_model::TableName;
use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::{StepError, names};
use super::perform::Work;
use crate::statement::Statement;

pub(super) struct UnpublishTables {
    publication: String,
    tables: Vec<TableName>,
}

impl UnpublishTables {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match Statement::of(cx.step)? {
            Statement::UnpublishTables { publication, tables } => Ok(Self { publication, tables }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    /// The tables that the publication still has.
    async fn left(&self, cx: &Context<'_>) -> Result<Vec<&TableName>, StepError> {
        let publications = cx.publications(&cx.step.cluster).await?;
        let Some(published) = publications.get(&self.publication) else {
            let publication = ObjectRef::publication(&cx.step.cluster, &self.publication);
            return Err(StepError::NoPublication { publication });
        };
        Ok(self.tables.iter().filter(|table| published.contains(*table)).collect())
    }
}

impl Work for UnpublishTables {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(self.left(cx).await?.is_empty())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let left = self.left(cx).await?;
        if left.is_empty() {
            return Ok(());
        }
        let object = ObjectRef::publication(&cx.step.cluster, &self.publication);
        Err(StepError::NoEffect { object, problem: format!("still has {}", names(left)) })
    }
}
