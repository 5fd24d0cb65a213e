//! Makes a table under a name that nothing has.

use std::sync::atomic::{AtomicBool, Ordering};

use transship_model::TableName;
use transship_model::plan::ObjectRef;
use transship_sql::{place, table};

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::catalog;
use crate::statement::{self, Statement};

pub(super) struct CreateTable {
    table: TableName,
    /// Whether the statement was sent: before, a table of the name is another run's.
    sent: AtomicBool,
}

impl CreateTable {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::CreateTable { table, .. } => Ok(Self { table, sent: AtomicBool::new(false) }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }
}

impl Work for CreateTable {
    /// An empty table of the derived name is what a lost answer leaves; one with rows is somebody else's.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        if !self.sent.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let cluster = &cx.step.cluster;
        if cx.existing(cluster, &[self.table.clone()].into()).await?.is_empty() {
            return Ok(false);
        }
        // Rows that were written a moment ago are not counted before.
        cx.query(cluster, &table::refresh([&self.table])).await?;
        Ok(cx.look(cluster, &place::count_rows(&self.table), catalog::read_count).await? == 0)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        self.sent.store(true, Ordering::Relaxed);
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let object = ObjectRef::table(&cx.step.cluster, &self.table);
        Err(StepError::NoEffect { object, problem: "is not there, or not empty".to_owned() })
    }
}
