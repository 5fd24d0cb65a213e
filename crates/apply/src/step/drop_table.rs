//! Drops a table: the one that was planned with, and no other.

use std::time::Duration;

use transship_cluster::ErrorKind;
use transship_model::TableName;
use transship_model::plan::{ConsentBy, ObjectRef, Precondition};

use super::contents;
use super::context::{Context, LIMIT};
use super::error::StepError;
use super::perform::Work;
use crate::statement::{self, Statement};

/// How long a primary that moves to another node may be listed as none.
const MOVING: Duration = Duration::from_secs(10);

const WRITTEN: &str = "has something else than it had while a subscription filled it: somebody writes into it, or the last operations \
    came just then. Look at it before it is dropped";
const AWAY: &str = "has shards that are not started, so that nobody knows whether somebody has written into it";

pub(super) struct DropTable {
    table: TableName,
}

impl DropTable {
    /// Refuses a step that does not insist on the table being the one that was planned with, or lacks its consent.
    pub(super) fn of(cx: &Context<'_>) -> Result<Self, StepError> {
        let Statement::DropTable { table } = statement::of(cx.step)? else {
            return Err(cx.wrong("its statement does something else"));
        };
        let object = ObjectRef::table(&cx.step.cluster, &table);
        if !cx.step.preconditions.contains(&Precondition::Unchanged(object)) {
            return Err(cx.wrong("it does not insist on the table being unchanged"));
        }
        if cx.step.consent.as_ref().is_some_and(|consent| consent.given.is_none()) {
            return Err(cx.wrong("nobody consented to it"));
        }
        Ok(Self { table })
    }

    /// Refuses to drop a half copy without anybody's consent that has not exactly what it had while a subscription filled it.
    async fn check_half(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let given = cx.step.consent.as_ref().and_then(|consent| consent.given.as_ref());
        if given != Some(&ConsentBy::Arriving) {
            return Ok(());
        }
        let known = cx.ledger.arriving(cx.step).await.remove(&self.table).unwrap_or_default();
        let mut pace = cx.settle(MOVING);
        loop {
            let now = contents::of(cx, &[self.table.clone()].into()).await?.remove(&self.table).unwrap_or_default();
            if known == now {
                return Ok(());
            }
            if !now.lacks_of(&known) {
                return Err(cx.changed(&self.table, WRITTEN));
            }
            match pace.pause(String::new).await {
                Err(StepError::TimedOut { .. }) => return Err(cx.changed(&self.table, AWAY)),
                pause => pause?,
            }
        }
    }
}

impl Work for DropTable {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        Ok(cx.existing(&cx.step.cluster, &[self.table.clone()].into()).await?.is_empty())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        self.check_half(cx).await?;
        match cx.execute(&cx.step.sql[0], &[], LIMIT).await {
            // Somebody else dropped it a moment ago.
            Err(StepError::Cluster(error)) if matches!(error.kind, ErrorKind::NotFound { .. }) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.is_done(cx).await? {
            return Ok(());
        }
        let object = ObjectRef::table(&cx.step.cluster, &self.table);
        Err(StepError::NoEffect { object, problem: "is still there".to_owned() })
    }
}
