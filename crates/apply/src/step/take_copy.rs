//! Takes a table that a subscription has let go of for a copy of the flow: the very one that the ledger has in sync.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use transship_model::TableName;
use transship_model::plan::{Action, ObjectRef, TakeCopy as Take};
use transship_sql::lookup;

use super::context::Context;
use super::error::StepError;
use super::perform::Work;
use super::readable::SWAP;
use crate::catalog;
use crate::ledger::Filled;

pub(super) struct TakeCopy<'a> {
    take: &'a Take,
    /// Whether the statement was sent: before, what is there is not its effect, whatever it looks like.
    sent: AtomicBool,
}

impl<'a> TakeCopy<'a> {
    pub(super) fn of(cx: &Context<'a>) -> Result<Self, StepError> {
        match &cx.step.action {
            Some(Action::TakeCopy(take)) if cx.step.sql.len() <= 1 => Ok(Self { take, sent: AtomicBool::new(false) }),
            _ => Err(cx.wrong("it has no action, or another kind's")),
        }
    }

    fn is_renamed(&self) -> bool {
        self.take.arrived != self.take.copy
    }

    /// What the ledger has in sync.
    async fn noted(&self, cx: &Context<'_>) -> Result<Filled, StepError> {
        let noted = cx.ledger.synced(cx.step, &self.take.table).await;
        noted.ok_or_else(|| cx.changed(&self.take.table, "is not in sync, as far as the ledger knows"))
    }

    /// Whether a table is the one that is in sync. Partitions may have come and gone since.
    async fn is_the_one(&self, cx: &Context<'_>, table: &TableName) -> Result<bool, StepError> {
        let (noted, found) = (self.noted(cx).await?.indices, cx.indices(&cx.step.cluster, table).await?);
        Ok(noted.is_empty() || !noted.is_disjoint(&found))
    }

    /// Counts it. As long as no operation came since it was noted, it has the rows that were counted then.
    async fn count(&self, cx: &Context<'_>) -> Result<Option<Filled>, StepError> {
        let (cluster, copy) = (&cx.step.cluster, &self.take.copy);
        if !cx.look(cluster, &lookup::red_tables([copy]), catalog::read_tables).await?.is_empty() {
            return Ok(None);
        }
        cx.query(cluster, &self.take.refresh).await?;
        let reached = cx.look(cluster, &self.take.reached, catalog::read_checkpoints).await?;
        let rows = cx.look(cluster, &self.take.count, catalog::read_count).await?;
        let noted = self.noted(cx).await?;
        let highest = reached.iter().map(|(key, it)| (format!("{}/{}", key.1, key.2), it.max_seq_no));
        let unchanged = highest.eq(noted.marks.iter().map(|(key, (_, highest))| (key.clone(), Some(*highest))));
        if unchanged && rows != noted.rows {
            return Err(StepError::CountDiffers { table: copy.clone(), found: rows, written: noted.rows });
        }
        let indices = cx.indices(cluster, copy).await?;
        Ok(Some(Filled { rows, indices, marks: noted.marks, began: None, cursor: None }))
    }
}

impl Work for TakeCopy<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        if !self.sent.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let both: BTreeSet<TableName> = [self.take.arrived.clone(), self.take.copy.clone()].into();
        let existing = cx.existing(&cx.step.cluster, &both).await?;
        let named =
            existing.contains(&self.take.copy) && (!self.is_renamed() || !existing.contains(&self.take.arrived));
        Ok(named && self.is_the_one(cx, &self.take.copy).await?)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if !self.is_the_one(cx, &self.take.arrived).await? {
            return Err(cx.changed(&self.take.arrived, "is another table than the one that was in sync"));
        }
        self.sent.store(true, Ordering::Relaxed);
        match cx.step.sql.first() {
            Some(sql) => cx.execute(sql, &[], SWAP).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if !self.is_done(cx).await? {
            let object = ObjectRef::table(&cx.step.cluster, &self.take.copy);
            return Err(StepError::NoEffect { object, problem: "is not the table that was in sync".to_owned() });
        }
        let mut pace = cx.settle(SWAP);
        loop {
            match self.count(cx).await {
                Ok(Some(filled)) => {
                    cx.ledger.fill(cx.step, &self.take.copy, filled).await;
                    return Ok(());
                }
                Ok(None) | Err(StepError::Cluster(_)) => {}
                Err(error) => return Err(error),
            }
            pace.pause(|| format!("{} cannot be read in full yet", self.take.copy)).await?;
        }
    }
}
