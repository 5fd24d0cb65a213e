//! Gives a table other settings, or more columns, and looks that it has them. Settings may be sent twice; columns are added
//! all at once.

use std::collections::BTreeMap;

use transship_cluster::Rows;
use transship_model::TableName;
use transship_model::plan::ObjectRef;
use transship_sql::definition::{Column, Definition, holds};

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::catalog;
use crate::statement::{self, Statement};

pub(super) struct AlterTable {
    table: TableName,
    wanted: Wanted,
}

enum Wanted {
    Settings(BTreeMap<String, String>),
    Columns(Vec<Column>),
}

impl AlterTable {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::SetSettings { table, settings } => Ok(Self { table, wanted: Wanted::Settings(settings) }),
            Statement::AddColumns { table, columns } => Ok(Self { table, wanted: Wanted::Columns(columns) }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    /// The table as the server prints it; some settings in another unit than they were given.
    async fn printed(&self, cx: &Context<'_>) -> Result<Definition, StepError> {
        let show = transship_sql::observe::show_create_table(&self.table);
        let read = |rows: &Rows| rows.rows.first().map(|row| catalog::text(row, 0)).transpose();
        let text = cx.look(&cx.step.cluster, &show, read).await?.unwrap_or_default();
        Definition::read(&text).map_err(|error| cx.wrong(error.to_string()))
    }
}

/// Whether a table has a column of the very type.
fn has(printed: &Definition, wanted: &Column) -> bool {
    let same = |there: &Column| {
        let (there, wanted) = (&there.data_type, &wanted.data_type);
        holds(there, wanted) && holds(wanted, there)
    };
    printed.column(&wanted.name).is_some_and(|there| there.generated.is_none() && same(there))
}

impl Work for AlterTable {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let printed = self.printed(cx).await?;
        Ok(match &self.wanted {
            Wanted::Settings(all) => all.iter().all(|(name, value)| printed.settings.get(name) == Some(value)),
            Wanted::Columns(all) => all.iter().all(|column| has(&printed, column)),
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let printed = self.printed(cx).await?;
        let missing = match &self.wanted {
            Wanted::Settings(all) => all.keys().find(|name| !printed.settings.contains_key(*name)),
            Wanted::Columns(all) => all.iter().find(|column| !has(&printed, column)).map(|column| &column.name),
        };
        let Some(missing) = missing else { return Ok(()) };
        let what = match &self.wanted {
            Wanted::Settings(_) => "setting",
            Wanted::Columns(_) => "column",
        };
        let object = ObjectRef::table(&cx.step.cluster, &self.table);
        Err(StepError::NoEffect { object, problem: format!("has no {what} {missing}") })
    }
}
