//! Puts a copy in place of a table: by a name that is free, by a swap, or by a view.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use transship_model::TableName;
use transship_model::plan::{Action, ObjectRef, PutInPlace};
use transship_sql::{lookup, place, table as table_sql};

use super::context::Context;
use super::error::StepError;
use super::perform::Work;
use crate::catalog;
use crate::statement::{self, Statement};

/// How long the statement may take, and then how long the shards may take to be there again.
const SWAP: Duration = Duration::from_mins(10);

pub(super) struct Place<'a> {
    statement: Statement,
    /// The check before.
    put: &'a PutInPlace,
    /// The identities of the copy's indices, once they have been looked at.
    indices: Mutex<Option<BTreeSet<String>>>,
    /// Whether the statement was sent: before, what is there is not its effect, whatever it looks like.
    sent: AtomicBool,
}

impl<'a> Place<'a> {
    pub(super) fn of(cx: &Context<'a>) -> Result<Self, StepError> {
        let statement = statement::of(cx.step)?;
        let Some(Action::PutInPlace(put)) = &cx.step.action else {
            return Err(cx.wrong("it has no check of its copy"));
        };
        if !matches!(
            statement,
            Statement::RenameTable { .. } | Statement::SwapTable { .. } | Statement::SwitchView { .. }
        ) {
            return Err(cx.wrong("its statement does something else"));
        }
        if cx.step.consent.as_ref().is_some_and(|consent| consent.given.is_none()) {
            return Err(cx.wrong("nobody consented to it"));
        }
        Ok(Self { statement, put, indices: Mutex::default(), sent: AtomicBool::new(false) })
    }

    /// What has to be gone and what has to be there when it is done.
    fn names(&self) -> (Option<TableName>, TableName) {
        match &self.statement {
            Statement::RenameTable { table, to } => (Some(table.clone()), TableName::new(&table.schema, to)),
            Statement::SwapTable { copy, table } => (Some(copy.clone()), table.clone()),
            Statement::SwitchView { view, .. } => (None, view.clone()),
            _ => unreachable!("a place is one of these three"),
        }
    }

    /// Whether the view reads from the copy.
    async fn reads_copy(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        let Statement::SwitchView { view, copy } = &self.statement else { return Ok(true) };
        let definitions = cx.look(&cx.step.cluster, &lookup::view_definition(view), catalog::read_names).await?;
        Ok(definitions.iter().any(|definition| definition.contains(&copy.table)))
    }

    /// The copy has what was written to it, and is not far smaller than what it replaces.
    async fn check(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let (put, cluster) = (self.put, &cx.step.cluster);
        let new = cx.look(cluster, &put.count_copy, catalog::read_count).await?;
        match cx.ledger.filled(cx.step, &put.copy).await {
            Some(filled) if filled.rows == new => {}
            Some(filled) => {
                return Err(StepError::CountDiffers { table: put.copy.clone(), found: new, written: filled.rows });
            }
            None => return Err(cx.wrong("its copy was not filled by this run")),
        }
        let Some(count) = &put.count_table else { return Ok(()) };
        let old = cx.look(cluster, count, catalog::read_count).await?;
        let shrinks = old > 0 && (new == 0 || new < old.div_ceil(2));
        if shrinks && !put.allow_shrink {
            return Err(StepError::Shrinks { table: put.table.clone(), new, old });
        }
        Ok(())
    }

    async fn indices_of(cx: &Context<'_>, table: &TableName) -> Result<BTreeSet<String>, StepError> {
        let shards = cx.look(&cx.step.cluster, &lookup::shards([table]), catalog::read_shards).await?;
        Ok(shards.into_values().flatten().collect())
    }

    /// Waits until every shard of what has the name now is there and readers see all of its rows.
    async fn wait_readable(&self, cx: &Context<'_>, name: &TableName) -> Result<(), StepError> {
        let expected = cx.ledger.filled(cx.step, &self.put.copy).await.map(|filled| filled.rows);
        let mut pace = cx.settle(SWAP);
        loop {
            let state = match self.readable_rows(cx, name).await {
                // Others may add rows by now. Fewer than were written are never taken for all.
                Ok(Some(found)) if expected.is_none_or(|expected| found >= expected) => return Ok(()),
                Ok(Some(found)) => format!("readers of {name} see {found} rows"),
                Ok(None) => format!("a primary shard of {name} is missing"),
                Err(error) => format!("{name} cannot be read: {error}"),
            };
            pace.pause(|| state).await?;
        }
    }

    /// The rows that readers see; `None` while a shard is missing.
    async fn readable_rows(&self, cx: &Context<'_>, name: &TableName) -> Result<Option<u64>, StepError> {
        let cluster = &cx.step.cluster;
        let table = match &self.statement {
            Statement::SwitchView { copy, .. } => copy,
            _ => name,
        };
        let red = cx.look(cluster, &lookup::red_tables([table]), catalog::read_tables).await?;
        if !red.is_empty() {
            return Ok(None);
        }
        cx.query(cluster, &table_sql::refresh([table])).await?;
        cx.look(cluster, &place::count_rows(name), catalog::read_count).await.map(Some)
    }
}

impl Work for Place<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        if !self.sent.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (gone, there) = self.names();
        let names: BTreeSet<TableName> = gone.iter().cloned().chain([there.clone()]).collect();
        let existing = cx.existing(&cx.step.cluster, &names).await?;
        let in_place = existing.contains(&there) && gone.is_none_or(|gone| !existing.contains(&gone));
        Ok(in_place && self.reads_copy(cx).await?)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        self.check(cx).await?;
        if matches!(self.statement, Statement::SwapTable { .. }) {
            *self.indices.lock().await = Some(Self::indices_of(cx, &self.put.copy).await?);
        }
        self.sent.store(true, Ordering::Relaxed);
        cx.execute(&cx.step.sql[0], &[], SWAP).await.map(|_| ())
    }

    /// A swap is known by the identity of the indices: sent twice, it would bring the old table back.
    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let (_, there) = self.names();
        let object = ObjectRef::table(&cx.step.cluster, &there);
        if !self.is_done(cx).await? {
            return Err(StepError::NoEffect { object, problem: "is not what it should be".to_owned() });
        }
        if let Some(before) = self.indices.lock().await.as_ref()
            && *before != Self::indices_of(cx, &there).await?
        {
            return Err(StepError::NoEffect { object, problem: "is not the copy".to_owned() });
        }
        self.wait_readable(cx, &there).await
    }
}
