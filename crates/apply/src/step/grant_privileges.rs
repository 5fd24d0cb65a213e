//! Gives and denies what users may do with a table. Each statement may be sent twice.

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::statement::Statement;

pub(super) struct GrantPrivileges;

impl GrantPrivileges {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        let is_grant = |sql: &String| matches!(Statement::read(sql), Some(Statement::Grant(_)));
        if cx.step.sql.iter().all(is_grant) { Ok(Self) } else { Err(cx.wrong("its statements do something else")) }
    }
}

impl Work for GrantPrivileges {
    async fn is_done(&self, _: &Context<'_>) -> Result<bool, StepError> {
        Ok(false)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        for statement in &cx.step.sql {
            // The count is 0 where the privilege was held already.
            cx.execute(statement, &[], LIMIT).await?;
        }
        Ok(())
    }

    async fn confirm(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}
