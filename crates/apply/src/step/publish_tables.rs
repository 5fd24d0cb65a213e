//! Adds tables to a publication.

use transship_model::TableName;
use transship_model::plan::ObjectRef;

use super::context::{Context, LIMIT};
use super::error::{StepError, names};
use super::perform::Work;
use crate::statement::{self, Statement};

pub(super) struct PublishTables {
    publication: String,
    tables: Vec<TableName>,
}

impl PublishTables {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::PublishTables { publication, tables } => Ok(Self { publication, tables }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    /// The tables that the publication has not got.
    async fn missing(&self, cx: &Context<'_>) -> Result<Vec<&TableName>, StepError> {
        let publications = cx.publications(&cx.step.cluster).await?;
        let published = publications.get(&self.publication);
        let is_missing = |table: &&TableName| !published.is_some_and(|tables| tables.contains(*table));
        Ok(self.tables.iter().filter(is_missing).collect())
    }
}

impl Work for PublishTables {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(self.missing(cx).await?.is_empty())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let missing = self.missing(cx).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let object = ObjectRef::publication(&cx.step.cluster, &self.publication);
        Err(StepError::NoEffect { object, problem: format!("has not got {}", names(missing)) })
    }
}
