//! Gives a table other settings, and looks that it has them. The statement may be sent twice.

use std::collections::BTreeMap;

use transship_cluster::Rows;
use transship_model::TableName;
use transship_model::plan::ObjectRef;
use transship_sql::definition::Definition;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::catalog;
use crate::statement::{self, Statement};

pub(super) struct AlterTable {
    table: TableName,
    settings: BTreeMap<String, String>,
}

impl AlterTable {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::SetSettings { table, settings } => Ok(Self { table, settings }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    /// The settings as the server prints them; some in another unit than they were given.
    async fn printed(&self, cx: &Context<'_>) -> Result<BTreeMap<String, String>, StepError> {
        let show = transship_sql::observe::show_create_table(&self.table);
        let read = |rows: &Rows| rows.rows.first().map(|row| catalog::text(row, 0)).transpose();
        let text = cx.look(&cx.step.cluster, &show, read).await?.unwrap_or_default();
        let definition = Definition::read(&text).map_err(|error| cx.wrong(error.to_string()))?;
        Ok(definition.settings)
    }
}

impl Work for AlterTable {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let printed = self.printed(cx).await?;
        Ok(self.settings.iter().all(|(name, value)| printed.get(name) == Some(value)))
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let printed = self.printed(cx).await?;
        let Some(missing) = self.settings.keys().find(|name| !printed.contains_key(*name)) else { return Ok(()) };
        let object = ObjectRef::table(&cx.step.cluster, &self.table);
        Err(StepError::NoEffect { object, problem: format!("has no setting {missing}") })
    }
}
