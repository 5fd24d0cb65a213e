//! Drops a subscription. Its tables stay and become writable.

use std::collections::BTreeSet;
use std::time::Duration;

use transship_model::TableName;
use transship_model::plan::ObjectRef;
use transship_sql::replication;

use super::contents::HalfCopies;
use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::precondition;
use crate::statement::{self, Statement};

/// How long tables may take to become writable.
const RELEASE: Duration = Duration::from_secs(30);

pub(super) struct DropSubscription {
    subscription: String,
}

impl DropSubscription {
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        match statement::of(cx.step)? {
            Statement::DropSubscription { subscription } => Ok(Self { subscription }),
            _ => Err(cx.wrong("its statement does something else")),
        }
    }

    fn object(&self, cx: &Context<'_>) -> ObjectRef {
        ObjectRef::subscription(&cx.step.cluster, &self.subscription)
    }

    /// Writes down what half copies have that it still follows: those that it has let go of may be written already.
    async fn note_half_copies(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let mut halves = HalfCopies::of(cx, |_| true).await;
        halves.look(cx, &replication::subscribed_tables(), &self.subscription).await?;
        halves.note(cx).await
    }

    /// The flow's tables that exist and still cannot be written.
    async fn held(cx: &Context<'_>) -> Result<BTreeSet<TableName>, StepError> {
        let Some(record) = cx.ledger.record_of(cx.step) else { return Ok(BTreeSet::new()) };
        let arriving = cx.ledger.arriving(cx.step).await.into_keys();
        let named = record.row.tables.iter().cloned().chain(arriving).collect();
        let tables = cx.existing(&cx.step.cluster, &named).await?;
        if tables.is_empty() { Ok(tables) } else { precondition::subscribed(cx, &tables).await }
    }
}

impl Work for DropSubscription {
    /// One that cannot be seen is gone, or somebody else's: then it is not the one that was planned with, and a
    /// superuser's DROP would take it all the same. So nothing is sent.
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(!cx.subscriptions(&cx.step.cluster).await?.contains_key(&self.subscription))
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        self.note_half_copies(cx).await?;
        cx.execute(&cx.step.sql[0], &[], LIMIT).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if !self.is_done(cx).await? {
            return Err(StepError::NoEffect { object: self.object(cx), problem: "is still there".to_owned() });
        }
        let mut pace = cx.settle(RELEASE);
        loop {
            let held = Self::held(cx).await?;
            if held.is_empty() {
                return Ok(());
            }
            match pace.pause(String::new).await {
                Err(StepError::TimedOut { .. }) => {
                    return Err(StepError::LeftFollowed {
                        subscription: self.object(cx),
                        tables: held.into_iter().collect(),
                    });
                }
                pause => pause?,
            }
        }
    }
}
