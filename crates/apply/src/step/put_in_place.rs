//! Puts a copy in place of a table: by a name that is free, by a swap, or by a view that has the name.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use transship_model::TableName;
use transship_model::plan::{Action, ObjectRef, PutInPlace};

use super::context::Context;
use super::error::StepError;
use super::perform::Work;
use super::readable::{self, SWAP};
use super::whole_copy;
use crate::statement::{self, Statement};

pub(super) struct Place<'a> {
    statement: Statement,
    /// The check before.
    put: &'a PutInPlace,
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
        Ok(Self { statement, put, sent: AtomicBool::new(false) })
    }

    /// What has to be gone when it is done.
    fn gone(&self) -> Option<&TableName> {
        match &self.statement {
            Statement::SwitchView { .. } => None,
            _ => Some(&self.put.copy),
        }
    }

    /// A table is known by the identity of its indices: a swap sent twice would bring the old table back.
    async fn is_the_copy(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        if let Statement::SwitchView { view, copy } = &self.statement {
            return Ok(cx.viewed(&cx.step.cluster, view).await?.as_ref() == Some(copy));
        }
        let found = cx.indices(&cx.step.cluster, &self.put.table).await?;
        let whole = cx.ledger.whole(cx.step, self.put).await.unwrap_or_default();
        // Others may make new partitions and drop old ones as soon as it has the name.
        Ok(whole.indices.is_empty() || !whole.indices.is_disjoint(&found))
    }
}

impl Work for Place<'_> {
    async fn is_done(&self, cx: &Context<'_>) -> Result<bool, StepError> {
        if !self.sent.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let there = &self.put.table;
        let names: BTreeSet<TableName> = self.gone().into_iter().chain([there]).cloned().collect();
        let existing = cx.existing(&cx.step.cluster, &names).await?;
        let in_place = existing.contains(there) && self.gone().is_none_or(|gone| !existing.contains(gone));
        Ok(in_place && self.is_the_copy(cx).await?)
    }

    async fn act(&self, cx: &Context<'_>) -> Result<(), StepError> {
        whole_copy::check(cx, self.put).await?;
        cx.ledger.place(cx.step, self.put).await?;
        self.sent.store(true, Ordering::Relaxed);
        cx.execute(&cx.step.sql[0], &[], SWAP).await.map(|_| ())
    }

    async fn confirm(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if !self.is_done(cx).await? {
            let object = ObjectRef::table(&cx.step.cluster, &self.put.table);
            return Err(StepError::NoEffect { object, problem: "is not the copy".to_owned() });
        }
        readable::wait(cx, self.put).await
    }
}
