//! Makes the ledger's tables and writes its format.

use transship_sql::ledger;

use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::precondition::ledger_tables;

pub(super) struct CreateLedger;

impl Work for CreateLedger {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(cx.existing(&cx.step.cluster, &ledger_tables()).await?.len() == ledger::TABLES.len())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let expected = format!("CREATE TABLE IF NOT EXISTS \"{}\".", ledger::SCHEMA);
        for statement in &cx.step.sql {
            if !statement.starts_with(&expected) || statement.contains(';') {
                return Err(cx.wrong("a statement makes no table of the ledger"));
            }
            // 0 rows: the table was there, which is as good.
            let rows = cx.execute(statement, &[], LIMIT).await?;
            if rows > 1 {
                return Err(cx.wrong(format!("a statement answered {rows} rows instead of 0 or 1")));
            }
        }
        Ok(())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        cx.ledger.open(&cx.step.cluster).await
    }
}
